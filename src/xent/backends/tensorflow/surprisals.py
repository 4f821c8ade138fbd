"""−log q of every class."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from xent.core.arrays import Array, to_compute
from xent.kernels import composed
from xent.kernels.protocol import Link


def surprisals(q: Array, link: Link) -> Array:
    """−log q of each class (…, K); differentiable in q."""
    if link == "logits":
        return _surprisals(q)
    x = to_compute(q)
    return -x if link == "log_probs" else -tf.math.log(x)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _surprisals(q: Array) -> tuple[Array, Callable[[Array], Array]]:
    """s = −log softmax(z); ∂s = ⟨p, ∂z⟩ − ∂z."""

    def backward(g: Array) -> Array:
        # Of q and not of s, which is a constant here: so the gradient has a gradient.
        p = tf.exp(-surprisals(q, "logits"))
        return tf.cast(p * tf.reduce_sum(g, axis=-1, keepdims=True) - g, q.dtype)

    return composed.surprisals(q, "logits"), backward
