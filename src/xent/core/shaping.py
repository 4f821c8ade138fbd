"""S3: a shaping φ acts on the surprisal of an example, and only its derivative φ′ enters the gradient.

A member is a frozen dataclass with two methods; nothing else in the library knows its name. Recipe: write φ and φ′ in
terms of ℓ, free of overflow at ℓ = 0 and ℓ = ∞, with the source in the docstring.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal

from xent.core import checks
from xent.core.arrays import Array, namespace
from xent.errors import OptionError


class Shaping(ABC):
    """φ(ℓ), ℓ = −Σ t log q ≥ 0.

    For a soft target there is more than one reading of "the probability of the truth". ``soft`` names the one that is
    meant: "surprisal" applies φ to ℓ itself. None refuses targets that are not hard.
    """

    soft: Literal["surprisal"] | None = None

    @abstractmethod
    def value(self, loss: Array) -> Array:
        """φ(ℓ), elementwise."""

    @abstractmethod
    def derivative(self, loss: Array) -> Array:
        """φ′(ℓ), elementwise."""


@dataclass(frozen=True)
class Focal(Shaping):
    """Focal loss: φ(ℓ) = (1 − e^{−ℓ})^γ·ℓ, so that examples which are right already weigh little.

    φ′(ℓ) = u^γ·(1 + γ·e^{−ℓ}·ℓ/u) with u = 1 − e^{−ℓ}; ℓ/u → 1 as ℓ → 0, so that nothing divides by zero for any γ ≥ 0.

    Parameters
    ----------
    gamma : float
        γ ≥ 0. Zero is the cross-entropy itself.
    soft : "surprisal", optional
        Needed for soft targets, for which the literature has three readings that disagree.

    Raises
    ------
    OptionError
        γ negative or not finite.

    References
    ----------
    Lin, Goyal, Girshick, He and Dollár, "Focal Loss for Dense Object Detection", 2017 (arXiv 1708.02002).

    Examples
    --------
    >>> import xent
    >>> P, Q = xent.Indicators(1), xent.Logits(0.0)
    >>> round(float(xent.cross_entropy(P, Q, shaping=xent.Focal(2.0))), 4)
    0.1733
    """

    gamma: float
    soft: Literal["surprisal"] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", checks.require_nonnegative(self.gamma, "Focal(gamma)"))
        if self.soft not in (None, "surprisal"):
            raise OptionError("Focal(soft=)", '"surprisal" or None', repr(self.soft))

    def value(self, loss: Array) -> Array:
        xp = namespace(loss)
        return (-xp.expm1(-loss)) ** self.gamma * loss

    def derivative(self, loss: Array) -> Array:
        xp = namespace(loss)
        u = -xp.expm1(-loss)
        nonzero = xp.where(u > 0, u, 1.0)
        ratio = xp.where(u > 0, loss / nonzero, 1.0)
        # e^{−ℓ}·ℓ is ∞·0 at an infinite loss, where the mathematics says 0.
        slope = xp.where(xp.isinf(loss), 0.0, xp.exp(-loss) * ratio)
        power: Array = u**self.gamma
        return power * (1.0 + self.gamma * slope)
