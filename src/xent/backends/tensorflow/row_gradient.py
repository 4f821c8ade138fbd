"""The kernel's gradient by q, as a function of q, the target and the row scalars that can itself be differentiated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from xent.backends.tensorflow import scores
from xent.backends.tensorflow.compiled import compiled, in_graph
from xent.backends.tensorflow.surprisals import surprisals
from xent.core.arrays import Array, times, to_compute
from xent.kernels.composed import dense_target
from xent.kernels.protocol import HardTarget, Kernel, Link, RowCoefficients, SoftTarget, Statistic, Target


@dataclass(frozen=True)
class Spec:
    """What a row function knows besides its tensors."""

    kernel: Kernel
    link: Link
    want: tuple[Statistic, ...]
    on: float
    off: float

    def target(self, index: Array | None, probs: Array | None, log_probs: Array | None) -> Target | None:
        if index is not None:
            return HardTarget(index, self.on, self.off)
        if probs is None and log_probs is None:
            return None
        return SoftTarget(probs, self.on, self.off, log_probs)


def row_gradient(
    q: Array,
    index: Any,
    probs: Any,
    log_probs: Any,
    c: RowCoefficients,
    spec: Spec,
    kept: tuple[Array | None, Array | None],
) -> Array:
    """``Kernel.row_gradient``; differentiable in q, a soft target and a, b, h. ``kept``: the peak and rest of rows."""
    given = {"q": q, "probs": probs, "log_probs": log_probs, "a": c.a, "b": c.b, "h": c.h}
    names = [name for name, x in given.items() if x is not None]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def gradient(*tensors: Array) -> tuple[Array, Callable[[Array], list[Array]]]:
        x = dict.fromkeys(given) | dict(zip(names, tensors, strict=True))
        p, log_p, a, b, h = x["probs"], x["log_probs"], x["a"], x["b"], x["h"]
        if in_graph(x["q"]):
            found = compiled(scores.gradient, spec, x["q"], index, p, log_p, a, b, h, *kept)
        else:
            target = spec.target(index, p, log_p)
            found = spec.kernel.row_gradient(x["q"], target, spec.link, RowCoefficients(a, b, h))

        def backward(g: Array) -> list[Array]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(tensors)
                same = _differentiable(x, index, spec)
            slopes: list[Array] = tape.gradient(same, tensors, g, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return slopes

        return found, backward

    found: Array = gradient(*(given[name] for name in names))
    return found


def _differentiable(x: dict[str, Any], index: Any, spec: Spec) -> Array:
    """G = a·p − b·t − h·∂H, from whose operations TensorFlow can make every derivative."""
    a, b, h = (None if x[name] is None else x[name][..., None] for name in ("a", "b", "h"))
    q = _without_dead_rows(x["q"], spec.link, a, b, h)
    wide = to_compute(q)
    s = surprisals(q, spec.link)
    p = wide if spec.link == "probs" else tf.exp(-s)
    found = tf.zeros_like(s)
    if spec.link == "logits" and a is not None:
        found += a * p
    target = spec.target(index, x["probs"], x["log_probs"])
    if b is not None and target is not None:
        t = dense_target(target, wide)
        found -= b * t if spec.link != "probs" else b * t / tf.where(t == 0, tf.ones_like(wide), wide)
    if h is not None:
        slope = s - 1.0 if spec.link == "probs" else times(p, s - 1.0)
        if spec.link == "logits":
            slope = times(p, s - tf.reduce_sum(times(p, s), axis=-1, keepdims=True))
        found += h * slope
    return tf.cast(found, q.dtype)


def _without_dead_rows(q: Array, link: Link, *coefficients: Array | None) -> Array:
    """Zeros (for probabilities ones) in the rows that take no part and hold no distribution, so that NaN in an
    ignored row reaches no derivative. A row of weight zero that holds one keeps it: its weight has a derivative."""
    idle = tf.constant(True)
    for c in coefficients:
        if c is not None:
            idle = idle & (c == 0)
    undefined = tf.reduce_any(tf.math.is_nan(surprisals(q, link)), axis=-1, keepdims=True)
    return tf.where(idle & undefined, tf.cast(1.0 if link == "probs" else 0.0, q.dtype), q)
