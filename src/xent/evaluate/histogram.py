"""Counts of a real number on a grid fine enough for quantiles, in fixed memory: exact to merge, 0.2% wide."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

_CELLS_AN_OCTAVE = 512  # a cell is at most 1/512 wide relative to its value
_LOWEST, _OCTAVES = (
    -60,
    74,
)  # 2^-60 … 2^14 nats; smaller magnitudes count as zero, larger ones in the last cell
_SHIFT = 23 - 9  # float32 has 23 bits of fraction; 9 are kept
_BASE = (127 + _LOWEST) << 9
_CELLS = _OCTAVES * _CELLS_AN_OCTAVE

Counts = npt.NDArray[np.int64]
Vector = npt.NDArray[np.float64]


def _empty() -> Counts:
    return np.zeros(_CELLS, dtype=np.int64)


def _cells(magnitude: Vector) -> npt.NDArray[np.int64]:
    """The cell of each magnitude: the exponent and nine bits of fraction of its float32; negative for one near zero."""
    capped = np.minimum(magnitude, 2.0 ** (_LOWEST + _OCTAVES) * (1 - 2.0**-20))
    return (capped.astype(np.float32).view(np.int32) >> _SHIFT).astype(np.int64) - _BASE


def _lower_edges() -> Vector:
    octave, step = np.divmod(np.arange(_CELLS), _CELLS_AN_OCTAVE)
    edges: Vector = np.ldexp(1.0 + step / _CELLS_AN_OCTAVE, octave + _LOWEST)
    return edges


@dataclass
class Histogram:
    """Counts of positive and negative numbers by magnitude, of zeros and of +inf; the least and the greatest."""

    positive: Counts = field(default_factory=_empty)
    negative: Counts = field(default_factory=_empty)
    zeros: int = 0
    infinite: int = 0
    least: float = math.inf
    greatest: float = -math.inf

    def update(self, values: Vector) -> None:
        """Take a batch in."""
        infinite = np.isposinf(values)
        self.infinite += int(np.count_nonzero(infinite))
        if infinite.any():
            values = values[~infinite]
        if not values.size:
            return
        self.least = min(self.least, float(values.min()))
        self.greatest = max(self.greatest, float(values.max()))
        cells = _cells(np.abs(values))
        tiny = cells < 0
        self.zeros += int(np.count_nonzero(tiny))
        above = ~tiny & (values > 0)
        below = ~tiny & (values < 0)
        self.positive += np.bincount(cells[above], minlength=_CELLS)
        if below.any():
            self.negative += np.bincount(cells[below], minlength=_CELLS)

    def merge(self, other: Histogram) -> None:
        """Take another state in."""
        self.positive += other.positive
        self.negative += other.negative
        self.zeros += other.zeros
        self.infinite += other.infinite
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)

    @property
    def finite(self) -> int:
        """Values that are not infinite."""
        return int(self.positive.sum() + self.negative.sum()) + self.zeros

    def quantile(self, fraction: float) -> float:
        """The value at rank ⌈fraction·n⌉, to 0.2%; +inf where the infinite ones reach down to it, NaN over nothing."""
        counts, low, high = self._ordered()
        total = int(counts.sum()) + self.infinite
        if not total:
            return math.nan
        rank = max(1, math.ceil(fraction * total))
        place = int(np.searchsorted(np.cumsum(counts), rank))
        if place >= len(counts):
            return math.inf
        return min(max(float(low[place] + high[place]) / 2, self.least), self.greatest)

    def linear(self, bins: int) -> tuple[list[float], list[int]]:
        """Edges and counts of at most ``bins`` equal bins over all finite values; 0 is always an edge.

        A cell goes where its middle is; its width moves a row by 0.2% of its value at most.
        """
        counts, low, high = self._ordered()
        if not counts.sum():
            return [], []
        if self.least == self.greatest == 0.0:
            return [0.0, 1.0], [self.finite]
        edges = _edges(self.least, self.greatest, bins)
        used = np.flatnonzero(counts)
        middle = np.clip((low[used] + high[used]) / 2, self.least, self.greatest)
        place = np.clip(np.searchsorted(edges, middle, side="right") - 1, 0, len(edges) - 2)
        held = np.bincount(place, weights=counts[used], minlength=len(edges) - 1)
        return [float(e) for e in edges], [int(c) for c in held]

    def _ordered(self) -> tuple[Counts, Vector, Vector]:
        """Counts with the cells' ends, from the most negative to the most positive."""
        low = _lower_edges()
        high = np.append(low[1:], 2.0 ** (_LOWEST + _OCTAVES))
        counts = np.concatenate([self.negative[::-1], [self.zeros], self.positive])
        return (
            counts,
            np.concatenate([-high[::-1], [0.0], low]),
            np.concatenate([-low[::-1], [0.0], high]),
        )


def _edges(least: float, greatest: float, bins: int) -> Vector:
    if least >= 0.0 or greatest <= 0.0:
        least, greatest = (0.0, greatest) if least >= 0.0 else (least, 0.0)
        return np.linspace(least, greatest, bins + 1, dtype=np.float64)
    width = (greatest - least) / (bins - 2)
    first, last = math.floor(least / width), math.ceil(greatest / width)
    return np.arange(first, last + 1, dtype=np.float64) * width
