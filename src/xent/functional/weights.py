"""Weights as arrays beside Q."""

from __future__ import annotations

from typing import Any

from xent.core import checks, values
from xent.core.arrays import (
    Array,
    as_array,
    compute_dtype,
    device_of,
    is_python,
    library,
    look_up,
    namespace,
    sum_classes,
    to_index,
)
from xent.core.values import Inspector
from xent.kernels.coefficients import target_probs
from xent.kernels.protocol import HardTarget, Target


def weight_array(value: Any, like: Array, argument: str, reads: bool) -> Array | None:
    """A weight as an array beside Q, checked."""
    if value is None:
        return None
    xp = namespace(like)
    if is_python(value):
        if reads:  # a compiler does not trace NumPy's look at it
            checks.require_numbers(as_array(value, argument), argument)
        if library(like) == "torch" and not isinstance(value, (list, tuple)):
            # As of ``scalar_beside``: the device makes a number itself.
            array = xp.full((), value, dtype=compute_dtype(like), device=device_of(like))
        else:
            array = xp.asarray(value, dtype=compute_dtype(like), device=device_of(like))
    else:
        array = as_array(value, argument)
        checks.require_numbers(array, argument)
        checks.require_one_library({argument: array, "Q": like})
    return values.weights(array, compute_dtype(like), argument, Inspector(reads))


def alive(weight: Array | None) -> Array | None:
    """1 where an example counts, 0 where its weight is 0: for terms that are weighted later."""
    return None if weight is None else namespace(weight).astype(weight != 0, weight.dtype)


def weigh_rows(c: Array, target: Target | None) -> Array:
    """Σ_k c_k t_k of each row: c[y] for labels."""
    xp = namespace(c)
    if isinstance(target, HardTarget):
        index = to_index(target.index)
        safe = xp.where((index >= 0) & (index < c.shape[0]), index, 0)
        picked = look_up(c, safe)
        return picked if target.on == 1.0 else target.on * picked + target.off * xp.sum(c)
    assert target is not None
    return sum_classes(target_probs(target) * c)


def along(vector: Array, axis: int, ndim: int) -> Array:
    """A vector over classes, to broadcast against an array whose class axis is ``axis``."""
    return (
        vector if ndim <= 1 else namespace(vector).reshape(vector, tuple(-1 if i == axis else 1 for i in range(ndim)))
    )
