"""JAX: kernels that are differentiable, under every transformation that JAX has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import jax

from xent.backends.jax.elements import elements
from xent.backends.jax.rows import rows
from xent.backends.jax.slopes import Spec
from xent.backends.jax.surprisals import surprisals
from xent.core.arrays import Array
from xent.core.shaping import Shaping
from xent.kernels.protocol import HardTarget, Kernel, Link, SoftTarget, Statistic, Target

__all__ = ["JaxBackend", "backend"]


class JaxBackend:
    """See ``xent.backends.protocol``."""

    name = "jax"

    def reads(self, x: Array, *others: Any) -> bool:
        if any(isinstance(y, jax.core.Tracer) for y in (x, *others)):
            return False
        return x.is_fully_addressable and all(device.platform == "cpu" for device in x.devices())

    def traced(self, x: Array) -> bool:
        return isinstance(x, jax.core.Tracer)

    def quiet(self) -> AbstractContextManager[object]:
        return nullcontext()

    def rows(
        self, kernel: Kernel, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]
    ) -> dict[str, Array]:
        index = target.index if isinstance(target, HardTarget) else None
        probs, log_probs = (target.probs, target.log_probs) if isinstance(target, SoftTarget) else (None, None)
        on, off = (target.on, target.off) if target is not None else (1.0, 0.0)
        names = tuple(sorted(want))
        found = rows(Spec(link, names, on, off), q, (index, probs, log_probs))
        return dict(zip(names, found, strict=True))

    def fuses(self, q: Array, *others: Any) -> bool:
        return False

    def row_sum(
        self, kernel: Kernel, q: Array, target: Target, link: Link, c: Array, total: Callable[[Array], Array]
    ) -> Array | None:
        return None

    def elements(self, kernel: Kernel, q: Array, link: Link) -> tuple[Array, Array]:
        return elements(link, q)

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
