"""The ways to the optimum, by name. Each takes an ``Objective`` and a start, and says how far it came."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import minimize

from xent.linear_model.objective import Objective
from xent.linear_model.sampling import shared

Vector = Any

#: Correction pairs of L-BFGS.
_MEMORY = 20
#: Examples below which all of them are used from the start, the share that the first steps use, and how many numbers of
#: X at most: the share is in memory, which all of X need not be. So many steps use it.
_MANY, _SHARE, _SHARE_NUMBERS, _SHARE_STEPS = 20_000, 16, 2**23, 50
#: Newton's method takes over where the largest entry of the gradient is so small, or after so many steps.
_ROUGH, _QUASI_STEPS = 1e-4, 200
#: Products of a Newton step at most, and shortenings of a step.
_PRODUCTS, _SHORTENINGS = 250, 40
#: Of the descent that a slope promises.
_ENOUGH = 1e-4

SMALL = "The gradient is small."
USED_UP = "The steps are used up: a larger max_iter goes on."
ROUNDING = "No step lowers the objective: the rest is rounding. A larger tol takes it for zero; float64 has less."


@dataclass(frozen=True)
class Trace:
    """A step: how many passes over the examples so far, the objective, the length of its gradient."""

    passes: float
    value: float
    gradient: float


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where a solver came to."""

    v: Vector
    value: float
    #: The largest entry of the gradient there, in the solver's coordinates.
    gradient: float
    steps: int
    converged: bool
    message: str
    trace: tuple[Trace, ...]


#: Called after each step on all examples with the step and where it came to.
Told: TypeAlias = Callable[[Trace, Vector], None]


class Watched:
    """The objective, with what it said last: SciPy's solvers ask for value and gradient, and tell of steps."""

    def __init__(self, objective: Objective, told: Told | None) -> None:
        self.objective, self.told = objective, told
        self.at: Vector | None = None
        self.value, self.gradient = np.inf, np.empty(0)
        self.trace: list[Trace] = []

    def __call__(self, v: Vector) -> tuple[float, Vector]:
        if self.at is None or not np.array_equal(v, self.at):
            self.value, self.gradient = self.objective(v)
            self.at = np.array(v)
        return self.value, self.gradient

    def step(self, v: Vector) -> None:
        value, gradient = self(v)
        self.trace.append(Trace(self.objective.passes, value, largest(gradient)))
        if self.told is not None:
            self.told(self.trace[-1], v)


def largest(g: Vector) -> float:
    return float(np.max(np.abs(g), initial=0.0))


def lbfgs(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Quasi-Newton: SciPy's L-BFGS-B without bounds."""
    watched = Watched(objective, told)
    found = minimize(
        watched,
        v,
        jac=True,
        method="L-BFGS-B",
        callback=watched.step,
        options={"maxiter": steps, "maxfun": 20 * steps, "gtol": tol, "ftol": 0.0, "maxcor": _MEMORY, "maxls": 20},
    )
    return _optimum(watched, found.x, found.nit, tol, str(found.message))


def newton_cg(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Newton's method: its systems solved by conjugate gradients, the more exactly the nearer the optimum is."""
    watched = Watched(objective, told)
    for step in range(steps):
        value, gradient = watched(v)
        if largest(gradient) <= tol:
            return _optimum(watched, v, step, tol, SMALL)
        exact = min(0.5, math.sqrt(float(np.linalg.norm(gradient))))
        direction = conjugate_gradients(objective.curvature(v), -gradient, exact, _PRODUCTS)
        new, _ = downhill(watched, v, direction, 1.0)
        if new is None or (watched.value >= value and largest(watched.gradient) > 0.5 * largest(gradient)):
            return _optimum(watched, v, step, tol, ROUNDING)
        v = new
        watched.step(v)
    return _optimum(watched, v, steps, tol, USED_UP)


def gradient_descent(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Steepest descent: along the gradient as far as the last step's curvature suggests, less until it goes down."""
    watched = Watched(objective, told)
    length = 1.0 / objective.head.stiffness
    for step in range(steps):
        _, gradient = watched(v)
        if largest(gradient) <= tol:
            return _optimum(watched, v, step, tol, SMALL)
        new, length = downhill(watched, v, -gradient, length)
        if new is None:
            return _optimum(watched, v, step, tol, ROUNDING)
        moved, turned = new - v, watched(new)[1] - gradient
        bend = float(moved @ turned)
        length = float(moved @ moved) / bend if bend > 0.0 else 2.0 * length
        v = new
        watched.step(v)
    return _optimum(watched, v, steps, tol, USED_UP)


def downhill(watched: Watched, v: Vector, d: Vector, length: float) -> tuple[Vector | None, float]:
    """(v + length·d, length) for a length, at most that given, at which the objective is less; None where none is.

    Where values are too near to tell, the slopes do: Hager and Zhang, "A New Conjugate Gradient Method with Guaranteed
    Descent and an Efficient Line Search", SIAM Journal on Optimization 16, 2005.
    """
    value, gradient = watched(v)
    slope = float(gradient @ d)
    noise = 8.0 * float(np.finfo(watched.objective.examples.dtype).eps) * abs(value)
    for _ in range(_SHORTENINGS):
        new = v + length * d
        there, gradient = watched(new)
        if there <= value + _ENOUGH * length * slope:
            return new, length
        if there <= value + noise and float(gradient @ d) <= (2.0 * _ENOUGH - 1.0) * slope:
            return new, length
        # To the least of the parabola through what is known.
        above = there - value - length * slope
        best = -0.5 * slope * length / above if math.isfinite(above) and above > 0.0 else 0.0
        length *= min(max(best, 0.1), 0.5)
    return None, length


def conjugate_gradients(times: Callable[[Vector], Vector], b: Vector, exact: float, products: int) -> Vector:
    """x with ‖A·x − b‖ ≤ exact·‖b‖, for A positive semidefinite; fewer digits after so many products, or where A has no
    curvature any more."""
    x, left = np.zeros_like(b), b
    along, size = b, float(b @ b)
    goal = exact**2 * size
    for product in range(products):
        if size <= goal:
            break
        image = times(along)
        bend = float(along @ image)
        if not bend > np.finfo(np.float64).tiny:
            return x if product else b
        length = size / bend
        x = x + length * along
        left = left - length * image
        size, before = float(left @ left), size
        along = left + size / before * along
    return x


def _optimum(watched: Watched, v: Vector, steps: int, tol: float, message: str) -> Optimum:
    value, gradient = watched(v)
    size = largest(gradient)
    return Optimum(np.array(v), value, size, steps, size <= tol, message, tuple(watched.trace))


def auto(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Quasi-Newton on a share of the examples where there are many, then on all of them, then Newton's method."""
    begun = 0
    one_in = max(_SHARE, -(-objective.examples.numbers // _SHARE_NUMBERS))
    # A share would only lead away from where an earlier fit came to.
    fresh = not v.any() and objective.examples.count >= _MANY and steps >= 2 * _SHARE_STEPS
    share = shared(objective, one_in) if fresh else None
    if share is not None:
        first = lbfgs(share, v, max(tol, 1e-3), _SHARE_STEPS)
        objective.passes += share.passes / one_in
        begun, v = first.steps, first.v
    if not objective.head.has_curvature:
        found = lbfgs(objective, v, tol, steps - begun, told)
    else:
        found = lbfgs_then_newton(objective, v, tol, steps - begun, told, rough=_ROUGH, quasi=_QUASI_STEPS)
    return replace(found, steps=found.steps + begun)


def lbfgs_then_newton(
    objective: Objective,
    v: Vector,
    tol: float,
    steps: int,
    told: Told | None = None,
    rough: float = 0.0,
    quasi: int | None = None,
) -> Optimum:
    """Quasi-Newton as far as ``rough`` in so many steps, and Newton's method from where that ends before ``tol``."""
    found = lbfgs(objective, v, max(tol, rough), steps if quasi is None else min(quasi, steps), told)
    if found.gradient <= tol or not objective.head.has_curvature:
        return found
    last = newton_cg(objective, found.v, tol, steps - found.steps, told)
    return replace(last, steps=found.steps + last.steps, trace=found.trace + last.trace)
