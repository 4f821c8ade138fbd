"""The peers of a case: the same data, the same result, each written as its own users write it, at its best setting.

To be imported after ``_machine.pin``.
"""

from __future__ import annotations

import math
import shutil
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import xent
import xent.torch as X
from benchmarks._cases import COMPILED, COPY, EAGER, JAX, OURS, SKLEARN, TYPED, Case
from benchmarks._rounds import Peer, fastest

#: A peer, or why there is none.
Found = Peer | str
Modes = tuple[str, ...]
#: Of torch.compile; a smoke test takes the first.
_MODES: Modes = ("default", "max-autotune-no-cudagraphs")


def peers_of(case: Case, *, quick: bool) -> dict[str, Found]:
    """Every peer of the case by its name, checked to agree with ours."""
    found = _BUILD[case.group](case.at(quick), case.dtype, _MODES[: 1 if quick else None])
    _agree(case, found)
    return found


def compiler() -> str | None:
    """Why there is no ``torch.compile`` here, or None."""
    return None if any(map(shutil.which, ("g++", "clang++", "c++"))) else "no C++ compiler"


def scores_and_labels(shape: tuple[int, ...], dtype: str) -> tuple[Any, Any]:
    """Scores N(0, 3²) that want a gradient, and labels."""
    g = torch.Generator().manual_seed(0)
    z = (3 * torch.randn(shape, generator=g)).to(getattr(torch, dtype))
    return z.requires_grad_(), torch.randint(shape[-1], shape[:1], generator=g)


def _scores(shape: tuple[int, ...], dtype: str, modes: Modes) -> dict[str, Found]:
    z, y = scores_and_labels(shape, dtype)
    copied = torch.empty_like(z, requires_grad=False).fill_(0)  # its pages are touched here
    return {
        OURS: backward(lambda: X.cross_entropy(z, y), z),
        TYPED: backward(lambda: xent.cross_entropy(xent.Labels(y), xent.Logits(z)), z),
        EAGER: backward(lambda: F.cross_entropy(z, y), z),
        COMPILED: _compiled(modes, F.cross_entropy, z, y),
        JAX: _jax(z.detach(), y),
        COPY: Peer(lambda: copied.copy_(z.detach())),
    }


def _numpy_scores(shape: tuple[int, ...], dtype: str, _: Modes) -> dict[str, Found]:
    z, y = (x.detach().numpy() for x in scores_and_labels(shape, dtype))
    copied = np.zeros_like(z)
    copied[:] = 1
    return {
        TYPED: Peer(lambda: xent.value_and_grad(xent.Labels(y), xent.Logits(z))[0]),
        COPY: Peer(lambda: np.copyto(copied, z)),
    }


def _binary(shape: tuple[int, ...], dtype: str, modes: Modes) -> dict[str, Found]:
    g = torch.Generator().manual_seed(0)
    z = (3 * torch.randn(shape, generator=g)).to(getattr(torch, dtype)).requires_grad_()
    t = torch.randint(2, shape, generator=g).to(z.dtype)
    return {
        OURS: backward(lambda: X.binary_cross_entropy_with_logits(z, t), z),
        EAGER: backward(lambda: F.binary_cross_entropy_with_logits(z, t), z),
        COMPILED: _compiled(modes, F.binary_cross_entropy_with_logits, z, t),
    }


def _log_loss(shape: tuple[int, ...], dtype: str, _: Modes) -> dict[str, Found]:
    rng = np.random.default_rng(0)
    # N(0, 1) and not wider: scikit-learn clips a probability of float32 at 1.2e-7, and would compute another number.
    z = rng.normal(0, 1, shape)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p = (p / p.sum(axis=1, keepdims=True)).astype(dtype)
    y = rng.integers(0, shape[1], shape[0])
    found: dict[str, Found] = {TYPED: Peer(lambda: xent.cross_entropy(xent.Labels(y), xent.Probabilities(p)))}
    if find_spec("sklearn") is None:
        return found | {SKLEARN: "not installed"}
    from sklearn import config_context
    from sklearn.metrics import log_loss

    classes = np.arange(shape[1])

    def theirs() -> Any:
        with config_context(assume_finite=True):
            return log_loss(y, p, labels=classes)

    return found | {SKLEARN: Peer(theirs, note="log_loss(y, p, labels=…) with assume_finite=True")}


_BUILD: dict[str, Callable[[tuple[int, ...], str, Modes], dict[str, Found]]] = {
    "cross_entropy": _scores,
    "value_and_grad": _numpy_scores,
    "binary": _binary,
    "log_loss": _log_loss,
}


def backward(loss: Callable[[], Any], z: Any, note: str = "") -> Peer:
    """Forward and backward as in a training loop: the gradient of the step before is dropped, a new one is made."""

    def call() -> Any:
        z.grad = None
        value = loss()
        value.backward()
        return value

    def release() -> None:
        z.grad = None

    return Peer(call, release, note)


def _compiled(modes: Modes, function: Callable[..., Any], z: Any, truth: Any) -> Found:
    """The fastest of the modes, each compiled for this one shape."""
    why = compiler()
    if why is not None:
        return why
    torch._dynamo.reset()
    candidates = {}
    for mode in modes:
        ready = torch.compile(function, mode=mode, dynamic=False, fullgraph=True)
        candidates[mode] = backward(lambda ready=ready: ready(z, truth), z)
    with warnings.catch_warnings():
        # Its deprecation warnings about itself.
        warnings.simplefilter("ignore")
        mode, peer = fastest(candidates)
    return Peer(peer.call, peer.release, f'mode="{mode}", the fastest of {len(modes)}')


def _jax(z: Any, y: Any) -> Found:
    """optax's loss of integer labels, mean over the rows: log-sum-exp less the score of the label."""
    if find_spec("jax") is None:
        return "not installed"
    import jax
    import jax.numpy as jnp

    def loss(z: Any, y: Any) -> Any:
        picked = jnp.take_along_axis(z, y[:, None], axis=-1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(z, axis=-1) - picked)

    step = jax.jit(jax.value_and_grad(loss))
    x = jnp.array(z.float().numpy()).astype(str(z.dtype).removeprefix("torch."))
    labels = jnp.array(y.numpy().astype(np.int32))

    def call() -> Any:
        value, gradient = step(x, labels)
        gradient.block_until_ready()
        return value

    return Peer(call, note="jit(value_and_grad(…)), the scores a JAX array already")


def _agree(case: Case, found: dict[str, Found]) -> None:
    """What is compared has to be the same: the losses of all peers, within what their types hold.

    Raises
    ------
    RuntimeError
        A peer computes another number than ours.
    """
    tolerance = {"bfloat16": 2e-2, "float32": 1e-4, "float64": 1e-9}[case.dtype]
    expected = None
    for name, peer in found.items():
        if isinstance(peer, str) or name == COPY:
            continue
        value = peer.call()
        value = float(value.detach() if isinstance(value, torch.Tensor) else value)
        peer.release()
        expected = value if expected is None else expected
        if not math.isclose(value, expected, rel_tol=tolerance):
            raise RuntimeError(f"{case.name(False)}: {name} computes {value}, {next(iter(found))} {expected}")
