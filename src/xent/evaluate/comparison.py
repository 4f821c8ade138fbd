"""A against B on the same rows: the paired difference of the loss, and McNemar's test of the errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from xent.evaluate.histogram import Histogram
from xent.evaluate.intervals import LEVEL, Interval, mcnemar, of_mean, t_test
from xent.evaluate.moments import Mean, Vector
from xent.evaluate.summary import floored

_SHOWN_BINS = 60


class Comparison:
    """State of d = loss(A) − loss(B) over the rows that count for both; it merges.

    The difference is kept twice, as it is and with both losses floored: one infinite loss would decide the first alone.
    """

    def __init__(self, floor: float, *, has_errors: bool) -> None:
        self.floor = floor
        self.has_errors = has_errors
        self.exact = Mean()
        self.floored = Mean()
        self.exact_spread = Histogram()
        self.floored_spread = Histogram()
        self.infinite = 0
        self.only_a_wrong = 0
        self.only_b_wrong = 0

    def update(self, a: Vector, b: Vector, wrong_a: npt.NDArray[np.bool_], wrong_b: npt.NDArray[np.bool_]) -> None:
        """Take pairs in: both losses, and whether each model's most probable class was wrong."""
        finite = np.isfinite(a) & np.isfinite(b)
        self.infinite += int(np.count_nonzero(~finite))
        exact = a[finite] - b[finite]
        difference = floored(a, self.floor) - floored(b, self.floor)
        self.exact.update(exact)
        self.exact_spread.update(exact)
        self.floored.update(difference)
        self.floored_spread.update(difference)
        self.only_a_wrong += int(np.count_nonzero(wrong_a & ~wrong_b))
        self.only_b_wrong += int(np.count_nonzero(wrong_b & ~wrong_a))

    def merge(self, other: Comparison) -> None:
        """Take another state in."""
        self.exact.merge(other.exact)
        self.floored.merge(other.floored)
        self.exact_spread.merge(other.exact_spread)
        self.floored_spread.merge(other.floored_spread)
        self.infinite += other.infinite
        self.only_a_wrong += other.only_a_wrong
        self.only_b_wrong += other.only_b_wrong

    def to_dict(self, name_a: str, name_b: str, unit: str, used: tuple[int, int] | None = None) -> dict[str, Any]:
        """The schema's fields that tell of the pair; ``unit`` is what a row is ("row", "token").

        ``used`` is how many rows A and B scored; None where every one is a pair.
        """
        state = self.floored if self.infinite else self.exact
        spread = self.floored_spread if self.infinite else self.exact_spread
        difference, p_value = of_mean(state), t_test(state)
        better = _better(difference, p_value)
        edges, counts = spread.linear(_SHOWN_BINS)
        error = None
        if self.has_errors:
            error = {
                "only_a_wrong": self.only_a_wrong,
                "only_b_wrong": self.only_b_wrong,
                "p_value": mcnemar(self.only_a_wrong, self.only_b_wrong),
            }
        return {
            "rows": self.floored.n,
            "difference": {
                **vars(difference),
                "p_value": p_value,
                "floor": self.floor if self.infinite else None,
            },
            "error": error,
            "histogram": {"edges": edges, "counts": counts},
            "better": better,
            "sentence": _sentence(difference, p_value, better, name_a, name_b, unit)
            + _unpaired(self.floored.n, used, unit)
            + (f" Probabilities below {self.floor:.3g} were raised to it." if self.infinite else ""),
        }


def _better(difference: Interval, p_value: float) -> str | None:
    if not p_value < 1 - LEVEL:
        return None
    return "A" if difference.value < 0 else "B"


def _sentence(difference: Interval, p_value: float, better: str | None, name_a: str, name_b: str, unit: str) -> str:
    if math.isnan(p_value):
        return f"It cannot be told which is better: one {unit} is too few."
    if better is None:
        if difference.value == 0.0 and p_value == 1.0:
            return f"It cannot be told which is better: both have the same mean loss over these {unit}s."
        return (
            f"It cannot be told which is better: A − B is {difference.value:.4g} nats a {unit}, "
            f"95% interval {difference.low:.4g} to {difference.high:.4g}, {_p(p_value)}."
        )
    ends = sorted((abs(difference.low), abs(difference.high)))
    winner, name, loser = (better, name_a, "B") if better == "A" else (better, name_b, "A")
    return (
        f"{winner} ({name}) is better: its cross-entropy is {abs(difference.value):.4g} nats a {unit} below {loser}'s, "
        f"95% interval {ends[0]:.4g} to {ends[1]:.4g}, {_p(p_value)}."
    )


def _unpaired(pairs: int, used: tuple[int, int] | None, unit: str) -> str:
    """What the verdict does not speak of: rows that one model alone scored."""
    if used is None or used == (pairs, pairs):
        return ""
    alone = [f"{n - pairs:,} that only {model} scored" for model, n in zip("AB", used, strict=True) if n > pairs]
    plural = "" if pairs == 1 else "s"
    return f" Only the {pairs:,} {unit}{plural} that both scored were compared, and not {' or '.join(alone)}."


def _p(p_value: float) -> str:
    return "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.2g}"
