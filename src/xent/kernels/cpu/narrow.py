"""X·w for a w of few columns, over which a general matrix product is slow: the sums of some rows by all columns stay in
registers, and X is read once, where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from xent.kernels.cpu.lanes import jit
from xent.kernels.cpu.vectors import LINE, Lanes

Matrix = Any

#: Columns from which on this is faster than OpenBLAS, on the whole: with 4 by a fifth slower at 50 features, by half
#: faster at 10 and at 200.
FEWEST = 4
#: Bytes of a vector, vectors of a row at most, and sums that are kept at a time: what the registers of AVX2 hold.
_VECTOR, _VECTORS, _SUMS = 32, 4, 12
_I64 = ir.IntType(64)


def takes(x: Matrix, w: Matrix) -> bool:
    """Whether ``product`` takes x (N, D) and w (D, K): 4 to 16 columns in float64, to 32 in float32, both of one type
    of this machine, the numbers of a row side by side."""
    return (
        FEWEST <= w.shape[1] <= _VECTORS * _VECTOR // w.itemsize
        and w.dtype in (np.float32, np.float64)
        and x.dtype == w.dtype
        and x.dtype.isnative
        and w.flags.c_contiguous
        and w.flags.aligned
        and x.flags.aligned
        and x.strides[1] == x.itemsize
    )


def product(x: Matrix, w: Matrix, shift: Matrix | None) -> Matrix:
    """x·w + shift, of what ``takes`` takes; shift (K,) in the type of w. A number depends on its row and column alone,
    and not on what is computed beside it."""
    count, columns = len(x), w.shape[1]
    width = min(_VECTOR // w.itemsize, 1 << (columns.bit_length() - 1))
    shift = np.zeros(columns, w.dtype) if shift is None else np.ascontiguousarray(shift)
    out = np.empty((count, columns), w.dtype)
    _product(x.ctypes.data, x.strides[0], count, w, shift, out, (0,) * width, (0,) * -(-columns // width))
    return out


@jit
def _product(x, step, rows, w, shift, out, width, vectors):  # type: ignore[no-untyped-def]
    features, columns = w.shape
    _tiles(x, step, rows, w.ctypes.data, features, columns, shift.ctypes.data, out.ctypes.data, w, width, vectors)


@intrinsic
def _tiles(
    typing: Any, x: Any, step: Any, rows: Any, w: Any, features: Any, columns: Any, shift: Any, out: Any,
    like: Any, width: Any, vectors: Any,
) -> Any:  # fmt: skip
    """Some rows at a time, and those that are left one by one. ``width`` and ``vectors`` are told by the lengths of
    tuples, which are types: LLVM is to know how many sums there are. The last vector ends where the row ends, and may
    begin in the one before: those columns are computed twice, and alike."""
    wide, many = len(width), len(vectors)
    tall = _SUMS // many

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, step, rows, w, features, columns, shift, out, *_ = args
        lanes = Lanes(builder, like.dtype, wide)
        pitch = builder.mul(columns, _long(lanes.bytes))
        starts = [*(_long(wide * v) for v in range(many - 1)), builder.sub(columns, _long(wide))]

        def read_ahead(address: Any, count: int) -> None:
            """The rows of the next turn; without this, what is not in a cache takes up to a third longer."""
            line = Lanes(builder, like.dtype, LINE // lanes.bytes)
            lines = builder.udiv(builder.mul(features, _long(count)), _long(line.width))
            with cgutils.for_range(builder, lines) as loop:
                line.read_ahead(address, builder.mul(loop.index, _long(line.width)))

        def some(first: Any, count: int) -> None:
            begins = [builder.add(x, builder.mul(builder.add(first, _long(i)), step)) for i in range(count + 1)]
            read_ahead(begins.pop(), count)
            numbers = [builder.inttoptr(begin, lanes.cell.as_pointer()) for begin in begins]
            sums = [[cgutils.alloca_once(builder, lanes.type) for _ in starts] for _ in range(count)]
            for place in (place for row in sums for place in row):
                builder.store(lanes.number(0.0), place)
            with cgutils.for_range(builder, features) as loop:
                at = builder.add(w, builder.mul(loop.index, pitch))
                parts = [lanes.load(lanes.pointer(at, start)) for start in starts]
                for row, number in zip(sums, numbers, strict=True):
                    factor = lanes.splat(builder.load(builder.gep(number, [loop.index])))
                    for place, part in zip(row, parts, strict=True):
                        builder.store(lanes.multiply_add(factor, part, builder.load(place)), place)
            for i, row in enumerate(sums):
                target = builder.add(out, builder.mul(builder.add(first, _long(i)), pitch))
                for place, start in zip(row, starts, strict=True):
                    shifted = builder.fadd(builder.load(place), lanes.load(lanes.pointer(shift, start)))
                    lanes.store(shifted, lanes.pointer(target, start))

        whole = builder.udiv(rows, _long(tall))
        with cgutils.for_range(builder, whole) as loop:
            some(builder.mul(loop.index, _long(tall)), tall)
        done = builder.mul(whole, _long(tall))
        with cgutils.for_range(builder, builder.sub(rows, done)) as loop:
            some(builder.add(done, loop.index), 1)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8, like, width, vectors), generate


def _long(value: int) -> Any:
    return ir.Constant(_I64, value)
