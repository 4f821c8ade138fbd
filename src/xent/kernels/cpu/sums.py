"""Whether rows of numbers are distributions: a block of rows is looked at several times, but only once from memory."""

from __future__ import annotations

import numpy as np

from xent.kernels.cpu.lanes import BLOCK, LANES, exp_of_drop, jit, row_at


@jit
def _folded(lanes):  # type: ignore[no-untyped-def]
    """Σ lanes, which are overwritten: halved until eight are left, so that most of the additions are vectors."""
    width = LANES
    while width > 8:
        width //= 2
        low, high = lanes[:width], lanes[width : 2 * width]
        for i in range(width):
            low[i] += high[i]
    total = 0.0
    for i in range(8):
        total += lanes[i]
    return total


@jit
def _all_within(x, lowest, highest, lanes):  # type: ignore[no-untyped-def]
    """Whether every number lies in [lowest, highest]; NaN does not."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    lanes[:] = zero
    parts = x.size // LANES
    for b in range(parts):
        part = x[b * LANES : b * LANES + LANES]
        for i in range(LANES):
            lanes[i] += zero if (part[i] >= lowest) & (part[i] <= highest) else one
    rest = x[parts * LANES :]
    for i in range(rest.size):
        lanes[i] += zero if (rest[i] >= lowest) & (rest[i] <= highest) else one
    return _folded(lanes) == 0.0


@jit
def _sum(x, lanes):  # type: ignore[no-untyped-def]
    """Σ x of at most ``BLOCK`` numbers."""
    lanes[:] = 0
    parts = x.size // LANES
    for b in range(parts):
        part = x[b * LANES : b * LANES + LANES]
        for i in range(LANES):
            lanes[i] += part[i]
    rest = x[parts * LANES :]
    for i in range(rest.size):
        lanes[i] += rest[i]
    return _folded(lanes)


@jit
def _many_sum_to_one(x, tolerance, lanes):  # type: ignore[no-untyped-def]
    """Whether Σ x is 1, of a row of any length: in float64 over blocks."""
    total = 0.0
    for start in range(0, x.size, BLOCK):
        total += _sum(x[start : min(start + BLOCK, x.size)], lanes)
    return abs(total - 1.0) <= tolerance


@jit
def _few_sum_to_one(x, size, tolerance):  # type: ignore[no-untyped-def]
    """Whether Σ x is 1, in float64, of each of the rows of ``size`` numbers that x holds one after the other."""
    off = 0
    for first in range(0, x.size, size):
        total = 0.0
        for i in range(first, first + size):
            total += x[i]
        off += 0 if abs(total - 1.0) <= tolerance else 1
    return off == 0


@jit
def all_distributions(address, stride, like, size, rows, log, highest, tolerance):  # type: ignore[no-untyped-def]
    """Whether each of the rows from ``address`` on is a distribution; stops in the block of the first that is not.

    Its numbers are at most ``highest`` and none is negative, or ``log``: −∞ or more; they, or their exponentials, sum
    to 1 within ``tolerance``.
    """
    few = size < LANES and stride == size * like.itemsize
    together = BLOCK // size if few else 1
    powers = np.empty(together * size if log else 0, like.dtype)
    lanes = np.empty(LANES, like.dtype)
    bottom = like.dtype.type(-np.inf if log else 0.0)
    top = like.dtype.type(highest)
    for first in range(0, rows, together):
        numbers = min(together, rows - first) * size
        x = row_at(address + first * stride, like, numbers)
        if not _all_within(x, bottom, top, lanes):
            return False
        p = x
        if log:
            p = powers[:numbers]
            for i in range(numbers):
                p[i] = exp_of_drop(x[i])
        if not (_few_sum_to_one(p, size, tolerance) if few else _many_sum_to_one(p, tolerance, lanes)):
            return False
    return True
