"""Every way into the loss whose gradient is made with it, beside PyTorch's own loss on the same data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

import xent
import xent.torch as X

N, K = 6, 5
IGNORED = torch.tensor([False, False, True, False, False, True])
Loss = Callable[[torch.Tensor], torch.Tensor]


def labels() -> torch.Tensor:
    return torch.tensor([0, 4, -100, 2, 2, -100])


def weights(dtype: torch.dtype) -> torch.Tensor:
    """Which every type holds, as it does the probabilities."""
    return torch.tensor([0.25, 1.25, 0.75, 2.5, 0.5], dtype=dtype)


def soft(dtype: torch.dtype) -> torch.Tensor:
    sixteenths = [
        [4, 3, 5, 3, 1],
        [0, 16, 0, 0, 0],
        [1, 1, 1, 1, 12],
        [2, 6, 0, 7, 1],
        [8, 8, 0, 0, 0],
        [3, 3, 3, 3, 4],
    ]
    return torch.tensor(sixteenths, dtype=dtype) / 16


@dataclass(frozen=True)
class Way:
    """``ours`` and ``theirs`` are the same function of scores (N, K)."""

    ours: Loss
    theirs: Loss
    #: Whether the rows of ``IGNORED`` do not count.
    ignores: bool = True


def _typed(z: torch.Tensor, P: Any, **options: Any) -> torch.Tensor:
    return xent.cross_entropy(P, xent.Logits(z), **options)


WAYS = {
    "drop-in, mean": Way(lambda z: X.cross_entropy(z, labels()), lambda z: F.cross_entropy(z, labels())),
    "drop-in, sum": Way(
        lambda z: X.cross_entropy(z, labels(), reduction="sum"), lambda z: F.cross_entropy(z, labels(), reduction="sum")
    ),
    "drop-in, smoothed": Way(
        lambda z: X.cross_entropy(z, labels(), label_smoothing=0.1),
        lambda z: F.cross_entropy(z, labels(), label_smoothing=0.1),
    ),
    "drop-in, weighted": Way(
        lambda z: X.cross_entropy(z, labels(), weights(z.dtype)),
        lambda z: F.cross_entropy(z, labels(), weights(z.dtype)),
    ),
    "drop-in, probabilities": Way(
        lambda z: X.cross_entropy(z, soft(z.dtype)), lambda z: F.cross_entropy(z, soft(z.dtype)), ignores=False
    ),
    "typed, labels": Way(
        lambda z: _typed(z, xent.Labels(labels(), ignore=-100)), lambda z: F.cross_entropy(z, labels())
    ),
    "typed, smoothed and weighted by class": Way(
        lambda z: _typed(z, xent.Labels(labels(), ignore=-100), class_weight=weights(z.dtype), denominator=7.0),
        lambda z: F.cross_entropy(z, labels(), weights(z.dtype), reduction="sum") / 7.0,
    ),
    "typed, weighted": Way(
        lambda z: _typed(z, xent.Distribution(soft(z.dtype)), weight=torch.where(IGNORED, 0.0, 2.0)),
        lambda z: F.cross_entropy(z[~IGNORED], soft(z.dtype)[~IGNORED]),
    ),
    "typed, teacher": Way(
        lambda z: _typed(z, xent.Distribution.from_logits(soft(z.dtype), temperature=0.5), reduction="sum"),
        lambda z: F.cross_entropy(z, (soft(z.dtype) / 0.5).softmax(-1), reduction="sum"),
        ignores=False,
    ),
}


def scores(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    z = torch.randn(N, K, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype)
    return z.requires_grad_()


def is_fused(loss: torch.Tensor) -> bool:
    """Whether the gradient was made with the loss, which may have been rounded since."""
    node = loss.grad_fn
    if node is not None and node.name() == "ToCopyBackward0":
        node = node.next_functions[0][0]
    return node is not None and node.name() == "_ReducedBackward"
