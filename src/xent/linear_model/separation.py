"""Whether the data can be separated, so that the likelihood has no maximum.

A direction D of (W, b) separates where moving along it lowers no example's likelihood and raises some: where D·x has
for no example a score above that of a class that the truth says can be, and for some a score below. Where all scores
of other classes are below for all examples, the separation is complete, otherwise quasi-complete. The score of a yes
or no is compared with 0.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, identity

from xent.linear_model.heads import Head, SoftmaxCrossEntropy, rows_of
from xent.linear_model.objective import Objective
from xent.linear_model.solvers import conjugate_gradients

Matrix = Any
_Pairs: TypeAlias = tuple[Matrix, Matrix, Matrix]
Separation: TypeAlias = Literal["complete", "quasi-complete"]

#: The linear programme is asked where its matrix has so few numbers.
_NUMBERS = 400_000
#: A maximum has been come to where no two scores differ by so much: what separates drives them apart without end.
_NEARLY_SURE = 2.0
#: Of a step that does not get smaller: by what it moves scores at least, and how much of that in the wrong direction.
_MOVED, _HARM = 0.1, 1e-3
#: Digits and products of that step.
_EXACT, _PRODUCTS = 1e-6, 500


class SeparationWarning(UserWarning):
    """The likelihood has no maximum: coefficients that grow without end raise it for ever."""


def separation(objective: Objective, v: Matrix, *, converged: bool) -> Separation | None:
    """Whether the examples are separated, from where a solver came to with the cross-entropy and no penalty.

    Complete separation W and b themselves show. Otherwise a linear programme decides where it is small; where it is not
    the next step of Newton's method does, which gets no smaller along a direction that separates.

    References
    ----------
    Albert and Anderson, "On the Existence of Maximum Likelihood Estimates in Logistic Regression Models", Biometrika
    71, 1984; Konis, "Linear Programming Algorithms for Detecting Separated Data in Binary Logistic Regression Models",
    University of Oxford, 2007.
    """
    demands = Demands(objective.head)
    least, most, apart = _extremes(objective, demands, *objective.weights(v))
    rounding = 64.0 * float(np.finfo(objective.examples.dtype).eps)
    if demands.certain and least > rounding * most:
        return "complete"
    if converged and most < _NEARLY_SURE:
        return None
    if 2 * demands.count * (objective.features + 1) <= _NUMBERS:
        return _programmed(objective, demands)
    _, gradient = objective(v)
    step = conjugate_gradients(objective.curvature(v), -gradient, _EXACT, _PRODUCTS)
    least, most, apart = _extremes(objective, demands, *objective.weights(step))
    return "quasi-complete" if most >= _MOVED and max(-least, apart) <= _HARM * most else None


class Demands:
    """What does an example no harm: differences of two of its scores that are not below 0, and others that are 0."""

    def __init__(self, head: Head) -> None:
        self.head, self.columns = head, head.columns
        self.counted = head.weight > 0.0
        truth = head.truth[self.counted]
        one = truth.ndim == 1 or not ((truth > 0.0) & (truth < 1.0)).any()
        #: Whether the truth of all rows that count is certain; and how many differences there are.
        self.certain, self.count = bool(one), int(self.counted.sum()) * self.columns

    def pairs(self, low: int, high: int) -> tuple[_Pairs, _Pairs]:
        """(Not below 0, that are 0): rows after ``low``, the score that is above, the score that is below."""
        counted = self.counted[low:high, None]
        truth = rows_of(self.head.truth[low:high], self.columns, np.float64)
        if isinstance(self.head, SoftmaxCrossEntropy):
            first = truth.argmax(axis=1)
            other = counted & (np.arange(self.columns) != first[:, None])
            row, column = np.nonzero((truth <= 0.0) & other)
            same, alike = np.nonzero((truth > 0.0) & other)
            return (row, first[row], column), (same, first[same], alike)
        # The score that those of a row are compared with is one more, which is 0.
        row, column = np.nonzero(((truth <= 0.0) | (truth >= 1.0)) & counted)
        yes, zero = truth[row, column] >= 1.0, self.columns
        same, alike = np.nonzero((truth > 0.0) & (truth < 1.0) & counted)
        return (row, np.where(yes, column, zero), np.where(yes, zero, column)), (same, alike, np.full(len(same), zero))


def _extremes(objective: Objective, demands: Demands, W: Matrix, b: Matrix) -> tuple[float, float, float]:
    """The least and the largest of the differences that are not to be below 0, and the largest of those to be 0."""
    examples = objective.examples
    w, shift = np.ascontiguousarray(W.T, examples.dtype), b.astype(examples.dtype)
    least, most, apart = np.inf, 0.0, 0.0
    for low, high, block in examples.blocks(0, examples.count):
        z = block.scores(w) + shift
        z = np.column_stack([z, np.zeros(len(z), z.dtype)])
        better, same = (z[row, above] - z[row, below] for row, above, below in demands.pairs(low, high))
        least, most = min(least, float(better.min(initial=np.inf))), max(most, float(better.max(initial=0.0)))
        apart = max(apart, float(np.abs(same).max(initial=0.0)))
    return least, most, apart


def _programmed(objective: Objective, demands: Demands) -> Separation | None:
    """The most differences that one direction makes larger than 0: a sum of directions does what each of them does."""
    x = objective.examples.dense(np.arange(objective.examples.count))
    if objective.intercept:
        x = np.column_stack([x - x[demands.counted].mean(axis=0), np.ones(len(x))])
    # In units in which no feature is small.
    size = np.abs(x[demands.counted]).max(axis=0)
    x = x / np.where(size > 0.0, size, 1.0)
    better, same = (_differences(x, demands.columns, pairs) for pairs in demands.pairs(0, len(x)))
    count, unknown = better.shape
    # Of each difference what of it is at most 1, so that the sum counts those that can be larger than 0.
    found = linprog(
        np.concatenate([np.zeros(unknown), -np.ones(count)]),
        A_ub=hstack([-better, identity(count)], format="csr"),
        b_ub=np.zeros(count),
        A_eq=hstack([same, csr_array((same.shape[0], count))], format="csr") if same.shape[0] else None,
        b_eq=np.zeros(same.shape[0]) if same.shape[0] else None,
        bounds=[(None, None)] * unknown + [(0.0, 1.0)] * count,
        method="highs",
    )
    if found.status != 0:
        raise RuntimeError(f"The linear programme for separation was not solved: {found.message}")
    good = found.x[unknown:] > 0.5
    if not good.any():
        return None
    return "complete" if good.all() and demands.certain else "quasi-complete"


def _differences(x: Matrix, columns: int, pairs: _Pairs) -> Matrix:
    """The differences of scores as a linear map of W by rows."""
    row, above, below = pairs
    features = x.shape[1]
    shape = (len(row), columns * features)
    found = csr_array(shape)
    for sign, column in ((1.0, above), (-1.0, below)):
        some = np.flatnonzero(column < columns)
        at = (column[some, None] * features + np.arange(features)).reshape(-1)
        found = found + csr_array((sign * x[row[some]].reshape(-1), (np.repeat(some, features), at)), shape=shape)
    return found
