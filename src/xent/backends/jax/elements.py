"""(−log q, −log(1 − q)) of each element, for Indicators; reverse mode keeps q alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from xent.backends.jax.operation import Result, operate
from xent.backends.jax.rows import compute_dtype_of
from xent.backends.slopes import ElementSlopes, without_dead_elements
from xent.core.arrays import Array, dtype_name, library, namespace, times, to_compute
from xent.kernels.protocol import Kernel, Link, Statistic, Task


@dataclass(frozen=True)
class ElementJob:
    """What the jobs of elements share."""

    link: Link

    #: See ``Task``.
    want: ClassVar[frozenset[Statistic]] = frozenset()

    def depth(self, name: str) -> int:
        return 0

    def task(self, x: dict[str, Any], device: str, *, traced: bool) -> Task:
        q = x["q"]
        name = "jax" if traced else library(q)
        shape = tuple(q.shape)
        return Task("elements", self.link, "soft", name, device, dtype_name(q), shape, self.want, traced=traced)

    def transpose(self, cotangents: Sequence[Any], x: dict[str, Array]) -> Array:
        raise AssertionError("not linear")


@dataclass(frozen=True)
class ElementStatistics(ElementJob):
    """q → (−log q, −log(1 − q))."""

    def results(self, x: dict[str, Any]) -> tuple[Result, ...]:
        return ((True, compute_dtype_of(x["q"])),) * 2

    def run(self, kernel: Kernel, x: dict[str, Array], out: Sequence[Any] | None = None) -> tuple[Array, ...]:
        return kernel.element_statistics(x["q"], self.link)

    def jvp(self, x: dict[str, Array], d: dict[str, Any]) -> tuple[Sequence[Array], Sequence[Any]]:
        return operate(self, **x), operate(ElementTangents(self.link), q=x["q"], dq=d["q"])


@dataclass(frozen=True)
class ElementTangents(ElementJob):
    """(q, dq) → the tangents of both. Linear in dq."""

    results = ElementStatistics.results

    def run(self, kernel: Kernel, x: dict[str, Array], out: Sequence[Any] | None = None) -> tuple[Array, ...]:
        xp = namespace(x["q"])
        # In the type of the arithmetic, so that the slopes of half precision are not rounded before they are used.
        q, dq = to_compute(x["q"]), to_compute(x["dq"])
        one, zero = xp.ones_like(q), xp.zeros_like(q)
        slopes = (kernel.element_gradient(q, self.link, a, b) for a, b in ((zero, one), (one, zero)))
        return tuple(times(dq, slope) for slope in slopes)

    def jvp(self, x: dict[str, Array], d: dict[str, Any]) -> tuple[Sequence[Array], Sequence[Any]]:
        parts = []
        if "dq" in d:
            parts.append(operate(self, q=x["q"], dq=d["dq"]))
        if "q" in d:
            by = ElementSlopes(to_compute(x["q"]), self.link, jax.nn.sigmoid)
            both = to_compute(x["dq"]) * to_compute(d["q"])
            parts.append([both * by.d_yes, both * by.d_no])
        return operate(self, **x), [sum(p[1:], p[0]) for p in zip(*parts, strict=True)]

    def transpose(self, cotangents: Sequence[Any], x: dict[str, Array]) -> Array:
        q = x["q"]
        zero = jnp.zeros(q.shape, compute_dtype_of(q))
        yes, no = (zero if ct is None else ct for ct in cotangents)
        return operate(ElementGradient(self.link), q=q, a=no, b=yes)[0]


@dataclass(frozen=True)
class ElementGradient(ElementJob):
    """(q, a, b) → a·∂(−log(1 − q)) + b·∂(−log q), in q's type."""

    def results(self, x: dict[str, Any]) -> tuple[Result, ...]:
        return ((True, x["q"].dtype),)

    def run(self, kernel: Kernel, x: dict[str, Array], out: Sequence[Any] | None = None) -> tuple[Array, ...]:
        return (kernel.element_gradient(x["q"], self.link, x["a"], x["b"]),)

    def jvp(self, x: dict[str, Array], d: dict[str, Any]) -> tuple[Sequence[Array], Sequence[Any]]:
        q, a, b = x["q"], x["a"], x["b"]
        by = ElementSlopes(to_compute(without_dead_elements(q, a, b)), self.link, jax.nn.sigmoid)
        parts = [d[name] * slope for name, slope in (("a", by.no), ("b", by.yes)) if name in d]
        if "q" in d:
            parts.append(by.curvature(a, b) * to_compute(d["q"]))
        return operate(self, **x), [sum(parts[1:], parts[0])]


def elements(q: Array, link: Link) -> tuple[Array, Array]:
    """(−log q, −log(1 − q)); differentiable in q."""
    yes, no = operate(ElementStatistics(link), q=q)
    return yes, no
