"""Arrays of rows as the compiled loops take them: addresses and strides, with the arrays kept alive."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.arrays import Array, dtype_name, namespace
from xent.core.loss_values import room_of_cosines
from xent.core.margins import OfCosine, Shift
from xent.kernels.coefficients import target_probs
from xent.kernels.cpu.buffers import gradient_like
from xent.kernels.cpu.memory import as_numpy, from_numpy, plain_vector
from xent.kernels.cpu.threads import run
from xent.kernels.extra import Extra, inside
from xent.kernels.layout import Layout, compact_strides, gathered, layout_of
from xent.kernels.protocol import HardTarget, Target

#: What stands for 16-bit numbers in compiled code.
_HALF = {"bfloat16": np.uint16, "float16": np.int16}


class Rows:
    """Scores (…, K) as compiled loops take them; a copy only where their layout is one that no loop walks."""

    def __init__(self, q: Array) -> None:
        name = dtype_name(q)
        self.q = q
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

    def new_gradient(self) -> tuple[Any, Layout]:
        """An uninitialised array of the rows' shape and order of axes, without gaps, and its layout."""
        x = self.array
        out = gradient_like(x.shape, x.dtype, compact_strides(x.shape, x.strides, x.itemsize))
        layout = layout_of(out.ctypes.data, x.shape, out.strides, x.itemsize)
        assert layout is not None, "a compact array of an order that layout_of took"
        return out, layout

    def gradient_at(self, out: Any) -> tuple[Any, Layout]:
        """A contiguous array of the rows' shape and type as the loops write to it, and its layout."""
        assert out.shape == self.array.shape, "a place for a gradient"
        out = out.view(self.array.dtype)
        layout = layout_of(out.ctypes.data, out.shape, out.strides, out.itemsize)
        assert layout is not None, "a contiguous array"
        return out, layout

    def vector(self, c: Array | None) -> Any:
        """A coefficient of each row, in the type of the arithmetic."""
        if c is None:
            return np.zeros(self.count, self.compute)
        return plain_vector(np.broadcast_to(as_numpy(c), self.batch), self.compute)

    def back(self, values: Any, *, like_q: bool = False) -> Array:
        """NumPy's result as an array of Q's framework."""
        return from_numpy(values, self.q, same_type=like_q)


class RowTarget:
    """A target as what the compiled loops take: an index of each row, or where its probabilities lie."""

    def __init__(self, target: Target | None, z: Rows) -> None:
        self.index: Any = None
        self.layout: Layout | None = None
        self.on, self.off = (1.0, 0.0) if target is None else (target.on, target.off)
        if isinstance(target, HardTarget):
            self.index = plain_vector(as_numpy(target.index), np.int64)
        elif target is not None:
            # target_probs has applied on and off; the array is kept alive here while its address is used.
            probs = np.asarray(as_numpy(target_probs(target)), z.compute)
            self.on, self.off = 1.0, 0.0
            self.probs, layout = gathered(np.broadcast_to(probs, (*z.batch, z.classes)))
            strided = layout[1] != self.probs.itemsize
            if strided and (z.layout[1] == z.array.itemsize or layout[3] != z.layout[3]):
                self.probs, layout = gathered(np.ascontiguousarray(self.probs))
            self.layout = layout


class Plan:
    """What is done to the scores of a row before the softmax, as the compiled loops take it: a factor, the address of
    one number a class to add (or None), and what a margin makes of each row's truth: what is taken off its score; or
    the score in its place, and the slope there; and its part of what is added. What is empty is not done."""

    def __init__(self, z: Rows, index: Any, extra: Extra) -> None:
        self.offset = None if extra.offset is None else plain_vector(as_numpy(extra.offset), z.compute)
        shift = truth = slope = added = np.empty(0, z.compute)
        if extra.margin is not None:
            if self.offset is not None:
                added = self.offset[inside(index, z.classes)]
            if isinstance(extra.margin, Shift):
                margin = np.asarray(as_numpy(extra.margin.margin), z.compute)
                shift = margin[inside(index, z.classes)] if margin.ndim else np.full(z.count, margin)
            else:
                truth, slope = _at_truth(z, index, OfCosine(extra.margin, room_of_cosines(z.q)))
        address = None if self.offset is None else self.offset.ctypes.data
        self.numbers = (float(extra.scale), address, shift, truth, slope, added)


def _at_truth(z: Rows, index: Any, margin: OfCosine) -> tuple[Any, Any]:
    """What takes the place of each truth's score, and its derivative by that. In NumPy, also for a framework: its
    threads would wait for more work while the pass runs."""
    from xent.kernels.cpu.picking import pick

    truth, slope = np.empty(z.count, z.compute), np.empty(z.count, z.compute)

    def part(begin: int, end: int) -> None:
        # The score first, NaN for a label outside the classes.
        pick(z.layout, z.classes, begin, end, index, np.nan, truth)
        truth[begin:end], slope[begin:end] = margin.both(truth[begin:end])

    run(z.count, z.array.size, part)
    return truth, slope
