"""Intervals at 95%, each by the method that the field trusts for that figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xent.errors import MissingExtraError
from xent.evaluate.moments import Mean, Ratio

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its interval; NaN ends where the rows are too few to say."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Interval:
        """The same in another unit."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    def exp(self) -> Interval:
        """exp of the value and of both ends: the interval of a perplexity."""
        return Interval(*(_exp(x) for x in (self.value, self.low, self.high)))


def _exp(x: float) -> float:
    return math.inf if x > 709.0 else math.exp(x)  # beyond 709.78 math.exp raises


def special() -> Any:
    """scipy.special, or the line that installs it."""
    try:
        import scipy.special
    except ImportError as error:
        raise MissingExtraError(
            "intervals", "scipy, which has their quantiles", "no scipy", 'Run: pip install "xent[cli]"'
        ) from error
    return scipy.special


def of_mean(state: Mean, least: float = -math.inf) -> Interval:
    """mean ± t·s/√n (Student, n − 1 degrees of freedom), cut at ``least``, below which the figure cannot be.

    One infinite value makes all three numbers infinite: a model that gave zero to something that happens has infinite
    expected loss, and the row proves that it happens.
    """
    if state.infinite:
        return Interval(math.inf, math.inf, math.inf)
    if state.n < 2:
        return Interval(state.value, math.nan, math.nan)
    error = math.sqrt(state.m2 / (state.n - 1) / state.n)
    half = float(special().stdtrit(state.n - 1, 0.5 + LEVEL / 2)) * error
    return Interval(state.mean, min(state.mean, max(least, state.mean - half)), state.mean + half)


def t_test(state: Mean) -> float:
    """Two-sided p-value of mean = 0 by Student's t; NaN for fewer than two values."""
    if state.n < 2:
        return math.nan
    error = math.sqrt(state.m2 / (state.n - 1) / state.n)
    if error == 0.0:
        return 1.0 if state.mean == 0.0 else 0.0
    return float(2 * special().stdtr(state.n - 1, -abs(state.mean / error)))


def of_ratio(state: Ratio, factor: float) -> Interval:
    """factor · Σx/Σy with the delta method: se = √(Σ(x − Ry)²·n/(n − 1)) / Σy, normal."""
    if state.infinite:
        return Interval(math.inf, math.inf, math.inf)
    if state.y == 0.0:
        return Interval(math.nan, math.nan, math.nan)
    ratio = state.x / state.y
    if state.n < 2:
        return Interval(ratio * factor, math.nan, math.nan)
    residual = max(0.0, state.xx - 2 * ratio * state.xy + ratio * ratio * state.yy)
    error = math.sqrt(residual * state.n / (state.n - 1)) / (state.n * state.y)
    half = float(special().ndtri(0.5 + LEVEL / 2)) * error
    return Interval(ratio, ratio - half, ratio + half).scaled(factor)


def wilson(successes: int, n: int) -> Interval:
    """A proportion with Wilson's (1927) interval, which keeps inside [0, 1]."""
    if n == 0:
        return Interval(math.nan, math.nan, math.nan)
    z = float(special().ndtri(0.5 + LEVEL / 2))
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(p, min(p, max(0.0, centre - half)), max(p, min(1.0, centre + half)))


def clopper_pearson(
    successes: npt.NDArray[np.float64], n: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Ends of the exact interval of each proportion (Clopper and Pearson 1934)."""
    tail = (1 - LEVEL) / 2
    sp = special()
    low = np.where(successes > 0, sp.betaincinv(np.maximum(successes, 1), n - successes + 1, tail), 0.0)
    high = np.where(successes < n, sp.betaincinv(successes + 1, np.maximum(n - successes, 1), 1 - tail), 1.0)
    return low, high


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p-value of McNemar's test: Binomial(only_a + only_b, ½)."""
    n = only_a + only_b
    return min(1.0, float(2 * special().bdtr(min(only_a, only_b), n, 0.5))) if n else 1.0
