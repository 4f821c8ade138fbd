"""Checks that read the data. Part of ``checks``: only these two modules reject what a user gave.

Where the data may be read, a bad value raises an error that names it. Where reading it would stop the device (a
compiler, an accelerator), it is replaced by NaN, so that loss and gradient are NaN and never a plausible number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xent.core.arrays import Array, dtype_name, first_position, namespace, number, sum_classes, to_compute, to_index
from xent.errors import LabelError, NormalizationError, ProbabilityError, WeightError, XentError


@dataclass(frozen=True)
class Inspector:
    """Whether the data may be read, and which examples count (None: all)."""

    reads: bool
    counted: Array | None = None
    #: The class axis in the user's array; here it is the last, and a message counts as the user does.
    axis: int | None = None

    def locate(self, at: tuple[int, ...]) -> tuple[int, ...]:
        """Where an element, classes last, stands in the user's array."""
        if self.axis is None or not at:
            return at
        return (*at[: self.axis], at[-1], *at[self.axis : -1])

    def settle(self, x: Array, bad: Array, error: Callable[[tuple[int, ...]], XentError]) -> Array:
        """Raise for the first bad element, or put NaN in the place of each."""
        xp = namespace(x)
        if not self.reads:
            # A product, so that the gradient is NaN too; where(bad, nan, x) would make it zero.
            return x * xp.where(bad, float("nan"), xp.ones_like(x))
        if bool(xp.any(bad)):
            raise error(first_position(bad))
        return x

    def only_counted(self, bad_rows: Array) -> Array:
        return bad_rows if self.counted is None else bad_rows & self.counted


def labels_in_range(indices: Array, classes: int, inspect: Inspector) -> None:
    """Labels of examples that count are 0 … K − 1. Unread ones are left to the kernel, which gives NaN."""
    if not inspect.reads:
        return
    xp = namespace(indices)
    # Compared in a type that holds every label and K: uint8 labels and K = 1000 would wrap otherwise.
    wide = indices if dtype_name(indices) == "uint64" else to_index(indices)
    if dtype_name(wide) != "uint64" and _within(wide, 0, classes - 1):
        return
    bad = inspect.only_counted((wide < 0) | (wide >= classes))
    if bool(xp.any(bad)):
        position = first_position(bad)
        label = int(indices[position])
        raise LabelError(
            "Labels(indices)",
            f"0 to {classes - 1}, for the {classes} classes of Q",
            f"{label} at position {position}",
            f"Write Labels(…, ignore={label}) if such examples do not count."
            if label < 0 or label > classes
            else "Labels count from 0: write Labels(y - 1) if yours count from 1.",
        )


def probabilities_of_p(p: Array, name: str, inspect: Inspector) -> Array:
    """Each in [0, 1]; NaN is refused. Returns p, with NaN for what could not be refused."""
    if dtype_name(p) == "bool" or (inspect.reads and _within(p, 0.0, 1.0)):
        return p
    xp = namespace(p)
    bad = ~((p >= 0) & (p <= 1))
    if inspect.counted is not None:
        # Padding of examples that do not count (−1, NaN) takes no part.
        counted = inspect.counted[..., None] if inspect.axis is not None else inspect.counted
        p, bad = xp.where(bad & ~counted, xp.zeros_like(p), p), bad & counted

    def error(at: tuple[int, ...]) -> ProbabilityError:
        return ProbabilityError(
            name,
            "values in [0, 1]",
            f"{_show(p, at)} at position {inspect.locate(at)}",
            "If these are scores write Distribution.from_logits(…)." if name == "Distribution(probs)" else "",
        )

    return inspect.settle(xp.astype(p, xp.float32) if not inspect.reads and not _floats(p) else p, bad, error)


def tolerance_of(x: Array, *, log: bool = False) -> float:
    """How far the sum of a row of x may be from one for rounding in its type alone; ``log``: of its exponentials."""
    tolerance = {"float64": 1e-5, "float32": 1e-4}.get(dtype_name(x), 1e-2)
    if dtype_name(x) == "float16" and not log:
        # Probabilities that were read in half precision lose up to half a step of the subnormal numbers each.
        tolerance += x.shape[-1] * 3e-8
    if dtype_name(x) == "bfloat16" and log:
        # A log-probability l that was rounded to bfloat16 is off by up to 2^-8·|l|, and its exponential by that
        # factor; over a row this is 2^-8·H(q), and H(q) ≤ log K.
        tolerance += 2**-8 * math.log(max(x.shape[-1], 1))
    return tolerance


def highest_of(x: Array, *, log: bool = False) -> float:
    """The most that a number of x may be in a distribution; ``log``: a hair above 0, from rounding in log_softmax."""
    if not log:
        return 1.0
    return {"float64": 1e-5, "float32": 1e-4}.get(dtype_name(x), 1e-2)


def normalized(x: Array, name: str, inspect: Inspector, *, log: bool = False, hint: str = "") -> Array:
    """Rows (last axis) that sum to one, or whose exponentials do. Returns x, with NaN for what could not be refused.

    The tolerance is what rounding in x's own type explains: 1e-5 in float64 (numbers that were float32 before
    included), 1e-4 in float32, 1e-2 and what subnormal numbers lose in half precision.
    """
    xp = namespace(x)
    wide = to_compute(x)
    tolerance = tolerance_of(x, log=log)
    total = sum_classes(xp.exp(wide) if log else wide)
    bad = inspect.only_counted(xp.abs(total - 1) > tolerance)

    def error(at: tuple[int, ...]) -> NormalizationError:
        what = "exponentials that sum" if log else "probabilities that sum"
        return NormalizationError(name, f"{what} to 1", f"a sum of {float(total[at]):.6g} at position {at}", hint)

    if inspect.reads:
        if bool(xp.any(bad)):
            raise error(first_position(bad))
        return x
    return inspect.settle(wide, bad[..., None], error)


def predicted_probabilities(
    q: Array,
    inspect: Inspector,
    *,
    rows: bool,
    name: str = "Probabilities(probs)",
    hint: str = "If these are scores write Logits(…).",
) -> Array:
    """Each in [0, 1], and rows that sum to one. NaN of an example that counts passes, and gives NaN."""
    if not (inspect.reads and _within(q, 0.0, 1.0)):
        bad = _counted_elements((q < 0) | (q > 1), inspect, rows)
        q = inspect.settle(
            q,
            bad,
            lambda at: ProbabilityError(
                name, "values in [0, 1]", f"{_show(q, at)} at position {inspect.locate(at)}", hint
            ),
        )
    if rows:
        q = normalized(q, name, inspect, hint=hint and f"{hint} If the class axis is another one, say so with axis=.")
    return q


def defined(log_p: Array, name: str, inspect: Inspector) -> Array:
    """No NaN in a P that is held in log space."""
    return inspect.settle(
        log_p,
        namespace(log_p).isnan(log_p),
        lambda at: ProbabilityError(
            name,
            "rows that define a distribution",
            f"NaN at position {inspect.locate(at)}",
            "P is never repaired.",
        ),
    )


def predicted_log_probabilities(
    q: Array, inspect: Inspector, *, rows: bool, name: str = "LogProbabilities(log_probs)"
) -> Array:
    """Each ≤ 0, and exponentials that sum to one. NaN of an example that counts passes, and gives NaN."""
    hint = "If these are scores write Logits(…): they have not been through log_softmax."
    if not (inspect.reads and _within(q, -float("inf"), 0.0)):
        bad = _counted_elements(q > (highest_of(q, log=True) if rows else 0), inspect, rows)
        q = inspect.settle(
            q,
            bad,
            lambda at: ProbabilityError(
                name, "values of at most 0", f"{_show(q, at)} at position {inspect.locate(at)}", hint
            ),
        )
    return normalized(q, name, inspect, log=True, hint=hint) if rows else q


def weights(w: Array, dtype: Any, argument: str, inspect: Inspector) -> Array:
    """Each finite and 0 or more, in the type of the arithmetic, which must hold it."""
    xp = namespace(w)

    def error(at: tuple[int, ...], expected: str = "finite weights, 0 or more") -> WeightError:
        return WeightError(argument, expected, f"{_show(w, at)}" + (f" at position {at}" if at else ""))

    if dtype_name(w) == "bool":
        return xp.astype(w, dtype)
    w = inspect.settle(w, ~((w >= 0) & xp.isfinite(w)), error)
    cast = xp.astype(w, dtype, copy=False)
    lost = (xp.isinf(cast) | (cast == 0)) & (w != 0) & xp.isfinite(w)
    name = getattr(dtype, "name", None) or str(dtype).rpartition(".")[2].strip("'<> ")
    return inspect.settle(cast, lost, lambda at: error(at, f"weights that {name} holds, since Q is computed in it"))


def hard_rows(t: Array, inspect: Inspector, error: Callable[[], XentError], *, rows: bool) -> Array:
    """t where each row that counts is one-hot (each element 0 or 1); otherwise ``error``, or NaN where unread."""
    xp = namespace(t)
    soft = (t != 0) & (t != 1)
    if rows:
        soft = xp.any(soft, axis=-1, keepdims=True)
        counted = None if inspect.counted is None else inspect.counted[..., None]
    else:
        counted = inspect.counted
    return inspect.settle(t, soft if counted is None else soft & counted, lambda at: error())


def _counted_elements(bad: Array, inspect: Inspector, rows: bool) -> Array:
    if inspect.counted is None:
        return bad
    return bad & (inspect.counted[..., None] if rows else inspect.counted)


def _within(x: Array, low: float, high: float) -> bool:
    """Whether all of x lies in [low, high], without an array of its size; NaN does not."""
    xp = namespace(x)
    if 0 in tuple(x.shape):
        return True
    if dtype_name(x) == "bool":
        return True
    return low <= number(xp.min(x)) and number(xp.max(x)) <= high


def _floats(x: Array) -> bool:
    return "float" in dtype_name(x)


def _show(x: Array, at: tuple[int, ...]) -> str:
    return f"{float(x[at]):.6g}"
