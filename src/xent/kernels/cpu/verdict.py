"""One question to the data before a kernel runs: is every row a distribution?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from xent.core.arrays import FLOATING, HALF, Array, dtype_name, to_compute
from xent.kernels.cpu.memory import as_numpy
from xent.kernels.layout import layout_of

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


def _slabs(x: Array) -> Iterator[Any]:
    """x as it lies, in float32 or float64 with classes side by side and rows at one distance.

    Otherwise copies that lie so, by pieces of the first axis.
    """
    if dtype_name(x) not in HALF:
        values = as_numpy(x)
        layout = layout_of(0, values.shape, values.strides, values.itemsize)
        if layout is not None and layout[1] == values.itemsize and not layout[4]:
            yield values
            return
    x = x[None] if x.ndim == 1 else x
    step = max(1, _SLAB * len(x) // max(math.prod(x.shape), 1))
    for begin in range(0, len(x), step):
        yield np.ascontiguousarray(as_numpy(to_compute(x[begin : begin + step])))


def _all_distributions(values: Any, log: bool, highest: float, tolerance: float) -> bool:
    from xent.kernels.cpu.sums import all_distributions as compiled
    from xent.kernels.cpu.threads import run

    layout = layout_of(values.ctypes.data, values.shape, values.strides, values.itemsize)
    assert layout is not None, "rows at one distance"
    address, step, classes = layout[0], layout[2], values.shape[-1]
    count = values.size // classes
    like = np.empty(0, values.dtype)
    kind = np.empty(0, np.float32) if log else like
    # In float32 the numbers are rounded: what is not above this is not above ``highest``.
    top = highest * (1 - 2**-22) if log else highest
    unsound: list[int] = []

    def work(begin: int, end: int) -> None:
        if not unsound and not compiled(
            address + begin * step, step, like, classes, end - begin, log, top, tolerance, kind
        ):
            unsound.append(begin)

    # Without exponentials a number is a quarter of the work.
    run(count, count * classes if log else count * classes // 4, work)
    return not unsound
