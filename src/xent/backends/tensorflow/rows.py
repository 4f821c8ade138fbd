"""Row statistics, for Labels and Distribution; differentiable in q and in a soft target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from xent.backends.tensorflow.compiled import compiled, in_graph
from xent.backends.tensorflow.row_gradient import Spec, row_gradient
from xent.backends.tensorflow.scores import row_statistics
from xent.backends.tensorflow.surprisals import surprisals
from xent.core.arrays import Array, times, to_compute
from xent.kernels.coefficients import row_coefficients, target_probs
from xent.kernels.protocol import SoftTarget, Statistic


def rows(q: Array, index: Any, probs: Any, log_probs: Any, spec: Spec) -> tuple[Array, ...]:
    """The statistics that the spec wants, in its order."""
    soft = [x for x in (probs, log_probs) if x is not None]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def statistics(q: Array, *soft: Array) -> tuple[tuple[Array, ...], Callable[..., list[Array]]]:
        p, log_p = _pair(soft, probs)
        target = spec.target(index, p, log_p)
        if in_graph(q):
            found = compiled(row_statistics, spec, q, index, p, log_p)
        else:
            each = spec.kernel.row_statistics(q, target, spec.link, frozenset(spec.want))
            found = {name: getattr(each, name) for name in spec.want}
        kept = found.get("peak"), found.get("rest")

        def backward(*grads: Array) -> list[Array]:
            by: dict[Any, Array] = dict(zip(spec.want, grads, strict=True))
            c = row_coefficients(by, target, q.shape[-1])
            dq = row_gradient(q, index, p, log_p, c, spec, kept)
            if not isinstance(target, SoftTarget):
                return [dq]
            dt = _target_slope(q, target, spec, by)
            if log_p is not None:
                dt = times(tf.exp(to_compute(log_p)), dt)
            return [dq, tf.cast(dt, soft[0].dtype)]

        return tuple(found[name] for name in spec.want), backward

    found = statistics(q, *soft)
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)


def _pair(soft: tuple[Array, ...], probs: Array | None) -> tuple[Array | None, Array | None]:
    """(probabilities, log-probabilities), of which one is given at most."""
    if not soft:
        return None, None
    return (soft[0], None) if probs is not None else (None, soft[0])


def _target_slope(q: Array, target: SoftTarget, spec: Spec, by: dict[Statistic, Array]) -> Array:
    """∂/∂p of ℓ = Σ t·s, and of the divergence Σ t (log t + s), with t = on·p + off and s = −log q.

    A class outside both supports (t = 0, s = ∞) takes no part: its derivative is 0. So is that of t log t at t = 0,
    which is infinite, and which every parametrisation of t multiplies by 0.
    """
    s = surprisals(q, spec.link)
    t = tf.cast(target_probs(target), s.dtype)
    loss, divergence = by.get("loss"), by.get("divergence")
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
    return slope * spec.on
