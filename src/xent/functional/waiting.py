"""Checks of a truth that nobody may read, left to the kernel that reads it anyway.

In array operations they would be several passes over arrays of its size. Where another kernel runs after all, or more
than a first derivative is wanted, ``Call.settled`` makes them so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xent.backends import Backend
from xent.core.arrays import Array, classes_last, library
from xent.core.targets import Distribution, Indicators
from xent.core.values import highest_of, tolerance_of
from xent.kernels.extra import Within
from xent.kernels.gpu import gpu
from xent.kernels.protocol import SoftTarget, Task
from xent.kernels.registry import choose


@dataclass(frozen=True, eq=False)
class Pending:
    """What the truth has to be, and what makes it so: of the target of rows, or the t of elements, as it was given."""

    within: Within
    settle: Callable[[Any], Any]
    #: The target's log_probs are scores of a teacher, and this is 1 over their temperature.
    factor: float | None = None
    #: t = on·given + off of elements.
    on: float = 1.0
    off: float = 0.0


def left_to_the_kernel(backend: Backend, task: Task, truth: Array) -> bool:
    """Whether the kernel of a task checks what it reads, and no derivative by the truth is wanted."""
    if library(truth) != "torch" or task.traced or getattr(truth, "requires_grad", False):
        return False
    return choose(task) is gpu


def unread_rows(
    P: Distribution, truth: Array, axis: int, on: float, off: float, settle: Callable[[Array], SoftTarget]
) -> tuple[SoftTarget, Pending]:
    """Probabilities, their logarithms or a teacher's scores, as they are; ``settle`` makes the target of them."""
    x, log = classes_last(truth, axis), P.holds == "log_probs"

    def made(raw: SoftTarget) -> SoftTarget:
        return settle(raw.probs if raw.log_probs is None else raw.log_probs)

    if P.holds == "logits":
        # Their softmax sums to 1, and NaN comes through by itself.
        return SoftTarget(None, on, off, x), Pending(Within(math.inf, math.inf), made, 1.0 / P.temperature)
    highest = highest_of(x, log=log)
    within = Within(math.exp(highest) if log else highest, tolerance_of(x, log=log))
    target = SoftTarget(None, on, off, x) if log else SoftTarget(x, on, off)
    return target, Pending(within, made)


def unread_elements(P: Indicators, smooth: bool, settle: Callable[[Array], Array]) -> Pending:
    """Indicators as they were given."""
    share = P.smoothing if smooth else 0.0
    return Pending(Within(), settle, on=1.0 - share, off=share / 2.0)
