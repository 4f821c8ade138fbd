"""(−log q, −log(1 − q)) of each element, for Indicators."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from xent.backends.tensorflow.compiled import compiled, in_graph, refuse_forward_mode
from xent.core.arrays import Array, times, to_compute
from xent.kernels.composed import composed
from xent.kernels.protocol import Kernel, Link


def elements(q: Array, kernel: Kernel, link: Link) -> tuple[Array, Array]:
    """(−log q, −log(1 − q)); differentiable in q."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def statistics(q: Array) -> tuple[tuple[Array, Array], Callable[[Array, Array], Array]]:
        def backward(d_yes: Array, d_no: Array) -> Array:
            return _gradient(q, d_no, d_yes, kernel, link)

        if not in_graph(q):
            return kernel.element_statistics(q, link), backward
        yes, no = compiled(_statistics_in_graph, link, q)
        nothing = tf.cast(refuse_forward_mode(q[..., None]), yes.dtype)
        return (yes + nothing, no + nothing), backward

    yes, no = statistics(q)
    return yes, no


def _statistics_in_graph(link: Link, q: Array) -> tuple[Array, Array]:
    return composed.element_statistics(q, link)


def _gradient_in_graph(link: Link, q: Array, a: Array, b: Array) -> Array:
    return composed.element_gradient(q, link, a, b)


def _gradient(q: Array, a: Array, b: Array, kernel: Kernel, link: Link) -> Array:
    """a·∂(−log(1 − q)) + b·∂(−log q); differentiable in q, a and b."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def gradient(q: Array, a: Array, b: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array, Array]]]:
        def backward(g: Array) -> tuple[Array, Array, Array]:
            # NaN of an element that takes no part reaches no second derivative.
            dead = (a == 0) & (b == 0) & tf.math.is_nan(q)
            x = to_compute(tf.where(dead, tf.cast(0.5, q.dtype), q))
            no, yes, d_no, d_yes = _slopes(x, link)
            g = tf.cast(g, x.dtype)
            return tf.cast(g * (times(a, d_no) + times(b, d_yes)), q.dtype), g * no, g * yes

        if in_graph(q):
            return compiled(_gradient_in_graph, link, q, a, b), backward
        return kernel.element_gradient(q, link, a, b), backward

    found: Array = gradient(q, a, b)
    return found


def _slopes(x: Array, link: Link) -> tuple[Array, Array, Array, Array]:
    """∂(−log(1 − q)) and ∂(−log q) by what Q holds, and their derivatives."""
    if link == "logits":
        no, yes = tf.sigmoid(x), -tf.sigmoid(-x)
        return no, yes, -no * yes, -no * yes
    if link == "log_probs":
        no = tf.exp(x) / -tf.math.expm1(x)
        return no, -tf.ones_like(x), no / -tf.math.expm1(x), tf.zeros_like(x)
    no, yes = 1.0 / (1.0 - x), -1.0 / x
    return no, yes, no**2, yes**2
