"""From addresses to compiled loops, over threads: what NumPy's way into the kernel and PyTorch's have in common."""

from __future__ import annotations

from typing import Any

from xent.kernels.cpu import columns, rows
from xent.kernels.cpu.threads import SERIAL, run
from xent.kernels.layout import Layout

#: Up to so many classes a vector holds one class of many rows.
ACROSS = 64
#: A gradient of so many bytes is stored past the cache, which it would not stay in.
PAST_CACHE = 16 * 2**20


def across(layout: Layout, itemsize: int, classes: int) -> bool:
    """Whether a vector is to hold one class of many rows, and not many classes of one."""
    return classes <= ACROSS or layout[1] != itemsize


def gradient(
    layout: Layout, like: Any, classes: int, count: int, index: Any, truths: Any, on: float, off: float,
    a: Any, b: Any, h: Any, target: Layout, losses: Any, scale: float, lses: Any = None, form: Any = None,
    plan: Any = None,
) -> None:  # fmt: skip
    """The gradient of ``count`` rows to the layout ``target``; see ``xent.kernels.cpu.rows.gradient``."""
    numbers = count * classes
    past = numbers * like.itemsize >= PAST_CACHE
    tiles = across(layout, like.itemsize, classes)

    def work(begin: int, end: int) -> None:
        if tiles:
            columns.gradient(layout, like, classes, begin, end, index, truths, on, off, a, b, h, target, losses, scale)
        else:
            rows.gradient(
                layout, like, classes, begin, end, index, truths, on, off, a, b, h, target, past, losses, scale,
                lses, form, plan,
            )  # fmt: skip

    if numbers < SERIAL:
        work(0, count)
    else:
        run(count, numbers, work)


def statistics(
    layout: Layout, like: Any, classes: int, count: int, want: int, index: Any, truths: Any, on: float, off: float,
    out: Any, first: Any,
) -> None:  # fmt: skip
    """The statistics of ``count`` rows; see ``xent.kernels.cpu.rows.statistics``."""
    compiled = columns.statistics if across(layout, like.itemsize, classes) else rows.statistics

    def work(begin: int, end: int) -> None:
        compiled(layout, like, classes, begin, end, want, index, truths, on, off, out, first)

    run(count, count * classes, work)
