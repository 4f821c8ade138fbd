"""−log q of every class."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from xent.core.arrays import Array, to_compute
from xent.kernels import composed
from xent.kernels.protocol import Link


def surprisals(q: Array, link: Link) -> Array:
    """−log q of each class (…, K); differentiable in q."""
    x = to_compute(q)
    if link == "logits":
        return _of_scores(x)
    return -x if link == "log_probs" else -jnp.log(x)


@jax.custom_jvp
def _of_scores(x: Array) -> Array:
    """s = −log softmax(z); ∂s = ⟨p, ∂z⟩ − ∂z."""
    return composed.surprisals(x, "logits")


@_of_scores.defjvp
def _of_scores_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    s = _of_scores(x)
    return s, jnp.sum(jnp.exp(-s) * dx, axis=-1, keepdims=True) - dx
