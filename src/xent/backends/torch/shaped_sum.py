"""The reduced losses of rows that the fused pass knows besides the cross-entropy itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from xent.backends.torch.handover import reduced_loss, scale_rows
from xent.backends.torch.lean import plain
from xent.backends.torch.row_sum import tensors_of
from xent.backends.torch.spec import Spec
from xent.core.arrays import Array
from xent.kernels.cpu import cpu
from xent.kernels.extra import Extra
from xent.kernels.protocol import Target


def shaped_sum(
    q: Array,
    target: Target,
    c: Array,
    extra: Extra,
    total: Callable[[Array, Array], Array],
    general: Callable[[Array, Target], Array],
) -> Array | None:
    """``total`` of (ℓ, lse), differentiable in q; None where another derivative is wanted too."""
    others = tensors_of(target)
    if not (q.requires_grad and torch.is_grad_enabled()) or c.requires_grad or not plain(q, c, *others):
        return None
    if any(x is not None and x.requires_grad for x in others):
        return None
    return reduced_loss(q, _ShapedSum(target, c, extra, total, general))


class _ShapedSum:
    """See ``xent.backends.torch.handover.Job``."""

    overwrites = False

    def __init__(
        self,
        target: Target,
        c: Array,
        extra: Extra,
        total: Callable[[Array, Array], Array],
        general: Callable[[Array, Target], Array],
    ) -> None:
        self.tensors = tensors_of(target)
        self.spec, self.c, self.extra = Spec("logits", ("loss",), target.on, target.off), c, extra
        self.total, self.general = total, general

    def forward(self, z: Array) -> tuple[Array, Array]:
        # The target may be of the size of the scores, and would live as long as the loss.
        truth, self.tensors = self.tensors, ()
        losses, lse, gradient = self._fused(z, truth, self.c)
        return self.total(losses, lse), gradient

    def scaled(self, gradient: Array, above: float) -> Array:
        return scale_rows(gradient, above, lambda: self.c == 0)

    def gradient(self, saved: tuple[Any, ...], above: float) -> Array:
        z, *truth = saved
        return self._fused(z, truth, torch.where(self.c == 0, 0.0, self.c * above))[2]

    def differentiable(self, saved: tuple[Any, ...], above: Array) -> Array:
        z, *truth = saved
        target = self.spec.target(*truth)
        assert target is not None, "made of a target"
        with torch.enable_grad():
            # The usual way, whose operations all have derivatives.
            (found,) = torch.autograd.grad(self.general(z, target), z, above, create_graph=True)
        return found

    def _fused(self, z: Array, truth: Sequence[Any], c: Array) -> tuple[Array, Array, Array]:
        target = self.spec.target(*truth)
        assert target is not None, "made of a target"
        return cpu.row_shaped(z, target, self.spec.link, c, self.extra)
