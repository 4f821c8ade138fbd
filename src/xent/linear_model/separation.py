"""Whether the data can be separated, so that the likelihood has no maximum.

A direction D of (W, b) separates where moving along it lowers no example's likelihood and raises some: where D·x has
for no example a score above that of a class that the truth says can be, and for some a score below. Where all scores
of other classes are below for all examples, the separation is complete, otherwise quasi-complete. The score of a yes
or no is compared with 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.linalg import qr
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, identity

from xent.linear_model.examples import Examples
from xent.linear_model.heads import Head, SoftmaxCrossEntropy, rows_of
from xent.linear_model.objective import Objective
from xent.linear_model.solvers import MANY, SHARE, conjugate_gradients, newton_cg, part_of

Matrix = Any
_Pairs: TypeAlias = tuple[Matrix, Matrix, Matrix]
Separation: TypeAlias = Literal["complete", "quasi-complete"]

#: The linear programme is asked where its matrix has so few numbers.
_NUMBERS = 50_000
#: A maximum has been come to where no two scores differ by so much: what separates drives them apart without end.
_NEARLY_SURE = 2.0
#: The largest coefficient in the linear programme, of features of size 1: the more, the smaller the differences that it
#: sees, and the harder it is to solve. Seconds for each, and what other features do not explain of one that has a
#: coefficient of its own.
_BOUNDS, _SECONDS, _DEPENDENT = (1e6, 1e3, 1.0), 10.0, 1e-9
#: By how much a step of Newton's method moves scores at most where there is a maximum; how many there are to come near,
#: and then to be judged: by how much they move scores at least, and how much of that may be in the wrong direction.
_ENDED, _BEGIN, _STEPS = 0.02, 3, 5
_MOVED, _HARM = 1.0, 1e-2
#: Digits of the first of these steps, and products at most.
_EXACT, _PRODUCTS = 1e-8, 1000
#: Scores that are so far apart may be so by a direction whose slope is lost in rounding; with what gradient Newton's
#: steps from 0 come near, and in how many steps at most.
_LOST, _NEAR, _AGAIN = 25.0, 1e-7, 50


class SeparationWarning(UserWarning):
    """The likelihood has no maximum: coefficients that grow without end raise it for ever."""


def separation(objective: Objective, v: Matrix, *, converged: bool) -> Separation | None:
    """Whether the examples are separated, from where a solver came to with the cross-entropy and no penalty.

    Complete separation W and b themselves show. That there is a maximum a short step of Newton's method shows: with D
    the step and q the softmax, the numbers q_k (1 − D·x_k + Σ_j q_j D·x_j) weigh what moves the examples' scores so
    that it sums to 0, and where no score moves by 1 all of them are positive, so that no direction is without harm to
    one of them (Stiemke's lemma). Otherwise a linear programme decides where it is small, and where it is not, or
    numbers are too unlike to solve it, further steps, which get no shorter along a direction that separates.

    References
    ----------
    Albert and Anderson, "On the Existence of Maximum Likelihood Estimates in Logistic Regression Models", Biometrika
    71, 1984; Konis, "Linear Programming Algorithms for Detecting Separated Data in Binary Logistic Regression Models",
    University of Oxford, 2007.
    """
    demands = Demands(objective.head)
    least, most = np.inf, 0.0
    for better, _ in _differences_of(objective, demands, v):
        least, most = min(least, float(better.min(initial=np.inf))), max(most, float(better.max(initial=0.0)))
    rounding = 64.0 * float(np.finfo(objective.examples.dtype).eps)
    if demands.certain and least > rounding * most:
        return "complete"
    if converged and most < _NEARLY_SURE:
        return None
    if objective.examples.in_memory and objective.examples.dtype != np.float64:
        # What separates soon changes the likelihood by less than float32 holds.
        wide = Examples(objective.examples.X.astype(np.float64))
        exact = Objective(wide, objective.head, objective.scaling, objective.penalty)
    else:
        exact = objective
    if most <= _LOST and _has_maximum(exact, demands, v):
        return None
    if 2 * demands.count * (objective.features + 1) <= _NUMBERS:
        good = _programmed(objective, demands)
        if good is not None:
            if not good.any():
                return None
            return "complete" if good.all() and demands.certain else "quasi-complete"
    if most > _LOST:
        v = newton_cg(exact, np.zeros_like(v), _NEAR, _AGAIN).v
        if _has_maximum(exact, demands, v):
            return None
    return _stepped(exact, demands, v)


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


def _differences_of(objective: Objective, demands: Demands, *at: Matrix) -> Iterator[tuple[Matrix, ...]]:
    """Of each block of examples the differences that are not to be below 0 and those to be 0, at each v in turn."""
    examples = objective.examples
    operands = [objective.operands(*objective.weights(v)) for v in at]
    for low, high, block in examples.blocks(0, examples.count):
        found: list[Matrix] = []
        for each in operands:
            z = np.zeros((high - low, demands.columns + 1), examples.dtype)
            z[:, :-1] = block.scores(*each)
            found += [z[row, above] - z[row, below] for row, above, below in demands.pairs(low, high)]
        yield tuple(found)


def _has_maximum(objective: Objective, demands: Demands, v: Matrix) -> bool:
    """Whether Newton's next step from v moves no score by so much that there could be none."""
    moves = _differences_of(objective, demands, _next_step(objective, v))
    return all(float(np.abs(np.concatenate(of_block)).max(initial=0.0)) < _ENDED for of_block in moves)


def _stepped(objective: Objective, demands: Demands, v: Matrix) -> Separation | None:
    """Newton's steps: near a maximum they end, and along a direction that separates each is as long as the last, and
    moves no score the wrong way."""
    begin = newton_cg(objective, v, 0.0, _BEGIN).v
    ahead = newton_cg(objective, begin, 0.0, _STEPS).v
    least, longest, apart = np.inf, 0.0, 0.0
    for better, same in _differences_of(objective, demands, ahead - begin):
        longest = max(longest, float(better.max(initial=0.0)))
        least = min(least, float(better.min(initial=np.inf)))
        apart = max(apart, float(np.abs(same).max(initial=0.0)))
    return "quasi-complete" if longest >= _MOVED and max(-least, apart) <= _HARM * longest else None


def _next_step(objective: Objective, v: Matrix) -> Matrix:
    """Newton's step by the curvature of a share of the examples, which is short near a maximum too; by that of all
    where the share has none along a direction in which there is a slope."""
    share, _ = part_of(objective, SHARE if objective.examples.count >= MANY else 1)
    slope = objective(v)[1]
    times = share.curvature(v)
    step = conjugate_gradients(times, -slope, _EXACT, _PRODUCTS)
    if share is objective or np.linalg.norm(times(step) + slope) <= 2.0 * _EXACT * np.linalg.norm(slope):
        return step
    return conjugate_gradients(objective.curvature(v), -slope, _EXACT, _PRODUCTS)


def _programmed(objective: Objective, demands: Demands) -> Matrix | None:
    """Which differences can be made larger than 0, by one direction for all: a sum of directions does what each of them
    does. None where numbers are so unlike that the programme is not solved."""
    x = objective.examples.dense(np.arange(objective.examples.count))
    x = _independent(x, demands.counted, objective.intercept, 16.0 * float(np.finfo(objective.examples.dtype).eps))
    if not x.size:
        return np.zeros(1, bool)
    better, same = (_differences(x, demands.columns, pairs) for pairs in demands.pairs(0, len(x)))
    count, unknown = better.shape
    # Of each difference what of it is at most 1, so that the sum counts those that can be larger than 0.
    programme = {
        "c": np.concatenate([np.zeros(unknown), -np.ones(count)]),
        "A_ub": hstack([-better, identity(count)], format="csr"),
        "b_ub": np.zeros(count),
        "A_eq": hstack([same, csr_array((same.shape[0], count))], format="csr") if same.shape[0] else None,
        "b_eq": np.zeros(same.shape[0]) if same.shape[0] else None,
        "options": {"time_limit": _SECONDS},
    }
    for bound in _BOUNDS:
        found = linprog(**programme, bounds=[(-bound, bound)] * unknown + [(0.0, 1.0)] * count)
        if found.status == 0:
            return found.x[unknown:] > 0.5
    return None


def _independent(x: Matrix, counted: Matrix, intercept: bool, rounding: float) -> Matrix:
    """Columns of one size that can do what the features can: none that does not vary or is a sum of others, to
    rounding. ``counted``: the rows that have a say in that."""
    size = np.abs(x[counted]).max(axis=0)
    if intercept:
        x = x - x[counted].mean(axis=0)
    spread = np.abs(x[counted]).max(axis=0)
    varies = spread > rounding * size
    x = x[:, varies] / spread[varies]
    if intercept:
        x = np.column_stack([x, np.ones(len(x))])
    if not x.size:
        return x
    R, order = qr(x[counted], mode="r", pivoting=True)
    left = np.abs(np.diag(R))
    return x[:, order[: int((left > max(rounding, _DEPENDENT) * left[0]).sum())]]


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
