"""The derivatives of statistics and of their gradients, in operations that TensorFlow can differentiate again.

They are written out, and not left to a tape in a gradient: in forward mode such a tape records nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from xent.backends.tensorflow.surprisals import surprisals
from xent.core.arrays import Array, times, to_compute
from xent.kernels.coefficients import target_probs
from xent.kernels.composed import dense_target
from xent.kernels.protocol import HardTarget, Kernel, Link, SoftTarget, Statistic, Target


@dataclass(frozen=True)
class Spec:
    """What a row function knows besides its tensors. Without a kernel it is one of a graph."""

    kernel: Kernel | None
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


class Slopes:
    """The derivatives of G = a·p − b·t + h·∂H.

    With a, b and h fixed G is itself a gradient, so its Jacobian by q is symmetric.
    """

    def __init__(self, q: Array, target: Target | None, a: Any, b: Any, h: Any, spec: Spec) -> None:
        self.spec, self.link, self.target = spec, spec.link, target
        self.a, self.b, self.h = (None if c is None else c[..., None] for c in (a, b, h))
        q = _without_dead_rows(q, spec.link, self.a, self.b, self.h)
        self.x = to_compute(q)
        self.s = surprisals(q, spec.link)
        self.p = self.x if spec.link == "probs" else tf.exp(-self.s)

    def by_scalar(self, name: str) -> Array:
        """∂G/∂a, ∂G/∂b or ∂G/∂h."""
        if name == "a":
            return self.p if self.link == "logits" else tf.zeros_like(self.p)
        return self._minus_target() if name == "b" else self._entropy_slope()

    def by_probs(self) -> Array:
        """∂G/∂(probabilities of the target)."""
        assert self.b is not None, "a target is read where b is"
        b = self.b * self.spec.on
        return -b * tf.ones_like(self.x) if self.link != "probs" else -b / self._divisor()

    def curvature(self, v: Array) -> Array:
        """(∂G/∂q)·v."""
        found = tf.zeros_like(self.x)
        p, s = self.p, self.s
        if self.link == "logits":
            ds = tf.reduce_sum(p * v, axis=-1, keepdims=True) - v
            if self.a is not None:
                found -= self.a * p * ds
            if self.h is not None:
                entropy = tf.reduce_sum(times(p, s), axis=-1, keepdims=True)
                d_entropy = -tf.reduce_sum(times(p, s) * ds, axis=-1, keepdims=True)
                found += self.h * (p * (ds - d_entropy) - times(p, s - entropy) * ds)
        elif self.link == "log_probs":
            if self.h is not None:
                found += self.h * times(p, s - 2.0) * v
        else:
            if self.b is not None and self.target is not None:
                found -= self.b * self._minus_target() / self._divisor() * v
            if self.h is not None:
                found -= self.h / p * v
        return found

    def _minus_target(self) -> Array:
        if self.target is None:
            return tf.zeros_like(self.x)
        t = dense_target(self.target, self.x)
        return -t if self.link != "probs" else -t / self._divisor()

    def _divisor(self) -> Array:
        """q, and 1 where the target has no mass: there 0/0 is 0."""
        assert self.target is not None
        return tf.where(dense_target(self.target, self.x) == 0, tf.ones_like(self.x), self.x)

    def _entropy_slope(self) -> Array:
        """∂H(q)/∂(what Q holds)."""
        if self.link == "probs":
            return self.s - 1.0
        if self.link == "log_probs":
            return times(self.p, self.s - 1.0)
        return times(self.p, self.s - tf.reduce_sum(times(self.p, self.s), axis=-1, keepdims=True))


def target_slope(q: Array, target: SoftTarget, link: Link, loss: Array | None, divergence: Array | None) -> Array:
    """∂/∂p of ℓ = Σ t·s and of the divergence Σ t (log t + s), weighed by one number a row each.

    With t = on·p + off and s = −log q. A class outside both supports (t = 0, s = ∞) takes no part: its derivative is 0.
    So is that of t log t at t = 0, which is infinite, and which every parametrisation of t multiplies by 0.
    """
    s = surprisals(q, link)
    t = tf.cast(target_probs(target), s.dtype)
    void = (t == 0) & tf.math.is_inf(s)
    for upstream in (loss, divergence):
        if upstream is not None:
            # A row that does not count (ignored, or of weight 0) has a slope of 0, whatever its scores hold.
            void = void | ((upstream == 0)[..., None] & ~tf.math.is_finite(s))
    zero, one = tf.zeros_like(s), tf.ones_like(s)
    s = tf.where(void, zero, s)
    slope = zero
    if loss is not None:
        slope += loss[..., None] * s
    if divergence is not None:
        own = tf.where(t == 0, zero, tf.math.log(tf.where(t == 0, one, t)) + 1.0)
        slope += divergence[..., None] * (own + s)
    return slope * target.on


def _without_dead_rows(q: Array, link: Link, *coefficients: Array | None) -> Array:
    """Zeros (for probabilities ones) in the rows that take no part and hold no distribution, so that NaN in an
    ignored row reaches no derivative. A row of weight zero that holds one keeps it: its weight has a derivative."""
    idle = tf.constant(True)
    for c in coefficients:
        if c is not None:
            idle = idle & (c == 0)
    undefined = tf.reduce_any(tf.math.is_nan(surprisals(q, link)), axis=-1, keepdims=True)
    return tf.where(idle & undefined, tf.cast(1.0 if link == "probs" else 0.0, q.dtype), q)
