"""What a loss adds to the fused pass of rows: scores that are changed first, and two row scalars that depend on ℓ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from xent.core.arrays import Array, namespace, pick, to_compute, to_index
from xent.core.loss_values import room_of_cosines
from xent.core.margins import Margin, OfCosine, Shift, shift_of
from xent.core.shaping import Form, one_plus
from xent.kernels.coefficients import row_coefficients
from xent.kernels.composed import one_hot
from xent.kernels.protocol import HardTarget, Kernel, Link, RowStatistics, Statistic, Target


@dataclass(frozen=True)
class Within:
    """What numbers that nobody has read have to be, or give NaN: from 0 to ``highest``, or 0 and 1 alone; and of rows
    the sum, 1 but for the tolerance."""

    highest: float = 1.0
    tolerance: float = 0.0
    hard: bool = False


@dataclass(frozen=True, eq=False)
class Teacher:
    """What makes probabilities of the scores that a ``SoftTarget`` has as its log_probs: e^(factor·score − lse), with
    the log-sum-exp of each row."""

    factor: float
    lse: Array


@dataclass(frozen=True, eq=False)
class Extra:
    """L = Σ c·(φ(ℓ) + λ·lse²) of z̃ = scale·A(z) + offset, where A is the margin, which acts on the truth alone."""

    form: Form = field(default_factory=Form)
    #: λ.
    z_loss: float = 0.0
    scale: float = 1.0
    #: One number a class.
    offset: Array | None = None
    #: It reads no lengths and leaves the other classes as they are.
    margin: Margin | Shift | None = None
    #: z is first made cap·tanh(z/cap); for kernels that say ``caps``, without a margin.
    cap: float | None = None
    #: t of each class times one number; for the GPU's kernel, as what follows.
    class_weight: Array | None = None
    #: The check of a ``SoftTarget`` that waits for the kernel.
    within: Within | None = None
    teacher: Teacher | None = None

    @property
    def changes_scores(self) -> bool:
        return self.scale != 1.0 or self.offset is not None or self.margin is not None or self.cap is not None


class ShapingKernel(Kernel, Protocol):
    """A kernel that makes all that in the fused pass."""

    #: Whether it takes a soft cap.
    caps: bool

    def row_shaped(self, q: Array, target: Target, link: Link, c: Array, extra: Extra) -> tuple[Array, Array, Array]:
        """(ℓ, log-sum-exp, the gradient by q of Σ c·(φ(ℓ) + λ·lse²)) for scores that a loss has changed, in one pass
        over q where that can be. Rows whose c is zero as in ``row_fused``."""
        ...


class AdjustingKernel(ShapingKernel, Protocol):
    """A kernel that changes scores and targets in its pass, for statistics and for any gradient of them too."""

    def row_adjusted_statistics(
        self, q: Array, target: Target | None, want: frozenset[Statistic], extra: Extra
    ) -> RowStatistics:
        """``row_statistics`` of the scores that a loss has changed, and of the target as ``extra`` has it."""
        ...

    def row_slopes_gradient(
        self, q: Array, target: Target | None, slopes: Mapping[Any, Array | None], extra: Extra
    ) -> Array:
        """The gradient by q, from the derivatives by those statistics (loss, lse, entropy)."""
        ...


def slope_of(form: Form, loss: Array) -> Array:
    """φ′(ℓ) of a form."""
    xp = namespace(loss)
    slope = form.factor * one_plus(form.epsilon, loss)
    if form.q:
        slope = slope * xp.exp(-form.q * loss)
    if form.gamma:
        u = -xp.expm1(-loss)
        share = xp.where(u > 0, loss / xp.where(u > 0, u, 1.0), 1.0)
        slope = slope * u**form.gamma * (1.0 + form.gamma * xp.where(xp.isinf(loss), 0.0, xp.exp(-loss) * share))
    return xp.where(loss > form.limit, 0.0, slope)


def in_passes(
    kernel: Kernel, q: Array, target: Target, link: Link, c: Array, extra: Extra
) -> tuple[Array, Array, Array]:
    """(ℓ, lse, gradient of L by q) from a kernel's statistics and its gradient."""
    xp = namespace(q)
    z = adjusted(q, target, extra)
    found: RowStatistics = kernel.row_statistics(z, target, link, frozenset({"loss", "lse"}))
    slopes = {"loss": c * slope_of(extra.form, found.loss)}
    if extra.z_loss:
        slopes["lse"] = 2.0 * extra.z_loss * c * found.lse
    dead = c == 0
    slopes = {name: xp.where(dead, 0.0, slope) for name, slope in slopes.items()}
    gradient = kernel.row_gradient(z, target, link, row_coefficients(slopes, target, q.shape[-1]))
    if extra.scale != 1.0:
        gradient = gradient * extra.scale
    found_slope = None if extra.margin is None else _at_truth(q, target, extra.margin)[1]
    if found_slope is not None and isinstance(target, HardTarget):
        hot = one_hot(target.index, gradient, xp)
        slope = xp.where(dead, 0.0, found_slope)
        gradient = xp.where(hot, gradient * slope[..., None], gradient)
    loss, lse = (xp.where(dead, 0.0, x) for x in (found.loss, found.lse))
    return loss, lse, xp.astype(gradient, q.dtype, copy=False)


def adjusted(q: Array, target: Target, extra: Extra) -> Array:
    """z̃."""
    if not extra.changes_scores:
        return q
    xp = namespace(q)
    z = to_compute(q)
    if extra.margin is not None and isinstance(target, HardTarget):
        truth = _at_truth(q, target, extra.margin)[0]
        z = xp.where(one_hot(target.index, z, xp), truth[..., None], z)
    if extra.scale != 1.0:
        z = z * extra.scale
    return z if extra.offset is None else z + extra.offset


def _at_truth(q: Array, target: Target, margin: Margin | Shift) -> tuple[Array, Array | None]:
    """What takes the place of each truth's score, and its derivative by it (None: 1)."""
    assert isinstance(target, HardTarget), "a margin has one truth a row"
    index = inside(target.index, q.shape[-1])
    z = to_compute(pick(q, index))
    if isinstance(margin, Shift):
        return z - shift_of(margin, index), None
    return OfCosine(margin, room_of_cosines(q)).both(z)


def inside(index: Array, classes: int) -> Array:
    """The index of each truth; some class for one that is none, whose row says so or does not count."""
    index = to_index(index)
    return namespace(index).clip(index, 0, classes - 1)
