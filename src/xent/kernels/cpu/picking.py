"""The one number of a row that a label points to: read from memory, and written back as the row's gradient."""

from __future__ import annotations

import numpy as np

from xent.kernels.cpu.lanes import LANES, jit, row_at


@jit
def _has_nan(x, lanes):  # type: ignore[no-untyped-def]
    zero, one = x.dtype.type(0), x.dtype.type(1)
    parts = x.size // LANES
    found = False
    if parts:
        lanes[:] = zero
        for b in range(parts):
            part = x[b * LANES : b * LANES + LANES]
            for i in range(LANES):
                lanes[i] = one if part[i] != part[i] else lanes[i]
        for i in range(LANES):
            found |= lanes[i] != zero
    for i in range(parts * LANES, x.size):
        found |= x[i] != x[i]
    return found


@jit
def pick(address, stride, size, begin, end, index, nan, out):  # type: ignore[no-untyped-def]
    """out = x[index] of rows begin … end, or ``nan`` where there is no such class. Of any type: numbers are copied."""
    for row in range(begin, end):
        k = index[row]
        out[row] = row_at(address + row * stride, out, size)[k] if k >= 0 and k < size else nan


@jit
def pick_defined(address, stride, size, begin, end, index, nan, out):  # type: ignore[no-untyped-def]
    """The same, and ``nan`` where the row has one in any class. For float32 and float64."""
    lanes = np.empty(LANES, out.dtype)
    for row in range(begin, end):
        k = index[row]
        x = row_at(address + row * stride, out, size)
        out[row] = nan if k < 0 or k >= size or _has_nan(x, lanes) else x[k]


@jit
def scatter(address, size, begin, end, index, cells, undefined, nan):  # type: ignore[no-untyped-def]
    """Rows begin … end of zeros, with their cell in the place of their index; of ``nan`` where ``undefined``.

    Rows lie one after the other from ``address`` on. A row of an index outside the classes stays one of zeros.
    """
    for row in range(begin, end):
        x = row_at(address + row * size * cells.itemsize, cells, size)
        x[:] = nan if undefined[row] else cells.dtype.type(0)
        k = index[row]
        if k >= 0 and k < size and not undefined[row]:
            x[k] = cells[row]
