"""Lines of equal height on a grid, and the places where something holds, as rows for the marks of a chart."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

Array = Any
Point = tuple[float, float]
Rows = list[dict[str, float]]


def contour(x: Array, y: Array, height: Array, level: float) -> list[list[Point]]:
    """The lines ``height`` = ``level``, each as its points in order; height (len(y), len(x))."""
    return _joined(_segments(x, y, height, level))


def _segments(x: Array, y: Array, height: Array, level: float) -> list[tuple[Point, Point]]:
    """Each square of the grid is cut into two triangles: a plane goes through the corners of each, so where the line
    enters and leaves one is never in doubt."""
    above = height > level
    corner = above[:-1, :-1]
    crossed = (corner != above[1:, 1:]) | (corner != above[1:, :-1]) | (corner != above[:-1, 1:])
    found = []
    for row, column in np.argwhere(crossed).tolist():
        a, b, c, d = (row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)
        for edges in (((a, b), (b, c), (a, c)), ((a, c), (d, c), (a, d))):
            ends = [_crossing(x, y, height, level, *edge) for edge in edges if above[edge[0]] != above[edge[1]]]
            if ends and ends[0] != ends[1]:
                found.append((ends[0], ends[1]))
    return found


def _crossing(x: Array, y: Array, height: Array, level: float, a: Any, b: Any) -> Point:
    share = (level - height[a]) / (height[b] - height[a])
    return float(x[a[1]] + share * (x[b[1]] - x[a[1]])), float(y[a[0]] + share * (y[b[0]] - y[a[0]]))


def _joined(segments: list[tuple[Point, Point]]) -> list[list[Point]]:
    """Segments end to end, as long as there is one that goes on."""
    at: dict[Point, set[int]] = defaultdict(set)
    for index, ends in enumerate(segments):
        for end in ends:
            at[end].add(index)
    lines = []
    # Lines that have an end begin there; what is left goes round.
    for first in [*(p for p, ends in at.items() if len(ends) == 1), *(a for a, _ in segments)]:
        line = [first]
        while at[line[-1]]:
            index = at[line[-1]].pop()
            a, b = segments[index]
            line.append(b if a == line[-1] else a)
            at[line[-1]].discard(index)
        if len(line) > 1:
            lines.append(line)
    return lines


def rows(lines: list[list[Point]], level: float) -> Rows:
    """The points of lines as rows: line, at, x, y, level."""
    return [
        {"line": index, "at": at, "x": round(x, 2), "y": round(y, 2), "level": level}
        for index, line in enumerate(lines)
        for at, (x, y) in enumerate(line)
    ]


def runs(x: Array, y: Array, holds: Array) -> Rows:
    """The cells around the points of a grid where something holds, as rectangles that are as wide as they can be."""
    half_x, half_y = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    found = []
    for row, line in zip(y, holds, strict=True):
        padded = np.concatenate([[False], line, [False]]).astype(int)
        for begin, end in np.flatnonzero(np.diff(padded)).reshape(-1, 2):
            left, right = max(x[begin] - half_x, x[0]), min(x[end - 1] + half_x, x[-1])
            low, high = max(row - half_y, y[0]), min(row + half_y, y[-1])
            found.append({"x": float(left), "x2": float(right), "y": float(low), "y2": float(high)})
    return found
