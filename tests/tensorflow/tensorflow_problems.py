"""Inputs for the tests of TensorFlow's tensors, and the ways in which TensorFlow runs a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

import xent

INF, NAN = float("inf"), float("nan")
DTYPES = ("float16", "bfloat16", "float32", "float64")
PAIRS = tuple((P, Q) for P in ("labels", "soft", "teacher", "yes") for Q in ("logits", "log_probs", "probs"))
CLASSES = 5

Function = Callable[..., Any]


def problem(P: str, Q: str, dtype: str = "float64", shape: tuple[int, ...] = (3, 4)) -> tuple[Any, Any]:
    """(P, Q) as TensorFlow's tensors, classes last."""
    rng = np.random.default_rng(len(P) * 10 + len(Q))
    full = (*shape, CLASSES)
    scores = tf.cast(tf.constant(rng.normal(size=full) * 2), dtype)
    if P == "labels":
        target: Any = xent.Labels(tf.constant(rng.integers(0, CLASSES, shape)), smoothing=0.1)
    elif P == "soft":
        target = xent.Distribution(tf.constant(rng.dirichlet(np.ones(CLASSES), shape)))
    elif P == "teacher":
        target = xent.Distribution.from_logits(tf.constant(rng.normal(size=full)), temperature=2.0)
    else:
        target = xent.Indicators(tf.constant(rng.random(full)))
    if Q == "logits":
        return target, xent.Logits(scores)
    if Q == "log_probs":
        return target, xent.LogProbabilities(tf.cast(tf.nn.log_softmax(tf.cast(scores, tf.float64)), dtype))
    return target, xent.Probabilities(tf.cast(tf.nn.softmax(tf.cast(scores, tf.float64)), dtype))


def held(Q: Any) -> Any:
    """The array that Q holds."""
    for name in ("scores", "log_probs", "probs"):
        if hasattr(Q, name):
            return getattr(Q, name)
    raise TypeError(type(Q).__name__)


def in_numpy(x: Any) -> Any:
    """A tensor in float64 (labels as they are); what is none as it is."""
    if not tf.is_tensor(x):
        return np.asarray(x)
    return x.numpy() if x.dtype.is_integer else tf.cast(x, tf.float64).numpy()


def as_numpy(P: Any, Q: Any) -> tuple[Any, Any]:
    """The same problem on NumPy, in float64."""
    if isinstance(P, xent.Labels):
        mine: Any = xent.Labels(in_numpy(P.indices), ignore=P.ignore, smoothing=P.smoothing)
    elif isinstance(P, xent.Indicators):
        mine = xent.Indicators(in_numpy(P.values))
    elif P.holds == "logits":
        mine = xent.Distribution.from_logits(in_numpy(P.probs), temperature=P.temperature)
    else:
        mine = xent.Distribution(in_numpy(P.probs))
    return mine, type(Q)(in_numpy(held(Q)), axis=Q.axis)


def value_and_tape(P: Any, kind: type, x: Any, **options: Any) -> tuple[Any, Any]:
    """The loss, and its gradient by x as a tape makes it."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = xent.cross_entropy(P, kind(x), **options)
    return loss, tape.gradient(loss, x)


def graph(f: Function, *arguments: Any) -> Function:
    return tf.function(f, autograph=False)


def xla(f: Function, *arguments: Any) -> Function:
    return tf.function(f, jit_compile=True, autograph=False)


def any_length(f: Function, *arguments: Any) -> Function:
    """Every length but the last unknown; of labels every length."""
    return tf.function(f, autograph=False, input_signature=[_open(x) for x in arguments])


def any_length_xla(f: Function, *arguments: Any) -> Function:
    return tf.function(f, autograph=False, jit_compile=True, input_signature=[_open(x) for x in arguments])


def _open(x: Any) -> Any:
    known = [] if x.dtype.is_integer else list(x.shape[-1:])
    return tf.TensorSpec([None] * (x.shape.rank - len(known)) + known, x.dtype)


MODES = {"graph": graph, "xla": xla, "any length": any_length, "any length, xla": any_length_xla}


def near(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(in_numpy(found), in_numpy(expected), rtol=tolerance, atol=tolerance)
