"""The ways to the optimum, by name. Each takes an ``Objective`` and a start, and says how far it came."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import minimize

from xent.linear_model.objective import Objective
from xent.linear_model.sampling import affordable, shared

Vector = Any

#: Correction pairs of L-BFGS.
_MEMORY = 20
#: Examples from which on the first steps use a share of them, and the share.
MANY, SHARE = 20_000, 16
#: How far the steps on a share go, how many they are at most, and how many are taken before Newton's on all.
_BEGIN, _BEGIN_STEPS, _PATIENCE = 1e-2, 100, 100
#: How far a Newton system is solved, and in how many products at most.
_SOLVED, _PRODUCTS = 0.05, 500
#: How much shorter a step on a share makes the gradient of all, how much of the descent that its slope promises it
#: brings (a parabola brings half), and how many passes its system costs at most.
_SHORTER, _KEPT, _DEAR = 0.3, 0.1, 4
#: Changes of the gradient that such steps learn from.
_LEARNED = 8
#: Shortenings of a step at most, and what it is to bring of the descent that its slope promises.
_SHORTENINGS, _ENOUGH = 40, 1e-4

#: A curvature of so much of the largest is rounding.
_FLAT = 1e-15

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
    # SciPy's first step has length 1, whatever the gradient. The second derivative is about the identity here, so a
    # step as long as the gradient is right: lengths in its units, and values in its square.
    unit = float(np.linalg.norm(watched(v)[1])) or 1.0

    def in_units(x: Vector) -> tuple[float, Vector]:
        value, gradient = watched(unit * x)
        return value / unit**2, gradient / unit

    found = minimize(
        in_units,
        v / unit,
        jac=True,
        method="L-BFGS-B",
        callback=lambda x: watched.step(unit * x),
        options={
            "maxiter": steps,
            "maxfun": 20 * steps,
            "gtol": tol / unit,
            "ftol": 0.0,
            "maxcor": _MEMORY,
            "maxls": 20,
        },
    )
    return _optimum(watched, unit * found.x, found.nit, tol, str(found.message))


def newton_cg(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Newton's method: its systems solved by conjugate gradients, the more exactly the nearer the optimum is."""
    watched = Watched(objective, told)
    while True:
        value, gradient = watched(v)
        if largest(gradient) <= tol or len(watched.trace) >= steps:
            return _optimum(watched, v, len(watched.trace), tol, SMALL if largest(gradient) <= tol else USED_UP)
        exact = min(_SOLVED, math.sqrt(float(np.linalg.norm(gradient))))
        direction = conjugate_gradients(objective.curvature(v), -gradient, exact, _PRODUCTS)
        new, _ = downhill(watched, v, direction, 1.0)
        if new is None or (watched.value >= value and largest(watched.gradient) > 0.5 * largest(gradient)):
            return _optimum(watched, v, len(watched.trace), tol, ROUNDING)
        v = new
        watched.step(v)


def newton_on_a_share(
    objective: Objective, v: Vector, tol: float, steps: int, told: Told | None, part: Objective, share: int
) -> Optimum:
    """Newton's method with the curvature of one in ``share`` of the examples, and of more of them where a step does not
    bring the gradient of all down enough. What the share does not know of the curvature is learned from how the
    gradient of all has changed from step to step.

    It ends where that does not pay: where it would take the curvature of all, or systems cost more than steps do.
    """
    watched = Watched(objective, told)
    changes: list[tuple[Vector, Vector]] = []
    while True:
        value, gradient = watched(v)
        if largest(gradient) <= tol or len(watched.trace) >= steps or share == 1:
            message = SMALL if largest(gradient) <= tol else USED_UP
            return _optimum(watched, v, len(watched.trace), tol, message)
        before = part.passes
        direction = newton_step(part.curvature(v), -gradient, _SOLVED, changes, _DEAR * share)
        cost = (part.passes - before) / share
        objective.passes += cost
        new = v + direction
        shorter = largest(watched(new)[1]) / largest(gradient)
        # A share in which a direction has no curvature leads so far along it that no slope is left there.
        promised = abs(float(gradient @ direction))
        kept = watched.value <= value - _KEPT * promised or (
            promised <= objective.noise(value) and watched.value <= value + objective.noise(value)
        )
        if kept:
            changes.append((direction, watched.gradient - gradient))
            v = new
            watched.step(v)
        if cost >= _DEAR:
            share = 1
        elif not kept or shorter > _SHORTER:
            part, share = part_of(objective, share // 4)


def newton_step(
    times: Callable[[Vector], Vector], b: Vector, exact: float, changes: list[tuple[Vector, Vector]], products: int
) -> Vector:
    """H·b, where H is the inverse of a curvature before it learns from changes of point and gradient: the two loops of
    L-BFGS (Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", Mathematics of Computation 35, 1980)."""
    learned = [(step, change, float(step @ change)) for step, change in changes[-_LEARNED:]]
    learned = [each for each in learned if each[2] > 0.0]
    parts = []
    for step, change, bend in reversed(learned):
        parts.append(float(step @ b) / bend)
        b = b - parts[-1] * change
    d = conjugate_gradients(times, b, exact, products)
    for (step, change, bend), part in zip(learned, reversed(parts), strict=True):
        d = d + (part - float(change @ d) / bend) * step
    return d


def part_of(objective: Objective, share: int) -> tuple[Objective, int]:
    """(The objective of a share of the examples, the share); of all, where the share is more than memory takes or
    nothing in it counts."""
    found = shared(objective, share) if affordable(objective, share) == share else None
    return (objective, 1) if found is None else (found, max(share, 1))


def gradient_descent(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Steepest descent: along the gradient as far as the last step's curvature suggests, less until it goes down."""
    watched = Watched(objective, told)
    length = 1.0
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
    noise = watched.objective.noise(value)
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
    goal, most = exact**2 * size, 0.0
    for product in range(products):
        if size <= goal:
            break
        image = times(along)
        bend = float(along @ image)
        most = max(most, bend / float(along @ along))
        if not bend > _FLAT * most * float(along @ along):
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
    """Quasi-Newton and then Newton's method, where there are many examples on a share of them as long as that pays.

    On a share Newton's steps use the gradient of all examples, and the curvature of the share. For a head without a
    second derivative gradient descent ends what quasi-Newton leaves: it needs values to go down, and rounding hides
    that.
    """
    if not objective.head.has_curvature:
        return lbfgs_then(gradient_descent, objective, v, tol, steps, told)
    if objective.examples.count < MANY:
        return lbfgs_then(newton_cg, objective, v, tol, steps, told, _PATIENCE)
    part, share = part_of(objective, affordable(objective, SHARE))
    begun = 0
    # The share would only lead away from where an earlier fit came to.
    if share > 1 and steps > 1 and not v.any():
        first = lbfgs(part, v, max(tol, _BEGIN), min(steps // 2, _BEGIN_STEPS))
        objective.passes += part.passes / share
        v, begun = first.v, first.steps
    found = newton_on_a_share(objective, v, tol, steps - begun, told, part, share)
    found = replace(found, steps=begun + found.steps)
    if found.converged or found.steps >= steps:
        return found
    return followed(found, lbfgs_then(newton_cg, objective, found.v, tol, steps - found.steps, told, _PATIENCE))


def lbfgs_then_newton(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Quasi-Newton, and Newton's method from where that stopped short of the tolerance."""
    last = newton_cg if objective.head.has_curvature else gradient_descent
    return lbfgs_then(last, objective, v, tol, steps, told)


def lbfgs_then(
    last: Callable[..., Optimum],
    objective: Objective,
    v: Vector,
    tol: float,
    steps: int,
    told: Told | None,
    patience: int | None = None,
) -> Optimum:
    """Quasi-Newton for so many steps, and another method from where that stopped short of the tolerance."""
    found = lbfgs(objective, v, tol, steps if patience is None else min(patience, steps), told)
    if found.converged:
        return found
    return followed(found, last(objective, found.v, tol, steps - found.steps, told))


def followed(found: Optimum, end: Optimum) -> Optimum:
    """``end``, which began where ``found`` came to."""
    return replace(end, steps=found.steps + end.steps, trace=found.trace + end.trace)
