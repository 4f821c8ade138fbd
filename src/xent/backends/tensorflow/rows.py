"""Row statistics, for Labels and Distribution; differentiable in q and in a soft target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import tensorflow as tf

from xent.backends.slopes import target_slope
from xent.backends.tensorflow import scores
from xent.backends.tensorflow.compiled import compiled, in_graph, refuse_forward_mode
from xent.backends.tensorflow.row_gradient import row_gradient
from xent.backends.tensorflow.spec import Spec
from xent.backends.tensorflow.surprisals import surprisals
from xent.core.arrays import Array, times, to_compute
from xent.kernels.coefficients import row_coefficients
from xent.kernels.protocol import Link, SoftTarget, Statistic


def rows(q: Array, index: Any, probs: Any, log_probs: Any, spec: Spec) -> tuple[Array, ...]:
    """The statistics that the spec wants, in its order."""
    if in_graph(q):
        spec = replace(spec, kernel=None)
    target = spec.target(index, probs, log_probs)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def statistics(q: Array) -> tuple[tuple[Array, ...], Callable[..., Array]]:
        peak = rest = None
        if spec.kernel is None:
            found, peak, rest = compiled(_in_graph, spec, q, index, probs, log_probs)
            found = {name: x + tf.cast(refuse_forward_mode(q), x.dtype) for name, x in found.items()}
        else:
            # A tape sees what a custom gradient closes over: the target's derivative is that of ``_of_target`` alone.
            fixed = spec.target(index, _constant(probs), _constant(log_probs))
            each = spec.kernel.row_statistics(q, fixed, spec.link, frozenset(spec.want))
            found = {name: getattr(each, name) for name in spec.want}

        def backward(*grads: Array) -> Array:
            c = row_coefficients(dict(zip(spec.want, grads, strict=True)), target, q.shape[-1])
            return row_gradient(q, index, probs, log_probs, c, spec, peak, rest)

        return tuple(found[name] for name in spec.want), backward

    found = statistics(q)
    found = tuple(found) if isinstance(found, (tuple, list)) else (found,)
    held = probs if log_probs is None else log_probs
    if not isinstance(target, SoftTarget) or held is None or not held.dtype.is_floating:
        return found
    return tuple(
        x + _of_target(held, x, q, target, spec.link, name) if name in ("loss", "divergence") else x
        for name, x in zip(spec.want, found, strict=True)
    )


def _constant(x: Array | None) -> Array | None:
    return None if x is None else tf.stop_gradient(x)


def _of_target(held: Array, like: Array, q: Array, target: SoftTarget, link: Link, name: Statistic) -> Array:
    """0, with the derivative of a statistic by the target.

    A function of its own: a tape that does not watch the target does not ask for what is of the size of the scores.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def nothing(held: Array) -> tuple[Array, Callable[[Array], Array]]:
        def backward(g: Array) -> Array:
            loss, divergence = (g if name == of else None for of in ("loss", "divergence"))
            dt = target_slope(surprisals(q, link), target, loss, divergence)
            if target.log_probs is not None:
                dt = times(tf.exp(to_compute(target.log_probs)), dt)
            return tf.cast(dt, held.dtype)

        zeros = tf.zeros_like(like)
        return zeros + tf.cast(refuse_forward_mode(held), zeros.dtype) if in_graph(held) else zeros, backward

    found: Array = nothing(held)
    return found


def _in_graph(spec: Spec, q: Array, index: Any, probs: Any, log_probs: Any) -> Any:
    return scores.statistics(q, spec.target(index, probs, log_probs), spec.link, spec.want)
