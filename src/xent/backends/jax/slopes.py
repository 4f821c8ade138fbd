"""The derivatives of statistics and of their gradients, in operations that JAX can differentiate again."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from xent.backends.jax.surprisals import surprisals
from xent.core.arrays import Array, times, to_compute
from xent.kernels.coefficients import target_probs
from xent.kernels.composed import dense_target
from xent.kernels.protocol import HardTarget, Link, RowCoefficients, SoftTarget, Statistic, Target


@dataclass(frozen=True)
class Spec:
    """What a function of rows knows besides its arrays."""

    link: Link
    want: tuple[Statistic, ...]
    on: float = 1.0
    off: float = 0.0

    def target(self, index: Array | None, probs: Array | None, log_probs: Array | None) -> Target | None:
        if index is not None:
            return HardTarget(index, self.on, self.off)
        if probs is None and log_probs is None:
            return None
        return SoftTarget(probs, self.on, self.off, log_probs)


class Slopes:
    """The derivatives of G = a·p − b·t + h·∂H.

    With a, b and h fixed G is itself a gradient, so its Jacobian by q is symmetric: ``curvature`` serves both modes.
    """

    def __init__(self, q: Array, target: Target | None, c: RowCoefficients, spec: Spec) -> None:
        self.spec, self.link, self.target = spec, spec.link, target
        self.a, self.b, self.h = (None if x is None else x[..., None] for x in (c.a, c.b, c.h))
        q = _without_dead_rows(q, spec.link, c)
        self.x = to_compute(q)
        self.s = surprisals(q, spec.link)
        self.p = self.x if spec.link == "probs" else jnp.exp(-self.s)

    def by_scalar(self, name: str) -> Array:
        """∂G/∂a, ∂G/∂b or ∂G/∂h."""
        if name == "a":
            return self.p if self.link == "logits" else jnp.zeros_like(self.p)
        return self._minus_target() if name == "b" else self._entropy_slope()

    def by_probs(self) -> Array:
        """∂G/∂(probabilities of the target)."""
        assert self.b is not None
        b = self.b * self.spec.on
        return -jnp.broadcast_to(b, self.x.shape) if self.link != "probs" else -b / self._divisor()

    def by_log_probs(self, log_probs: Array) -> Array:
        return times(jnp.exp(to_compute(log_probs)), self.by_probs())

    def curvature(self, v: Array) -> Array:
        """(∂G/∂q)·v."""
        found = jnp.zeros_like(self.x)
        p, s = self.p, self.s
        if self.link == "logits":
            ds = jnp.sum(p * v, axis=-1, keepdims=True) - v
            if self.a is not None:
                found = found - self.a * p * ds
            if self.h is not None:
                entropy = jnp.sum(times(p, s), axis=-1, keepdims=True)
                d_entropy = -jnp.sum(times(p, s) * ds, axis=-1, keepdims=True)
                found = found + self.h * (p * (ds - d_entropy) - times(p, s - entropy) * ds)
        elif self.link == "log_probs":
            if self.h is not None:
                found = found + self.h * times(p, s - 2) * v
        else:
            if self.b is not None and self.target is not None:
                found = found - self.b * self._minus_target() / self._divisor() * v
            if self.h is not None:
                found = found - self.h / p * v
        return found

    def _minus_target(self) -> Array:
        if self.target is None:
            return jnp.zeros_like(self.x)
        t = dense_target(self.target, self.x)
        return -t if self.link != "probs" else -t / self._divisor()

    def _divisor(self) -> Array:
        """q, and 1 where the target has no mass: there 0/0 is 0."""
        assert self.target is not None
        return jnp.where(dense_target(self.target, self.x) == 0, 1.0, self.x)

    def _entropy_slope(self) -> Array:
        """∂H(q)/∂(what Q holds)."""
        if self.link == "probs":
            return self.s - 1
        if self.link == "log_probs":
            return times(self.p, self.s - 1)
        return times(self.p, self.s - jnp.sum(times(self.p, self.s), axis=-1, keepdims=True))


def target_slope(q: Array, target: SoftTarget, link: Link, loss: Array | None, divergence: Array | None) -> Array:
    """∂/∂p of ℓ = Σ t·s and of the divergence Σ t (log t + s), weighed by one number a row each.

    With t = on·p + off and s = −log q. A class outside both supports (t = 0, s = ∞) takes no part: its derivative is 0.
    So is that of t log t at t = 0, which is infinite, and which every parametrisation of t multiplies by 0.
    """
    s = surprisals(q, link)
    t = target_probs(target).astype(s.dtype)
    void = (t == 0) & jnp.isinf(s)
    for upstream in (loss, divergence):
        if upstream is not None:
            # A row that does not count (ignored, or of weight 0) has a slope of 0, whatever its scores hold.
            void = void | ((upstream == 0)[..., None] & ~jnp.isfinite(s))
    s = jnp.where(void, 0.0, s)
    slope = jnp.zeros_like(s)
    if loss is not None:
        slope = slope + loss[..., None] * s
    if divergence is not None:
        own = jnp.where(t == 0, 0.0, jnp.log(jnp.where(t == 0, 1.0, t)) + 1)
        slope = slope + divergence[..., None] * (own + s)
    return slope * target.on


def _without_dead_rows(q: Array, link: Link, coefficients: RowCoefficients) -> Array:
    """Zeros (for probabilities ones) in the rows that take no part and hold no distribution, so that NaN in an
    ignored row reaches no derivative. A row of weight zero that holds one keeps it: its weight has a derivative."""
    idle = jnp.ones(q.shape[:-1], dtype=jnp.bool)
    for c in (coefficients.a, coefficients.b, coefficients.h):
        if c is not None:
            idle = idle & (c == 0)
    dead = idle & jnp.isnan(surprisals(q, link)).any(-1)
    return jnp.where(dead[..., None], 1.0 if link == "probs" else 0.0, q)
