"""Probabilities as Keras takes them: rows are made to sum to one, and every number is kept off 0 and 1."""

from __future__ import annotations

import keras

from xent.core.arrays import Array, namespace, pick
from xent.core.values import Inspector
from xent.errors import ProbabilityError
from xent.keras.kernel import reads
from xent.keras.manners import dtype_of, widened

#: How far rounding alone takes a probability out of [0, 1].
_SLACK = {"float64": 1e-5, "float32": 1e-4}


def probabilities(y_pred: Array, argument: str) -> Array:
    """y_pred in the type of the arithmetic. A number outside [0, 1] raises, or becomes NaN where it cannot be read."""
    p = widened(y_pred)
    xp = namespace(p)
    slack = _SLACK.get(dtype_of(y_pred), 1e-2)
    inspect = Inspector(reads(y_pred))
    if 0 in tuple(p.shape):
        return p
    if inspect.reads and bool(xp.min(p) >= -slack) and bool(xp.max(p) <= 1 + slack):
        return p
    return inspect.settle(
        p,
        (p < -slack) | (p > 1 + slack),
        lambda at: ProbabilityError(
            f"{argument}(y_pred)",
            "probabilities in [0, 1]",
            f"{float(p[at]):.6g} at position {at}",
            "Write from_logits=True if these are scores, before softmax or sigmoid.",
        ),
    )


def clipped(p: Array) -> Array:
    """p, no nearer to 0 and 1 than Keras's epsilon. In float32 at least: float16 would round 1 − ε to 1."""
    epsilon = keras.config.epsilon()
    return keras.ops.clip(p, epsilon, 1.0 - epsilon)


def normalised(p: Array, axis: int) -> Array:
    """Rows that sum to one."""
    return p / keras.ops.sum(p, axis=axis, keepdims=True)


def picked(p: Array, index: Array) -> Array:
    """The normalised and clipped probability of one class of each row, classes last; NaN where it is no class."""
    xp = namespace(p)
    inside = index >= 0
    found = clipped(pick(p, xp.where(inside, index, 0 * index)) / keras.ops.sum(p, axis=-1))
    # A product, so that the gradient is NaN too.
    return found * xp.where(inside, keras.ops.ones_like(found), keras.ops.full_like(found, float("nan")))
