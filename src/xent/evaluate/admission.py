"""Which rows of Q count: rows without a number are refused and counted; a value that cannot be stops the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xent.core.values import tolerance_of
from xent.errors import NormalizationError, ProbabilityError
from xent.evaluate.matrix import Floats
from xent.evaluate.options import Holds

Mask = npt.NDArray[np.bool_]

_NAN = "NaN or a missing value in the prediction"


def refused(q: Floats, holds: Holds) -> tuple[Mask | None, str]:
    """Rows that cannot be scored, or None, and why the first: NaN; two logits of +inf; every logit −inf."""
    if holds == "logits":
        return _refused_logits(q)
    bad: Mask = np.asarray(np.isnan(q) if q.ndim == 1 else np.isnan(q).any(axis=-1))
    return (bad, _NAN) if bad.any() else (None, "")


def _refused_logits(q: Floats) -> tuple[Mask | None, str]:
    with np.errstate(over="ignore", invalid="ignore"):
        total = q.sum(axis=-1)
    suspect = np.flatnonzero(~np.isfinite(total))  # one pass clears nearly every batch; only the rest is looked at
    if not suspect.size:
        return None, ""
    rows = q[suspect]
    nan: Mask = np.asarray(np.isnan(rows).any(axis=-1))
    many: Mask = np.asarray((rows == np.inf).sum(axis=-1) > 1)
    none: Mask = np.asarray((rows == -np.inf).all(axis=-1))
    wrong = nan | many | none
    if not wrong.any():
        return None, ""
    bad = np.zeros(len(q), dtype=np.bool_)
    bad[suspect] = wrong
    first = int(np.argmax(wrong))
    if nan[first]:
        return bad, _NAN
    return bad, "two logits of +inf" if many[first] else "every logit is -inf"


def check(q: Floats, holds: Holds, rows: npt.NDArray[np.int64], argument: str) -> None:
    """Refuse admitted rows of Q that are not what they were declared to be; ``rows`` are their numbers.

    Raises ProbabilityError for a value outside the domain, NormalizationError where a row does not sum to one.
    """
    if holds == "logits" or not len(q):
        return
    tolerance = tolerance_of(q, log=holds != "probs")
    if holds == "prob":
        _check_values((q < 0) | (q > 1), q, rows, argument, "a probability from 0 to 1", _SIGMOID_HINT)
    elif holds == "log_likelihood":
        _check_values(q > tolerance, q, rows, argument, "a log-probability, at most 0", _LOG_HINT)
    elif holds == "probs":
        _check_values(q < 0, q, rows, argument, "probabilities from 0 to 1", _LOGIT_HINT)
        _check_sums(q.sum(axis=-1, dtype=np.float64), tolerance, rows, argument, _LOGIT_HINT)
    else:
        _check_values(q > tolerance, q, rows, argument, "log-probabilities, at most 0", _LOG_HINT)
        sums = np.exp(q, dtype=np.float64).sum(axis=-1)
        _check_sums(sums, tolerance, rows, argument, _LOG_HINT)


_ROUNDED = 0.05
"""Sums nearer to one than this, in every row, are probabilities that lost digits; scores do not come so near."""

_ROUNDED_HINT = "They look written with too few decimals: export more digits. Nothing is renormalised here."
_SIGMOID_HINT = "If these are scores before the sigmoid, apply it first: write 1/(1+exp(-score)) to the column."
_LOGIT_HINT = "If these are scores before the softmax, declare --logits."
_LOG_HINT = "If these are scores before the softmax, declare --logits; if probabilities, --probs or --prob."


def _check_values(
    wrong: Mask, q: Floats, rows: npt.NDArray[np.int64], argument: str, expected: str, instead: str
) -> None:
    if not wrong.any():
        return
    row = int(np.argmax(wrong if wrong.ndim == 1 else wrong.any(axis=-1)))
    value: Any = q[row] if q.ndim == 1 else q[row][np.argmax(wrong[row])]
    raise ProbabilityError(argument, expected, f"{str(value).removesuffix('.0')} in row {rows[row]}", instead)


def _check_sums(
    sums: npt.NDArray[np.float64], tolerance: float, rows: npt.NDArray[np.int64], argument: str, instead: str
) -> None:
    off = np.abs(sums - 1.0)
    wrong = ~(off <= tolerance)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise NormalizationError(
            argument,
            f"probabilities that sum to one (within {tolerance:g})",
            f"a sum of {sums[row]:.9g} in row {rows[row]}",
            _ROUNDED_HINT if off.max() < _ROUNDED else instead,
        )
