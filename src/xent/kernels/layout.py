"""Where the rows of an array (…, K) lie in memory, as compiled loops take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

#: (address, stride, step, plane, leap): row r has class k at
#: address + (r // plane)·leap + (r mod plane)·step + k·stride, all but ``plane`` in bytes.
#: A plain tuple, which compiled code takes in less time than a class.
Layout: TypeAlias = tuple[int, int, int, int, int]


def layout_of(address: int, shape: Sequence[int], strides: Sequence[int], itemsize: int) -> Layout | None:
    """The layout of an array (…, K) at an address, strides in bytes; None where its rows follow no such rule."""
    if 0 in shape:
        return address, itemsize, 0, 1, 0  # no rows, or rows without classes: no step is ever taken
    axes = _merged(shape[:-1], strides[:-1])
    stride = strides[-1] if shape[-1] > 1 else itemsize
    if len(axes) > 2:
        return None
    rows, step = axes[-1] if axes else (1, 0)
    leap = axes[0][1] if len(axes) == 2 else 0
    return address, stride, step, max(rows, 1), leap


def walkable(address: int, shape: Sequence[int], strides: Sequence[int], itemsize: int) -> Layout | None:
    """The layout, if the loops take it: classes side by side, or rows side by side (images: (N, C, H, W))."""
    layout = layout_of(address, shape, strides, itemsize)
    return layout if layout is not None and itemsize in (layout[1], layout[2]) else None


def gathered(x: Any) -> tuple[Any, Layout]:
    """A NumPy array (…, K) and its layout: x itself where the loops take it, else a copy, classes side by side."""
    layout = walkable(x.ctypes.data, x.shape, x.strides, x.itemsize)
    if layout is None:
        x = np.ascontiguousarray(x)
        layout = walkable(x.ctypes.data, x.shape, x.strides, x.itemsize)
        assert layout is not None, "a contiguous array"
    return x, layout


def compact_strides(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """The strides of a new array of a shape, in bytes: the axes in the order of ``strides``, without gaps.

    Axes of stride 0 (expanded) come outermost, so that numbers which lie side by side do so in the new array too.
    """
    found = [0] * len(shape)
    size = itemsize
    for axis in sorted(range(len(shape)), key=lambda axis: (strides[axis] == 0, abs(strides[axis]), -axis)):
        found[axis] = size
        size *= max(shape[axis], 1)
    return tuple(found)


def _merged(shape: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """(size, stride) of the axes, with those joined that one step walks through."""
    axes: list[tuple[int, int]] = []
    for size, stride in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if axes and axes[-1][1] == size * stride:
            axes[-1] = (axes[-1][0] * size, stride)
        else:
            axes.append((size, stride))
    return axes
