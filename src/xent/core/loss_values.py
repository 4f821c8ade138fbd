"""Checks that read what a loss of the family holds, or reads besides P and Q. Part of ``values``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xent.core.arrays import FLOATING, Array, captured, dtype_name, first_position, library, namespace, to_compute
from xent.core.values import Inspector
from xent.errors import DataError, OptionError


def finite(x: Array, argument: str, inspect: Inspector, *, masks: bool = False) -> Array:
    """Each a finite number, or with ``masks`` −∞ too. Returns x, with NaN for what could not be refused."""
    # In torch.compile NumPy's arrays have neither values nor a type.
    if (captured() and library(x) == "numpy") or dtype_name(x) not in FLOATING:
        return x
    bad = ~namespace(x).isfinite(x)
    if masks:
        bad = bad & (x != -math.inf)
    expected = "finite numbers, or −∞" if masks else "finite numbers"
    return inspect.settle(x, bad, lambda at: OptionError(argument, expected, f"{float(x[at]):.6g} at position {at}"))


def room_of_cosines(x: Array) -> float:
    """How far beyond ±1 rounding alone may leave a cosine of x's type: 4 units of half precision, which is rounded to
    once, and 64 of float32, in which sums are made; numbers that are float64 may have been that before."""
    return {"float16": 2.0**-8, "bfloat16": 2.0**-5}.get(dtype_name(x), 2.0**-17)


def cosines(x: Array, inspect: Inspector, what: str) -> None:
    """Scores that a margin reads as cosines: (…,), of the truth of each row, or (…, K). Unread ones are left to the
    margin, which makes NaN of them; so is NaN."""
    if not inspect.reads:
        return
    xp = namespace(x)
    bad = xp.abs(to_compute(x)) > 1.0 + room_of_cosines(x)
    if what != "the truth":
        bad = bad & (x != -float("inf"))
    counted = inspect.counted
    if counted is not None:
        bad = bad & (counted if counted.ndim == bad.ndim else counted[..., None])
    if bool(xp.any(bad)):
        at = first_position(bad)
        raise DataError(
            "Q",
            f"cosines, −1 to 1, as the score of {what}: the margin reads the angle",
            f"{float(x[at]):.6g} at position {at if what == 'the truth' else inspect.locate(at)}",
            "Write Projection(hidden, weight) and normalize=True, or divide by the lengths yourself.",
        )


def transition(value: Any, argument: str) -> np.ndarray[Any, Any]:
    """T(i, j), the probability that truth i is written down as j, from whatever framework: rows are distributions."""
    T = np.asarray(value.tolist() if hasattr(value, "tolist") else value, np.float64)
    square = T.ndim == 2 and T.shape[0] == T.shape[1] > 0
    if not square or not (T >= 0).all() or not np.allclose(T.sum(axis=1), 1.0, rtol=0.0, atol=1e-6):
        raise OptionError(argument, "a square matrix whose rows are distributions", f"{T!r}"[:80])
    return T
