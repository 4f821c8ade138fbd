"""The reduced losses of rows, with their gradient in one pass over the scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from xent.backends.torch.handover import reduced_loss, scale_rows
from xent.backends.torch.lean import plain
from xent.backends.torch.row_gradient import row_gradient
from xent.backends.torch.spec import Spec
from xent.core.arrays import Array
from xent.kernels.coefficients import row_coefficients
from xent.kernels.protocol import HardTarget, Kernel, Link, Target


def row_sum(
    kernel: Kernel, q: Array, target: Target, link: Link, c: Array, total: Callable[[Array], Array]
) -> Array | None:
    """``total`` of the losses, which is Σ c·ℓ, differentiable in q; None where another derivative is wanted too."""
    others = _tensors(target)
    if not (q.requires_grad and torch.is_grad_enabled()) or c.requires_grad or not plain(q, c, *others):
        return None
    if any(x is not None and x.requires_grad for x in others):
        return None
    return reduced_loss(q, _RowSum(kernel, target, link, c, total))


def _tensors(target: Target) -> tuple[Array | None, ...]:
    """The index, the probabilities and the log-probabilities, of which a target has one."""
    if isinstance(target, HardTarget):
        return target.index, None, None
    return None, target.probs, target.log_probs


class _RowSum:
    """See ``xent.backends.torch.handover.Job``."""

    overwrites = False

    def __init__(self, kernel: Kernel, target: Target, link: Link, c: Array, total: Callable[[Array], Array]) -> None:
        self.tensors = _tensors(target)
        self.spec, self.c = Spec(link, ("loss",), target.on, target.off, kernel), c
        self.total: Callable[[Array], Array] | None = total

    def forward(self, z: Array) -> tuple[Array, Array]:
        truth, total = self.tensors, self.total
        # What they hold is of the size of the scores, and would live as long as the loss.
        self.tensors, self.total = (), None
        assert total is not None, "forward runs once"
        losses, gradient = self._fused(z, truth, self.c)
        return total(losses), gradient

    def scaled(self, gradient: Array, above: float) -> Array:
        return scale_rows(gradient, above, lambda: self.c == 0)

    def gradient(self, saved: tuple[Any, ...], above: float) -> Array:
        z, *truth = saved
        return self._fused(z, truth, torch.where(self.c == 0, 0.0, self.c * above))[1]

    def differentiable(self, saved: tuple[Any, ...], above: Array) -> Array:
        z, index, probs, log_probs = saved
        b = torch.where(self.c == 0, 0.0, self.c * above)
        coefficients = row_coefficients({"loss": b}, self.spec.target(index, probs, log_probs), z.shape[-1])
        return row_gradient(z, index, probs, log_probs, coefficients, self.spec)

    def _fused(self, z: Array, truth: Sequence[Any], c: Array) -> tuple[Array, Array]:
        target = self.spec.target(*truth)
        assert target is not None, "made of a target"
        return self.spec.kernel.row_fused(z, target, self.spec.link, c)
