"""Fused kernels on the CPU, compiled by Numba: softmax rows, and elements. Of size N×K only the gradient is made.

Numba is imported, and the code compiled or read from its disk cache, at the first call that runs here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.arrays import FLOATING, Array, dtype_name, library, namespace
from xent.kernels.coefficients import target_probs
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
        if task.family == "rows" and not task.contiguous:
            return "the classes do not lie side by side in memory"
        if task.dtype not in FLOATING:
            return f"it takes floats, not {task.dtype}"
        return None

    def row_statistics(self, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]) -> RowStatistics:
        from xent.kernels.cpu import rows as compiled
        from xent.kernels.cpu.threads import run

        z = _Rows(q)
        t = _Target(target, z)
        bits = (
            compiled.LOSS * ("loss" in want)
            | compiled.LSE * ("lse" in want)
            | compiled.ENTROPY * ("entropy" in want)
            | compiled.ARGMAX * ("argmax" in want)
            | compiled.SCORE_SUM * ("score_sum" in want)
        )
        out = np.empty((4, z.count), z.compute)
        first = np.empty(z.count if "argmax" in want else 0, np.int64)

        def work(begin: int, end: int) -> None:
            compiled.statistics(
                z.address, z.stride, z.like, z.mode, z.classes, begin, end, bits,
                t.index, t.address, t.stride, t.on, t.off, out, first,
            )  # fmt: skip

        run(z.count, z.count * z.classes, work)
        found = {name: z.back(out[place].reshape(z.batch)) for name, place in _NAMES.items() if name in want}
        if "argmax" in want:
            found["argmax"] = z.back(first.reshape(z.batch))
        return RowStatistics(**found)

    def row_gradient(self, q: Array, target: Target | None, link: Link, coefficients: RowCoefficients) -> Array:
        from xent.kernels.cpu import rows as compiled
        from xent.kernels.cpu.threads import run

        z = _Rows(q)
        t = _Target(target, z)
        a, b, h = (z.vector(c) for c in (coefficients.a, coefficients.b, coefficients.h))
        use = (target is not None) | 2 * (coefficients.h is not None)
        gradient = np.empty((z.count, z.classes), z.array.dtype)
        address, stride = gradient.ctypes.data, gradient.strides[0]

        def work(begin: int, end: int) -> None:
            compiled.gradient(
                z.address, z.stride, z.like, z.mode, z.classes, begin, end,
                t.index, t.address, t.stride, t.on, t.off, a, b, h, use, address, stride,
            )  # fmt: skip

        run(z.count, z.count * z.classes, work)
        return z.back(gradient.reshape((*z.batch, z.classes)), like_q=True)

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


class _Rows:
    """Scores (…, K) as rows at addresses. The array is kept alive; it is copied only if its rows have no one stride."""

    def __init__(self, q: Array) -> None:
        from xent.kernels.cpu.half import BFLOAT16, FLOAT16

        name = dtype_name(q)
        self.torch = library(q) == "torch"
        self.dtype = q.dtype
        self.xp = namespace(q)
        self.mode = {"bfloat16": BFLOAT16, "float16": FLOAT16}.get(name, 0)
        self.compute = np.dtype(np.float64 if name == "float64" else np.float32)
        values = as_numpy(q)
        if self.mode:
            values = values.view(np.uint16)
        self.batch, self.classes = values.shape[:-1], values.shape[-1]
        self.array = values.reshape((-1, self.classes)) if values.size else values.reshape((0, self.classes))
        self.count = self.array.shape[0]
        self.address, self.stride = self.array.ctypes.data, self.array.strides[0]
        self.like = np.empty(0, self.array.dtype)

    def vector(self, c: Array | None) -> Any:
        """A coefficient of each row, in the type of the arithmetic."""
        if c is None:
            return np.zeros(self.count, self.compute)
        values = np.broadcast_to(as_numpy(c), self.batch)
        return np.ascontiguousarray(values, self.compute).reshape(-1)

    def back(self, values: Any, *, like_q: bool = False) -> Array:
        """NumPy's result as an array of Q's framework."""
        if like_q and self.mode and not self.torch:
            return values.view(np.float16)
        if not self.torch:
            return values
        if like_q and self.mode:
            return self.xp.from_numpy(values.view(np.int16)).view(self.dtype)
        return self.xp.from_numpy(values)


class _Target:
    """A target as what the compiled loops take: an index of each row, or an address of probabilities."""

    def __init__(self, target: Target | None, z: _Rows) -> None:
        self.index, self.address, self.stride = np.zeros(0, np.int64), 0, 0
        self.on, self.off = (1.0, 0.0) if target is None else (target.on, target.off)
        if isinstance(target, HardTarget):
            self.index = np.ascontiguousarray(as_numpy(target.index), np.int64).reshape(-1)
        elif target is not None:
            # target_probs has applied on and off; the array is kept alive here while its address is used.
            values = np.broadcast_to(as_numpy(target_probs(target)), (*z.batch, z.classes))
            self.probs = np.ascontiguousarray(values, z.compute).reshape((-1, z.classes))
            self.address, self.stride = self.probs.ctypes.data, self.probs.strides[0]
            self.on, self.off = 1.0, 0.0


cpu = Cpu()
