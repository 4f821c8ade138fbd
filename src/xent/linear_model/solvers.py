"""The ways to the optimum, by name. Each takes an ``Objective`` and a start, and says how far it came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.optimize import minimize

from xent.linear_model.objective import Objective
from xent.linear_model.sampling import shared

Vector = Any
Solver: TypeAlias = Literal["auto", "lbfgs", "newton-cg", "gradient-descent"]

#: Correction pairs of L-BFGS.
_MEMORY = 20
#: Examples below which all of them are used from the start, and the share that the first steps use.
_MANY, _SHARE = 20_000, 16


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


class _Watched:
    """The objective, with what it said last: SciPy's solvers ask for value and gradient, and tell of steps."""

    def __init__(self, objective: Objective, told: Callable[[Trace], None] | None) -> None:
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
            self.told(self.trace[-1])


def _largest(g: Vector) -> float:
    return float(np.max(np.abs(g), initial=0.0))


def lbfgs(objective: Objective, v: Vector, tol: float, steps: int, told: Any = None) -> Optimum:
    """Quasi-Newton: SciPy's L-BFGS-B without bounds."""
    watched = _Watched(objective, told)
    found = minimize(
        watched,
        v,
        jac=True,
        method="L-BFGS-B",
        callback=watched.step,
        options={"maxiter": steps, "maxfun": 20 * steps, "gtol": tol, "ftol": 0.0, "maxcor": _MEMORY, "maxls": 50},
    )
    return _optimum(watched, found.x, found.nit, tol, str(found.message))


def newton_cg(objective: Objective, v: Vector, tol: float, steps: int, told: Any = None) -> Optimum:
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


def gradient_descent(objective: Objective, v: Vector, tol: float, steps: int, told: Any = None) -> Optimum:
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


def auto(objective: Objective, v: Vector, tol: float, steps: int, told: Any = None) -> Optimum:
    """Quasi-Newton on a share of the examples where there are many, then on all of them, then Newton's method."""
    begun = 0
    if objective.examples.count >= _MANY and steps > 1:
        share = shared(objective, _SHARE)
        first = lbfgs(share, v, max(tol, 1e-3), min(steps // 2, 50))
        objective.passes += share.passes / _SHARE
        begun = first.steps
        v = first.v
    polish = objective.head.has_curvature
    found = lbfgs(objective, v, max(tol, 1e-4) if polish else tol, steps - begun, told)
    left = steps - begun - found.steps
    if found.gradient > tol and polish and left > 0:
        last = newton_cg(objective, found.v, tol, left, told)
        found = replace(last, steps=found.steps + last.steps, trace=found.trace + last.trace)
    return replace(found, steps=found.steps + begun)
