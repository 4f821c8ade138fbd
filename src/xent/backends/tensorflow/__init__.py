"""TensorFlow: kernels as custom gradients, eagerly, in a graph and under XLA.

Eagerly, on tensors in memory, the compiled kernels run on the tensors' own memory. In a graph no Python runs, so there
the kernel is the one of array operations. Each gradient is itself a function with a gradient, written in TensorFlow's
operations, so every higher derivative exists too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from xent.backends.tensorflow.compiled import in_graph
from xent.backends.tensorflow.element_losses import element_losses
from xent.backends.tensorflow.elements import elements
from xent.backends.tensorflow.rows import rows
from xent.backends.tensorflow.shaping import shape
from xent.backends.tensorflow.spec import Spec
from xent.backends.tensorflow.surprisals import surprisals
from xent.backends.unfused import Unfused
from xent.core.arrays import Array
from xent.core.shaping import Shaping
from xent.kernels.protocol import HardTarget, Kernel, Link, SoftTarget, Statistic, Target

__all__ = ["TensorflowBackend", "backend"]


class TensorflowBackend(Unfused):
    """See ``xent.backends.protocol``."""

    name = "tensorflow"

    def reads(self, x: Array, *others: Any) -> bool:
        # A tensor of the eager world stays readable while a graph is traced, but what is found would be a constant of
        # the graph.
        return not in_graph(x)

    def traced(self, x: Array) -> bool:
        return not self.reads(x)

    def quiet(self) -> AbstractContextManager[object]:
        return nullcontext()

    def kernel(self, kernel: Kernel) -> Kernel:
        return kernel

    def rows(
        self, kernel: Kernel, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]
    ) -> dict[str, Array]:
        index = target.index if isinstance(target, HardTarget) else None
        probs, log_probs = (target.probs, target.log_probs) if isinstance(target, SoftTarget) else (None, None)
        on, off = (target.on, target.off) if target is not None else (1.0, 0.0)
        names = tuple(sorted(want))
        found = rows(q, index, probs, log_probs, Spec(link, names, on, off, kernel))
        return dict(zip(names, found, strict=True))

    def fuses(self, q: Array, *others: Any) -> bool:
        return False

    def row_sum(
        self, kernel: Kernel, q: Array, target: Target, link: Link, c: Array, total: Callable[[Array], Array]
    ) -> Array | None:
        return None

    def elements(self, kernel: Kernel, q: Array, link: Link) -> tuple[Array, Array]:
        return elements(q, kernel, link)

    def element_losses(self, kernel: Kernel, q: Array, link: Link, t: Array, positive_weight: Array | None) -> Array:
        return element_losses(q, t, positive_weight, kernel, link)

    def surprisals(self, q: Array, link: Link) -> Array:
        return surprisals(q, link)

    def apply(self, shaping: Shaping, loss: Array) -> Array:
        return shape(loss, shaping)


backend = TensorflowBackend()
