"""JAX: kernels that are differentiable, under every transformation that JAX has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from xent.backends.jax.element_losses import element_losses
from xent.backends.jax.elements import elements
from xent.backends.jax.kernel import operating
from xent.backends.jax.memory import readable
from xent.backends.jax.row_sum import row_losses, row_sum
from xent.backends.jax.rows import rows
from xent.backends.jax.surprisals import surprisals
from xent.backends.spec import Spec
from xent.backends.unfused import Unfused
from xent.core import algebra
from xent.core.arrays import Array, dtype_name
from xent.core.shaping import Shaping
from xent.kernels.protocol import Kernel, Link, Statistic, Target

__all__ = ["JaxBackend", "backend"]


class JaxBackend(Unfused):
    """See ``xent.backends.protocol``."""

    name = "jax"

    def reads(self, x: Array, *others: Any) -> bool:
        if any(isinstance(y, jax.core.Tracer) for y in (x, *others)):
            return False
        return readable(x)

    def traced(self, x: Array) -> bool:
        return not hasattr(x, "devices") or isinstance(x, jax.core.Tracer)

    def quiet(self) -> AbstractContextManager[object]:
        return nullcontext()

    def kernel(self, kernel: Kernel) -> Kernel:
        return operating

    def rows(
        self, kernel: Kernel, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]
    ) -> dict[str, Array]:
        on, off = (target.on, target.off) if target is not None else (1.0, 0.0)
        names = tuple(sorted(want))
        if want == {"loss"} and link == "logits" and target is not None and dtype_name(q) in ("float32", "float64"):
            # A gradient in half precision would be rounded twice.
            return {"loss": row_losses(q, target, Spec(link, names, on, off))}
        found = rows(q, target, Spec(link, names, on, off))
        return dict(zip(names, found, strict=True))

    def fuses(self, q: Array, *others: Any) -> bool:
        # Whether a gradient will be wanted is known when reverse mode comes; until then it is the losses alone.
        return self.traced(q)

    def row_sum(
        self, kernel: Kernel, q: Array, target: Target, link: Link, c: Array, total: Callable[[Array], Array]
    ) -> Array | None:
        found = row_sum(q, target, c, Spec(link, ("loss",), target.on, target.off))
        # The total of no loss: 0, or what a mean over nothing is.
        return found + total(jnp.zeros(q.shape[:-1], found.dtype))

    def elements(self, kernel: Kernel, q: Array, link: Link) -> tuple[Array, Array]:
        return elements(q, link)

    def element_losses(self, kernel: Kernel, q: Array, link: Link, t: Array, positive_weight: Array | None) -> Array:
        if dtype_name(q) in ("float32", "float64"):
            return element_losses(q, link, t, positive_weight)
        # A slope in half precision would be rounded twice.
        yes, no = elements(q, link)
        return algebra.element_values(yes, no, t, positive_weight, None, None, None, algebra.plain)

    def surprisals(self, q: Array, link: Link) -> Array:
        return surprisals(q, link)

    def apply(self, shaping: Shaping, loss: Array) -> Array:
        return _shape(shaping, loss)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _shape(shaping: Shaping, loss: Array) -> Array:
    """φ with the φ′ that it states: what JAX would make of φ is NaN at its edges."""
    return shaping.value(loss)


@_shape.defjvp
def _shape_jvp(shaping: Shaping, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (loss,), (d_loss,) = primals, tangents
    return _shape(shaping, loss), d_loss * shaping.derivative(loss)


backend = JaxBackend()
