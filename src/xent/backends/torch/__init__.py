"""PyTorch: kernels as autograd functions, under every transformation that PyTorch has.

Each backward is the kernel's own gradient, and is itself such a function whose derivatives are those of the same
gradient written in PyTorch's operations; so every higher derivative exists too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from xent.backends.torch.adjusted_rows import adjusted_rows
from xent.backends.torch.device_elements import again_of, device_each, device_sum
from xent.backends.torch.element_losses import element_losses
from xent.backends.torch.elements import elements
from xent.backends.torch.lean import KINDS, dense
from xent.backends.torch.row_sum import row_sum
from xent.backends.torch.rows import rows
from xent.backends.torch.shaped_sum import shaped_sum
from xent.backends.torch.shaping import shape
from xent.backends.torch.spec import Spec
from xent.backends.torch.surprisals import surprisals
from xent.core.arrays import Array
from xent.core.shaping import Shaping
from xent.kernels.element_loss import ElementKernel, ElementLoss
from xent.kernels.extra import AdjustingKernel, Extra, ShapingKernel
from xent.kernels.gpu import HAS_TRITON, gpu
from xent.kernels.protocol import HardTarget, Kernel, Link, SoftTarget, Statistic, Target

if HAS_TRITON:
    from xent.kernels.gpu import operators  # noqa: F401 - it registers them

__all__ = ["TorchBackend", "backend"]


class TorchBackend:
    """See ``xent.backends.protocol``."""

    name = "torch"

    def reads(self, x: Array, *others: Any) -> bool:
        return x.device.type == "cpu" and _is_present(x)

    def traced(self, x: Array) -> bool:
        return x.device.type == "meta" or not _is_present(x)

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
        if not (q.requires_grad and torch.is_grad_enabled() and dense(q)):
            return False
        return not any(getattr(x, "requires_grad", False) for x in others)

    def row_sum(
        self, kernel: Kernel, q: Array, target: Target, link: Link, c: Array, total: Callable[[Array], Array]
    ) -> Array | None:
        return row_sum(kernel, q, target, link, c, total)

    def row_shaped_sum(
        self,
        kernel: ShapingKernel,
        q: Array,
        target: Target,
        c: Array,
        extra: Extra,
        total: Callable[[Array, Array], Array],
        general: Callable[[Array, Target], Array],
    ) -> Array | None:
        return shaped_sum(kernel, q, target, c, extra, total, general)

    def adjusted_rows(
        self,
        kernel: AdjustingKernel,
        q: Array,
        target: Target,
        want: frozenset[Statistic],
        extra: Extra,
        general: Callable[[Array, Target], dict[str, Array]],
    ) -> dict[str, Array] | None:
        return adjusted_rows(kernel, q, target, want, extra, general)

    def element_sum(
        self,
        kernel: ElementKernel,
        q: Array,
        loss: ElementLoss,
        scale: Array | float,
        total: Callable[[Array], Array],
        general: Callable[[Array], Array],
    ) -> Array | None:
        return device_sum(q, loss, scale, total, again_of(general)) if kernel is gpu else None

    def each_element(
        self, kernel: ElementKernel, q: Array, loss: ElementLoss, dtype: str, general: Callable[[Array], Array]
    ) -> Array | None:
        return device_each(q, loss, dtype, again_of(general)) if kernel is gpu else None

    def elements(self, kernel: Kernel, q: Array, link: Link) -> tuple[Array, Array]:
        return elements(q, kernel, link)

    def element_losses(self, kernel: Kernel, q: Array, link: Link, t: Array, positive_weight: Array | None) -> Array:
        return element_losses(q, t, positive_weight, kernel, link)

    def surprisals(self, q: Array, link: Link) -> Array:
        return surprisals(q, link)

    def apply(self, shaping: Shaping, loss: Array) -> Array:
        return shape(loss, shaping)


def _is_present(x: Array) -> bool:
    """Whether a tensor has memory of its own, here or on a device, which may be looked at.

    A subclass may say that it is on the CPU, and have none (fake, distributed); a batched tensor holds many values. A
    dispatch mode may be one that records a graph, where looking would make a constant of the value.
    """
    return (
        not torch.compiler.is_compiling()
        and not torch._C._len_torch_dispatch_stack()
        and not torch._C._functorch.is_functorch_wrapped_tensor(x)
        and type(x) in KINDS
    )


backend = TorchBackend()
