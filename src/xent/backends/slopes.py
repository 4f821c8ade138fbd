"""The derivatives of statistics and of their gradients, in array operations that a framework can differentiate again.

They are the formulas that PyTorch's, JAX's and TensorFlow's rules share. ``surprisals`` is the backend's own −log q, as
it differs in how a framework is told its derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from xent.core.arrays import Array, namespace, sum_classes, times, to_compute
from xent.kernels.coefficients import target_probs
from xent.kernels.composed import dense_target
from xent.kernels.protocol import Link, RowCoefficients, SoftTarget, Target

Surprisals: TypeAlias = Callable[[Array, Link], Array]


class Slopes:
    """The derivatives of G = a·p − b·t + h·∂H.

    With a, b and h fixed G is itself a gradient, so its Jacobian by q is symmetric: ``curvature`` serves both modes.
    """

    def __init__(self, q: Array, target: Target | None, link: Link, c: RowCoefficients, surprisals: Surprisals) -> None:
        self.link, self.target = link, target
        self.a, self.b, self.h = (None if x is None else x[..., None] for x in (c.a, c.b, c.h))
        q = self._without_dead_rows(q, surprisals(q, link))
        self.x = to_compute(q)
        self.s = surprisals(q, link)
        self.xp = namespace(self.x)
        self.p = self.x if link == "probs" else self.xp.exp(-self.s)

    def by_scalar(self, name: str) -> Array:
        """∂G/∂a, ∂G/∂b or ∂G/∂h."""
        if name == "a":
            return self.p if self.link == "logits" else self.xp.zeros_like(self.p)
        return self._minus_target() if name == "b" else self._entropy_slope()

    def by_probs(self) -> Array:
        """∂G/∂(probabilities of the target)."""
        assert self.b is not None
        assert self.target is not None
        b = self.b * self.target.on
        return -b * self.xp.ones_like(self.x) if self.link != "probs" else -b / self._divisor()

    def by_log_probs(self, log_probs: Array) -> Array:
        return times(self.xp.exp(to_compute(log_probs)), self.by_probs())

    def curvature(self, v: Array) -> Array:
        """(∂G/∂q)·v."""
        found = self.xp.zeros_like(self.x)
        p, s = self.p, self.s
        if self.link == "logits":
            ds = sum_classes(p * v, keepdims=True) - v
            if self.a is not None:
                found = found - self.a * p * ds
            if self.h is not None:
                entropy = sum_classes(times(p, s), keepdims=True)
                d_entropy = -sum_classes(times(p, s) * ds, keepdims=True)
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
            return self.xp.zeros_like(self.x)
        t = dense_target(self.target, self.x)
        return -t if self.link != "probs" else -t / self._divisor()

    def _divisor(self) -> Array:
        """q, and 1 where the target has no mass: there 0/0 is 0."""
        assert self.target is not None
        return self.xp.where(dense_target(self.target, self.x) == 0, 1.0, self.x)

    def _entropy_slope(self) -> Array:
        """∂H(q)/∂(what Q holds)."""
        if self.link == "probs":
            return self.s - 1
        if self.link == "log_probs":
            return times(self.p, self.s - 1)
        return times(self.p, self.s - sum_classes(times(self.p, self.s), keepdims=True))

    def _without_dead_rows(self, q: Array, s: Array) -> Array:
        """Zeros (for probabilities ones) in the rows that take no part and hold no distribution, so that NaN in an
        ignored row reaches no derivative. A row of weight zero that holds one keeps it: its weight has a derivative."""
        xp = namespace(q)
        dead = xp.any(xp.isnan(s), axis=-1, keepdims=True)
        for c in (self.a, self.b, self.h):
            if c is not None:
                dead = dead & (c == 0)
        return xp.where(dead, 1.0 if self.link == "probs" else 0.0, q)


def target_slope(s: Array, target: SoftTarget, loss: Array | None, divergence: Array | None) -> Array:
    """∂/∂p of ℓ = Σ t·s and of the divergence Σ t (log t + s), weighed by one number a row each.

    With t = on·p + off and s = −log q. A class outside both supports (t = 0, s = ∞) takes no part: its derivative is 0.
    So is that of t log t at t = 0, which is infinite, and which every parametrisation of t multiplies by 0.
    """
    xp = namespace(s)
    t = xp.astype(target_probs(target), s.dtype, copy=False)
    void = (t == 0) & xp.isinf(s)
    for upstream in (loss, divergence):
        if upstream is not None:
            # A row that does not count (ignored, or of weight 0) has a slope of 0, whatever its scores hold.
            void = void | ((upstream == 0)[..., None] & ~xp.isfinite(s))
    s = xp.where(void, 0.0, s)
    slope = xp.zeros_like(s)
    if loss is not None:
        slope = slope + loss[..., None] * s
    if divergence is not None:
        own = xp.where(t == 0, 0.0, xp.log(xp.where(t == 0, 1.0, t)) + 1)
        slope = slope + divergence[..., None] * (own + s)
    return slope * target.on


class ElementSlopes:
    """∂(−log(1 − q)) and ∂(−log q) by what Q holds, ``no`` and ``yes``, and their derivatives.

    ``sigmoid`` is the framework's own: one of exponentials has a wrong derivative somewhere, or overflows.
    """

    def __init__(self, x: Array, link: Link, sigmoid: Callable[[Array], Array]) -> None:
        xp = namespace(x)
        if link == "logits":
            self.no, self.yes = sigmoid(x), -sigmoid(-x)
            self.d_no = self.d_yes = -self.no * self.yes
        elif link == "log_probs":
            self.no, self.yes = xp.exp(x) / -xp.expm1(x), -xp.ones_like(x)
            self.d_no, self.d_yes = self.no / -xp.expm1(x), xp.zeros_like(x)
        else:
            self.no, self.yes = 1 / (1 - x), -1 / x
            self.d_no, self.d_yes = self.no**2, self.yes**2

    def curvature(self, a: Array, b: Array) -> Array:
        """∂(a·no + b·yes)."""
        return times(a, self.d_no) + times(b, self.d_yes)


def without_dead_elements(q: Array, a: Array, b: Array) -> Array:
    """½ in the elements that take no part and hold NaN, so that it reaches no second derivative."""
    xp = namespace(q)
    return xp.where((a == 0) & (b == 0) & xp.isnan(q), 0.5, q)
