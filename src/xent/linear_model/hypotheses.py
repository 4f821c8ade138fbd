"""Hypotheses about coefficients, and what a test of one says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc

from xent.core import checks
from xent.errors import OptionError, ShapeError

Matrix = Any


@dataclass(frozen=True)
class ChiSquareTest:
    """A statistic that is χ² with ``df`` degrees of freedom if the hypothesis holds, and its p value."""

    statistic: float
    df: int
    p_value: float

    def __str__(self) -> str:
        return f"χ²({self.df}) = {self.statistic:.4g}, p = {self.p_value:.2g}"


def chi_square(statistic: float, df: int) -> ChiSquareTest:
    """The test of a statistic."""
    return ChiSquareTest(statistic, df, float(chdtrc(df, statistic)))


def rows_of(hypothesis: Any, terms: Sequence[str], equations: int) -> Matrix:
    """R (J, M·T) of R·β = r, from an array or from the names of terms.

    Raises
    ------
    OptionError, ShapeError
        A term that is not there; an array of another shape.
    """
    size = equations * len(terms)
    if isinstance(hypothesis, str):
        hypothesis = [hypothesis]
    if isinstance(hypothesis, (list, tuple)) and hypothesis and all(isinstance(h, str) for h in hypothesis):
        for name in hypothesis:
            checks.require_choice(name, tuple(terms), "wald(hypothesis)")
            if list(terms).count(name) > 1:
                raise OptionError("wald(hypothesis)", "the name of one term", f"{name!r}, that of several")
        return np.eye(size)[np.tile(np.isin(terms, hypothesis), equations)]
    R = np.atleast_2d(np.asarray(hypothesis, np.float64))
    if R.ndim != 2 or R.shape[1] != size or not len(R):
        raise ShapeError(
            "wald(hypothesis)",
            f"shape ({size},) or (J, {size}): the coefficients by rows",
            str(np.shape(hypothesis)),
            "Or write the name of a term.",
        )
    return R
