"""One JAX primitive for all that kernels do, under every transformation: a job says what is done.

Where arrays are concrete and in memory, a kernel runs on them as NumPy views. In compiled code for a CPU it is called
on XLA's own buffers where that is faster (``foreign``); everywhere else XLA compiles the composed form.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache, partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from xent.backends.jax.calling import lowering
from xent.backends.jax.memory import device_of, from_numpy, in_memory, to_numpy
from xent.core.arrays import Array
from xent.kernels.composed import composed
from xent.kernels.protocol import Kernel, Task
from xent.kernels.registry import choose

#: Of each result: whether it has a number for each class, or one for each row, and its type.
Result = tuple[bool, Any]


class Job(Hashable, Protocol):
    """What is done to operands by name, of which q (…, K) or (…) is one. Hashable, and equal where it does the same."""

    def results(self, x: dict[str, Any]) -> tuple[Result, ...]: ...

    def task(self, x: dict[str, Any], device: str, *, traced: bool) -> Task: ...

    def run(self, kernel: Kernel, x: dict[str, Array], out: Sequence[Any] | None = None) -> tuple[Array, ...]:
        """The results, by a kernel; ``out``: arrays for them, which are filled instead."""
        ...

    def jvp(self, x: dict[str, Array], d: dict[str, Any]) -> tuple[Sequence[Array], Sequence[Any]]:
        """The results and their tangents, for the tangents that are not zero."""
        ...

    def transpose(self, cotangents: Sequence[Any], x: dict[str, Array]) -> Array:
        """The cotangent of dq, for a job that is linear in it."""
        ...

    #: How many trailing axes an operand has besides those of the rows: 1 for (…, K).
    def depth(self, name: str) -> int: ...


def operate(job: Job, **operands: Any) -> list[Array]:
    """The results of a job; operands that are None are left out."""
    given = {name: x for name, x in operands.items() if x is not None}
    found: list[Array] = operation_p.bind(*alike(list(given.values())), job=job, names=tuple(given))
    return found


def alike(arrays: Sequence[Array]) -> list[Array]:
    """Inside shard_map all operands vary along the same axes of the mesh."""
    varying = [getattr(jax.typeof(x), "manual_axis_type", None) for x in arrays]
    axes = [frozenset() if v is None else v.varying for v in varying]
    union = frozenset().union(*axes)
    return [
        x if mine == union else jax.lax.pcast(x, tuple(sorted(union - mine)), to="varying")
        for x, mine in zip(arrays, axes, strict=True)
    ]


def batched(arrays: Sequence[Array], axes: Sequence[int | None]) -> list[Array]:
    """All with the axis of a vmap in front: everything here treats leading axes alike."""
    size = next(x.shape[axis] for x, axis in zip(arrays, axes, strict=True) if axis is not None)
    return [
        jnp.broadcast_to(x, (size, *x.shape)) if axis is None else jnp.moveaxis(x, axis, 0)
        for x, axis in zip(arrays, axes, strict=True)
    ]


operation_p = Primitive("xent")
operation_p.multiple_results = True


@operation_p.def_impl
def _eager(*arrays: Array, job: Job, names: tuple[str, ...]) -> list[Array]:
    if not in_memory(*arrays):
        found: list[Array] = _compiled(job, names)(*arrays)
        return found
    x = dict(zip(names, map(to_numpy, arrays), strict=True))
    with np.errstate(all="ignore"):
        results = job.run(choose(job.task(x, "cpu", traced=False)), x)
    kinds, device = job.results(x), device_of(arrays[0])
    return [from_numpy(np.asarray(r, kind), device) for r, (_, kind) in zip(results, kinds, strict=True)]


@cache
def _compiled(job: Job, names: tuple[str, ...]) -> Any:
    return jax.jit(partial(operation_p.bind, job=job, names=names))


@operation_p.def_abstract_eval
def _abstract(*avals: Any, job: Job, names: tuple[str, ...]) -> list[Any]:
    x = dict(zip(names, avals, strict=True))
    q = x["q"]
    spec = q.sharding.spec
    batch = q.ndim - job.depth("q")
    rows = q.sharding.update(spec=jax.sharding.PartitionSpec(*spec[:batch]))
    return [
        q.update(dtype=np.dtype(kind), weak_type=False)
        if full
        else q.update(shape=q.shape[:batch], dtype=np.dtype(kind), weak_type=False, sharding=rows)
        for full, kind in job.results(x)
    ]


def _jvp(primals: Any, tangents: Any, *, job: Job, names: tuple[str, ...]) -> Any:
    x = dict(zip(names, primals, strict=True))
    d = {name: t for name, t in zip(names, tangents, strict=True) if _has_value(t)}
    found, slopes = job.jvp(x, d)
    return found, [
        ad.Zero(jax.typeof(y).to_tangent_aval()) if t is None else t.astype(y.dtype)
        for y, t in zip(found, slopes, strict=True)
    ]


def _has_value(tangent: Any) -> bool:
    return not isinstance(tangent, ad.Zero) and tangent.dtype != jax.dtypes.float0


ad.primitive_jvps[operation_p] = _jvp


def _transpose(cotangents: Any, *operands: Any, job: Job, names: tuple[str, ...]) -> list[Any]:
    x = dict(zip(names, operands, strict=True))
    aval = x.pop("dq").aval
    assert not any(ad.is_undefined_primal(y) for y in x.values()), "linear in dq alone"
    given = [None if isinstance(ct, ad.Zero) else ct for ct in cotangents]
    found = ad.Zero(aval) if all(ct is None for ct in given) else job.transpose(given, x)
    return [found if name == "dq" else None for name in names]


ad.primitive_transposes[operation_p] = _transpose


def _batch(arrays: Any, axes: Any, *, job: Job, names: tuple[str, ...]) -> Any:
    found = operation_p.bind(*batched(arrays, axes), job=job, names=names)
    return found, [0] * len(found)


batching.primitive_batchers[operation_p] = _batch


def _composed(*arrays: Array, job: Job, names: tuple[str, ...]) -> list[Array]:
    x = dict(zip(names, arrays, strict=True))
    found = job.run(composed, x)
    return [y.astype(kind) for y, (_, kind) in zip(found, job.results(x), strict=True)]


_lower_composed = mlir.lower_fun(_composed, multiple_results=True)
mlir.register_lowering(operation_p, _lower_composed)
mlir.register_lowering(operation_p, lowering(_lower_composed), platform="cpu")
