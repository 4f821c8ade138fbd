"""Δ of two answers: how much more one is preferred to the other, from log-probabilities that are checked."""

from __future__ import annotations

from typing import Any

from xent.backends import find
from xent.core import checks
from xent.core.arrays import Array, as_array, describe, device_of, is_python, namespace, to_compute
from xent.core.values import Inspector, highest_of
from xent.errors import OptionError, ProbabilityError, ShapeError


def difference(
    function: str, chosen: Any, rejected: Any, reference: tuple[Any, Any] | None, length: tuple[Any, Any]
) -> Array:
    """Δ. Policy and reference are near one another: their difference comes first, and loses nothing."""
    given = {"chosen": chosen, "rejected": rejected}
    if reference is not None:
        given |= {"reference_chosen": reference[0], "reference_rejected": reference[1]}
    found = {name: _log_probabilities(value, f"{function}({name})") for name, value in given.items()}
    checks.require_one_library({f"{function}({name})": x for name, x in found.items()})
    shape = tuple(found["chosen"].shape)
    for name, x in found.items():
        if not _same(tuple(x.shape), shape):
            raise ShapeError(f"{function}({name})", f"the shape {shape} of chosen", describe(x))
    won, lost = found["chosen"], found["rejected"]
    if (length[0] is None) != (length[1] is None):
        raise OptionError(f"{function}(chosen_length=, rejected_length=)", "both of them, or neither", "one")
    with find(won).quiet():
        if reference is not None:
            won, lost = won - found["reference_chosen"], lost - found["reference_rejected"]
        if length[0] is not None:
            won = won / _length(length[0], won, f"{function}(chosen_length=)")
            lost = lost / _length(length[1], lost, f"{function}(rejected_length=)")
        return won - lost


def _log_probabilities(value: Any, argument: str) -> Array:
    x = checks.require_floats(as_array(value, argument), argument, python=is_python(value))
    return Inspector(find(x).reads(x)).settle(
        to_compute(x),
        x > highest_of(x, log=True),
        lambda at: ProbabilityError(
            argument,
            "log-probabilities, at most 0",
            f"{float(x[at]):.6g}" + (f" at position {at}" if at else ""),
            "A summed loss has the other sign: write −nll.",
        ),
    )


def _length(value: Any, like: Array, argument: str) -> Array:
    xp = namespace(like)
    length = as_array(value, argument)
    checks.require_numbers(length, argument)
    if is_python(value):
        length = xp.asarray(value, dtype=like.dtype, device=device_of(like))
    checks.require_one_library({argument: length, "chosen": like})
    if length.ndim and not _same(tuple(length.shape), tuple(like.shape)):
        raise ShapeError(argument, f"one number, or the shape {tuple(like.shape)}", describe(length))
    return Inspector(find(length).reads(length)).settle(
        xp.astype(length, like.dtype, copy=False),
        ~(length > 0),
        lambda at: OptionError(argument, "positive numbers of tokens", f"{float(length[at]):.6g}"),
    )


def _same(a: tuple[int | None, ...], b: tuple[int | None, ...]) -> bool:
    """Whether two shapes are one, as far as they are known while TensorFlow traces a graph."""
    return len(a) == len(b) and all(m is None or n is None or m == n for m, n in zip(a, b, strict=True))
