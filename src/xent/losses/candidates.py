"""What a loss over a sample of the classes takes: their scores, corrected for how often each is drawn."""

from __future__ import annotations

import math
from typing import Any

from xent.core import checks
from xent.core.arrays import (
    Array,
    as_array,
    compute_dtype,
    describe,
    device_of,
    dtype_name,
    is_python,
    library,
    namespace,
    to_index,
)
from xent.core.predictions import Logits
from xent.errors import DtypeError, OptionError, ShapeError


def accidental_hits(true: Any, sampled: Any) -> Array:
    """Which sampled classes are true ones of their example: booleans (…, S).

    Parameters
    ----------
    true : integer array (…, T)
        The true classes of each example.
    sampled : integer array (S,) or (…, S)
        The classes that were drawn, for all examples or for each.

    Raises
    ------
    DtypeError
        Classes that are not integers.

    Examples
    --------
    >>> import xent
    >>> xent.losses.sampled.accidental_hits([[3], [5]], [5, 7])
    array([[False, False],
           [ True, False]])
    """
    true, sampled = as_array(true, "accidental_hits(true)"), as_array(sampled, "accidental_hits(sampled)")
    checks.require_integers(true, "accidental_hits(true)")
    checks.require_integers(sampled, "accidental_hits(sampled)")
    checks.require_one_library({"true": true, "sampled": sampled})
    xp = namespace(true)
    return xp.any(to_index(sampled)[..., None, :] == to_index(true)[..., :, None], axis=-2)


def sampled_scores(
    true: Any,
    sampled: Any,
    *,
    log_counts_true: Any = None,
    log_counts_sampled: Any = None,
    hits: Any = None,
    temperature: Any = 1.0,
    least: float | None = None,
) -> Logits:
    """The scores of the true classes and of a sample as a prediction: s/τ − log E[count], the true ones first.

    Parameters
    ----------
    true : float array (…, T)
        Scores of the T true classes of each example.
    sampled : float array (…, S)
        Scores of the classes that were drawn.
    log_counts_true, log_counts_sampled : arrays (T,) or (…, T), and (S,) or (…, S), optional
        Logarithm of the expected count of each class in a sample; both or none. They are taken off after the division.
    hits : bool array (S,) or (…, S), optional
        Sampled classes that are true ones: their score becomes −∞. See ``accidental_hits``.
    temperature : number
        τ > 0. A scalar of a framework is differentiated.
    least : float, optional
        Expected counts below it are taken for it. 1e-6 is the least sampling probability of TensorFlow Recommenders.

    Returns
    -------
    Logits (…, T + S)

    Raises
    ------
    ShapeError, OptionError
        Shapes that do not fit; one of the two log counts without the other; τ or ``least`` not positive.
    """
    where = "sampled_scores"
    true, sampled = _floats(true, f"{where}(true)"), _floats(sampled, f"{where}(sampled)")
    checks.require_one_library({"true": true, "sampled": sampled})
    if true.ndim == 0 or true.ndim != sampled.ndim or not _fit(true.shape[:-1], sampled.shape[:-1]):
        raise ShapeError(
            f"{where}(true, sampled)",
            "shapes (…, T) and (…, S)",
            f"{tuple(true.shape)} and {tuple(sampled.shape)}",
            "For one true class an example write true[..., None].",
        )
    if (log_counts_true is None) != (log_counts_sampled is None):
        raise OptionError(f"{where}(log_counts_true=, log_counts_sampled=)", "both, or none", "one of them")
    xp = namespace(true)
    tau = temperature_of(temperature, f"{where}(temperature=)")
    dtype = compute_dtype(true if dtype_name(true) == "float64" else sampled)
    true, sampled = xp.astype(true, dtype, copy=False) / tau, xp.astype(sampled, dtype, copy=False) / tau
    if log_counts_true is not None:
        true = true - _log_counts(log_counts_true, true, f"{where}(log_counts_true=)", least)
        sampled = sampled - _log_counts(log_counts_sampled, sampled, f"{where}(log_counts_sampled=)", least)
    if hits is not None:
        sampled = xp.where(_mask(hits, sampled, f"{where}(hits=)"), -float("inf"), sampled)
    return Logits(xp.concat((true, sampled), axis=-1))


def temperature_of(value: Any, argument: str) -> Any:
    """τ: a number, or a scalar of a framework as it is."""
    if not hasattr(value, "dtype") or library(value) == "numpy":
        return checks.require_positive(value, argument)
    if value.ndim:
        raise ShapeError(argument, "one number", f"shape {tuple(value.shape)}")
    return value


def beside(value: Any, like: Array, argument: str) -> Array:
    """A constant of NumPy or Python as an array of another's framework; one of that framework as it is."""
    array = as_array(value, argument)
    if library(array) == "numpy" and library(like) != "numpy":
        return namespace(like).asarray(array.tolist(), device=device_of(like))
    checks.require_one_library({argument: array, "the scores": like})
    return array


def at_least(x: Array, least: float | None, argument: str) -> Array:
    """max(x, least), where that was asked for."""
    if least is None:
        return x
    number = checks.require_positive(least, argument)
    return namespace(x).where(x < number, number, x)


def _floats(value: Any, argument: str) -> Array:
    return checks.require_floats(as_array(value, argument), argument, python=is_python(value))


def _fit(one: Any, other: Any) -> bool:
    """Whether shapes are one, as far as lengths are known."""
    return all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


def _log_counts(value: Any, scores: Array, argument: str, least: float | None) -> Array:
    array = beside(value, scores, argument)
    checks.require_numbers(array, argument)
    _require_suffix(array, scores, argument)
    array = namespace(scores).astype(array, scores.dtype, copy=False)
    if least is None:
        return array
    # The logarithm of the larger count, without the count itself.
    log_least = math.log(checks.require_positive(least, "sampled_scores(least=)"))
    return namespace(array).where(array < log_least, log_least, array)


def _mask(value: Any, scores: Array, argument: str) -> Array:
    array = beside(value, scores, argument)
    if dtype_name(array) != "bool":
        raise DtypeError(argument, "booleans", describe(array), "See accidental_hits.")
    _require_suffix(array, scores, argument)
    return array


def _require_suffix(x: Array, scores: Array, argument: str) -> None:
    """One number for each column, for all examples or for each."""
    shape, got = tuple(scores.shape), tuple(x.shape)
    if len(got) not in (1, len(shape)) or not _fit(got, shape[-len(got) :]):
        raise ShapeError(argument, f"shape ({shape[-1]},) or {shape}", f"shape {got}")
