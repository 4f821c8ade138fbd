"""Fused kernels on a GPU, written in Triton: softmax rows and elements of PyTorch's tensors.

Of size N×K only the gradient is made. Nothing waits for the device, nothing is tried out at run time, and the sums have
one order: calls can be captured in a graph and repeat to the bit. Triton is imported, and a program compiled or read
from its cache on disk, at the first call that runs here.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from typing import Any

from xent.core.arrays import HALF, Array
from xent.kernels.element_loss import ElementLoss
from xent.kernels.extra import Extra
from xent.kernels.protocol import Link, RowCoefficients, RowStatistics, Statistic, Target, Task

#: CUDA and ROCm are "cuda" to PyTorch.
_DEVICES = ("cuda", "xpu")
#: Found out once, where a compiler does not see it.
HAS_TRITON = importlib.util.find_spec("triton") is not None


class Gpu:
    """PyTorch's tensors on a device that Triton compiles for; under Triton's interpreter also those in memory."""

    name = "gpu"
    caps = True
    #: Whether tensors in memory are taken too: for tests, where Triton's interpreter runs the programs in NumPy.
    interpreted = False

    def refuses(self, task: Task) -> str | None:
        if task.library != "torch":
            return f"it runs on PyTorch's tensors, not {task.library}'s arrays"
        elsewhere = self.elsewhere(task)
        if elsewhere is None and task.traced:
            return "the tensor is traced, by a compiler or a transform, and has no memory to read"
        return elsewhere or self.unable(task) or (None if self.interpreted else _failure(task.device))

    def elsewhere(self, task: Task) -> str | None:
        """Why it does not run on the device."""
        device = task.device.partition(":")[0]
        if device in _DEVICES or (device == "cpu" and self.interpreted):
            return None
        return f"it runs on {' and '.join(_DEVICES)}, not on {task.device}"

    def unable(self, task: Task) -> str | None:
        """Why it does not take the task, wherever the tensor is."""
        if not HAS_TRITON:
            return "Triton is not installed here: pip install triton"
        if task.link != "logits":
            return "it takes scores (Logits)"
        if "divergence" in task.want:
            return "it does not compute divergences"
        if task.dtype not in HALF | {"float32"}:
            return f"it computes in float32, and the tensor is {task.dtype}"
        if 0 in task.shape:
            return "there is nothing to compute"
        return None

    def row_statistics(self, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]) -> RowStatistics:
        from xent.kernels.gpu import rows

        return rows.statistics(q, target, want)

    def row_gradient(self, q: Array, target: Target | None, link: Link, coefficients: RowCoefficients) -> Array:
        from xent.kernels.gpu import rows

        return rows.gradient(q, target, coefficients)

    def row_fused(self, q: Array, target: Target, link: Link, c: Array) -> tuple[Array, Array]:
        from xent.kernels.gpu import rows

        loss, _, gradient = rows.shaped(q, target, c)
        return loss, gradient

    def row_adjusted_statistics(
        self, q: Array, target: Target | None, want: frozenset[Statistic], extra: Extra
    ) -> RowStatistics:
        """See ``AdjustingKernel``."""
        from xent.kernels.gpu import rows

        return rows.statistics(q, target, want, extra)

    def row_slopes_gradient(
        self, q: Array, target: Target | None, slopes: Mapping[Any, Array | None], extra: Extra
    ) -> Array:
        """See ``AdjustingKernel``."""
        from xent.kernels.gpu import rows

        return rows.slopes_gradient(q, target, slopes, extra)

    def row_shaped(self, q: Array, target: Target, link: Link, c: Array, extra: Extra) -> tuple[Array, Array, Array]:
        """See ``ShapingKernel``."""
        from xent.kernels.gpu import rows

        return rows.shaped(q, target, c, extra)

    def row_gradient_above(
        self, q: Array, target: Target, c: Array, extra: Extra, above: Array, found: Array | None
    ) -> Array:
        """above times the gradient that ``row_shaped`` made, where that lies in ``found`` written over, without a word
        to the host: the device reads ``above``, and leaves ``found`` as it is where that is 1. Made from the scores,
        which takes no longer than scaling it, so that half precision is rounded once."""
        from xent.kernels.gpu import rows

        return rows.shaped(q, target, c, extra, found, above)[2]

    def row_overwritten(self, q: Array, target: Target, c: Array) -> tuple[Array, Array]:
        """``row_fused`` with the gradient in the place of q."""
        from xent.kernels.gpu import rows

        loss, _, gradient = rows.shaped(q, target, c, out=q)
        return loss, gradient

    def scaled_in_place(self, gradient: Array, above: Array) -> Array:
        """above times a gradient, in its place, where the device finds that above is not 1. A zero stays one."""
        from xent.kernels.gpu import elements

        return elements.scaled_in_place(gradient, above)

    def element_statistics(self, q: Array, link: Link) -> tuple[Array, Array]:
        from xent.kernels.gpu import elements

        return elements.statistics(q)

    def element_gradient(self, q: Array, link: Link, a: Array, b: Array) -> Array:
        from xent.kernels.gpu import elements

        return elements.gradient(q, a, b)

    def element_losses(
        self, q: Array, link: Link, t: Array, positive_weight: Array | None, *, slopes: bool
    ) -> tuple[Array, Array | None]:
        from xent.kernels.gpu import elements

        return elements.losses(q, t, positive_weight, slopes)

    def element_loss_gradient(self, q: Array, link: Link, t: Array, positive_weight: Array | None, g: Array) -> Array:
        from xent.kernels.gpu import elements

        return elements.each_gradient(q, ElementLoss(t, None, positive_weight), g)

    def element_fused(
        self, q: Array, link: Link, t: Array, weight: Array | None, positive_weight: Array | None, scale: float
    ) -> tuple[Array, Array]:
        from xent.kernels.gpu import elements

        total, gradient = elements.total(q, ElementLoss(t, weight, positive_weight), scale, slopes=True)
        return total, gradient

    def element_total(
        self, q: Array, loss: ElementLoss, scale: Array | float, *, slopes: bool
    ) -> tuple[Array, Array | None]:
        """See ``ElementKernel``."""
        from xent.kernels.gpu import elements

        return elements.total(q, loss, scale, slopes)

    def element_each(self, q: Array, loss: ElementLoss, dtype: str) -> Array:
        """See ``ElementKernel``."""
        from xent.kernels.gpu import elements

        return elements.each_loss(q, loss, getattr(sys.modules["torch"], dtype))

    def element_each_gradient(self, q: Array, loss: ElementLoss, g: Array) -> Array:
        """See ``ElementKernel``."""
        from xent.kernels.gpu import elements

        return elements.each_gradient(q, loss, g)

    def element_gradient_above(
        self, q: Array, loss: ElementLoss, scale: Array | float, above: Array, found: Array | None
    ) -> Array:
        """above times the gradient of ``element_total``; as ``row_gradient_above``."""
        from xent.kernels.gpu import elements

        return elements.gradient_above(q, loss, scale, above, found)


#: What was found of each device.
_FOUND: dict[str, str | None] = {}
#: What an error says that may be gone by the next call: no memory, or a stream that is captured in a graph.
_PASSING = ("out of memory", "captur")


def _failure(device: str) -> str | None:
    """Why Triton cannot compile and run a small program on a device; None where it can. Tried once, but for a failure
    that says nothing of the device."""
    if device not in _FOUND:
        if "tensorflow" in sys.modules and "triton" not in sys.modules:
            return (
                "Triton ends a process that has imported TensorFlow, since both bring LLVM along: import triton first"
            )
        reason = _tried(device)
        if reason is not None and any(word in reason.lower() for word in _PASSING):
            return reason
        _FOUND[device] = reason
    return _FOUND[device]


def _tried(device: str) -> str | None:
    import torch

    from xent.kernels.gpu import elements

    try:
        elements.scaled_in_place(torch.ones(1, device=device), torch.full((), 2.0, device=device))
    except Exception as error:  # noqa: BLE001 - a driver, a compiler or a device too old: ``explain`` tells which
        return f"Triton does not run on {device} here: {type(error).__name__}: {str(error).strip()[:300]}"
    return None


gpu = Gpu()
