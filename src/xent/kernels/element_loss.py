"""What a loss of elements is besides their scores, for a kernel that makes all of it in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from xent.core.arrays import Array
from xent.core.shaping import Form
from xent.kernels.extra import Within
from xent.kernels.protocol import Kernel


@dataclass(frozen=True, eq=False)
class ElementLoss:
    """w·(v·t·φ(−log q) + (1 − t)·φ₋(−log(1 − q))) of each element, with t = on·given + off.

    ``given``, ``weight`` (w) and ``positive_weight`` (v) broadcast to the scores' shape; None is 1. 0·∞ = 0, and an
    element of weight 0 counts nothing, whatever it and its target hold.
    """

    given: Array
    weight: Array | None = None
    positive_weight: Array | None = None
    on: float = 1.0
    off: float = 0.0
    #: The check of ``given`` that waits for the kernel.
    within: Within | None = None
    #: φ and φ₋, by factor, epsilon and gamma.
    yes: Form = field(default_factory=Form)
    no: Form = field(default_factory=Form)
    #: m of φ₋(ℓ) = ρ^γ·(−log(1 − ρ)) with ρ = max(1 − e^(−ℓ) − m, 0), γ that of ``no``.
    no_margin: float = 0.0

    @property
    def shaped(self) -> bool:
        """Whether φ, or φ₋, is another than the loss itself, of the forms."""
        return self.yes != Form() or self.no != Form()

    @property
    def tensors(self) -> tuple[Array | None, ...]:
        return self.given, self.weight, self.positive_weight


def known(form: Form | None) -> bool:
    """Whether φ itself can be told from the form of φ′: factor·u^γ·ℓ, or factor·(ℓ + ε·u), with u = 1 − e^(−ℓ)."""
    if form is None or form.q or form.limit != float("inf"):
        return False
    return not (form.gamma and form.epsilon)


class ElementKernel(Kernel, Protocol):
    """A kernel that takes such a loss."""

    def element_total(
        self, q: Array, loss: ElementLoss, scale: Array | float, *, slopes: bool
    ) -> tuple[Array, Array | None]:
        """(Σ of the losses as an array without axes, scale times its gradient in q's dtype), the second on request.

        ``scale`` is a number, or an array without axes beside q.
        """
        ...

    def element_each(self, q: Array, loss: ElementLoss, dtype: str) -> Array:
        """The loss of each element, in a dtype of the arithmetic or of q."""
        ...

    def element_each_gradient(self, q: Array, loss: ElementLoss, g: Array) -> Array:
        """The gradient of Σ g·loss, in q's dtype; 0 where g is."""
        ...
