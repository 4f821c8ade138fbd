"""The peers of losses whose truth is as large as the scores: probabilities of classes, and yes or no for each score."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

import xent
import xent.torch as X
from benchmarks._gpu_cases import COMPILED, EAGER, OURS, PEERS, TYPED
from benchmarks._gpu_exact import exact, of_probabilities, wrong_binary, wrong_mean
from benchmarks._gpu_make import Check, Found, checked
from benchmarks._gpu_turns import Device
from benchmarks._gpu_ways import Loss, Modes, Way, way_of


def dense(group: str, z: Any, modes: Modes, device: Device) -> dict[str, Found]:
    """Every peer of a group of "distribution" or "binary"."""
    way = way_of(group, z)
    if not way.trains:
        z = z.detach()
    binary = group.startswith("binary")
    t = _indicators(z) if binary else _probabilities(z)
    right = _right_binary(z, t, way) if binary else _right_mean(z, t, way)
    ours, theirs = (
        (X.binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits)
        if binary
        else (X.cross_entropy, F.cross_entropy)
    )
    kind: Any = xent.Indicators if binary else xent.Distribution
    typed: Any = xent.cross_entropy
    losses: dict[str, Loss] = {
        OURS: lambda z, t, reduction: ours(z, t, reduction=reduction),
        TYPED: lambda z, t, reduction: typed(kind(t), xent.Logits(z), reduction=reduction),
        EAGER: lambda z, t, reduction: theirs(z, t, reduction=reduction),
    }
    notes = {TYPED: f"xent.cross_entropy(xent.{kind.__name__}(t), xent.Logits(z))"}
    found = {name: checked(partial(way.peer, loss, z, t, notes.get(name, "")), right) for name, loss in losses.items()}
    found[COMPILED] = way.compiled(theirs, z, t, modes, right, device)
    found[PEERS[group][-1]] = way.bound(z, device)  # type: ignore[index]
    return found


def _generator(z: Any) -> Any:
    return torch.Generator(z.device).manual_seed(1)


def _indicators(z: Any) -> Any:
    return torch.randint(2, z.shape, generator=_generator(z), device=z.device).to(z.dtype)


def _probabilities(z: Any) -> Any:
    scores = torch.randn(z.shape, generator=_generator(z), device=z.device).mul_(3)
    return torch.softmax(scores, -1).to(z.dtype)


def _right_mean(z: Any, t: Any, way: Way) -> Check:
    return partial(wrong_mean, exact(z, t, of_probabilities, way.weight), trains=way.trains)


def _right_binary(z: Any, t: Any, way: Way) -> Check:
    return partial(wrong_binary, z, t, weight=way.weight, trains=way.trains)
