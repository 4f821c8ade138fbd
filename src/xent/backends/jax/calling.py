"""How a job is lowered for a CPU: as a call into the kernel where that is faster, or as what XLA makes of array
operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

import jax
import numpy as np

from xent.backends.jax import foreign
from xent.kernels.cpu.called import called

_NAME = "xent"


def lowering(composed: Any) -> Callable[..., Any]:
    """A lowering rule for the CPU; ``composed`` is the one for everything else."""

    def rule(ctx: Any, *operands: Any, job: Any, names: tuple[str, ...]) -> Any:
        x = dict(zip(names, ctx.avals_in, strict=True))
        if _may_call(ctx.module_context) and called.refuses(job.task(x, "cpu", traced=True)) is None:
            _register()
            what = foreign.description(type(job).__name__, names, asdict(job))
            return jax.ffi.ffi_lowering(_NAME)(ctx, *operands, job=what)
        return composed(ctx, *operands, job=job, names=names)

    return rule


def _may_call(module: Any) -> bool:
    """Whether the program runs here, each device on arrays of its own.

    A program that XLA divides among devices knows how to divide array operations, and not a call; one that is exported
    may be run where there is no such kernel.
    """
    axes = module.axis_context
    manual = getattr(axes, "manual_axes", None)
    alone = getattr(axes, "num_devices", None) == 1
    whole = manual is not None and frozenset(manual) == frozenset(axes.mesh.axis_names)
    return (alone or whole) and not module.lowering_parameters.for_export


@cache
def _register() -> Any:
    from xent.backends.jax.element_losses import ElementLosses
    from xent.backends.jax.row_sum import Fused
    from xent.backends.jax.rows import Gradient, Statistics, Tangents
    from xent.backends.spec import Spec
    from xent.kernels.cpu import elements, softmax  # noqa: F401  not first imported on a thread of XLA's

    jobs = {kind.__name__: kind for kind in (Statistics, Tangents, Gradient, Fused)}

    def job_of(what: dict[str, Any]) -> Any:
        if what["kind"] == ElementLosses.__name__:
            return ElementLosses(what["link"], what["slopes"])
        spec = what["spec"]
        return jobs[what["kind"]](Spec(spec["link"], tuple(spec["want"]), spec["on"], spec["off"]))

    @cache
    def read(text: bytes) -> tuple[Any, tuple[str, ...]]:
        what = foreign.described(text)
        return job_of(what), what["names"]

    def work(text: bytes, arguments: list[Any], results: list[Any]) -> None:
        job, names = read(text)
        with np.errstate(all="ignore"):
            job.run(called, dict(zip(names, arguments, strict=True)), results)

    function = foreign.handler(work)
    foreign.register(_NAME, function)
    return function
