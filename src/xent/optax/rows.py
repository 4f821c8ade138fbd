"""Row statistics of scores or log-probabilities, as the core computes them."""

from __future__ import annotations

from xent.backends.jax import backend
from xent.core.arrays import Array, dtype_name
from xent.kernels.protocol import HardTarget, Link, SoftTarget, Statistic, Target, Task
from xent.kernels.registry import choose


def row_statistics(q: Array, target: Target, link: Link, *want: Statistic) -> dict[str, Array]:
    """The statistics of each row of q (…, K) in float32 at least; differentiable in q and in a soft target."""
    task = Task(
        "rows",
        link,
        "hard" if isinstance(target, HardTarget) else "soft",
        "jax",
        str(getattr(q, "device", "cpu")),
        dtype_name(q),
        tuple(q.shape),
        frozenset(want),
        traced=backend.traced(q),
    )
    return backend.rows(choose(task), q, target, link, task.want)


def row_loss(q: Array, t: Array) -> Array:
    """Σt·lse(z) − ⟨t, z⟩ of each row, with 0·∞ = 0. t need be no distribution."""
    return row_statistics(q, SoftTarget(t), "logits", "loss")["loss"]


def elements(q: Array) -> tuple[Array, Array]:
    """(softplus(−z), softplus(z)) of each score."""
    return backend.elements(choose(_element_task(q)), q, "logits")


def element_losses(q: Array, t: Array) -> Array:
    """t·softplus(−z) + (1 − t)·softplus(z) of each score, with 0·∞ = 0."""
    return backend.element_losses(choose(_element_task(q)), q, "logits", t, None)


def _element_task(q: Array) -> Task:
    return Task(
        "elements",
        "logits",
        "soft",
        "jax",
        str(getattr(q, "device", "cpu")),
        dtype_name(q),
        tuple(q.shape),
        frozenset({"loss"}),
        traced=backend.traced(q),
    )
