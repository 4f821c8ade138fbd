"""The one number of a row that a label points to: read from memory, and written back as the row's gradient."""

from __future__ import annotations

import numpy as np

from xent.kernels.cpu.lanes import LANES, jit, row_at
from xent.kernels.cpu.rows import row_address


@jit
def _has_nan(x, lanes):  # type: ignore[no-untyped-def]
    zero, one = x.dtype.type(0), x.dtype.type(1)
    lanes[:] = zero
    parts = x.size // LANES
    for b in range(parts):
        part = x[b * LANES : b * LANES + LANES]
        for i in range(LANES):
            lanes[i] = one if part[i] != part[i] else lanes[i]
    rest = x[parts * LANES :]
    for i in range(rest.size):
        lanes[i] = one if rest[i] != rest[i] else lanes[i]
    found = False
    for i in range(LANES):
        found |= lanes[i] != zero
    return found


@jit
def _row_has_nan(address, stride, like, size, lanes):  # type: ignore[no-untyped-def]
    if stride == like.itemsize and size >= LANES:
        return _has_nan(row_at(address, like, size), lanes)
    found = False
    for i in range(size):
        x = row_at(address + i * stride, like, 1)[0]
        found |= x != x
    return found


@jit
def pick(layout, size, begin, end, index, nan, out):  # type: ignore[no-untyped-def]
    """out = x[index] of rows begin … end, or ``nan`` where there is no such class. Of any type: numbers are copied."""
    for row in range(begin, end):
        k = index[row]
        inside = k >= 0 and k < size
        out[row] = row_at(row_address(layout, row) + k * layout[1], out, 1)[0] if inside else nan


@jit
def pick_defined(layout, size, begin, end, index, nan, out):  # type: ignore[no-untyped-def]
    """The same, and ``nan`` where the row has one in any class. For float32 and float64."""
    lanes = np.empty(LANES, out.dtype)
    for row in range(begin, end):
        k = index[row]
        address = row_address(layout, row)
        if k < 0 or k >= size or _row_has_nan(address, layout[1], out, size, lanes):
            out[row] = nan
        else:
            out[row] = row_at(address + k * layout[1], out, 1)[0]


@jit
def scatter(layout, size, begin, end, index, cells, undefined, nan):  # type: ignore[no-untyped-def]
    """Rows begin … end of zeros, with their cell in the place of their index; of ``nan`` where ``undefined``.

    A row of an index outside the classes stays one of zeros.
    """
    stride = layout[1]
    for row in range(begin, end):
        address = row_address(layout, row)
        fill = nan if undefined[row] else cells.dtype.type(0)
        if stride == cells.itemsize:
            row_at(address, cells, size)[:] = fill
        else:
            for i in range(size):
                row_at(address + i * stride, cells, 1)[0] = fill
        k = index[row]
        if k >= 0 and k < size and not undefined[row]:
            row_at(address + k * stride, cells, 1)[0] = cells[row]
