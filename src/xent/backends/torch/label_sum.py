"""Sum and mean of the cross-entropies of scores against labels, straight from the tensors' memory."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from xent.backends.torch.handover import Saved, handed_by_value, reduced_loss, scale_rows
from xent.backends.torch.lean import plain
from xent.backends.torch.row_gradient import row_gradient
from xent.backends.torch.spec import Spec
from xent.backends.torch.spent import require_spendable, spend
from xent.core.arrays import Array, to_compute
from xent.kernels.cpu import cpu
from xent.kernels.cpu.bits import LOSS
from xent.kernels.cpu.buffers import POOLED, gradient_like
from xent.kernels.layout import Layout, compact_strides, layout_of, walkable
from xent.kernels.protocol import RowCoefficients

#: What stands for a type in compiled code, and the type of the arithmetic.
_FLOAT = np.dtype(np.float32)
_KINDS: dict[torch.dtype, tuple[Any, Any]] = {
    torch.float32: (np.empty(0, np.float32), _FLOAT),
    torch.float64: (np.empty(0, np.float64), np.dtype(np.float64)),
    torch.bfloat16: (np.empty(0, np.uint16), _FLOAT),
    torch.float16: (np.empty(0, np.int16), _FLOAT),
}


@functools.cache
def _loops() -> tuple[Any, Any]:
    """The compiled loops; Numba is imported when they first run."""
    from xent.kernels.cpu import labels, launch

    return labels, launch


def label_sum(
    z: Array,
    y: Array,
    weight: Array | None,
    ignore_index: int,
    epsilon: float,
    mean: bool,
    dtype: torch.dtype,
    inplace: bool = False,
) -> Array | None:
    """Σ w[y]·ℓ, over Σ w[y] for a mean, in a dtype; differentiable in z.

    z is (N, C) or (N, C, d1, …), y (N) or (N, d1, …). None where the call is another's: a tensor that is not plain, a
    derivative by the weight, "mean" over nothing, and every call that PyTorch refuses, which is found out here.
    ``inplace`` makes the gradient where the scores are; see ``xent.backends.torch.spent``.
    """
    kinds, shape = _KINDS.get(z.dtype), z.shape
    if kinds is None or len(shape) < 2 or y.dtype is not torch.int64:
        return None
    # The common shapes without a new one being made.
    of_labels = y.shape
    if of_labels != (shape[:1] if len(shape) == 2 else shape[:1] + shape[2:]):
        return None
    like, compute = kinds
    weights = None
    if weight is not None:
        if epsilon or weight.requires_grad or weight.dtype is not z.dtype:
            return None
        if weight.shape != shape[1:2] or not plain(weight):
            return None
        weights = np.ascontiguousarray(to_compute(weight).numpy())
    if not plain(z, y) or not z.numel():
        return None
    classes = shape[1]
    index = y.numpy()
    if index.ndim != 1 or not y.is_contiguous():
        index = np.ascontiguousarray(index).reshape(-1)
    w = _vector(index.size, compute)
    divisor = _loops()[0].weigh(index, classes, ignore_index, weights, mean, w)
    if not divisor > 0:
        return None
    on, off = (1.0 - epsilon, epsilon / classes) if epsilon else (1.0, 0.0)
    job = _LabelSum(y, index, w, divisor, on, off, dtype, like, inplace)
    if not (z.requires_grad and torch.is_grad_enabled()):
        return job.value(z)
    if not inplace:
        return reduced_loss(z, job)
    require_spendable(z)
    loss = reduced_loss(z, job)
    spend(z)
    return loss


class _LabelSum:
    """See ``xent.backends.torch.handover.Job``."""

    __slots__ = ("divisor", "dtype", "index", "labels", "like", "off", "on", "overwrites", "tensors", "w")

    def __init__(
        self, y: Array, index: Any, w: Any, divisor: float, on: float, off: float, dtype: torch.dtype, like: Any,
        overwrites: bool,
    ) -> None:  # fmt: skip
        self.tensors: tuple[Array | None, ...] = (y,)
        self.labels, self.overwrites = y, overwrites
        self.index, self.w, self.divisor, self.on, self.off = index, w, divisor, on, off
        self.dtype, self.like = dtype, like

    def value(self, z: Array) -> Array:
        """The loss alone."""
        out = np.empty((4, self.index.size), self.w.dtype)
        layout, _ = self._layout(z)
        first = np.empty(0, np.int64)
        _loops()[1].statistics(
            layout, self.like, z.shape[1], self.index.size, LOSS, self.index, None, self.on, self.off, out, first
        )
        return self._reduced(out[0])

    def forward(self, z: Array) -> tuple[Array, Array]:
        losses = _vector(self.index.size, self.w.dtype)
        gradient = self._gradient(z, 1.0, losses)
        return self._reduced(losses), gradient

    def reaches(self, above: Array) -> bool:
        return plain(above)

    def handed(self, found: Array | None, saved: Saved, above: Array) -> Array:
        return handed_by_value(self, found, saved, above)

    def scaled(self, gradient: Array, above: float) -> Array:
        scale_rows(gradient.movedim(1, -1), above, self._idle)
        return gradient

    def gradient(self, saved: tuple[Any, ...], above: float) -> Array:
        if not math.isfinite(above):
            # The loops would multiply it with the zeros of the rows that do not count.
            return self.scaled(self._gradient(saved[0], 1.0, np.empty(self.index.size, self.w.dtype)), above)
        return self._gradient(saved[0], above, np.empty(self.index.size, self.w.dtype))

    def differentiable(self, saved: tuple[Any, ...], above: Array) -> Array:
        q = saved[0].movedim(1, -1)
        b = torch.from_numpy(self.w).reshape(self.labels.shape) / self.divisor
        b = torch.where(self._idle(), 0.0, b * above.to(b.dtype))
        spec = Spec("logits", ("loss",), self.on, self.off, cpu)
        mass = self.on + self.off * q.shape[-1]
        found = row_gradient(q, self.labels, None, None, RowCoefficients(b * mass, b), spec)
        return found.movedim(-1, 1)

    def _idle(self) -> Array:
        return torch.from_numpy(self.w == 0).reshape(self.labels.shape)

    def _reduced(self, losses: Any) -> Array:
        return torch.scalar_tensor(_loops()[0].weighted_sum(losses, self.w) / self.divisor, dtype=self.dtype)

    def _gradient(self, z: Array, above: float, losses: Any) -> Array:
        count, size, classes = self.index.size, self.like.itemsize, z.shape[1]
        layout, q = self._layout(z)
        if self.overwrites:
            out, target = z.detach(), layout
        elif q is None:
            small = count * classes * size < POOLED
            out = torch.empty(z.shape, dtype=z.dtype) if small else _new(z.shape, None, z.dtype, self.like.dtype)
            target = (out.data_ptr(), size, classes * size, count, 0)
        else:
            strides = compact_strides(q.shape, q.stride(), size)
            out = _new(q.shape, strides, z.dtype, self.like.dtype)
            found = layout_of(out.data_ptr(), q.shape, strides, size)
            assert found is not None, "a compact array of an order that layout_of took"
            target, out = found, out.movedim(-1, 1)
        _loops()[1].gradient(
            layout, self.like, classes, count, self.index, None, self.on, self.off,
            self.w, self.w, None, target, losses, above / self.divisor,
        )  # fmt: skip
        return out

    def _layout(self, z: Array) -> tuple[Layout, Array | None]:
        """Where the rows of scores lie; and they with the classes last, but for the common matrix."""
        size, strides = self.like.itemsize, z.stride()
        if len(strides) == 2 and strides[1] == 1:
            return (z.data_ptr(), size, strides[0] * size, self.index.size, 0), None
        q = z.movedim(1, -1)
        layout = walkable(q.data_ptr(), q.shape, [stride * size for stride in q.stride()], size)
        if layout is None:
            q = q.contiguous()
            layout = walkable(q.data_ptr(), q.shape, [stride * size for stride in q.stride()], size)
            assert layout is not None, "a contiguous tensor"
        return layout, q


def _vector(size: int, dtype: Any) -> Any:
    """A number of each row."""
    return np.empty(size, dtype) if size * dtype.itemsize < POOLED else gradient_like((size,), dtype)


def _new(shape: Sequence[int], strides: tuple[int, ...] | None, dtype: torch.dtype, stored: Any) -> Array:
    """An uninitialised tensor, in memory that is used again where it is large; ``strides`` in bytes, without gaps."""
    size = stored.itemsize
    if strides is not None and math.prod(shape) * size < POOLED:
        return torch.empty_strided(shape, [stride // size for stride in strides], dtype=dtype)
    stored = np.dtype(np.int16) if size == 2 else stored
    return torch.from_numpy(gradient_like(tuple(shape), stored, strides)).view(dtype)
