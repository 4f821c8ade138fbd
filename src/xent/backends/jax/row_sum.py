"""Σ c·ℓ over rows, whose gradient by the scores is made in the same pass over them when reverse mode asks for one.

The gradient waits for the backward pass in the place of the scores, and is multiplied there by what comes from above.
Everything else (forward mode, other derivatives) takes the general functions of ``rows``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src.interpreters import ad as private_ad
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from xent.backends.jax.memory import in_memory
from xent.backends.jax.operation import Result, alike, batched, operate
from xent.backends.jax.rows import RowJob, compute_dtype_of, filled, operands_of, row_gradient, rows, truth_of
from xent.backends.spec import Spec
from xent.core.arrays import Array, compute_dtype, to_compute
from xent.kernels.coefficients import row_coefficients
from xent.kernels.protocol import HardTarget, Kernel, SoftTarget, Target


@dataclass(frozen=True)
class Fused(RowJob):
    """(q, truth, c) → (ℓ of each row, the gradient of Σ c·ℓ by q, in its type)."""

    def results(self, x: dict[str, Any]) -> tuple[Result, ...]:
        return (False, compute_dtype_of(x["q"])), (True, x["q"].dtype)

    def run(self, kernel: Kernel, x: dict[str, Array], out: Sequence[Any] | None = None) -> tuple[Array, ...]:
        target = self.target(x)
        assert target is not None, "made of a target"
        if out is not None:
            from xent.kernels.cpu import softmax

            loss, gradient = softmax.fused(x["q"], target, x["c"], out[1])
            return filled(out[:1], loss)[0], gradient
        return kernel.row_fused(x["q"], target, self.spec.link, x["c"])

    def jvp(self, x: dict[str, Array], d: dict[str, Any]) -> tuple[Sequence[Array], Sequence[Any]]:
        def apart(moving: dict[str, Array]) -> tuple[Array, Array]:
            y = {**x, **moving}
            target, c = self.target(y), y["c"]
            (loss,) = rows(y["q"], target, self.spec)
            by = row_coefficients({"loss": c}, target, y["q"].shape[-1])
            return jnp.where(c == 0, 0.0, loss), row_gradient(y["q"], truth_of(y), by, self.spec)

        _, slopes = jax.jvp(apart, ({name: x[name] for name in d},), (d,))
        return operate(self, **x), slopes


def row_sum(q: Array, target: Target, c: Array, spec: Spec) -> Array:
    """Σ c·ℓ; differentiable in all. A row of c = 0 whose loss is not finite adds 0."""
    c = jnp.broadcast_to(c, q.shape[:-1]).astype(compute_dtype(q))
    given = {name: x for name, x in operands_of(target).items() if x is not None}
    found: Array = sum_p.bind(*alike([q, c, *given.values()]), spec=spec, names=tuple(given), keep=0)
    return found


def row_losses(q: Array, target: Target, spec: Spec) -> Array:
    """ℓ of each row, in the same way: each is the sum of one."""
    given = {name: x for name, x in operands_of(target).items() if x is not None}
    c = jnp.ones(q.shape[:-1], compute_dtype(q))
    found: Array = sum_p.bind(*alike([q, c, *given.values()]), spec=spec, names=tuple(given), keep=q.ndim - 1)
    return found


def _plain(q: Array, c: Array, *truth: Array, spec: Spec, names: tuple[str, ...], keep: int) -> Array:
    (loss,) = rows(q, _target(spec, names, truth), spec)
    return jnp.sum(c * jnp.where((c == 0) & ~jnp.isfinite(loss), 0.0, loss), axis=tuple(range(keep, loss.ndim)))


def _target(spec: Spec, names: tuple[str, ...], truth: Sequence[Array]) -> HardTarget | SoftTarget | None:
    return spec.target(**truth_of(dict(zip(names, truth, strict=True))))


sum_p = Primitive("xent_sum")
sum_p.def_impl(_plain)


@sum_p.def_abstract_eval
def _abstract(q: Any, c: Any, *truth: Any, spec: Spec, names: tuple[str, ...], keep: int) -> Any:
    sharding = c.sharding.update(spec=jax.sharding.PartitionSpec(*c.sharding.spec[:keep]))
    return c.update(shape=c.shape[:keep], weak_type=False, sharding=sharding)


mlir.register_lowering(sum_p, mlir.lower_fun(_plain, multiple_results=False))


def _jvp(primals: Any, tangents: Any, **params: Any) -> Any:
    moving = [not isinstance(t, ad.Zero) and t.dtype != jax.dtypes.float0 for t in tangents]

    def of(*given: Array) -> Array:
        rest = iter(given)
        return _plain(*(next(rest) if m else x for m, x in zip(moving, primals, strict=True)), **params)

    _, slope = jax.jvp(
        of,
        tuple(x for m, x in zip(moving, primals, strict=True) if m),
        tuple(t for m, t in zip(moving, tangents, strict=True) if m),
    )
    return sum_p.bind(*primals, **params), slope


ad.primitive_jvps[sum_p] = _jvp


def _batch(arrays: Any, axes: Any, *, keep: int, **params: Any) -> Any:
    return sum_p.bind(*batched(arrays, axes), keep=keep + 1, **params), 0


batching.primitive_batchers[sum_p] = _batch


def _linearize(is_vjp: bool, moving: Sequence[bool], *primals: Array, **params: Any) -> Any:
    """Reverse mode by the scores alone: the loss and its gradient at once. Everything else: the rule of ``_jvp``."""
    q, c, *truth = primals
    if not is_vjp or not moving[0] or any(moving[1:]) or q.dtype == jnp.float16:
        # A gradient in float16 that was rounded before a loss scale reaches it has lost what the scale is for.
        return private_ad.fallback_linearize_rule(sum_p, is_vjp, moving, *primals, **params)
    names, keep = params["names"], params["keep"]
    loss, gradient = operate(Fused(params["spec"]), q=q, c=c, **dict(zip(names, truth, strict=True)))
    loss = jnp.where((c == 0) & ~jnp.isfinite(loss), 0.0, loss)
    total = jnp.sum(c * loss, axis=tuple(range(keep, loss.ndim)))

    def linear(residuals: Sequence[Array], dq: Array, *_: Any) -> Array:
        return given_p.bind(dq, *residuals, keep=keep)

    return total, True, [gradient], linear


# Not public: without it a gradient takes a second pass over the scores. tests/jax/test_jax_memory.py holds it in place.
private_ad.primitive_linearizations[sum_p] = _linearize


def _product(dq: Array, gradient: Array, *, keep: int) -> Array:
    return jnp.sum(to_compute(dq) * to_compute(gradient), axis=tuple(range(keep, dq.ndim)))


#: Σ gradient·dq, linear in both.
given_p = Primitive("xent_given")
given_p.def_impl(_product)


@given_p.def_abstract_eval
def _product_abstract(dq: Any, gradient: Any, *, keep: int) -> Any:
    sharding = dq.sharding.update(spec=jax.sharding.PartitionSpec(*dq.sharding.spec[:keep]))
    return dq.update(shape=dq.shape[:keep], dtype=np.dtype(compute_dtype_of(dq)), weak_type=False, sharding=sharding)


mlir.register_lowering(given_p, mlir.lower_fun(_product, multiple_results=False))


def _product_jvp(primals: Any, tangents: Any, *, keep: int) -> Any:
    dq, gradient = primals
    parts = []
    if not isinstance(tangents[0], ad.Zero):
        parts.append(given_p.bind(tangents[0], gradient, keep=keep))
    if not isinstance(tangents[1], ad.Zero):
        parts.append(given_p.bind(dq, tangents[1], keep=keep))
    return given_p.bind(dq, gradient, keep=keep), sum(parts[1:], parts[0])


ad.primitive_jvps[given_p] = _product_jvp


def _product_transpose(ct: Any, dq: Any, gradient: Any, *, keep: int) -> tuple[Any, Any]:
    first = ad.is_undefined_primal(dq)
    aval, given = (dq.aval, gradient) if first else (gradient.aval, dq)
    if isinstance(ct, ad.Zero):
        found = ad.Zero(aval)
    elif in_memory(ct) and np.all(np.asarray(ct) == 1):
        found = given
    else:
        ct = ct.reshape(ct.shape + (1,) * (given.ndim - keep))
        # What is asked of nothing is nothing, whatever the row holds.
        found = jnp.where(ct == 0, 0.0, ct * to_compute(given)).astype(aval.dtype)
    return (found, None) if first else (None, found)


ad.primitive_transposes[given_p] = _product_transpose


def _product_batch(arrays: Any, axes: Any, *, keep: int) -> Any:
    dq, gradient = batched(arrays, axes)
    return given_p.bind(dq, gradient, keep=keep + 1), 0


batching.primitive_batchers[given_p] = _product_batch
