"""Fused kernels on the CPU, compiled by Numba: softmax rows, and elements. Of size N×K only the gradient is made.

Numba is imported, and the code compiled or read from its disk cache, at the first call that runs here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.arrays import FLOATING, Array, dtype_name, library, namespace
from xent.kernels.coefficients import target_probs
from xent.kernels.cpu.bits import ARGMAX, ENTROPY, LOSS, LSE, SCORE_SUM
from xent.kernels.cpu.buffers import gradient_like
from xent.kernels.cpu.layout import Layout, compact_strides, gathered, layout_of
from xent.kernels.cpu.memory import as_numpy
from xent.kernels.protocol import (
    HardTarget,
    Link,
    RowCoefficients,
    RowStatistics,
    Statistic,
    Target,
    Task,
)

#: What stands for 16-bit numbers in compiled code.
_HALF = {"bfloat16": np.uint16, "float16": np.int16}
_NAMES = {"loss": 0, "lse": 1, "entropy": 2, "score_sum": 3}


class Cpu:
    """NumPy arrays and PyTorch tensors in memory: rows of scores with their classes side by side, and all elements."""

    name = "cpu"

    def refuses(self, task: Task) -> str | None:
        if task.library not in ("numpy", "torch") or task.device != "cpu":
            return f"it runs on arrays in memory, not {task.library} on {task.device}"
        if task.traced:
            return "the array is traced, by a compiler or a transform, and has no memory to read"
        if task.family == "rows" and task.link != "logits":
            return "of rows it takes scores (Labels or Distribution with Logits)"
        if "divergence" in task.want:
            return "it does not compute divergences"
        if task.dtype not in FLOATING:
            return f"it takes floats, not {task.dtype}"
        return None

    def row_statistics(self, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]) -> RowStatistics:
        from xent.kernels.cpu import launch

        z = _Rows(q)
        t = _Target(target, z)
        bits = (
            LOSS * ("loss" in want)
            | LSE * ("lse" in want)
            | ENTROPY * ("entropy" in want)
            | ARGMAX * ("argmax" in want)
            | SCORE_SUM * ("score_sum" in want)
        )
        out = np.empty((4, z.count), z.compute)
        first = np.empty(z.count if "argmax" in want else 0, np.int64)
        launch.statistics(z.layout, z.like, z.classes, z.count, bits, t.index, t.layout, t.on, t.off, out, first)
        found = {name: z.back(out[place].reshape(z.batch)) for name, place in _NAMES.items() if name in want}
        if "argmax" in want:
            found["argmax"] = z.back(first.reshape(z.batch))
        return RowStatistics(**found)

    def row_gradient(self, q: Array, target: Target | None, link: Link, coefficients: RowCoefficients) -> Array:
        z = _Rows(q)
        a, b = z.vector(coefficients.a), z.vector(coefficients.b)
        h = None if coefficients.h is None else z.vector(coefficients.h)
        return _gradient(z, _Target(target, z), a, b, h, None)

    def row_fused(self, q: Array, target: Target, link: Link, c: Array) -> tuple[Array, Array]:
        z = _Rows(q)
        losses, c_ = np.empty(z.count, z.compute), z.vector(c)
        gradient = _gradient(z, _Target(target, z), c_, c_, None, losses)
        return z.back(losses.reshape(z.batch)), gradient

    def element_statistics(self, q: Array, link: Link) -> tuple[Array, Array]:
        from xent.kernels.cpu import elements

        return elements.statistics(q, link)

    def element_gradient(self, q: Array, link: Link, a: Array, b: Array) -> Array:
        from xent.kernels.cpu import elements

        return elements.gradient(q, link, a, b)

    def element_fused(
        self, q: Array, link: Link, t: Array, weight: Array | None, positive_weight: Array | None, scale: float
    ) -> tuple[Array, Array]:
        from xent.kernels.cpu import elements

        return elements.fused(q, link, t, weight, positive_weight, scale)


def _gradient(z: _Rows, t: _Target, a: Any, b: Any, h: Any, losses: Any) -> Array:
    """The rows' gradient; and their losses, where there is an array for them: a is then b times the target's mass."""
    from xent.kernels.cpu import launch

    x = z.array
    out = gradient_like(x.shape, x.dtype, compact_strides(x.shape, x.strides, x.itemsize))
    target = layout_of(out.ctypes.data, x.shape, out.strides, x.itemsize)
    assert target is not None, "a compact array of an order that layout_of took"
    launch.gradient(z.layout, z.like, z.classes, z.count, t.index, t.layout, t.on, t.off, a, b, h, target, losses, 1.0)
    return z.back(out, like_q=True)


class _Rows:
    """Scores (…, K) as compiled loops take them; a copy only where their layout is one that no loop walks."""

    def __init__(self, q: Array) -> None:
        name = dtype_name(q)
        self.torch = library(q) == "torch"
        self.dtype = q.dtype
        self.xp = namespace(q)
        half = _HALF.get(name)
        self.half = half is not None
        self.compute = np.dtype(np.float64 if name == "float64" else np.float32)
        values = as_numpy(q)
        if half is not None:
            values = values.view(half)
        self.batch, self.classes = values.shape[:-1], values.shape[-1]
        self.array, self.layout = gathered(values)
        self.count = values.size // self.classes if self.classes else 0
        self.like = np.empty(0, self.array.dtype)

    def vector(self, c: Array | None) -> Any:
        """A coefficient of each row, in the type of the arithmetic."""
        if c is None:
            return np.zeros(self.count, self.compute)
        values = np.broadcast_to(as_numpy(c), self.batch)
        return np.ascontiguousarray(values, self.compute).reshape(-1)

    def back(self, values: Any, *, like_q: bool = False) -> Array:
        """NumPy's result as an array of Q's framework."""
        if like_q and self.half and not self.torch:
            return values.view(np.float16)
        if not self.torch:
            return values
        if like_q and self.half:
            return self.xp.from_numpy(values.view(np.int16)).view(self.dtype)
        return self.xp.from_numpy(values)


class _Target:
    """A target as what the compiled loops take: an index of each row, or where its probabilities lie."""

    def __init__(self, target: Target | None, z: _Rows) -> None:
        self.index: Any = None
        self.layout: Layout | None = None
        self.on, self.off = (1.0, 0.0) if target is None else (target.on, target.off)
        if isinstance(target, HardTarget):
            self.index = np.ascontiguousarray(as_numpy(target.index), np.int64).reshape(-1)
        elif target is not None:
            # target_probs has applied on and off; the array is kept alive here while its address is used.
            probs = np.asarray(as_numpy(target_probs(target)), z.compute)
            self.on, self.off = 1.0, 0.0
            self.probs, layout = gathered(np.broadcast_to(probs, (*z.batch, z.classes)))
            strided = layout[1] != self.probs.itemsize
            if strided and (z.layout[1] == z.array.itemsize or layout[3] != z.layout[3]):
                self.probs, layout = gathered(np.ascontiguousarray(self.probs))
            self.layout = layout


cpu = Cpu()
