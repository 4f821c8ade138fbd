"""Rows of scores in a graph: their losses, and the gradient from two numbers a row.

The formulas of ``xent.kernels.composed`` in the form that XLA makes three passes of: with m = max z, n the number of
scores that reach it and r = Σ_{z<m} exp(z − m) + (n − 1), a loss is (m − z_y) + log1p(r). The gradient reads the scores
once more, with m and r kept: a·exp(z − m)/(1 + r) − b·t, and ((a − b·t) − b·t·r)/(1 + r) at a peak.
"""

from __future__ import annotations

import tensorflow as tf

from xent.core.arrays import Array, pick, sum_classes, to_compute
from xent.kernels.composed import composed, dense_target
from xent.kernels.protocol import HardTarget, Link, RowCoefficients, Statistic, Target


def statistics(
    q: Array, target: Target | None, link: Link, want: tuple[Statistic, ...]
) -> tuple[dict[str, Array], Array | None, Array | None]:
    """The statistics that are wanted, and m and r for the gradient, where scores have no more asked of them."""
    if link != "logits" or not {"loss", "lse"}.issuperset(want):
        found = composed.row_statistics(q, target, link, frozenset(want))
        return {name: getattr(found, name) for name in want}, None, None
    z = to_compute(q)
    peak = tf.reduce_max(z, axis=-1, keepdims=True)
    at_peak = z == peak
    zero = tf.zeros([], z.dtype)
    below = sum_classes(tf.where(at_peak, zero, tf.exp(z - peak)))
    ties = sum_classes(tf.cast(at_peak, z.dtype)) - 1.0
    m = peak[..., 0]
    rest = tf.where(_undefined(m, ties), tf.constant(float("nan"), z.dtype), below + ties)
    excess = tf.math.log1p(rest)
    each = {"lse": m + excess} if "lse" in want else {}
    if "loss" in want:
        assert target is not None
        each["loss"] = _loss(z, at_peak, m, excess, target)
    return each, m, rest


def _undefined(m: Array, ties: Array) -> Array:
    """NaN among the scores, none that is finite, or +∞ twice."""
    return tf.math.is_nan(m) | (tf.math.is_inf(m) & ((m < 0) | (ties > 0)))


def _loss(z: Array, at_peak: Array, m: Array, excess: Array, target: Target) -> Array:
    nan, zero = tf.constant(float("nan"), z.dtype), tf.zeros([], z.dtype)
    if isinstance(target, HardTarget):
        index = tf.cast(target.index, tf.int64)
        inside = (index >= 0) & (index < z.shape[-1])
        loss = zero * excess
        if target.on:
            picked = pick(z, tf.where(inside, index, tf.zeros_like(index)))
            loss += target.on * (tf.where(picked == m, zero, m - picked) + excess)
        if target.off:
            drops = sum_classes(tf.where(at_peak, zero, m[..., None] - z))
            loss += target.off * (drops + float(z.shape[-1]) * excess)
        return tf.where(inside, loss, nan)
    t = dense_target(target, z)
    surprisal = tf.where(at_peak, zero, m[..., None] - z) + excess[..., None]
    return sum_classes(tf.where((t == 0) & ~tf.math.is_nan(surprisal), zero, t * surprisal))


def gradient(
    q: Array, target: Target | None, link: Link, c: RowCoefficients, m: Array | None, rest: Array | None
) -> Array:
    """``Kernel.row_gradient``, from m and r where they were kept."""
    if m is None or rest is None or c.a is None or c.h is not None:
        return composed.row_gradient(q, target, link, c)
    z = to_compute(q)
    a, m, r = c.a[..., None], m[..., None], rest[..., None]
    zero = tf.zeros([], z.dtype)
    share = 1.0 / (1.0 + r)
    at_peak = z == m
    # 1 at a peak of +∞ too, where exp(m − m) is NaN.
    power = tf.where(at_peak, tf.ones([], z.dtype), tf.exp(z - m))
    idle = a == 0
    if c.b is None or target is None:
        found = a * share * power
    else:
        b = c.b[..., None]
        idle = idle & (b == 0)
        bt = b * dense_target(target, z)
        found = tf.where(at_peak, ((a - bt) - bt * r) * share, a * share * power - bt)
    return tf.cast(tf.where(idle, zero, found), q.dtype)
