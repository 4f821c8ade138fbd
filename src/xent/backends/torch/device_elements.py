"""Losses of elements on a GPU, in one launch forward and one backward: their sum with its gradient, or each of them.

Nothing is read by the host: the divisor, and what comes from above, stay on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch

from xent.backends.torch.handover import Saved, reduced_loss
from xent.backends.torch.lean import HALF, dense
from xent.core.arrays import Array
from xent.kernels.element_loss import ElementLoss
from xent.kernels.gpu import gpu

#: The gradient by the scores, from what autograd kept (scores, and the loss's tensors) and what comes from above, in
#: functions that can be differentiated again.
Again: TypeAlias = Callable[[tuple[Any, ...], Array], Array]


def device_sum(
    q: Array, loss: ElementLoss, scale: Array | float, total: Callable[[Array], Array], again: Again
) -> Array | None:
    """``total`` of the sum, which is scale·Σ; None where a derivative by others than q is wanted."""
    if not _by_scores_alone(q, loss):
        return None
    if not (q.requires_grad and torch.is_grad_enabled()):
        return total(gpu.element_total(q, loss, scale, slopes=False)[0])
    return reduced_loss(q, _Sum(loss, scale, total, again))


def device_each(q: Array, loss: ElementLoss, dtype: str, again: Again) -> Array | None:
    """The loss of each element; None as above."""
    if not _by_scores_alone(q, loss, hooked=True):
        return None
    found: Array = _Each.apply(q, *loss.tensors, _bare(loss), dtype, again)
    return found


def again_of(general: Callable[[Array], Array]) -> Again:
    """From the loss in functions that can be differentiated."""

    def again(saved: tuple[Any, ...], above: Array) -> Array:
        more = torch.is_grad_enabled()
        with torch.enable_grad():
            (found,) = torch.autograd.grad(general(saved[0]), saved[0], above, create_graph=more)
        return found

    return again


def _by_scores_alone(q: Array, loss: ElementLoss, *, hooked: bool = False) -> bool:
    if not dense(q, *loss.tensors, hooked=hooked):
        return False
    return not (torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in loss.tensors))


def _bare(loss: ElementLoss) -> ElementLoss:
    """Without what is of the size of the scores, which autograd keeps."""
    return replace(loss, given=None, weight=None, positive_weight=None)


def _whole(loss: ElementLoss, tensors: Sequence[Any]) -> ElementLoss:
    given, weight, positive_weight = tensors
    return replace(loss, given=given, weight=weight, positive_weight=positive_weight)


class _Sum:
    """See ``xent.backends.torch.handover.Job``."""

    overwrites = False

    def __init__(self, loss: ElementLoss, scale: Array | float, total: Callable[[Array], Array], again: Again) -> None:
        self.tensors, self.loss, self.scale = loss.tensors, _bare(loss), scale
        self.total, self.again = total, again

    def forward(self, z: Array) -> tuple[Array, Array]:
        summed, gradient = gpu.element_total(z, _whole(self.loss, self.tensors), self.scale, slopes=True)
        # As of rows: it would live as long as the loss.
        self.tensors = ()
        return self.total(summed), gradient

    def reaches(self, above: Array) -> bool:
        return dense(above)

    def handed(self, found: Array | None, saved: Saved, above: Array) -> Array:
        if found is not None and found.dtype not in HALF:
            return gpu.scaled_in_place(found, above)
        try:
            z, *tensors = saved()
        except RuntimeError:
            if found is None:
                raise
            # Written to since. The gradient is there, though rounded before it is scaled.
            return gpu.scaled_in_place(found, above)
        return gpu.element_gradient_above(z, _whole(self.loss, tensors), self.scale, above, found)

    def differentiable(self, saved: tuple[Any, ...], above: Array) -> Array:
        return self.again(saved, above)


class _Each(torch.autograd.Function):
    # In the style in which forward has the context: for plain tensors alone.
    @staticmethod
    def forward(
        ctx: Any, q: Array, given: Array, weight: Any, positive_weight: Any, loss: ElementLoss, dtype: str, again: Again
    ) -> Array:
        ctx.save_for_backward(q, given, weight, positive_weight)
        ctx.loss, ctx.again = loss, again
        return gpu.element_each(q, _whole(loss, (given, weight, positive_weight)), dtype)

    @staticmethod
    def backward(ctx: Any, g: Array) -> tuple[Array | None, ...]:
        saved = ctx.saved_tensors
        if torch.is_grad_enabled() or not dense(g, hooked=True):
            found = ctx.again(saved, g)
        else:
            found = gpu.element_each_gradient(saved[0], _whole(ctx.loss, saved[1:]), g)
        return found, *(None,) * 6
