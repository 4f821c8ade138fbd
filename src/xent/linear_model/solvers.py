"""The ways to the optimum, by name. Each takes an ``Objective`` and a start, and says how far it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg

from xent.linear_model.objective import Objective
from xent.linear_model.sampling import affordable, shared

Vector = Any
Solver: TypeAlias = Literal["auto", "lbfgs", "newton-cg", "gradient-descent"]

#: Correction pairs of L-BFGS.
_MEMORY = 20
#: Examples below which all of them are used from the start, and the share that the first steps use.
_MANY, _SHARE = 20_000, 16
#: How far the steps on the share go, and how many are taken before Newton's where there is none.
_BEGIN, _PATIENCE = 1e-2, 100
#: How far a Newton system is solved, in how many products at most, and how much shorter a step makes the gradient.
_SOLVED, _SYSTEM, _SHORTER = 0.05, 500, 0.3


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


class _Watched:
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
        self.trace.append(Trace(self.objective.passes, value, _largest(gradient)))
        if self.told is not None:
            self.told(self.trace[-1], v)


def _largest(g: Vector) -> float:
    return float(np.max(np.abs(g), initial=0.0))


def lbfgs(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Quasi-Newton: SciPy's L-BFGS-B without bounds."""
    watched = _Watched(objective, told)
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
        options={"maxiter": steps, "maxfun": 20 * steps, "gtol": tol / unit, "ftol": 0.0, "maxcor": _MEMORY,
                 "maxls": 50},
    )  # fmt: skip
    return _optimum(watched, unit * found.x, found.nit, tol, str(found.message))


def newton_cg(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Newton's method in a trust region, its systems solved by conjugate gradients: SciPy's trust-ncg."""
    watched = _Watched(objective, told)
    product: dict[str, Any] = {"at": None}

    def times(at: Vector, d: Vector) -> Vector:
        if product["at"] is None or not np.array_equal(product["at"], at):
            product.update(at=np.array(at), times=objective.curvature(at))
        return product["times"](d)

    found = minimize(
        watched,
        v,
        jac=True,
        hessp=times,
        method="trust-ncg",
        callback=watched.step,
        options={"maxiter": steps, "gtol": tol, "initial_trust_radius": 10.0, "max_trust_radius": 1e6},
    )
    return _optimum(watched, found.x, found.nit, tol, str(found.message))


def gradient_descent(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Steepest descent: along the gradient as far as the last step's curvature suggests, halved until it goes down."""
    watched = _Watched(objective, told)
    value, gradient = watched(v)
    length: float = 1.0
    message, taken = "The steps are used up.", steps
    for step in range(steps):
        if _largest(gradient) <= tol:
            message, taken = "The gradient is small.", step
            break
        slope = float(gradient @ gradient)
        while True:
            new = v - length * gradient
            new_value, new_gradient = watched(new)
            if new_value <= value - 1e-4 * length * slope or length * slope <= 1e-16 * abs(value):
                break
            length /= 2.0
        moved, turned = new - v, new_gradient - gradient
        bend = float(moved @ turned)
        length = float(moved @ moved) / bend if bend > 0 else 2.0 * length
        v, value, gradient = new, new_value, new_gradient
        watched.step(v)
    return _optimum(watched, v, taken, tol, message)


def _optimum(watched: _Watched, v: Vector, steps: int, tol: float, message: str) -> Optimum:
    value, gradient = watched(v)
    size = _largest(gradient)
    return Optimum(np.array(v), value, size, steps, size <= tol, message, tuple(watched.trace))


def auto(objective: Objective, v: Vector, tol: float, steps: int, told: Told | None = None) -> Optimum:
    """Quasi-Newton; where there are many examples on a share of them, and then Newton's method on all.

    Newton's steps use the gradient of all examples, and the second derivative of the share, which grows where a step
    does not bring the gradient down enough. A head without a second derivative is left to quasi-Newton.
    """
    if not objective.head.has_curvature:
        return lbfgs(objective, v, tol, steps, told)
    begun = 0
    trace: tuple[Trace, ...] = ()
    if objective.examples.count >= _MANY:
        share = affordable(objective, _SHARE)
        part = shared(objective, share)
        if not np.any(v) and steps > 1:  # it would only lead away from where an earlier fit came to
            first = lbfgs(part, v, max(tol, _BEGIN), min(steps // 2, 100))
            objective.passes += part.passes / share
            v, begun = first.v, first.steps
    else:
        first = lbfgs(objective, v, tol, min(steps, _PATIENCE), told)
        if first.converged or first.steps >= steps:
            return first
        part, v, share, begun, trace = objective, first.v, 1, first.steps, first.trace
    last = _sampled_newton(objective, part, share, v, tol, steps - begun, told)
    return replace(last, steps=begun + last.steps, trace=trace + last.trace)


def _sampled_newton(
    objective: Objective, part: Objective, share: int, v: Vector, tol: float, steps: int, told: Told | None
) -> Optimum:
    watched = _Watched(objective, told)
    value, gradient = watched(v)
    taken, message = 0, "The steps are used up."
    while taken < steps:
        if _largest(gradient) <= tol:
            message = "The gradient is small."
            break
        before = part.passes
        direction, _ = cg(LinearOperator((v.size, v.size), part.curvature(v), dtype=np.float64), -gradient,
                          rtol=_SOLVED, maxiter=_SYSTEM)  # fmt: skip
        if share > 1:
            objective.passes += (part.passes - before) / share
        slope, length = float(gradient @ direction), 1.0
        while True:
            new_value, new = watched(v + length * direction)
            if new_value <= value + 1e-4 * length * slope or length < 1e-6:
                break
            length /= 2.0
        shorter = _largest(new) / _largest(gradient)
        if new_value > value and share == 1:
            message = "No step along Newton's direction goes down: the precision of the examples is reached."
            break
        if new_value <= value:
            v, value, gradient = v + length * direction, new_value, new
            watched.step(v)
        taken += 1
        if shorter > _SHORTER and share > 1:
            share = max(1, share // 4)
            share = share if affordable(objective, share) == share else 1
            part = shared(objective, share)
    return _optimum(watched, v, taken, tol, message)
