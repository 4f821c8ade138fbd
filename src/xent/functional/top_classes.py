"""A few classes of many by their indices, and the rest of them as one."""

from __future__ import annotations

from typing import Any

from xent.core import checks
from xent.core.arrays import Array, as_array, compute_dtype, describe, detached, is_python, mark, namespace, sum_classes
from xent.core.arrays import to_index as whole
from xent.core.values import Inspector, tolerance_of
from xent.errors import LabelError, ProbabilityError, ShapeError
from xent.functional.partition import log_sum_exp


def chosen(index: Array, x: Array, inspect: Inspector, argument: str) -> tuple[Array, Array, Array]:
    """The scores x (…, V), the indices (…, k) and which classes they are (…, V).

    Indices of a row that counts are 0 … V − 1, each once; scores of rows where they are not and which cannot be
    refused become NaN.
    """
    index, classes = whole(index), x.shape[-1]
    xp = namespace(x)
    inside = (index >= 0) & (index < classes)
    safe = xp.where(inside, index, xp.zeros_like(index))
    member = mark(safe, classes)
    distinct = xp.sum(whole(member), axis=-1) == index.shape[-1]
    bad = inspect.only_counted(~(distinct & xp.all(inside, axis=-1)))

    def error(at: tuple[int, ...]) -> LabelError:
        row = at[:-1]
        return LabelError(
            argument,
            f"indices 0 to {classes - 1}, each once in a row",
            f"{[int(i) for i in index[row]]} at position {row}",
            "Give weight=0 to rows of padding.",
        )

    return inspect.settle(x, bad[..., None], error), safe, member


def with_rest(x: Array, index: Array, member: Array) -> Array:
    """Scores (…, k + 1) with the softmax's mass of each chosen class and of all others together.

    (…, k) where there are no others.
    """
    xp = namespace(x)
    picked = xp.take_along_axis(x, index, axis=-1)
    if index.shape[-1] == x.shape[-1]:
        return picked
    return xp.concat([picked, log_sum_exp(x, ~member)[..., None]], axis=-1)


def teacher_values(value: Any, index: Array, like: Array, argument: str) -> Array:
    """What a teacher gave for its classes, as constants in the type of the arithmetic."""
    x = checks.require_floats(as_array(value, argument), argument, python=is_python(value))
    checks.require_one_library({argument: x, "Q": like})
    if tuple(x.shape) != tuple(index.shape):
        raise ShapeError(argument, f"shape {tuple(index.shape)}, one for each index", describe(x))
    return detached(x)


def as_computed(x: Array, like: Array) -> Array:
    return namespace(x).astype(x, compute_dtype(like), copy=False)


def log_of_rest(log_probs: Array, like: Array, inspect: Inspector, argument: str) -> Array:
    """log (1 − Σ exp of the last axis) as one class more, (…, 1); −∞ where rounding leaves nothing."""
    xp = namespace(like)
    total = sum_classes(xp.exp(as_computed(log_probs, like)))
    bad = inspect.only_counted(~(total <= 1.0 + tolerance_of(log_probs, log=True)))

    def error(at: tuple[int, ...]) -> ProbabilityError:
        return ProbabilityError(
            argument,
            "log-probabilities whose exponentials sum to 1 at most",
            f"a sum of {float(total[at]):.6g} at position {at}",
            'Write holds="scores" if they are scores.',
        )

    rest = 1.0 - inspect.settle(total, bad, error)
    some = ~(rest <= 0)
    return xp.where(some, xp.log(xp.where(some, rest, 1.0)), -float("inf"))[..., None]
