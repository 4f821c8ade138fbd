"""The gradient by q, as a function of q, the target and the row scalars that can itself be differentiated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import tensorflow as tf

from xent.backends.slopes import Slopes
from xent.backends.tensorflow import scores
from xent.backends.tensorflow.compiled import compiled, in_graph
from xent.backends.tensorflow.spec import Spec
from xent.backends.tensorflow.surprisals import surprisals
from xent.core.arrays import Array, times, to_compute
from xent.kernels.protocol import RowCoefficients


def row_gradient(
    q: Array,
    index: Any,
    probs: Any,
    log_probs: Any,
    c: RowCoefficients,
    spec: Spec,
    peak: Array | None,
    rest: Array | None,
) -> Array:
    """``Kernel.row_gradient``; differentiable in q, a soft target and a, b, h.

    ``peak`` and ``rest`` are the m and r of ``scores``, where they were kept.
    """
    if spec.kernel is not None and in_graph(q):
        # A gradient of an eager loss that is taken in a graph, by a tape's jacobian.
        spec = replace(spec, kernel=None)
    given = {"q": q, "probs": probs, "log_probs": log_probs, "a": c.a, "b": c.b, "h": c.h}
    names = [name for name, x in given.items() if x is not None]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def gradient(*tensors: Array) -> tuple[Array, Callable[[Array], list[Array]]]:
        x = dict.fromkeys(given) | dict(zip(names, tensors, strict=True))
        q, p, log_p, a, b, h = (x[name] for name in given)
        target = spec.target(index, p, log_p)
        if spec.kernel is None:
            found = compiled(_in_graph, spec, q, index, p, log_p, a, b, h, peak, rest)
        else:
            found = spec.kernel.row_gradient(q, target, spec.link, RowCoefficients(a, b, h))

        def backward(g: Array) -> list[Array]:
            by = Slopes(q, target, spec.link, RowCoefficients(a, b, h), surprisals)
            g = tf.cast(g, by.x.dtype)
            return [_slope(name, tensor, g, by) for name, tensor in zip(names, tensors, strict=True)]

        return found, backward

    found: Array = gradient(*(given[name] for name in names))
    return found


def _in_graph(
    spec: Spec, q: Any, index: Any, p: Any, log_p: Any, a: Any, b: Any, h: Any, peak: Any, rest: Any
) -> Array:
    return scores.gradient(q, spec.target(index, p, log_p), spec.link, RowCoefficients(a, b, h), peak, rest)


def _slope(name: str, tensor: Array, g: Array, by: Slopes) -> Array:
    if name == "q":
        found = by.curvature(g)
    elif name in ("probs", "log_probs"):
        found = g * by.by_probs() if by.b is not None else tf.zeros_like(by.x)
        if name == "log_probs":
            found = times(tf.exp(to_compute(tensor)), found)
    else:
        found = tf.reduce_sum(g * by.by_scalar(name), axis=-1)
    return tf.cast(found, tensor.dtype)
