"""What a backend is: a kernel made differentiable in one framework, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from xent.core.arrays import Array
from xent.core.shaping import Shaping
from xent.kernels.element_loss import ElementKernel, ElementLoss
from xent.kernels.extra import AdjustingKernel, Extra, ShapingKernel
from xent.kernels.protocol import Kernel, Link, Statistic, Target


class Backend(Protocol):
    """All results can be differentiated by the framework's own means, where it has any."""

    name: str

    def reads(self, x: Array, *others: Any) -> bool:
        """Whether the data of x may be looked at: not under a compiler, not on an accelerator.

        The others, among them None and numbers, are what comes with x in a call; where a framework traces one array
        and not another, all of them must be readable.
        """
        ...

    def traced(self, x: Array) -> bool:
        """Whether x is a stand-in without memory: under a compiler, in a transform, on the meta device."""
        ...

    def quiet(self) -> AbstractContextManager[object]:
        """A context in which arithmetic at the edges (log 0, ∞ − ∞) does not warn."""
        ...

    def kernel(self, kernel: Kernel) -> Kernel:
        """A kernel that takes this framework's arrays, traced ones too. Its results need no derivatives."""
        ...

    def rows(
        self, kernel: Kernel, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]
    ) -> dict[str, Array]:
        """The row statistics by name; differentiable in q and in a soft target."""
        ...

    def fuses(self, q: Array, *others: Any) -> bool:
        """Whether a gradient by q will be wanted, and none by the others, and may be made together with the loss."""
        ...

    def row_sum(
        self, kernel: Kernel, q: Array, target: Target, link: Link, c: Array, total: Callable[[Array], Array]
    ) -> Array | None:
        """``total`` of the losses, Σ c·ℓ, with its gradient by q made in the same pass; None where it cannot be."""
        ...

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
        """``total`` of (ℓ, lse) of scores, which is Σ c·(φ(ℓ) + λ·lse²), in the same way. ``general`` gives it from
        scores and target, in functions that can be differentiated again."""
        ...

    def adjusted_rows(
        self,
        kernel: AdjustingKernel,
        q: Array,
        target: Target,
        want: frozenset[Statistic],
        extra: Extra,
        general: Callable[[Array, Target], dict[str, Array]],
    ) -> dict[str, Array] | None:
        """The row statistics of scores as a loss changed them, differentiable in q, straight from the scores; None
        where that cannot be. ``general`` makes them in functions that can be differentiated again."""
        ...

    def element_sum(
        self,
        kernel: ElementKernel,
        q: Array,
        loss: ElementLoss,
        scale: Array | float,
        total: Callable[[Array], Array],
        general: Callable[[Array], Array],
    ) -> Array | None:
        """``total`` of the summed losses of elements, which is scale·Σ, in the same way."""
        ...

    def each_element(
        self, kernel: ElementKernel, q: Array, loss: ElementLoss, dtype: str, general: Callable[[Array], Array]
    ) -> Array | None:
        """The loss of each element, in the same way."""
        ...

    def elements(self, kernel: Kernel, q: Array, link: Link) -> tuple[Array, Array]:
        """(−log q, −log(1 − q)) of each element; differentiable in q."""
        ...

    def element_losses(self, kernel: Kernel, q: Array, link: Link, t: Array, positive_weight: Array | None) -> Array:
        """v·t·(−log q) + (1 − t)·(−log(1 − q)) of each element; differentiable in q, t and v. 0·∞ = 0."""
        ...

    def surprisals(self, q: Array, link: Link) -> Array:
        """−log q of each class (…, K); differentiable in q."""
        ...

    def apply(self, shaping: Shaping, loss: Array) -> Array:
        """φ(ℓ) with the derivative that the shaping states."""
        ...
