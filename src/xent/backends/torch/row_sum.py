"""The reduced losses of rows, with their gradient in one pass over the scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch

from xent.backends.torch.handover import Saved, handed_by_value, reduced_loss, scale_rows
from xent.backends.torch.lean import HALF, reachable
from xent.backends.torch.row_gradient import row_gradient
from xent.backends.torch.spec import Spec
from xent.backends.torch.spent import require_spendable, spend
from xent.core.arrays import Array
from xent.kernels.coefficients import row_coefficients
from xent.kernels.extra import Extra
from xent.kernels.gpu import gpu
from xent.kernels.protocol import HardTarget, Kernel, Link, Target


def row_sum(
    kernel: Kernel, q: Array, target: Target, link: Link, c: Array, total: Callable[[Array], Array]
) -> Array | None:
    """``total`` of the losses, which is Σ c·ℓ, differentiable in q; None where another derivative is wanted too."""
    if not by_scores_alone(kernel, q, target, c):
        return None
    return reduced_loss(q, _RowSum(kernel, target, link, c, total))


def row_sum_in_place(
    kernel: Kernel, q: Array, target: Target, c: Array, total: Callable[[Array], Array]
) -> Array | None:
    """The same with the gradient where the scores are, which are spent then; None where that is not this kernel's."""
    if kernel is not gpu or not by_scores_alone(kernel, q, target, c):
        return None
    require_spendable(q)
    loss = reduced_loss(q, _OverwritingSum(kernel, target, "logits", c, total))
    spend(q)
    return loss


def by_scores_alone(kernel: Kernel, q: Array, target: Target, c: Array) -> bool:
    """Whether a gradient by q is wanted, none by the rest, and the kernel may go straight to the tensors."""
    others = _tensors(target)
    if not (q.requires_grad and torch.is_grad_enabled()) or c.requires_grad or not reachable(kernel, q, c, *others):
        return False
    return not any(x is not None and x.requires_grad for x in others)


def _tensors(target: Target) -> tuple[Array | None, ...]:
    """The index, the probabilities and the log-probabilities, of which a target has one."""
    if isinstance(target, HardTarget):
        return target.index, None, None
    return None, target.probs, target.log_probs


_NOTHING_MORE = Extra()


class SumJob(ABC):
    """What sums over rows share; see ``xent.backends.torch.handover.Job``."""

    overwrites = False

    def __init__(
        self,
        kernel: Kernel,
        target: Target,
        link: Link,
        c: Array,
        total: Callable[..., Array],
        extra: Extra = _NOTHING_MORE,
    ) -> None:
        self.tensors, self.extra = _tensors(target), extra
        self.spec, self.c = Spec(link, ("loss",), target.on, target.off, kernel), c
        self.total: Callable[..., Array] | None = total

    @abstractmethod
    def fused(self, z: Array, target: Target, c: Array) -> tuple[Array, ...]:
        """What ``total`` takes, and last the gradient by z."""

    @abstractmethod
    def differentiable(self, saved: tuple[Any, ...], above: Array) -> Array: ...

    def forward(self, z: Array) -> tuple[Array, Array]:
        target, total = self.target(self.tensors), self.total
        # What they hold is of the size of the scores, and would live as long as the loss.
        self.tensors, self.total = (), None
        assert total is not None, "forward runs once"
        *each, gradient = self.fused(z, target, self.c)
        return total(*each), gradient

    def reaches(self, above: Array) -> bool:
        return reachable(self.spec.kernel, above)

    def handed(self, found: Array | None, saved: Saved, above: Array) -> Array:
        if self.spec.kernel is not gpu:
            return handed_by_value(self, found, saved, above)
        if found is not None and (self.overwrites or found.dtype not in HALF):
            return gpu.scaled_in_place(found, above)
        try:
            z, *truth = saved()
        except RuntimeError:
            if found is None:
                raise
            # Scores or labels were written to since. The gradient is there, though rounded before it is scaled.
            return gpu.scaled_in_place(found, above)
        return gpu.row_gradient_above(z, self.target(truth), self.c, self.extra, above, found)

    def scaled(self, gradient: Array, above: float) -> Array:
        return scale_rows(gradient, above, lambda: self.c == 0)

    def gradient(self, saved: tuple[Any, ...], above: float) -> Array:
        z, *truth = saved
        return self.fused(z, self.target(truth), torch.where(self.c == 0, 0.0, self.c * above))[-1]

    def target(self, truth: Sequence[Any]) -> Target:
        found = self.spec.target(*truth)
        assert found is not None, "made of a target"
        return found


class _RowSum(SumJob):
    def fused(self, z: Array, target: Target, c: Array) -> tuple[Array, ...]:
        return self.spec.kernel.row_fused(z, target, self.spec.link, c)

    def differentiable(self, saved: tuple[Any, ...], above: Array) -> Array:
        z, index, probs, log_probs = saved
        b = torch.where(self.c == 0, 0.0, self.c * above)
        coefficients = row_coefficients({"loss": b}, self.target((index, probs, log_probs)), z.shape[-1])
        return row_gradient(z, index, probs, log_probs, coefficients, self.spec)


class _OverwritingSum(_RowSum):
    overwrites = True

    def fused(self, z: Array, target: Target, c: Array) -> tuple[Array, ...]:
        return gpu.row_overwritten(z.detach(), target, c)
