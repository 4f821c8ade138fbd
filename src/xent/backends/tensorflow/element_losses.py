"""v·t·(−log q) + (1 − t)·(−log(1 − q)) of each element; reverse mode keeps what was given."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from xent.backends.slopes import ElementSlopes, without_dead_elements
from xent.backends.tensorflow.compiled import compiled, in_graph, refuse_forward_mode
from xent.backends.tensorflow.elements import elements
from xent.backends.tensorflow.watching import watched
from xent.core import algebra
from xent.core.arrays import Array, times, to_compute
from xent.kernels.composed import composed
from xent.kernels.protocol import Kernel, Link


def element_losses(q: Array, t: Array, positive_weight: Array | None, kernel: Kernel, link: Link) -> Array:
    """The losses; differentiable in all."""
    if in_graph(q):
        return _in_graph(q, t, positive_weight, kernel, link)
    if watched(t, positive_weight):
        yes, no = elements(q, kernel, link)
        return algebra.element_values(yes, no, t, positive_weight, None, None, None, algebra.plain)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def losses(q: Array) -> tuple[Array, Callable[[Array], Array]]:
        def backward(g: Array) -> Array:
            return _loss_gradient(q, t, positive_weight, g, kernel, link)

        return kernel.element_losses(q, link, t, positive_weight, slopes=False)[0], backward

    found: Array = losses(q)
    return found


def _in_graph(q: Array, t: Array, v: Array | None, kernel: Kernel, link: Link) -> Array:
    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def losses(q: Array, t: Array, *vs: Array) -> tuple[Array, Callable[[Array], list[Array]]]:
        v = vs[0] if vs else None

        def backward(g: Array) -> list[Array]:
            # Those by t and v are dropped from the graph where nobody asks for them.
            yes, no = elements(q, kernel, link)
            by = [_loss_gradient(q, t, v, g, kernel, link), _summed(g * ((yes if v is None else v * yes) - no), t)]
            return by if v is None else [*by, _summed(g * times(t, yes), v)]

        found = compiled(_losses_in_graph, link, q, t, v)
        return found + tf.cast(refuse_forward_mode(q[..., None]), found.dtype), backward

    found: Array = losses(q, t) if v is None else losses(q, t, v)
    return found


def _summed(g: Array, like: Array) -> Array:
    """g as the gradient by what was broadcast to its shape."""
    axes = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(g), s1=tf.shape(like)).r1
    return tf.cast(tf.reshape(tf.reduce_sum(g, axis=axes), tf.shape(like)), like.dtype)


def _loss_gradient(q: Array, t: Array, v: Array | None, g: Array, kernel: Kernel, link: Link) -> Array:
    """g·∂ℓ/∂q; differentiable in q and g."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def made(q: Array, g: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
        def backward(up: Array) -> tuple[Array, Array]:
            # Written out: in forward mode a tape in a gradient records nothing.
            no, yes = 1.0 - t, t if v is None else t * v
            x = to_compute(without_dead_elements(q, g * no, g * yes))
            by = ElementSlopes(x, link, tf.sigmoid)
            up = tf.cast(up, x.dtype)
            return tf.cast(up * g * by.curvature(no, yes), q.dtype), up * (times(no, by.no) + times(yes, by.yes))

        if in_graph(q):
            return compiled(_gradient_in_graph, link, q, t, v, g), backward
        return kernel.element_loss_gradient(q, link, t, v, g), backward

    found: Array = made(q, g)
    return found


def _losses_in_graph(link: Link, q: Array, t: Array, v: Array | None) -> Array:
    return composed.element_losses(q, link, t, v, slopes=False)[0]


def _gradient_in_graph(link: Link, q: Array, t: Array, v: Array | None, g: Array) -> Array:
    return composed.element_loss_gradient(q, link, t, v, g)
