"""One question to the data before a kernel runs: is every row a distribution?"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from xent.core.arrays import FLOATING, HALF, Array, dtype_name, library, to_compute
from xent.kernels.cpu import _as_numpy

#: Numbers that are copied at a time, where rows cannot be read as they lie: few enough to stay in cache.
_SLAB = 1 << 18
#: The most by which a sum of 1 in float32 may be off here: seven additions on the way of a number, and exponentials of
#: numbers that were rounded, Σ e^x·|x|·2^-24 ≤ log K·2^-24.
_ROUNDING = 2e-6


def all_distributions(x: Array, *, log: bool, highest: float, tolerance: float) -> bool:
    """Whether each row (last axis) of x holds numbers of at most ``highest`` that sum to 1 within ``tolerance``.

    ``log``: whose exponentials do, where −∞ stands for 0; otherwise none may be negative. x lies in memory and may be
    read, which is done once. "Yes" is certain. "No" is also said where rounding here leaves a doubt, of NaN, and of
    types that are not floats: whoever asks then looks for himself, and has the words for what he finds.
    """
    if dtype_name(x) not in FLOATING or not x.shape[-1]:
        return False
    if log or dtype_name(x) != "float64":
        tolerance -= _ROUNDING
    return all(_all_distributions(slab, log, highest, tolerance) for slab in _slabs(x))


def _slabs(x: Array) -> Iterator[Array]:
    """x itself, of float32 or float64 with classes side by side; else copies that are, by pieces of the first axis."""
    torch = library(x) == "torch"
    beside = x.shape[-1] == 1 or (x.stride()[-1] == 1 if torch else x.strides[-1] == x.itemsize)
    if beside and dtype_name(x) not in HALF:
        yield x
        return
    x = x[None] if x.ndim == 1 else x
    step = max(1, _SLAB * len(x) // max(math.prod(x.shape), 1))
    for begin in range(0, len(x), step):
        piece = to_compute(x[begin : begin + step])
        yield piece.contiguous() if torch else np.ascontiguousarray(piece)


def _all_distributions(x: Array, log: bool, highest: float, tolerance: float) -> bool:
    from xent.kernels.cpu.sums import all_distributions as compiled
    from xent.kernels.cpu.threads import run

    values = _as_numpy(x)
    count, classes = math.prod(values.shape[:-1]), values.shape[-1]
    rows = values.reshape((count, classes))
    address, stride, like = rows.ctypes.data, rows.strides[0], np.empty(0, rows.dtype)
    kind = np.empty(0, np.float32) if log else like
    # In float32 the numbers are rounded: what is not above this is not above ``highest``.
    top = highest * (1 - 2**-22) if log else highest
    unsound: list[int] = []

    def work(begin: int, end: int) -> None:
        if not unsound and not compiled(
            address + begin * stride, stride, like, classes, end - begin, log, top, tolerance, kind
        ):
            unsound.append(begin)

    # Without exponentials a number is a quarter of the work.
    run(count, count * classes if log else count * classes // 4, work)
    return not unsound
