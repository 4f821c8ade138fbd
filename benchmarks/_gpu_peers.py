"""The peers of a case on a GPU: one result, each made as its own users make it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

import xent
import xent.torch as X
from benchmarks import _gpu_exact
from benchmarks._gpu_cases import (
    CAPPED,
    COMPILED,
    EAGER,
    FLASH,
    FOCAL,
    LIGER,
    OURS,
    PEERS,
    PLAIN,
    QUACK,
    READ,
    SMOOTHED,
    TYPED,
    Z_LOSS,
    Case,
)
from benchmarks._gpu_dense import dense
from benchmarks._gpu_exact import OfRows, exact, surprisal, wrong_mean, wrong_rows
from benchmarks._gpu_make import Found, checked, compiled, data, evaluated, read, trained
from benchmarks._gpu_turns import Device, Peer
from benchmarks._gpu_ways import Loss, Modes, Way, way_of

#: A smoke test takes the first.
_MODES: Modes = ("default", "max-autotune-no-cudagraphs")


def ours() -> Loss:
    return lambda z, y, reduction: X.cross_entropy(z, y, reduction=reduction)


def eager() -> Loss:
    return lambda z, y, reduction: F.cross_entropy(z, y, reduction=reduction)


def liger() -> Loss:
    from liger_kernel.transformers.functional import liger_cross_entropy

    return lambda z, y, reduction: liger_cross_entropy(z, y, reduction=reduction)


def quack() -> Loss:
    from quack.cross_entropy import cross_entropy

    return lambda z, y, reduction: cross_entropy(z, y, reduction=reduction)


def flash() -> Loss:
    from flash_attn.ops.triton.cross_entropy import cross_entropy_loss

    def loss(z: Any, y: Any, reduction: str) -> Any:
        losses, _ = cross_entropy_loss(z, y)
        return losses.mean() if reduction == "mean" else losses

    return loss


LOSSES: dict[str, Callable[[], Loss]] = {OURS: ours, EAGER: eager, LIGER: liger, QUACK: quack, FLASH: flash}


def peers_of(case: Case, device: Device, *, quick: bool) -> tuple[dict[str, Found], int]:
    """(every peer of the case by its name, in the order of its columns; the bytes of the scores)."""
    modes = _MODES[: 1 if quick else None]
    z, y = data(case.at(quick), getattr(torch, case.dtype))
    if case.group.startswith(("binary", "distribution")):
        found = dense(case.group, z, modes, device)
    elif case.group == "entropy":
        found = _entropy(z.detach(), y, modes, device)
    elif case.group == "options":
        found = _options(z, y)
    else:
        found = _losses(case.group, z, y, modes, device)
    return {name: found[name] for name in PEERS[case.group]}, z.nbytes


def _losses(group: str, z: Any, y: Any, modes: Modes, device: Device) -> dict[str, Found]:
    """The loss of labels, with its gradient or without."""
    way = way_of(group, z)
    expected = exact(z, y, weight=way.weight)
    if not way.trains:
        z = z.detach()

    def right(value: Any, gradient: Any) -> str | None:
        if group == "likelihood":
            return wrong_rows(expected, value)
        return wrong_mean(expected, value, gradient, trains=way.trains)

    found = {name: checked(partial(_of_loss, make, name, z, y, way), right) for name, make in LOSSES.items()}
    found[COMPILED] = way.compiled(F.cross_entropy, z, y, modes, right, device)
    if group != "memory":
        found[PEERS[group][-1]] = way.bound(z, device)  # type: ignore[index]
    return found


def _of_loss(make: Callable[[], Loss], name: str, z: Any, y: Any, way: Way) -> Peer:
    loss = make()
    if name != LIGER:
        return way.peer(loss, z, y)
    own = torch.empty_like(z).requires_grad_(z.requires_grad)

    def anew() -> None:
        with torch.no_grad():
            own.copy_(z)

    note = "it may write its gradient over the scores, which are therefore made anew before each call, outside the time"
    return way.peer(loss, own, y, note, anew)


def _entropy(z: Any, y: Any, modes: Modes, device: Device) -> dict[str, Found]:
    losses, entropies = exact(z, y), exact(z, y, _gpu_exact.entropy)

    def right(value: Any, _: Any) -> str | None:
        return wrong_rows(losses, value[0]) or wrong_rows(entropies, value[1], "entropy")

    def typed() -> Any:
        found = xent.losses.language.token_scores(xent.Labels(y), xent.Logits(z))
        return -found.log_likelihood, found.entropy

    def composed(z: Any, y: Any) -> Any:
        log_q = F.log_softmax(z, -1, dtype=torch.float32)
        return -log_q.gather(1, y[:, None])[:, 0], -(log_q.exp() * log_q).sum(-1)

    def with_torch_compile(mode: str) -> Peer:
        ready = torch.compile(composed, mode=mode, dynamic=False, fullgraph=True)
        return evaluated(lambda: ready(z, y))

    return {
        TYPED: checked(lambda: evaluated(typed, "xent.losses.language.token_scores"), right),
        EAGER: checked(
            lambda: evaluated(lambda: composed(z, y), "log_softmax in float32, and array operations"), right
        ),
        COMPILED: compiled(modes, with_torch_compile, right, device),
        READ: read(z, device),
    }


def _options(z: Any, y: Any) -> dict[str, Found]:
    """The plain loss and what costs no other pass, by xent's own function."""
    P, Q, capped = xent.Labels(y), xent.Logits(z), xent.losses.noise.softcap(30.0)
    made: dict[str, tuple[Callable[[], Any], OfRows]] = {
        PLAIN: (lambda: xent.cross_entropy(P, Q), surprisal),
        SMOOTHED: (lambda: xent.cross_entropy(xent.Labels(y, smoothing=0.1), Q), _gpu_exact.smoothed),
        Z_LOSS: (lambda: xent.cross_entropy(P, Q, penalties=[xent.ZLoss(1e-4)]), _gpu_exact.with_z_loss),
        FOCAL: (lambda: xent.cross_entropy(P, Q, shaping=xent.Focal(2.0)), _gpu_exact.focal),
        CAPPED: (lambda: capped(P, Q), _gpu_exact.capped),
    }
    return {
        name: checked(partial(trained, loss, z), partial(wrong_mean, exact(z, y, of_rows), trains=True))
        for name, (loss, of_rows) in made.items()
    }
