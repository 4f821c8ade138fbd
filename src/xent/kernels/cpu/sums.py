"""Whether rows of numbers are distributions: a block of numbers is looked at twice, but only once from memory."""

from __future__ import annotations

import numpy as np

from xent.kernels.cpu.lanes import exp_of_drop, jit, row_at

#: Numbers whose probabilities are held at a time. A row is summed in float64 over such blocks.
BLOCK = 1024
#: Rows of fewer classes share a block, and are summed one number after the other.
_FEW = 64


@jit
def _probabilities(x, top, out):  # type: ignore[no-untyped-def]
    """x, with NaN for what is negative or above the top."""
    zero, nan = x.dtype.type(0), x.dtype.type(np.nan)
    for i in range(x.size):
        out[i] = x[i] if (x[i] >= zero) & (x[i] <= top) else nan


@jit
def _exponentials(x, top, out):  # type: ignore[no-untyped-def]
    """e^x in float32, with NaN for what is above the top."""
    nan = np.float32(np.nan)
    for i in range(x.size):
        log_p = np.float32(x[i])
        out[i] = exp_of_drop(log_p) if log_p <= top else nan


@jit
def halved(x):  # type: ignore[no-untyped-def]
    """Σ x, which is overwritten: the second half is added to the first until few are left. Such loops are vectors."""
    size = x.size
    while size > 8:
        half = (size + 1) // 2
        low, high = x[: size - half], x[half:size]
        for i in range(size - half):
            low[i] += high[i]
        size = half
    total = 0.0
    for i in range(size):
        total += x[i]
    return total


@jit
def _rows_sum_to_one(p, size, tolerance):  # type: ignore[no-untyped-def]
    """Of each of the rows of ``size`` numbers that p holds."""
    off = 0
    for first in range(0, p.size, size):
        total = 0.0
        for i in range(first, first + size):
            total += p[i]
        off += 0 if abs(total - 1.0) <= tolerance else 1
    return off == 0


@jit
def all_distributions(address, stride, like, size, rows, log, top, tolerance, kind):  # type: ignore[no-untyped-def]
    """Whether each of the rows from ``address`` on is a distribution; stops in the block of the first that is not.

    Its numbers are at most ``top`` and none is negative, or ``log``: −∞ or more; they, or their exponentials, sum to 1
    within ``tolerance``. ``kind`` is of the type that probabilities are held in: float32 for exponentials.
    """
    scratch = np.empty(BLOCK, kind.dtype)
    highest = kind.dtype.type(top)
    together = BLOCK // size if size < _FEW and stride == size * like.itemsize else 1
    for first in range(0, rows, together):
        numbers = min(together, rows - first) * size
        total = 0.0
        for start in range(0, numbers, BLOCK):
            x = row_at(address + first * stride + start * like.itemsize, like, min(BLOCK, numbers - start))
            p = scratch[: x.size]
            if log:
                _exponentials(x, highest, p)
            else:
                _probabilities(x, highest, p)
            if together == 1:
                total += halved(p)
        if not (abs(total - 1.0) <= tolerance if together == 1 else _rows_sum_to_one(p, size, tolerance)):
            return False
    return True
