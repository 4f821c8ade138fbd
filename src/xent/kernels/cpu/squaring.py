"""The compiled loop of ``squares``."""

from __future__ import annotations

import numpy as np

from xent.kernels.cpu.lanes import jit, row_at
from xent.kernels.cpu.rows import row_address
from xent.kernels.cpu.sums import BLOCK, halved

#: Rows of fewer classes are summed one number after the other.
_FEW = 32


@jit
def _long_row(x, k, miss, scratch):  # type: ignore[no-untyped-def]
    """The squares of a row, with ``miss`` in the place of its label."""
    total = 0.0
    for start in range(0, x.size, BLOCK):
        part = x[start : start + BLOCK]
        p = scratch[: part.size]
        for i in range(part.size):
            p[i] = np.float64(part[i]) * np.float64(part[i])
        if k >= start and k < start + part.size:
            p[k - start] = miss
        total += halved(p)
    return total


@jit
def squares(layout, like, size, begin, end, index, out):  # type: ignore[no-untyped-def]
    """Rows begin … end. The label's own term is (1 − q)², so that nothing cancels where q is nearly one-hot."""
    stride = layout[1]
    scratch = np.empty(BLOCK)
    for row in range(begin, end):
        k = index[row]
        if k < 0 or k >= size:
            out[row] = np.nan
            continue
        address = row_address(layout, row)
        miss = 1.0 - np.float64(row_at(address + k * stride, like, 1)[0])
        if stride == like.itemsize and size >= _FEW:
            out[row] = _long_row(row_at(address, like, size), k, miss * miss, scratch)
            continue
        total = 0.0
        for i in range(size):
            q = miss if i == k else np.float64(row_at(address + i * stride, like, 1)[0])
            total += q * q
        out[row] = total
