"""What every function of this front end does as TensorFlow does: refusals, names, result types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NoReturn

import tensorflow as tf

from xent.backends.tensorflow import backend
from xent.core.arrays import Array, compute_dtype, device_name, dtype_name
from xent.errors import KindError
from xent.kernels.protocol import HardTarget, SoftTarget, Target, Task
from xent.kernels.registry import choose

FLOATS = (tf.float16, tf.bfloat16, tf.float32, tf.float64)


def refuse(theirs: Callable[..., Any], **arguments: Any) -> NoReturn:
    """Refuse a call in TensorFlow's words: its own function raises on these arguments."""
    theirs(**arguments)
    raise KindError(
        f"xent.tensorflow.{theirs.__name__}",
        "arguments of known rank that it takes",
        "arguments that only TensorFlow's own function takes",
        f"Call tf.nn.{theirs.__name__}.",
    )


def given(x: Any) -> Array:
    """An argument as a tensor; of a variable the value, which a tape sees being read."""
    return tf.convert_to_tensor(x)


def finished(loss: Array, like: Array, name: str | None) -> Array:
    """A loss in the type of the logits; in a graph as an operation of that name."""
    loss = tf.cast(loss, like.dtype)
    return loss if name is None or tf.executing_eagerly() else tf.identity(loss, name=name)


def row_losses(q: Array, target: Target) -> Array:
    """ℓ of each row of scores, classes last, in float32 at least."""
    found = backend.rows(choose(_task(q, "rows", target)), q, target, "logits", frozenset({"loss"}))
    return found["loss"]


def element_losses(q: Array, t: Array, positive_weight: Array | None) -> Array:
    """t·v·(−log σ(z)) + (1 − t)·(−log σ(−z)) of each element, in float32 at least."""
    kind = compute_dtype(q)
    v = None if positive_weight is None else tf.cast(positive_weight, kind)
    return backend.element_losses(choose(_task(q, "elements", None)), q, "logits", tf.cast(t, kind), v)


def _task(q: Array, family: Literal["rows", "elements"], target: Target | None) -> Task:
    kind: Literal["hard", "soft"] = "hard" if isinstance(target, HardTarget) else "soft"
    assert target is None or isinstance(target, (HardTarget, SoftTarget))
    return Task(
        family,
        "logits",
        kind,
        "tensorflow",
        device_name(q),
        dtype_name(q),
        tuple(q.shape),
        frozenset({"loss"}),
        traced=backend.traced(q),
    )
