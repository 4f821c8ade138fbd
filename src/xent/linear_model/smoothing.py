"""The optimum of a loss with kinks, by those of smooth losses above it that come ever closer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from xent.linear_model.hinges import Hinge
from xent.linear_model.objective import Objective
from xent.linear_model.solvers import Optimum, Told, Trace

#: Temperatures, each begun where the last one ended: those above the root of what the type of X resolves, since scores
#: are divided by them. At the last the loss lies above the hinge by at most T·log K.
TEMPERATURES = (1.0, 0.1, 0.01, 1e-3, 1e-4)
#: The largest entry of the gradient with which a temperature that is not the last is left, in units of it.
_ROUGH = 0.1


def solved(
    solver: Callable[..., Optimum], objective: Objective, v: Any, tol: float, steps: int, told: Told | None = None
) -> Optimum:
    """What a solver finds; of a hinge at falling temperatures, with the value of the hinge itself.

    The objective at the end is above the least by at most T·log K of the last temperature, or T·log 2 a column, and
    what its gradient leaves.
    """
    head = objective.head
    if not isinstance(head, Hinge):
        return solver(objective, v, tol, steps, told)
    taken: int = 0
    trace: tuple[Trace, ...] = ()
    resolved = float(np.finfo(objective.examples.dtype).eps) ** 0.5
    temperatures = [T for T in TEMPERATURES if resolved < T]
    for temperature in temperatures:
        head.temperature = temperature
        last = temperature == temperatures[-1]
        found = solver(objective, v, tol if last else max(tol, _ROUGH * temperature), steps - taken, told)
        v, taken, trace = found.v, taken + found.steps, trace + found.trace
        if taken >= steps:
            break
    head.temperature = 0.0
    value, _ = objective(v)
    return replace(
        found, value=value + objective.sparse_part(v), steps=taken, trace=trace, converged=found.converged and last
    )
