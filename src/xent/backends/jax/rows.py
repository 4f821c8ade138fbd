"""Row statistics, for Labels and Distribution; differentiable in q and in a soft target."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from xent.backends.jax.slopes import Slopes, Spec, target_slope
from xent.core.arrays import Array, times, to_compute
from xent.kernels.coefficients import row_coefficients
from xent.kernels.composed import composed
from xent.kernels.protocol import RowCoefficients, SoftTarget

Truth = tuple[Any, Any, Any]


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def rows(spec: Spec, q: Array, truth: Truth) -> tuple[Array, ...]:
    """The statistics that the spec wants, in its order; truth is (index, probs, log_probs)."""
    found = composed.row_statistics(q, spec.target(*truth), spec.link, frozenset(spec.want))
    return tuple(getattr(found, name) for name in spec.want)


@rows.defjvp
def _rows_jvp(spec: Spec, primals: Any, tangents: Any) -> Any:
    (q, truth), (dq, (_, dp, dlp)) = primals, tangents
    target = spec.target(*truth)
    x, found = to_compute(q), []
    one = jnp.ones(q.shape[:-1], x.dtype)
    primal = rows(spec, q, truth)
    for name, value in zip(spec.want, primal, strict=True):
        if name == "argmax":
            found.append(jax.custom_derivatives.zero_from_primal(value))
            continue
        if name == "score_sum":
            found.append(jnp.sum(dq.astype(x.dtype), axis=-1))
            continue
        c = row_coefficients({name: one}, target, q.shape[-1])
        tangent = jnp.sum(row_gradient(spec, x, truth, (c.a, c.b, c.h)) * dq, axis=-1)
        if isinstance(target, SoftTarget):
            by = {name: one}
            slope = target_slope(q, target, spec.link, by.get("loss"), by.get("divergence"))
            along = dp if dlp is None else times(jnp.exp(to_compute(truth[2])), dlp)
            if along.dtype != jax.dtypes.float0:
                tangent = tangent + jnp.sum(slope * along, axis=-1)
        found.append(tangent.astype(value.dtype))
    return primal, tuple(found)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def row_gradient(spec: Spec, q: Array, truth: Truth, c: tuple[Any, Any, Any]) -> Array:
    """``Kernel.row_gradient``; differentiable in q, a soft target and a, b, h."""
    return composed.row_gradient(q, spec.target(*truth), spec.link, RowCoefficients(*c))


@row_gradient.defjvp
def _row_gradient_jvp(spec: Spec, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (q, truth, c), (dq, (_, dp, dlp), dc) = primals, tangents
    by = Slopes(q, spec.target(*truth), *c, spec)
    tangent = by.curvature(dq)
    if c[1] is not None:
        if dp is not None and dp.dtype != jax.dtypes.float0:
            tangent = tangent + by.by_probs() * dp
        if dlp is not None:
            tangent = tangent + by.by_log_probs(truth[2]) * dlp
    for d, name in zip(dc, "abh", strict=True):
        if d is not None:
            tangent = tangent + by.by_scalar(name) * d[..., None]
    return row_gradient(spec, q, truth, c), tangent.astype(q.dtype)
