"""The weighted sum of the losses of rows, with its gradient in one pass over the scores."""

from __future__ import annotations

import torch

from xent.backends.torch.handover import reduced_loss
from xent.backends.torch.lean import plain
from xent.backends.torch.row_gradient import Spec, row_gradient
from xent.core.arrays import Array
from xent.kernels.coefficients import row_coefficients
from xent.kernels.protocol import HardTarget, Kernel, Link, RowCoefficients, SoftTarget, Target


def row_sum(kernel: Kernel, q: Array, target: Target, link: Link, c: Array) -> Array | None:
    """Σ c·ℓ, differentiable in q; None where no gradient is wanted, or one by something else too."""
    others = _tensors(target)
    if not (q.requires_grad and torch.is_grad_enabled()) or c.requires_grad or not plain(q, c, *others):
        return None
    if any(x is not None and x.requires_grad for x in others):
        return None
    return reduced_loss(q, _RowSum(kernel, target, link, c))


def _tensors(target: Target) -> tuple[Array | None, ...]:
    return (target.index,) if isinstance(target, HardTarget) else (target.probs, target.log_probs)


class _RowSum:
    """See ``xent.backends.torch.handover.Job``."""

    overwrites = False

    def __init__(self, kernel: Kernel, target: Target, link: Link, c: Array) -> None:
        self.tensors = (c, *_tensors(target))
        self.kernel, self.target, self.link, self.c = kernel, target, link, c

    def forward(self, z: Array) -> tuple[Array, Array]:
        losses, gradient = self.kernel.row_fused(z, self.target, self.link, self.c)
        return (losses.double() * self.c).sum().to(losses.dtype), gradient

    def gradient(self, z: Array, above: float) -> Array:
        return self.kernel.row_gradient(z, self.target, self.link, self._coefficients(z, self.c * above))

    def differentiable(self, z: Array, above: Array) -> Array:
        target = self.target
        index, probs, log_probs = None, None, None
        if isinstance(target, SoftTarget):
            probs, log_probs = target.probs, target.log_probs
        else:
            index = target.index
        spec = Spec(self.kernel, self.link, ("loss",), target.on, target.off)
        return row_gradient(z, index, probs, log_probs, self._coefficients(z, self.c * above), spec)

    def _coefficients(self, z: Array, b: Array) -> RowCoefficients:
        return row_coefficients({"loss": b}, self.target, z.shape[-1])
