"""Row statistics, for Labels and Distribution; differentiable in q and in a soft target.

Reverse mode keeps q and the target, and makes the gradient from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from xent.backends.jax.operation import Result, operate
from xent.backends.jax.surprisals import surprisals
from xent.backends.slopes import Slopes, target_slope
from xent.backends.spec import Spec
from xent.core.arrays import Array, compute_dtype, dtype_name, library, namespace, times, to_compute
from xent.kernels.coefficients import row_coefficients
from xent.kernels.protocol import Kernel, RowCoefficients, SoftTarget, Target, Task

TRUTH = ("index", "probs", "log_probs")


def truth_of(x: dict[str, Any]) -> dict[str, Any]:
    return {name: x.get(name) for name in TRUTH}


@dataclass(frozen=True)
class RowJob:
    """What the jobs of rows share."""

    spec: Spec

    def target(self, x: dict[str, Any]) -> Target | None:
        return self.spec.target(**truth_of(x))

    def depth(self, name: str) -> int:
        return 1 if name in ("q", "dq", "probs", "log_probs") else 0

    def task(self, x: dict[str, Any], device: str, *, traced: bool) -> Task:
        q = x["q"]
        return Task(
            family="rows",
            link=self.spec.link,
            target="hard" if "index" in x else "soft" if "probs" in x or "log_probs" in x else "none",
            library="jax" if traced else library(q),
            device=device,
            dtype=dtype_name(q),
            shape=tuple(q.shape),
            want=frozenset(self.spec.want),
            traced=traced,
            smoothed="index" in x and bool(self.spec.off),
        )

    def transpose(self, cotangents: Sequence[Any], x: dict[str, Array]) -> Array:
        raise AssertionError("not linear")


@dataclass(frozen=True)
class Statistics(RowJob):
    """(q, truth) → the statistics that the spec wants, in its order."""

    def results(self, x: dict[str, Any]) -> tuple[Result, ...]:
        kind, whole = compute_dtype_of(x["q"]), jnp.result_type(int)
        return tuple((False, whole if name == "argmax" else kind) for name in self.spec.want)

    def run(self, kernel: Kernel, x: dict[str, Array], out: Sequence[Any] | None = None) -> tuple[Array, ...]:
        found = kernel.row_statistics(x["q"], self.target(x), self.spec.link, frozenset(self.spec.want))
        return filled(out, *(getattr(found, name) for name in self.spec.want))

    def jvp(self, x: dict[str, Array], d: dict[str, Any]) -> tuple[Sequence[Array], Sequence[Any]]:
        q, target, want = x["q"], self.target(x), self.spec.want
        found: dict[str, Any] = dict.fromkeys(want)
        if "dq" in d or "q" in d:
            dq = d["q"]
            if "score_sum" in want:
                found["score_sum"] = jnp.sum(dq.astype(compute_dtype(q)), axis=-1)
            sloping = tuple(name for name in want if name not in ("argmax", "score_sum"))
            if sloping:
                job = Tangents(Spec(self.spec.link, sloping, self.spec.on, self.spec.off))
                found.update(zip(sloping, operate(job, q=q, **truth_of(x), dq=dq), strict=True))
        along = d.get("probs")
        if "log_probs" in d:
            along = jnp.exp(to_compute(x["log_probs"])) * to_compute(d["log_probs"])  # linear in the tangent
        if isinstance(target, SoftTarget) and along is not None:
            one = jnp.ones(q.shape[:-1], compute_dtype(q))
            for name in ("loss", "divergence"):
                if name in want:
                    by = {name: one}
                    slope = target_slope(surprisals(q, self.spec.link), target, by.get("loss"), by.get("divergence"))
                    tangent = jnp.sum(slope * along, axis=-1)
                    found[name] = tangent if found[name] is None else found[name] + tangent
        return operate(self, **x), [found[name] for name in want]


@dataclass(frozen=True)
class Tangents(RowJob):
    """(q, truth, dq) → ⟨∂s/∂q, dq⟩ for each statistic s that the spec wants. Linear in dq."""

    def results(self, x: dict[str, Any]) -> tuple[Result, ...]:
        return ((False, compute_dtype_of(x["q"])),) * len(self.spec.want)

    def run(self, kernel: Kernel, x: dict[str, Array], out: Sequence[Any] | None = None) -> tuple[Array, ...]:
        xp = namespace(x["q"])
        # In the type of the arithmetic, so that the slopes of half precision are not rounded before they are summed.
        q, dq = to_compute(x["q"]), to_compute(x["dq"])
        one, found = xp.ones(q.shape[:-1], dtype=q.dtype), []
        for name in self.spec.want:
            c = row_coefficients({name: one}, self.target(x), q.shape[-1])
            found.append(xp.sum(times(dq, kernel.row_gradient(q, self.target(x), self.spec.link, c)), axis=-1))
        return filled(out, *found)

    def jvp(self, x: dict[str, Array], d: dict[str, Any]) -> tuple[Sequence[Array], Sequence[Any]]:
        found = operate(self, **x)
        slopes: list[Any] = [None] * len(found)
        if "dq" in d:
            slopes = list(operate(self, **{**x, "dq": d["dq"]}))
        rest = {name: d[name] for name in d if name != "dq"}
        if rest:
            _, others = jax.jvp(lambda moving: self._open({**x, **moving}), ({n: x[n] for n in rest},), (rest,))
            slopes = [a if b is None else a + b for a, b in zip(others, slopes, strict=True)]
        return found, slopes

    def _open(self, x: dict[str, Array]) -> list[Array]:
        q, target = to_compute(x["q"]), self.target(x)
        one, found = jnp.ones(q.shape[:-1], q.dtype), []
        for name in self.spec.want:
            c = row_coefficients({name: one}, target, q.shape[-1])
            found.append(jnp.sum(row_gradient(q, truth_of(x), c, self.spec) * to_compute(x["dq"]), axis=-1))
        return found

    def transpose(self, cotangents: Sequence[Any], x: dict[str, Array]) -> Array:
        by = {name: ct for name, ct in zip(self.spec.want, cotangents, strict=True) if ct is not None}
        return row_gradient(x["q"], truth_of(x), row_coefficients(by, self.target(x), x["q"].shape[-1]), self.spec)


@dataclass(frozen=True)
class Gradient(RowJob):
    """(q, truth, a, b, h) → a·p − b·t + h·∂H, in q's type."""

    def results(self, x: dict[str, Any]) -> tuple[Result, ...]:
        return ((True, x["q"].dtype),)

    def run(self, kernel: Kernel, x: dict[str, Array], out: Sequence[Any] | None = None) -> tuple[Array, ...]:
        c = RowCoefficients(x.get("a"), x.get("b"), x.get("h"))
        if out is not None:
            from xent.kernels.cpu import softmax

            return (softmax.gradient(x["q"], self.target(x), c, out[0]),)
        return (kernel.row_gradient(x["q"], self.target(x), self.spec.link, c),)

    def jvp(self, x: dict[str, Array], d: dict[str, Any]) -> tuple[Sequence[Array], Sequence[Any]]:
        c = RowCoefficients(x.get("a"), x.get("b"), x.get("h"))
        by = Slopes(x["q"], self.target(x), self.spec.link, c, surprisals)
        parts = []
        if "q" in d:
            parts.append(by.curvature(to_compute(d["q"])))
        if "b" in x and "probs" in d:
            parts.append(by.by_probs() * to_compute(d["probs"]))
        if "b" in x and "log_probs" in d:
            parts.append(by.by_log_probs(x["log_probs"]) * to_compute(d["log_probs"]))
        parts += [by.by_scalar(name) * d[name][..., None] for name in "abh" if name in d]
        return operate(self, **x), [sum(parts[1:], parts[0]) if parts else None]


def row_gradient(q: Array, truth: dict[str, Any], c: RowCoefficients, spec: Spec) -> Array:
    """``Kernel.row_gradient``; differentiable in q, a soft target and a, b, h."""
    if c.a is None and c.b is None and c.h is None:
        return jnp.zeros_like(q)
    each = {
        name: None if x is None else jnp.broadcast_to(x, q.shape[:-1]).astype(compute_dtype(q))
        for name, x in (("a", c.a), ("b", c.b), ("h", c.h))
    }
    (found,) = operate(Gradient(Spec(spec.link, (), spec.on, spec.off)), q=q, **truth, **each)
    return found


def rows(q: Array, target: Target | None, spec: Spec) -> list[Array]:
    """The statistics that the spec wants, in its order."""
    return operate(Statistics(spec), q=q, **operands_of(target))


def operands_of(target: Target | None) -> dict[str, Any]:
    if target is None:
        return dict.fromkeys(TRUTH)
    if isinstance(target, SoftTarget):
        return {"index": None, "probs": target.probs, "log_probs": target.log_probs}
    return {"index": target.index, "probs": None, "log_probs": None}


def filled(out: Sequence[Any] | None, *found: Array) -> tuple[Array, ...]:
    """What was found, also in the arrays ``out`` where there are any."""
    for place, values in zip(out or (), found, strict=bool(out)):
        place[...] = values
    return found


def compute_dtype_of(x: Any) -> Any:
    """The type of the arithmetic for an array or what stands for one."""
    return jnp.float64 if str(x.dtype) == "float64" else jnp.float32
