"""Means and variances that merge: the state of every figure that is an average over rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass
class Mean:
    """Count, mean and centred sum of squares of the finite values, and the number of +inf.

    Merged by Chan, Golub and LeVeque (1983), ``M2 = M2_a + M2_b + δ² n_a n_b / n``: nothing cancels in any order.
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    infinite: int = 0

    def update(self, values: Vector) -> None:
        """Take a batch in."""
        finite = values
        infinite = int(np.count_nonzero(np.isposinf(values)))
        if infinite:
            finite = values[~np.isposinf(values)]
        if not finite.size:
            self.infinite += infinite
            return
        mean = float(finite.mean())
        centred = finite - mean
        # The mean of the rounded residuals corrects the mean itself (two-pass, Neely 1966).
        shift = float(centred.mean())
        m2 = float(centred @ centred) - finite.size * shift * shift
        self.merge(Mean(int(finite.size), mean + shift, m2, infinite))

    def merge(self, other: Mean) -> None:
        """Take another state in."""
        self.infinite += other.infinite
        n = self.n + other.n
        if not other.n:
            return
        delta = other.mean - self.mean
        self.mean += delta * other.n / n
        self.m2 += other.m2 + delta * delta * self.n * other.n / n
        self.n = n

    @property
    def total(self) -> int:
        """Values seen, infinite ones too."""
        return self.n + self.infinite

    @property
    def value(self) -> float:
        """The mean: +inf where one value is, NaN over nothing."""
        if self.infinite:
            return float("inf")
        return self.mean if self.n else float("nan")


@dataclass
class GroupMeans:
    """A ``Mean`` for each of K groups, as vectors."""

    groups: int
    n: npt.NDArray[np.int64] = field(init=False)
    mean: Vector = field(init=False)
    m2: Vector = field(init=False)
    infinite: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.n = np.zeros(self.groups, dtype=np.int64)
        self.mean = np.zeros(self.groups)
        self.m2 = np.zeros(self.groups)
        self.infinite = np.zeros(self.groups, dtype=np.int64)

    def update(self, values: Vector, group: npt.NDArray[np.int64]) -> None:
        """Take a batch in; ``group`` is the group of each value."""
        infinite = np.isposinf(values)
        if infinite.any():
            self.infinite += np.bincount(group[infinite], minlength=self.groups)
            values, group = values[~infinite], group[~infinite]
        n: Counts = np.bincount(group, minlength=self.groups).astype(np.int64)
        sums = np.bincount(group, weights=values, minlength=self.groups)
        mean: Vector = np.asarray(sums / np.maximum(n, 1), dtype=np.float64)
        centred = values - mean[group]
        squares = np.bincount(group, weights=centred * centred, minlength=self.groups)
        self._merge(n, mean, np.asarray(squares, dtype=np.float64))

    def merge(self, other: GroupMeans) -> None:
        """Take another state in."""
        self.infinite += other.infinite
        self._merge(other.n, other.mean, other.m2)

    def _merge(self, n_b: Counts, mean_b: Vector, m2_b: Vector) -> None:
        n = self.n + n_b
        divisor = np.maximum(n, 1)
        delta = np.where(n_b > 0, mean_b - self.mean, 0.0)
        self.m2 += m2_b + delta * delta * (self.n * (n_b / divisor))
        self.mean += delta * (n_b / divisor)
        self.n = n

    def of(self, index: int) -> Mean:
        """The state of one group."""
        return Mean(int(self.n[index]), float(self.mean[index]), float(self.m2[index]), int(self.infinite[index]))


@dataclass
class Ratio:
    """Σx / Σy over rows, and what its standard error needs: means and centred second moments of the pair."""

    n: int = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    yy: float = 0.0
    infinite: int = 0

    def update(self, x: Vector, y: Vector) -> None:
        """Take a batch of pairs in; an infinite x makes the ratio infinite."""
        infinite = np.isposinf(x)
        self.infinite += int(np.count_nonzero(infinite))
        if infinite.any():
            x, y = x[~infinite], y[~infinite]
        if not x.size:
            return
        mx, my = float(x.mean()), float(y.mean())
        dx, dy = x - mx, y - my
        self.merge(Ratio(int(x.size), mx, my, float(dx @ dx), float(dx @ dy), float(dy @ dy)))

    def merge(self, other: Ratio) -> None:
        """Take another state in."""
        self.infinite += other.infinite
        if not other.n:
            return
        n = self.n + other.n
        dx, dy, weight = other.x - self.x, other.y - self.y, self.n * other.n / n
        self.xx += other.xx + dx * dx * weight
        self.xy += other.xy + dx * dy * weight
        self.yy += other.yy + dy * dy * weight
        self.x += dx * other.n / n
        self.y += dy * other.n / n
        self.n = n
