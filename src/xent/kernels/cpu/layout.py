"""Where the rows of an array (…, K) lie in memory, as compiled loops take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Layout(NamedTuple):
    """Row r has class k at address + (r // plane)·leap + (r mod plane)·step + k·stride; all but ``plane`` in bytes."""

    address: int
    stride: int
    step: int
    plane: int
    leap: int



def layout_of(x: Any) -> Layout | None:
    """The layout of a NumPy array (…, K); None where its rows follow no such rule."""
    axes = _merged(x.shape[:-1], x.strides[:-1])
    stride = x.strides[-1] if x.shape[-1] > 1 else x.itemsize
    if len(axes) > 2:
        return None
    (rows, step), (_, leap) = (axes[-1], axes[-2] if len(axes) == 2 else (1, 0)) if axes else ((1, 0), (1, 0))
    return Layout(x.ctypes.data, stride, step, max(rows, 1), leap)


def side_by_side(layout: Layout, itemsize: int) -> bool:
    """Whether the classes of a row lie next to each other."""
    return layout.stride == itemsize


def gathered(x: Any) -> tuple[Any, Layout]:
    """x with a layout that the loops take, and the layout: x itself where they do, else a copy, classes side by side.

    They take classes side by side, or rows side by side (images: (N, C, H, W)), in up to two axes of rows.
    """
    layout = layout_of(x)
    if layout is None or (layout.stride != x.itemsize and layout.step != x.itemsize):
        x = np.ascontiguousarray(x)
        layout = layout_of(x)
        assert layout is not None
    return x, layout


def compact_strides(x: Any, itemsize: int) -> tuple[int, ...]:
    """The strides of a new array with x's shape and its order of axes, without gaps."""
    strides = [0] * x.ndim
    size = itemsize
    for axis in sorted(range(x.ndim), key=lambda axis: (abs(x.strides[axis]), -axis)):
        strides[axis] = size
        size *= max(x.shape[axis], 1)
    return tuple(strides)


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
