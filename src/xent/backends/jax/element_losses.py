"""v·t·(−log q) + (1 − t)·(−log(1 − q)) of each element: the losses of Indicators, with their slopes in the same pass
over q where they are to be differentiated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from xent.backends.jax.elements import ElementGradient, ElementJob, elements
from xent.backends.jax.operation import Result, operate
from xent.backends.jax.row_sum import given_p
from xent.backends.jax.rows import compute_dtype_of
from xent.core import algebra
from xent.core.arrays import Array, compute_dtype, times
from xent.kernels.protocol import Kernel, Link, Statistic


@dataclass(frozen=True)
class ElementLosses(ElementJob):
    """(q, t, v) → the loss of each element; with ``slopes`` also ∂ℓ/∂q, in q's type."""

    slopes: bool = False

    want: ClassVar[frozenset[Statistic]] = frozenset({"loss"})

    def results(self, x: dict[str, Any]) -> tuple[Result, ...]:
        loss: Result = (True, compute_dtype_of(x["q"]))
        return (loss, (True, x["q"].dtype)) if self.slopes else (loss,)

    def run(self, kernel: Kernel, x: dict[str, Array], out: Sequence[Any] | None = None) -> tuple[Array, ...]:
        if out is not None:
            from xent.kernels.cpu.elements import losses

            places = (out[0], out[1] if self.slopes else None)
            loss, slope = losses(x["q"], self.link, x["t"], x.get("v"), self.slopes, places)
            return (loss,) if slope is None else (loss, slope)
        loss, slope = kernel.element_losses(x["q"], self.link, x["t"], x.get("v"), slopes=self.slopes)
        return (loss,) if slope is None else (loss, slope)

    def jvp(self, x: dict[str, Array], d: dict[str, Any]) -> tuple[Sequence[Array], Sequence[Any]]:
        if not self.slopes:
            loss, slope = operate(ElementLosses(self.link, True), **x)
            # Not a plain product: an element of which nothing is asked has no derivative, whatever it holds.
            along = given_p.bind(d["q"], slope, keep=slope.ndim) if "q" in d else None
            return [loss], [_sum(along, _by_truth(x, d, self.link))]
        moving = {name: d[name] for name in d}
        _, tangents = jax.jvp(lambda y: _open({**x, **y}, self.link), ({n: x[n] for n in moving},), (moving,))
        return operate(self, **x), list(tangents)


def _by_truth(x: dict[str, Array], d: dict[str, Any], link: Link) -> Array | None:
    """The tangent by t and v."""
    if "t" not in d and "v" not in d:
        return None
    yes, no = elements(x["q"], link)
    v = x.get("v", 1.0)
    parts = [d["t"] * (v * yes - no)] if "t" in d else []
    if "v" in d:
        parts.append(times(x["t"], yes) * d["v"])
    return sum(parts[1:], parts[0])


def _open(x: dict[str, Array], link: Link) -> tuple[Array, Array]:
    """Loss and slope in operations that can be differentiated again."""
    t, v = x["t"], x.get("v")
    yes, no = elements(x["q"], link)
    (slope,) = operate(ElementGradient(link), q=x["q"], a=1.0 - t, b=t if v is None else t * v)
    return algebra.element_values(yes, no, t, v, None, None, None, algebra.plain), slope


def _sum(first: Array | None, second: Array | None) -> Array | None:
    return second if first is None else first if second is None else first + second


def element_losses(q: Array, link: Link, t: Array, positive_weight: Array | None) -> Array:
    """The losses; differentiable in all."""
    kind = compute_dtype(q)
    t, v = (None if x is None else jnp.broadcast_to(x, q.shape).astype(kind) for x in (t, positive_weight))
    (found,) = operate(ElementLosses(link), q=q, t=t, v=v)
    return found
