"""One call of each function that is not PyTorch's own operator, on the same made data, for every transformation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

N, K = 4, 5


@dataclass(frozen=True)
class Problem:
    """``loss(F, z, truth)`` with F either ``xent.torch`` or ``torch.nn.functional``: one number an example."""

    loss: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]
    truth: str
    #: The same in operators that have every derivative, where PyTorch's own loss has not.
    reference: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor] | None = None

    def data(self, rows: int = N, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
        """(scores, truth)."""
        g = torch.Generator().manual_seed(11 + rows)
        z = torch.randn(rows, K, generator=g, dtype=torch.float64).to(dtype)
        if self.truth == "labels":
            return z, torch.randint(K, (rows,), generator=g)
        t = torch.rand(rows, K, generator=g, dtype=torch.float64).to(dtype)
        return z, 2 * (t > 0.5).to(dtype) - 1 if self.truth == "signs" else t


def _weights(z: torch.Tensor) -> torch.Tensor:
    return torch.tensor([0.3, 1.2, 0.0, 2.5, 0.7], dtype=z.dtype)


PROBLEMS = {
    "cross_entropy": Problem(lambda F, z, y: F.cross_entropy(z, y, reduction="none"), "labels"),
    "cross_entropy, ignored": Problem(
        lambda F, z, y: F.cross_entropy(z, y, ignore_index=2, reduction="none"), "labels"
    ),
    "cross_entropy, smoothed and weighted": Problem(
        lambda F, z, y: F.cross_entropy(z, y, weight=_weights(z), label_smoothing=0.1, reduction="none"), "labels"
    ),
    "cross_entropy, smoothed": Problem(
        lambda F, z, y: F.cross_entropy(z, y, label_smoothing=0.1, reduction="none"), "labels"
    ),
    "cross_entropy, probabilities": Problem(
        lambda F, z, t: F.cross_entropy(z, t, weight=_weights(z), label_smoothing=0.1, reduction="none"),
        "probabilities",
    ),
    "nll_loss": Problem(lambda F, z, y: F.nll_loss(z, y, weight=_weights(z), reduction="none"), "labels"),
    "binary_cross_entropy": Problem(
        lambda F, z, t: F.binary_cross_entropy(z.sigmoid(), t, weight=_weights(z), reduction="none").sum(-1),
        "probabilities",
    ),
    "binary_cross_entropy_with_logits": Problem(
        lambda F, z, t: F.binary_cross_entropy_with_logits(
            z, t, weight=_weights(z), pos_weight=1 + _weights(z), reduction="none"
        ).sum(-1),
        "probabilities",
    ),
    "kl_div": Problem(lambda F, z, t: F.kl_div(z, t, reduction="none").sum(-1), "probabilities"),
    "kl_div, log target": Problem(
        lambda F, z, t: F.kl_div(z, t.log(), reduction="none", log_target=True).sum(-1), "probabilities"
    ),
    "soft_margin_loss": Problem(
        lambda F, z, t: F.soft_margin_loss(z, t, reduction="none").sum(-1),
        "signs",
        lambda F, z, t: -torch.nn.functional.logsigmoid(t * z).sum(-1),
    ),
    "multilabel_soft_margin_loss": Problem(
        lambda F, z, t: F.multilabel_soft_margin_loss(z, t, weight=_weights(z), reduction="none"), "probabilities"
    ),
    "linear_cross_entropy": Problem(
        lambda F, z, y: F.linear_cross_entropy(z, torch.eye(K, dtype=z.dtype), y, reduction="none"), "labels"
    ),
}


def mixed(value: torch.Tensor) -> torch.Tensor:
    """A scalar in which each example has a slope of its own, never ones."""
    slopes = torch.tensor([0.7, -1.3, 2.1, 0.2, -0.4, 1.9, 0.5, -2.2], dtype=value.dtype)
    return (value * slopes.repeat(2)[: value.numel()]).sum() + value.square().sum()
