"""What a loss adds to the fused pass of rows: scores that are changed first, and two row scalars that depend on ℓ."""

from __future__ import annotations

from dataclasses import dataclass, field

from xent.core.arrays import Array, namespace, to_compute
from xent.core.shaping import Form
from xent.kernels.coefficients import row_coefficients
from xent.kernels.composed import one_hot
from xent.kernels.protocol import HardTarget, Kernel, Link, RowStatistics, Target


@dataclass(frozen=True, eq=False)
class Extra:
    """L = Σ c·(φ(ℓ) + λ·lse²) of z̃ = scale·z + offset, with ``truth`` in the place of the truth's own z̃."""

    form: Form = field(default_factory=Form)
    #: λ.
    z_loss: float = 0.0
    scale: float = 1.0
    #: One number a class.
    offset: Array | None = None
    #: Of each row, z̃ at its index, and its derivative by z there over ``scale``.
    truth: Array | None = None
    slope: Array | None = None

    @property
    def changes_scores(self) -> bool:
        return self.scale != 1.0 or self.offset is not None or self.truth is not None


def slope_of(form: Form, loss: Array) -> Array:
    """φ′(ℓ) of a form."""
    xp = namespace(loss)
    power = xp.exp(-loss)
    slope = form.factor * (1.0 + form.epsilon * power)
    if form.q:
        slope = slope * xp.exp(-form.q * loss)
    if form.gamma:
        u = -xp.expm1(-loss)
        share = xp.where(u > 0, loss / xp.where(u > 0, u, 1.0), 1.0)
        slope = slope * u**form.gamma * (1.0 + form.gamma * xp.where(xp.isinf(loss), 0.0, power * share))
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
    if extra.slope is not None and isinstance(target, HardTarget):
        hot = one_hot(target.index, gradient, xp)
        slope = xp.where(dead, 0.0, extra.slope)
        gradient = xp.where(hot, gradient * slope[..., None], gradient)
    loss, lse = (xp.where(dead, 0.0, x) for x in (found.loss, found.lse))
    return loss, lse, xp.astype(gradient, q.dtype, copy=False)


def adjusted(q: Array, target: Target, extra: Extra) -> Array:
    """z̃."""
    if not extra.changes_scores:
        return q
    xp = namespace(q)
    z = to_compute(q)
    if extra.scale != 1.0:
        z = z * extra.scale
    if extra.offset is not None:
        z = z + extra.offset
    if extra.truth is not None and isinstance(target, HardTarget):
        z = xp.where(one_hot(target.index, z, xp), extra.truth[..., None], z)
    return z
