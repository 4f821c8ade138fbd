"""Fused kernels on the CPU, compiled by Numba: softmax rows, and elements. Of size N×K only the gradient is made.

Numba is imported, and the code compiled or read from its disk cache, at the first call that runs here.
"""

from __future__ import annotations

from xent.core.arrays import FLOATING, Array
from xent.kernels.extra import Extra, in_passes
from xent.kernels.protocol import Link, RowCoefficients, RowStatistics, Statistic, Target, Task


class Cpu:
    """Arrays of NumPy, PyTorch and JAX in memory: rows of scores with their classes side by side, and all elements."""

    name = "cpu"
    caps = False

    def refuses(self, task: Task) -> str | None:
        if task.library not in ("numpy", "torch", "jax", "tensorflow") or task.device != "cpu":
            return f"it runs on arrays in memory, not {task.library} on {task.device}"
        if task.traced:
            return "the array is traced, by a compiler or a transform, and has no memory to read"
        if task.family == "rows" and task.link != "logits":
            return "of rows it takes scores (Labels or Distribution with Logits)"
        if "divergence" in task.want:
            return "it does not compute divergences"
        if task.dtype not in FLOATING:
            return f"it takes floats, not {task.dtype}"
        return None

    def row_statistics(self, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]) -> RowStatistics:
        from xent.kernels.cpu import softmax

        return softmax.statistics(q, target, want)

    def row_gradient(self, q: Array, target: Target | None, link: Link, coefficients: RowCoefficients) -> Array:
        from xent.kernels.cpu import softmax

        return softmax.gradient(q, target, coefficients)

    def row_fused(self, q: Array, target: Target, link: Link, c: Array) -> tuple[Array, Array]:
        from xent.kernels.cpu import softmax

        return softmax.fused(q, target, c)

    def row_shaped(self, q: Array, target: Target, link: Link, c: Array, extra: Extra) -> tuple[Array, Array, Array]:
        """See ``ShapingKernel``."""
        from xent.kernels.cpu import softmax

        found = softmax.shaped(q, target, c, extra)
        return in_passes(self, q, target, link, c, extra) if found is None else found

    def element_statistics(self, q: Array, link: Link) -> tuple[Array, Array]:
        from xent.kernels.cpu import elements

        return elements.statistics(q, link)

    def element_gradient(self, q: Array, link: Link, a: Array, b: Array) -> Array:
        from xent.kernels.cpu import elements

        return elements.gradient(q, link, a, b)

    def element_losses(
        self, q: Array, link: Link, t: Array, positive_weight: Array | None, *, slopes: bool
    ) -> tuple[Array, Array | None]:
        from xent.kernels.cpu import elements

        return elements.losses(q, link, t, positive_weight, slopes)

    def element_loss_gradient(self, q: Array, link: Link, t: Array, positive_weight: Array | None, g: Array) -> Array:
        from xent.kernels.cpu import elements

        return elements.loss_gradient(q, link, t, positive_weight, g)

    def element_fused(
        self, q: Array, link: Link, t: Array, weight: Array | None, positive_weight: Array | None, scale: float
    ) -> tuple[Array, Array]:
        from xent.kernels.cpu import elements

        return elements.fused(q, link, t, weight, positive_weight, scale)


cpu = Cpu()
