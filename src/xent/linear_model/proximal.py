"""The elastic net: a penalty that is not smooth, but simple in each coordinate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xent.linear_model.objective import Objective
from xent.linear_model.solvers import ROUNDING, SMALL, USED_UP, Optimum, Told, Trace, conjugate_gradients, largest

Vector = Any

#: The curvature is taken for so much less after each step, until a step shows that it is more; so often in a step.
_EASED, _DOUBLINGS = 0.9, 50
#: Newton's method is tried when the signs have stayed for so many steps, and after a step of it that went well.
_PATIENCE, _AGAIN = 10, 2
#: Products of a step of it, and shortenings.
_PRODUCTS, _SHORTENINGS = 250, 5
#: Where ends are that are infinitely far.
_BEYOND = 1e150


class _State:
    """Where a solver stands: v, F, the gradient of its smooth part, and how far from an optimum that is."""

    def __init__(self, objective: Objective, v: Vector) -> None:
        self.objective = objective
        self.smooth, self.gradient = objective(v)
        self._at(v)

    def _at(self, v: Vector) -> None:
        self.v, self.value = v, self.smooth + self.objective.sparse_part(v)
        self.left = violation(v, self.gradient, self.objective.thresholds)

    def centred(self) -> _State:
        """With the constant taken off each feature's weights that makes the penalty least, where the loss sees none:
        without it a step would see only the penalty's curvature, which is small."""
        objective = self.objective
        if not objective.head.shift_free or not objective.sparsity:
            return self
        V, c = objective.split(self.v)
        ridge = objective.penalty * objective.scaling.T**2
        W = V - least_deviation(V, objective.sparsity * objective.scaling.T, ridge)
        self.smooth += 0.5 * float((ridge * (W**2 - V**2)).sum())
        self.gradient = self.gradient + objective.joined(ridge * (W - V), np.zeros_like(c))
        self._at(objective.joined(W, c))
        return self


def proximal(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Accelerated proximal gradient, begun anew where its momentum leads away, in coordinates of a diagonal. When it
    has found which coefficients are 0, Newton's method among the others.

    ``gradient`` of what comes out is the largest violation of the condition for an optimum.

    References
    ----------
    Beck and Teboulle, "A Fast Iterative Shrinkage-Thresholding Algorithm for Linear Inverse Problems", SIAM Journal on
    Imaging Sciences 2, 2009; O'Donoghue and Candès, "Adaptive Restart for Accelerated Gradient Schemes", Foundations of
    Computational Mathematics 15, 2015.
    """
    here = _State(objective, v).centred()
    # A step is from ``ahead``, beyond v by the momentum; ``slope`` is the gradient there.
    ahead, slope, momentum, bend = here.v, here.gradient, 1.0, 1.0
    still, patience = 0, _PATIENCE
    trace: list[Trace] = []
    message = USED_UP
    while len(trace) < steps:
        if here.left <= tol:
            message = SMALL
            break
        among = _newton(objective, here) if objective.head.has_curvature and still >= patience else None
        if among is not None:
            still, patience, here = 0, _AGAIN, among
            ahead, slope, momentum = here.v, here.gradient, 1.0
        else:
            patience = 2 * patience if still >= patience else patience
            new, bend = _step(objective, ahead, slope, bend)
            if new.value > here.value + _noise(objective, here):
                if ahead is here.v:
                    message = ROUNDING
                    break
                ahead, slope, momentum = here.v, here.gradient, 1.0
                continue
            away = float((ahead - new.v) @ (new.v - here.v)) > 0.0
            following = (1.0 + math.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
            push = 0.0 if away else (momentum - 1.0) / following
            momentum = 1.0 if away else following
            still = still + 1 if np.array_equal(np.sign(new.v), np.sign(here.v)) else 0
            ahead = new.v + push * (new.v - here.v) if push else new.v
            here = new
            slope = objective(ahead)[1] if push else here.gradient
        trace.append(Trace(objective.passes, here.value, here.left))
        if told is not None:
            told(trace[-1], here.v)
    return Optimum(here.v, here.value, here.left, len(trace), here.left <= tol, message, tuple(trace))


def _step(objective: Objective, ahead: Vector, slope: Vector, bend: float) -> tuple[_State, float]:
    """(A step of the proximal gradient, a curvature for the next one)."""
    for _ in range(_DOUBLINGS):
        new = _State(objective, shrunk(ahead - slope / bend, objective.thresholds / bend))
        moved = new.v - ahead
        # No difference of values, which near the optimum is rounding.
        if float(moved @ (new.gradient - slope)) <= bend * float(moved @ moved):
            break
        bend *= 2.0
    return new.centred(), bend * _EASED


def _newton(objective: Objective, here: _State) -> _State | None:
    """A step of Newton's method among the coordinates that are not 0, as far as they keep their signs; None where it
    leads no nearer."""
    thresholds, sign = objective.thresholds, np.sign(here.v)
    free = (sign != 0.0) | (thresholds == 0.0)
    times = objective.curvature(here.v)
    gradient = np.where(free, here.gradient + thresholds * sign, 0.0)
    exact = min(0.1, math.sqrt(float(np.linalg.norm(gradient))))
    direction = conjugate_gradients(lambda d: np.where(free, times(d), 0.0), -gradient, exact, _PRODUCTS)
    for halving in range(_SHORTENINGS):
        moved = here.v + 0.5**halving * direction
        new = _State(objective, np.where((thresholds > 0.0) & (sign * moved <= 0.0), 0.0, moved)).centred()
        if new.value < here.value or (new.value <= here.value + _noise(objective, here) and new.left < here.left):
            return new
    return None


def _noise(objective: Objective, here: _State) -> float:
    """What a value may be larger by, and still be the same but for rounding."""
    return 8.0 * float(np.finfo(objective.examples.dtype).eps) * abs(here.value)


def shrunk(v: Vector, thresholds: Vector) -> Vector:
    """The proximal map of ⟨thresholds, |v|⟩: every entry nearer to 0 by its threshold, and 0 where that is beyond."""
    return np.sign(v) * np.maximum(np.abs(v) - thresholds, 0.0)


def least_deviation(V: Vector, threshold: Vector, ridge: Vector) -> Vector:
    """The a at which Σ_k τ·|v_k − a| + (ρ/2)·(v_k − a)² is least, of each column.

    The median of all v_k and of mean(v) + (K − 2i)·τ/(K·ρ), i = 0 … K: Li and Osher, "A New Median Formula with
    Applications to PDE Based Denoising", Communications in Mathematical Sciences 7, 2009.
    """
    K = len(V)
    with np.errstate(over="ignore"):  # beyond everything, as without a ridge
        apart = np.divide(threshold, K * ridge, out=np.full_like(threshold, _BEYOND), where=ridge > 0.0)
    ends = V.mean(axis=0) + (K - 2.0 * np.arange(K + 1))[:, None] * np.minimum(apart, _BEYOND)
    return np.median(np.concatenate([V, ends]), axis=0)


def violation(v: Vector, gradient: Vector, thresholds: Vector) -> float:
    """How far F is from an optimum: the largest of |g + τ·sign(v)| where v is not 0 and of |g| − τ where it is."""
    return largest(np.where(v != 0.0, gradient + thresholds * np.sign(v), shrunk(gradient, thresholds)))
