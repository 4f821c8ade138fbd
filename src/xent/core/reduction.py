"""The only place that divides: one value an example in, "none", "sum" or "mean" of them out."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from xent.core.arrays import Array, library, namespace
from xent.errors import EmptyError

Reduction: TypeAlias = Literal["none", "sum", "mean"]
Empty: TypeAlias = Literal["nan", "zero", "raise"]

REDUCTIONS = ("none", "sum", "mean")
EMPTIES = ("nan", "zero", "raise")


def denominator_of(values: Array, weight: Array | None, counted: Array | None) -> Array | int:
    """Σ of the weights of the examples that took part; their number where there are no weights."""
    xp = namespace(values)
    if weight is None:
        if counted is None:
            size = 1
            for length in values.shape:
                size *= int(length)
            return size
        return xp.sum(xp.astype(counted, values.dtype))
    weight = xp.broadcast_to(weight, values.shape)
    return xp.sum(weight if counted is None else xp.where(counted, weight, 0.0))


def reduce(
    values: Array,
    weight: Array | None,
    counted: Array | None,
    *,
    reduction: Reduction,
    denominator: Any,
    empty: Empty,
    reads: bool,
) -> Array:
    """Reduce the (weighted) values of examples.

    A mean over nothing is NaN, zero or an EmptyError, as ``empty`` says; where the data may not be read it cannot
    raise, and is NaN. Its gradient is zero: nothing took part.
    """
    if reduction == "none":
        return values
    xp = namespace(values)
    total = xp.sum(values)
    if reduction == "sum":
        return total
    divisor = denominator_of(values, weight, counted) if denominator is None else denominator
    if library(divisor) == "numpy":
        # A plain number: NumPy's own float64 and int64 would make a float64 of a float32 result.
        divisor = float(divisor)
    nothing = mean_of_nothing(divisor, empty=empty, reads=reads)
    # A where, and not a constant, so that the result can still be differentiated (to zero).
    if isinstance(divisor, float):
        return total / divisor if divisor else xp.where(xp.ones_like(total, dtype=xp.bool), nothing, total)
    none = divisor == 0
    return xp.where(none, nothing, total / xp.where(none, 1.0, divisor))


def mean_of_nothing(divisor: Array | float, *, empty: Empty, reads: bool) -> float:
    """What a mean over nothing is; raises EmptyError where that was asked for and it is one."""
    if empty == "raise" and (reads or isinstance(divisor, (int, float))) and float(divisor) == 0:
        raise EmptyError(
            "cross-entropy",
            "at least one example that counts, for a mean",
            "none: the batch is empty, or every example is ignored or of weight 0",
            'Write empty="zero" or empty="nan" to go on, or reduction="sum".',
        )
    return 0.0 if empty == "zero" else float("nan")
