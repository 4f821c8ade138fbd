"""The only place that divides: one value an example in, "none", "sum" or "mean" of them out."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from xent.core.arrays import Array, library, namespace, number, spread
from xent.errors import EmptyError, OptionError

Reduction: TypeAlias = Literal["none", "sum", "mean"]
Empty: TypeAlias = Literal["nan", "zero", "raise"]

REDUCTIONS = ("none", "sum", "mean")
EMPTIES = ("nan", "zero", "raise")


def denominator_of(values: Array, weight: Array | None, counted: Array | None) -> Array | int:
    """Σ of the weights of the examples that took part; their number where there are no weights."""
    xp = namespace(values)
    if weight is None:
        if counted is None:
            if None in tuple(values.shape):
                return xp.astype(xp.size(values), values.dtype)
            if library(values) == "jax" and not all(isinstance(length, int) for length in values.shape):
                return xp.sum(xp.ones_like(values))  # lengths that are known when an exported program runs
            size = 1
            for length in values.shape:
                size *= int(length)
            return size
        return xp.sum(xp.astype(counted, values.dtype))
    weight = spread(weight, values)
    return xp.sum(weight if counted is None else xp.where(counted, weight, 0.0))


def divisor_of(
    values: Array, weight: Array | None, counted: Array | None, denominator: Any, *, reads: bool
) -> Array | float:
    """What a mean divides by: 0 says that nothing took part.

    A denominator of 0 is one for a batch in which nothing took part; otherwise it is an error, as is a negative one or
    NaN, or NaN where it cannot be read.
    """
    own = denominator_of(values, weight, counted)
    # A plain number: NumPy's own float64 and int64 would make a float64 of a float32 result.
    own = float(own) if library(own) == "numpy" else own
    if library(denominator) == "tensorflow":
        denominator = namespace(values).astype(denominator, values.dtype)
    if denominator is None:
        return own
    if reads:
        given = number(denominator)
        if not 0.0 <= given < float("inf") or (given == 0.0 and number(own) != 0.0):
            raise OptionError("denominator=", "a positive, finite number", repr(given), "It divides the summed loss.")
        return denominator
    xp = namespace(values)
    given = xp.zeros_like(xp.sum(values)) + denominator
    bad = ~((given >= 0) & xp.isfinite(given)) | ((given == 0) & (own != 0))
    return given * xp.where(bad, float("nan"), xp.ones_like(given))


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
    divisor = divisor_of(values, weight, counted, denominator, reads=reads)
    nothing = _mean_of_nothing(divisor, empty=empty, reads=reads)
    # A where, and not a constant, so that the result can still be differentiated (to zero).
    if isinstance(divisor, float):
        return total / divisor if divisor else xp.where(xp.ones_like(total, dtype=xp.bool), nothing, total)
    none = divisor == 0
    return xp.astype(xp.where(none, nothing, total / xp.where(none, 1.0, divisor)), values.dtype, copy=False)


def _mean_of_nothing(divisor: Array | float, *, empty: Empty, reads: bool) -> float:
    """What a mean over nothing is; raises EmptyError where that was asked for and it is one."""
    if empty == "raise" and (reads or isinstance(divisor, (int, float))) and number(divisor) == 0:
        raise EmptyError(
            "cross-entropy",
            "at least one example that counts, for a mean",
            "none: the batch is empty, or every example is ignored or of weight 0",
            'Write empty="zero" or empty="nan" to go on, or reduction="sum".',
        )
    return 0.0 if empty == "zero" else float("nan")
