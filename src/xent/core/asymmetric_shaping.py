"""A shaping whose two sides differ: for many labels of which few are yes."""

from __future__ import annotations

from dataclasses import dataclass, field

from xent.core import checks
from xent.core.arrays import Array, namespace
from xent.core.shaping import Focal, Form, Reading, Shaping, require_reading


@dataclass(frozen=True)
class Asymmetric(Shaping):
    """Asymmetric loss (ASL) for Indicators: focal with γ₊ where the truth is yes, with γ₋ and a shift where it is no.

    Yes: (1 − q)^γ₊·(−log q). No: ρ^γ₋·(−log(1 − ρ)) with ρ = max(q − m, 0), so that a no with q ≤ m counts nothing.
    Labels and Distributions have no side of no: of them it is the focal loss with γ₊.

    Parameters
    ----------
    gamma_positive, gamma_negative : float
        γ₊, γ₋ ≥ 0; 1 and 4 in the reference code.
    margin : float
        m in [0, 1]; 0.05 in the reference code.
    soft : "surprisal" or "per-class", optional
        Needed for soft targets.

    Raises
    ------
    OptionError
        A γ negative or not finite, m outside [0, 1].

    References
    ----------
    Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter and Zelnik-Manor, "Asymmetric Loss For Multi-Label
    Classification", 2021 (arXiv 2009.14119), equation 7. In their code a weight (1 − p)^γ may be kept out of the
    gradient; here it is in it.
    """

    gamma_positive: float = 1.0
    gamma_negative: float = 4.0
    margin: float = 0.05
    soft: Reading | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("gamma_positive", "gamma_negative"):
            object.__setattr__(self, name, checks.require_nonnegative(getattr(self, name), f"Asymmetric({name})"))
        object.__setattr__(self, "margin", checks.require_fraction(self.margin, "Asymmetric(margin)"))
        require_reading(self.soft, "Asymmetric(soft=)")

    def value(self, loss: Array) -> Array:
        return Focal(self.gamma_positive).value(loss)

    def derivative(self, loss: Array) -> Array:
        return Focal(self.gamma_positive).derivative(loss)

    @property
    def no(self) -> Shaping:
        return ShiftedFocal(self.gamma_negative, self.margin, soft=self.soft)

    @property
    def form(self) -> Form:
        return Form(gamma=self.gamma_positive)


@dataclass(frozen=True)
class ShiftedFocal(Shaping):
    """φ(ℓ) = ρ^γ·(−log(1 − ρ)) with ρ = max(1 − e^{−ℓ} − m, 0): the no side of ``Asymmetric``, where ℓ = −log(1 − q).

    1 − ρ = e^{−ℓ} + m where ρ > 0, so that nothing cancels as q → 1; there φ is finite for m > 0.
    φ′(ℓ) = e^{−ℓ}·(γ·ρ^{γ−1}·(−log(1 − ρ)) + ρ^γ/(1 − ρ)).
    """

    gamma: float
    margin: float
    soft: Reading | None = field(default=None, kw_only=True)

    def _parts(self, loss: Array) -> tuple[Array, Array, Array]:
        """ρ, −log(1 − ρ), and e^{−ℓ}/(1 − ρ)."""
        xp = namespace(loss)
        rho = -xp.expm1(-loss) - self.margin
        inside = rho > 0
        rho = xp.where(inside, rho, 0.0)
        power = xp.exp(-loss)
        if self.margin == 0.0:
            return rho, xp.where(inside, loss, 0.0), xp.ones_like(loss)
        rest = xp.where(inside, power + self.margin, 1.0)
        # Near ρ = 0 the sum e^{−ℓ} + m rounds; ρ itself is as exact as it can be.
        small = rho < 0.5
        surprisal = xp.where(small, -xp.log1p(-xp.where(small, rho, 0.0)), -xp.log(rest))
        return rho, surprisal, power / rest

    def value(self, loss: Array) -> Array:
        rho, surprisal, _ = self._parts(loss)
        return rho**self.gamma * surprisal if self.gamma else surprisal

    def derivative(self, loss: Array) -> Array:
        xp = namespace(loss)
        rho, surprisal, share = self._parts(loss)
        inside = rho > 0
        safe = xp.where(inside, rho, 1.0)
        # (−log(1 − ρ))/ρ → 1 as ρ → 0. With m = 0 it is ∞·0 at an infinite loss, where the mathematics says 0.
        ratio = xp.where(xp.isinf(surprisal), 0.0, surprisal) / safe
        slope = safe**self.gamma * (self.gamma * xp.exp(-loss) * ratio + share)
        return xp.where(inside, slope, 1.0 if self.gamma == 0.0 and self.margin == 0.0 else 0.0)
