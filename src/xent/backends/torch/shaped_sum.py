"""The reduced losses of rows that the fused pass knows besides the cross-entropy itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from xent.backends.torch.handover import reduced_loss
from xent.backends.torch.row_sum import SumJob, by_scores_alone
from xent.core.arrays import Array
from xent.kernels.extra import Extra, ShapingKernel
from xent.kernels.protocol import Target


def shaped_sum(
    kernel: ShapingKernel,
    q: Array,
    target: Target,
    c: Array,
    extra: Extra,
    total: Callable[[Array, Array], Array],
    general: Callable[[Array, Target], Array],
) -> Array | None:
    """``total`` of (ℓ, lse), differentiable in q; None where another derivative is wanted too."""
    if not by_scores_alone(kernel, q, target, c):
        return None
    return reduced_loss(q, _ShapedSum(kernel, target, c, extra, total, general))


class _ShapedSum(SumJob):
    def __init__(
        self,
        kernel: ShapingKernel,
        target: Target,
        c: Array,
        extra: Extra,
        total: Callable[[Array, Array], Array],
        general: Callable[[Array, Target], Array],
    ) -> None:
        super().__init__(kernel, target, "logits", c, total, extra)
        self.shaping, self.general = kernel, general

    def fused(self, z: Array, target: Target, c: Array) -> tuple[Array, ...]:
        return self.shaping.row_shaped(z, target, self.spec.link, c, self.extra)

    def differentiable(self, saved: tuple[Any, ...], above: Array) -> Array:
        z, *truth = saved
        with torch.enable_grad():
            # The usual way, whose operations all have derivatives.
            (found,) = torch.autograd.grad(self.general(z, self.target(truth)), z, above, create_graph=True)
        return found
