"""(−log q, −log(1 − q)) of each element, for Indicators."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from xent.core.arrays import Array, times, to_compute
from xent.kernels.composed import composed
from xent.kernels.protocol import Link


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def elements(link: Link, q: Array) -> tuple[Array, Array]:
    """(−log q, −log(1 − q)); differentiable in q."""
    return composed.element_statistics(q, link)


@elements.defjvp
def _elements_jvp(link: Link, primals: Any, tangents: Any) -> Any:
    (q,), (dq,) = primals, tangents
    x = to_compute(q)
    one, zero = jnp.ones_like(x), jnp.zeros_like(x)
    d_yes = element_gradient(link, x, zero, one) * dq
    return elements(link, q), (d_yes, element_gradient(link, x, one, zero) * dq)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def element_gradient(link: Link, q: Array, a: Array, b: Array) -> Array:
    """a·∂(−log(1 − q)) + b·∂(−log q); differentiable in q, a and b."""
    return composed.element_gradient(q, link, a, b)


@element_gradient.defjvp
def _element_gradient_jvp(link: Link, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (q, a, b), (dq, da, db) = primals, tangents
    # NaN of an element that takes no part reaches no second derivative.
    x = to_compute(jnp.where((a == 0) & (b == 0) & jnp.isnan(q), 0.5, q))
    (no, yes), (d_no, d_yes) = _slopes(x, link)
    tangent = da * no + db * yes + (times(a, d_no) + times(b, d_yes)) * dq
    return element_gradient(link, q, a, b), tangent.astype(q.dtype)


def _slopes(x: Array, link: Link) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """∂(−log(1 − q)) and ∂(−log q) by what Q holds, and their derivatives."""
    if link == "logits":
        no, yes = jax.nn.sigmoid(x), -jax.nn.sigmoid(-x)
        return (no, yes), (-no * yes, -no * yes)
    if link == "log_probs":
        no = jnp.exp(x) / -jnp.expm1(x)
        return (no, -jnp.ones_like(x)), (no / -jnp.expm1(x), jnp.zeros_like(x))
    return (1 / (1 - x), -1 / x), ((1 - x) ** -2, x**-2)
