"""The sum of the losses of elements, over a divisor, whose gradient is made in the same pass over the scores.

The gradient waits in the graph for the backward pass, is scaled there by what comes from above, and is handed over:
nothing of the size of the scores is made but it. What ``takes`` refuses goes the way of ``elements``. On a GPU nothing
is read by the host: the divisor is a number, and what comes from above stays on the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from xent.backends.torch.device_elements import again_of, device_each, device_sum
from xent.backends.torch.elements import gradient
from xent.backends.torch.lean import HALF, dense, plain
from xent.backends.torch.scaling import scaled_in_place
from xent.core.arrays import Array, dtype_name, to_compute
from xent.kernels.cpu import cpu
from xent.kernels.cpu.buffers import gradient_like
from xent.kernels.cpu.memory import CLASSES, EACH, ONE, SAME
from xent.kernels.element_loss import ElementLoss
from xent.kernels.gpu import gpu
from xent.kernels.protocol import Task
from xent.kernels.registry import choose

_NUMPY: dict[Any, Any] = {torch.float32: np.float32, torch.float64: np.float64}


def takes(z: Array, t: Array, weight: Array | None, positive_weight: Array | None) -> bool:
    """Whether ``element_sum`` may run: a gradient by the scores alone is wanted, and all tensors are plain.

    t is of z's shape or one number. That weights broadcast to z's shape has been found out before.
    """
    if not (z.requires_grad and torch.is_grad_enabled() and z.numel()):
        return False
    if t.shape != z.shape and t.numel() != 1:
        return False
    if not _holds(z, t, weight, positive_weight):
        return False
    return plain(z, t, weight, positive_weight) or _on_gpu(z, t, weight, positive_weight)


def element_sum(
    z: Array, t: Array, weight: Array | None, positive_weight: Array | None, divisor: int, dtype: torch.dtype
) -> Array:
    """Σ w·(−v·t·log σ(z) − (1 − t)·log σ(−z)) / divisor, of a dtype; differentiable in z."""
    if not plain(z, t, weight, positive_weight):
        found = device_sum(
            z,
            ElementLoss(t, weight, positive_weight),
            1.0 / divisor,
            lambda total: (total / divisor).to(dtype),
            lambda saved, above: _differentiable(saved, above / divisor),
        )
        assert found is not None, "``takes`` has asked"
        return found
    total: Array = _ElementSum.apply(z, t, weight, positive_weight, divisor, dtype)
    return total


def _holds(z: Array, *others: Array | None) -> bool:
    """Whether the arithmetic of z loses nothing of the others, and none of them is to be differentiated by."""
    wide = z.dtype is torch.float64
    return all(
        x is None
        or (not x.requires_grad and (x.dtype is torch.float32 or x.dtype in HALF or (wide and x.dtype is z.dtype)))
        for x in others
    )


def device_loss(
    z: Array, t: Array, weight: Array | None, positive_weight: Array | None, divisor: int | None, dtype: torch.dtype,
    general: Callable[[Array], Array],
) -> Array | None:  # fmt: skip
    """The sum over a divisor, or for None each loss, where the GPU's kernel makes it and ``takes`` has refused: without
    a gradient, or with any upstream one. ``general`` makes it in functions that can be differentiated again."""
    if z.is_cpu and not gpu.interpreted:
        return None  # told at once, for the sake of small calls
    if not _holds(z, t, weight, positive_weight) or not _on_gpu(z, t, weight, positive_weight):
        return None
    loss = ElementLoss(t, weight, positive_weight)
    if divisor is None:
        return device_each(z, loss, str(dtype).rpartition(".")[2], again_of(general))
    return device_sum(z, loss, 1.0 / divisor, lambda total: (total / divisor).to(dtype), again_of(general))


def _on_gpu(z: Array, *others: Array | None) -> bool:
    if not dense(z, *others):
        return False
    task = Task("elements", "logits", "none", "torch", str(z.device), dtype_name(z), tuple(z.shape))
    return choose(task) is gpu


class _ElementSum(torch.autograd.Function):
    # In the style in which forward has the context: setup_context would cost a small call half of its time.
    @staticmethod
    def forward(ctx: Any, z: Array, t: Array, weight: Any, positive_weight: Any, divisor: int, dtype: Any) -> Array:
        ctx.save_for_backward(z, t, weight, positive_weight)
        ctx.divisor = divisor
        total, ctx.gradient = _fused((z, t, weight, positive_weight), 1.0 / divisor)
        return torch.scalar_tensor(total / divisor, dtype=dtype)

    @staticmethod
    def backward(ctx: Any, g: Array) -> tuple[Array | None, ...]:
        # Taken out of the graph: nobody else holds it, so it may be written to, and may become z.grad as it is.
        found = vars(ctx).pop("gradient", None)
        # NaN for a tensor without a value. A factor that is not finite is not for the gradient that is ready: a product
        # that is zero by one factor is zero, whatever the other one holds.
        above = g.item() if plain(g) else math.nan
        if torch.is_grad_enabled() or not math.isfinite(above):
            found = _differentiable(ctx.saved_tensors, g / ctx.divisor)
            return found, None, None, None, None, None
        if found is None or (above != 1.0 and found.dtype in HALF):
            # A second backward; or a gradient that was rounded to half precision before it was scaled.
            found = _fused(ctx.saved_tensors, (above or 1.0) / ctx.divisor)[1]
            above = 1.0 if above else 0.0
        if above != 1.0:
            scaled_in_place(found, above)
        return found, None, None, None, None, None


def _fused(tensors: tuple[Array, ...], scale: float) -> tuple[float, Array]:
    """``Kernel.element_fused`` of (z, t, w, v), with the sum as a number."""
    from xent.kernels.cpu import elements

    z, t, weight, positive_weight = tensors
    kind = _NUMPY.get(z.dtype)
    w, v, y = _how(z, weight), _how(z, positive_weight), _how(z, t)
    if kind is None or w is None or v is None or y != EACH or not z.is_contiguous():
        return elements.sum_and_gradient(elements.Elements(z), "logits", t, weight, positive_weight, scale)
    # The same without a NumPy array of each tensor, which would double the time of a small call.
    found = torch.from_numpy(gradient_like(tuple(z.shape), kind))
    like = elements.DOUBLE if kind is np.float64 else elements.SINGLE
    weights = None
    if w or v:
        classes = z.shape[-1] if z.dim() else 1
        weights = w, weight.data_ptr() if w else 0, v, positive_weight.data_ptr() if v else 0, classes
    total = elements.fused_sum(
        z.data_ptr(), like, 0, t.data_ptr(), 0, like, "logits", weights, scale, z.numel(), found.data_ptr()
    )
    return total, found


def _how(z: Array, x: Array | None) -> int | None:
    """How the memory of t or of weights lies beside z's; None where it must be copied first."""
    if x is None:
        return ONE
    if x.dtype is not z.dtype or not x.is_contiguous():
        return None
    if x.shape == z.shape:
        return EACH
    if x.numel() == 1:
        return SAME
    return CLASSES if x.dim() == 1 else None


def _differentiable(tensors: tuple[Array, ...], g: Array) -> Array:
    """g·∂Σ in functions that can be differentiated again, by g and by z."""
    z, t, weight, positive_weight = tensors
    x = to_compute(z)
    t = t.to(x.dtype)
    a, b = 1 - t, t if positive_weight is None else t * positive_weight
    a, b = g * a, g * b
    if weight is not None:
        a, b = (torch.where(weight == 0, 0.0, weight * c) for c in (a, b))
    return gradient(z, a.to(x.dtype).expand(z.shape), b.to(x.dtype).expand(z.shape), cpu, "logits")
