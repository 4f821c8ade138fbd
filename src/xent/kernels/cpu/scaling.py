"""Numbers times one number, in their place, over the threads of this kernel."""

from __future__ import annotations

from typing import Any

from xent.kernels.cpu.lanes import jit, row_at
from xent.kernels.cpu.threads import run


@jit
def _scale(address, like, begin, end, factor):  # type: ignore[no-untyped-def]
    x = row_at(address + begin * like.itemsize, like, end - begin)
    by = like.dtype.type(factor)
    for i in range(x.size):
        x[i] *= by


@jit
def _clear(address, like, begin, end):  # type: ignore[no-untyped-def]
    x = row_at(address + begin * like.itemsize, like, end - begin)
    for i in range(x.size):
        x[i] = 0


def scale(address: int, like: Any, count: int, factor: float) -> None:
    """``count`` numbers of like's type times a factor; all zero, whatever they hold, where it is 0."""

    def work(begin: int, end: int) -> None:
        if factor == 0.0:
            _clear(address, like, begin, end)
        else:
            _scale(address, like, begin, end, factor)

    # A number is a tenth of the work of one in a softmax.
    run(count, count // 10, work)
