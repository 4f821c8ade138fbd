"""The optimum of a loss with kinks, by those of smooth losses above it that come ever closer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xent.linear_model.hinges import Hinge
from xent.linear_model.objective import Objective
from xent.linear_model.proximal import violation
from xent.linear_model.solvers import Optimum, Told, Trace

#: Temperatures, each begun where the last one ended: those above the root of what the type of X resolves, since scores
#: are divided by them. At the last the loss lies above the hinge by at most T·log K.
TEMPERATURES = (1.0, 0.1, 0.01, 1e-3, 1e-4)
#: The largest entry of the gradient with which a temperature that is not the last is left, in units of it.
_ROUGH = 0.1


@dataclass(frozen=True, eq=False)
class Point:
    """Where a fit stands: W and b; of a hinge the temperature, 0 where it is not known or there is none."""

    W: Any
    b: Any
    temperature: float = 0.0


def point_of(objective: Objective, v: Any) -> Point:
    """Where a solver stands."""
    head = objective.head
    return Point(*objective.weights(v), head.temperature if isinstance(head, Hinge) else 0.0)


def solved(
    solver: Callable[..., Optimum],
    objective: Objective,
    v: Any,
    tol: float,
    steps: int,
    told: Told | None = None,
    begin: float = 0.0,
) -> tuple[Optimum, float]:
    """(What a solver finds, the temperature it was left at); of a hinge at falling temperatures, with the value of the
    hinge itself. The temperature is 0 where nothing is left to do, and of a loss without one.

    ``begin``: the temperature to go on at; 0: the lowest at which v is nearly the optimum, else the first.

    The objective at the end is above the least by at most T·log K of the last temperature, or T·log 2 a column, and
    what its gradient leaves.
    """
    head = objective.head
    if not isinstance(head, Hinge):
        return solver(objective, v, tol, steps, told), 0.0
    taken: int = 0
    trace: tuple[Trace, ...] = ()
    resolved = float(np.finfo(objective.examples.dtype).eps) ** 0.5
    temperatures = [T for T in TEMPERATURES if resolved < T]
    for temperature in temperatures[_first(objective, head, v, temperatures, begin) :]:
        head.temperature = temperature
        last = temperature == temperatures[-1]
        found = solver(objective, v, tol if last else max(tol, _ROUGH * temperature), steps - taken, told)
        v, taken, trace = found.v, taken + found.steps, trace + found.trace
        if taken >= steps:
            break
    head.temperature = 0.0
    value, _ = objective(v)
    converged = found.converged and last
    end = replace(found, value=value + objective.sparse_part(v), steps=taken, trace=trace, converged=converged)
    return end, 0.0 if converged else temperature


def _first(objective: Objective, head: Hinge, v: Any, temperatures: list[float], begin: float) -> int:
    """The place of the temperature to begin at."""
    if begin in temperatures:
        return temperatures.index(begin)
    if v.any():
        for place in reversed(range(1, len(temperatures))):
            head.temperature = temperatures[place]
            left = violation(v, objective(v)[1], objective.thresholds if objective.sparsity else np.zeros_like(v))
            if left <= _ROUGH * temperatures[place]:
                return place
    return 0
