"""Rows of scores, from arrays to the compiled loops: what the CPU kernel does for Labels and Distribution.

Imported when a kernel first runs, since it imports Numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.arrays import Array
from xent.kernels.cpu import launch
from xent.kernels.cpu.bits import ARGMAX, ENTROPY, LOSS, LSE, SCORE_SUM
from xent.kernels.cpu.row_arrays import Plan, Rows, RowTarget
from xent.kernels.extra import Extra
from xent.kernels.protocol import RowCoefficients, RowStatistics, Statistic, Target

_NAMES = {"loss": 0, "lse": 1, "entropy": 2, "score_sum": 3}


def statistics(q: Array, target: Target | None, want: frozenset[Statistic]) -> RowStatistics:
    z = Rows(q)
    t = RowTarget(target, z)
    bits = (
        LOSS * ("loss" in want)
        | LSE * ("lse" in want)
        | ENTROPY * ("entropy" in want)
        | ARGMAX * ("argmax" in want)
        | SCORE_SUM * ("score_sum" in want)
    )
    out = np.empty((4, z.count), z.compute)
    first = np.empty(z.count if "argmax" in want else 0, np.int64)
    launch.statistics(z.layout, z.like, z.classes, z.count, bits, t.index, t.layout, t.on, t.off, out, first)
    found = {name: z.back(out[place].reshape(z.batch)) for name, place in _NAMES.items() if name in want}
    if "argmax" in want:
        found["argmax"] = z.back(first.reshape(z.batch))
    return RowStatistics(**found)


def gradient(q: Array, target: Target | None, coefficients: RowCoefficients, out: Any = None) -> Array:
    """See ``Kernel.row_gradient``; ``out``: a contiguous NumPy array of q's shape and type for it."""
    z = Rows(q)
    a, b = z.vector(coefficients.a), z.vector(coefficients.b)
    h = None if coefficients.h is None else z.vector(coefficients.h)
    return _gradient(z, RowTarget(target, z), a, b, h, None, out)


def fused(q: Array, target: Target, c: Array, out: Any = None) -> tuple[Array, Array]:
    """See ``Kernel.row_fused``; ``out`` as in ``gradient``."""
    z = Rows(q)
    losses, c_ = np.empty(z.count, z.compute), z.vector(c)
    gradient = _gradient(z, RowTarget(target, z), c_, c_, None, losses, out)
    return z.back(losses.reshape(z.batch)), gradient


def _gradient(z: Rows, t: RowTarget, a: Any, b: Any, h: Any, losses: Any, out: Any) -> Array:
    """The rows' gradient; and their losses, where there is an array for them: a is then b times the target's mass."""
    out, target = z.new_gradient() if out is None else z.gradient_at(out)
    launch.gradient(z.layout, z.like, z.classes, z.count, t.index, t.layout, t.on, t.off, a, b, h, target, losses, 1.0)
    return z.back(out, like_q=True)


def shaped(q: Array, target: Target, c: Array, extra: Extra) -> tuple[Array, Array, Array] | None:
    """(ℓ, lse, gradient) of what ``Extra`` says, in one pass; None where a vector holds one class of many rows, or half
    precision meets changed scores."""
    z = Rows(q)
    if launch.across(z.layout, z.like.itemsize, z.classes) or (z.half and extra.changes_scores):
        return None
    losses, lses = np.empty(z.count, z.compute), np.empty(z.count, z.compute)
    c_, t = z.vector(c), RowTarget(target, z)
    plan = Plan(z, t.index, extra) if extra.changes_scores else None
    form = extra.form
    numbers = (form.factor, form.epsilon, form.q, form.gamma, form.limit, extra.z_loss)
    out, place = z.new_gradient()
    launch.gradient(
        z.layout, z.like, z.classes, z.count, t.index, t.layout, t.on, t.off, c_, c_, None, place, losses, 1.0, lses,
        numbers, None if plan is None else plan.numbers,
    )  # fmt: skip
    return z.back(losses.reshape(z.batch)), z.back(lses.reshape(z.batch)), z.back(out, like_q=True)
