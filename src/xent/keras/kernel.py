"""The seam to the backends: surprisals of rows and of elements, whichever framework Keras computes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import keras

from xent.backends import Backend, find
from xent.core.arrays import Array, compute_dtype, device_name, dtype_name, library, namespace
from xent.kernels.protocol import Family, HardTarget, Link, Target, Task
from xent.kernels.registry import choose

_LOSS = frozenset({"loss"})


@dataclass(frozen=True, eq=False)
class Rows:
    """Scores with their classes last, the target of each row, and which rows count (None: all)."""

    q: Array
    target: Target
    counted: Array | None = None

    @property
    def backend(self) -> Backend:
        return find(self.q)

    @property
    def task(self) -> Task:
        return _task(self.q, "rows", "logits", "hard" if isinstance(self.target, HardTarget) else "soft")

    def losses(self) -> Array:
        """ℓ of each row, in float32 at least; exactly 0, with a gradient of 0, where it does not count."""
        with self.backend.quiet():
            found = self.backend.rows(choose(self.task), self.q, self.target, "logits", _LOSS)["loss"]  # type: ignore[arg-type]
        return found if self.counted is None else keras.ops.where(self.counted, found, keras.ops.zeros_like(found))

    def total(self, part: Array, reduce: Callable[[Array], Array]) -> Array | None:
        """``reduce`` of the losses, Σ part·ℓ, with its gradient made in the same pass; None where it cannot be."""
        with self.backend.quiet():
            return self.backend.row_sum(choose(self.task), self.q, self.target, "logits", part, reduce)


def elements(q: Array, link: Link) -> tuple[Array, Array]:
    """(−log q, −log(1 − q)) of each element, in float32 at least."""
    backend = find(q)
    with backend.quiet():
        return backend.elements(choose(_task(q, "elements", link, "soft")), q, link)


def element_losses(q: Array, link: Link, t: Array) -> Array:
    """t·(−log q) + (1 − t)·(−log(1 − q)) of each element, in float32 at least, with 0·∞ = 0."""
    backend = find(q)
    t = namespace(q).astype(t, compute_dtype(q), copy=False)
    with backend.quiet():
        return backend.element_losses(choose(_task(q, "elements", link, "soft")), q, link, t, None)


def _task(q: Array, family: Family, link: Link, kind: Literal["hard", "soft"]) -> Task:
    return Task(family, link, kind, library(q), device_name(q), dtype_name(q), tuple(q.shape), traced=find(q).traced(q))


def reads(x: Array) -> bool:
    """Whether the data of x may be looked at: not under a compiler, not on an accelerator."""
    return find(x).reads(x)
