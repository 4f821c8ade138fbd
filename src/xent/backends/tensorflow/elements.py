"""(−log q, −log(1 − q)) of each element, for Indicators."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from xent.backends.slopes import ElementSlopes, without_dead_elements
from xent.backends.tensorflow.compiled import compiled, in_graph, refuse_forward_mode
from xent.core.arrays import Array, to_compute
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
    def made(q: Array, a: Array, b: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array, Array]]]:
        def backward(g: Array) -> tuple[Array, Array, Array]:
            x = to_compute(without_dead_elements(q, a, b))
            by = ElementSlopes(x, link, tf.sigmoid)
            g = tf.cast(g, x.dtype)
            return tf.cast(g * by.curvature(a, b), q.dtype), g * by.no, g * by.yes

        if in_graph(q):
            return compiled(_gradient_in_graph, link, q, a, b), backward
        return kernel.element_gradient(q, link, a, b), backward

    found: Array = made(q, a, b)
    return found
