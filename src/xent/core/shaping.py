"""S3: a shaping φ acts on the surprisal of an example, and only its derivative φ′ enters the gradient.

A member is a frozen dataclass with two methods; nothing else in the library knows its name. Recipe: write φ and φ′ in
terms of ℓ, free of overflow at ℓ = 0 and ℓ = ∞, with the source in the docstring.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from xent.core import checks
from xent.core.arrays import Array, namespace
from xent.errors import OptionError

Reading: TypeAlias = Literal["surprisal", "per-class"]


@dataclass(frozen=True)
class Form:
    """φ′(ℓ) = factor·(1 + ε·e^{−ℓ})·e^{−qℓ}·u^γ·(1 + γ·e^{−ℓ}·ℓ/u) with u = 1 − e^{−ℓ}, and 0 where ℓ > limit.

    For ε < 0 the first bracket is (1 + ε) + ε·expm1(−ℓ): two terms of one sign.

    A product whose factors are 1 by default; each member of the family uses one of them.
    """

    factor: float = 1.0
    epsilon: float = 0.0
    q: float = 0.0
    gamma: float = 0.0
    limit: float = float("inf")


class Shaping(ABC):
    """φ(ℓ), ℓ = −Σ t log q ≥ 0.

    For a soft target there is more than one reading of "the probability of the truth". ``soft`` names the one that is
    meant: "surprisal" applies φ to ℓ itself, "per-class" takes Σ_k t_k φ(−log q_k). They agree where t is hard, and
    None refuses others.
    """

    soft: Reading | None = None

    @abstractmethod
    def value(self, loss: Array) -> Array:
        """φ(ℓ), elementwise."""

    @abstractmethod
    def derivative(self, loss: Array) -> Array:
        """φ′(ℓ), elementwise."""

    @property
    def no(self) -> Shaping:
        """What acts on −log(1 − q) for the "no" side of Indicators: the same, unless a member says otherwise."""
        return self

    @property
    def form(self) -> Form | None:
        """φ′ by a name and numbers that compiled kernels know, so that they can use it within their one pass; None for
        a φ that they do not know, which takes a pass more. See ``Form``."""
        return None


def require_reading(soft: object, argument: str) -> None:
    """A reading of soft targets that exists."""
    if soft not in (None, "surprisal", "per-class"):
        raise OptionError(argument, '"surprisal", "per-class" or None', repr(soft))


@dataclass(frozen=True)
class Focal(Shaping):
    """Focal loss: φ(ℓ) = (1 − e^{−ℓ})^γ·ℓ, so that examples which are right already weigh little.

    φ′(ℓ) = u^γ·(1 + γ·e^{−ℓ}·ℓ/u) with u = 1 − e^{−ℓ}; ℓ/u → 1 as ℓ → 0, so that nothing divides by zero for any γ ≥ 0.

    Parameters
    ----------
    gamma : float
        γ ≥ 0. Zero is the cross-entropy itself.
    soft : "surprisal" or "per-class", optional
        Needed for soft targets: what their probability is read as. "per-class" is Σ_k t_k (1 − q_k)^γ (−log q_k).

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
    soft: Reading | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", checks.require_nonnegative(self.gamma, "Focal(gamma)"))
        require_reading(self.soft, "Focal(soft=)")

    def value(self, loss: Array) -> Array:
        xp = namespace(loss)
        return (-xp.expm1(-loss)) ** self.gamma * loss

    def derivative(self, loss: Array) -> Array:
        xp = namespace(loss)
        u = -xp.expm1(-loss)
        positive, infinite = u > 0, xp.isinf(loss)
        # At ℓ = 0 and ∞ other numbers stand in, and leave again: a framework that differentiates this once more would
        # make NaN of an infinite φ″(0) for γ < 1, and of e^{−ℓ}·ℓ, which is 0·∞ at an infinite loss.
        u, finite = xp.where(positive, u, 1.0), xp.where(infinite, 0.0, loss)
        slope = xp.where(infinite, 0.0, xp.exp(-finite) * xp.where(positive, finite / u, 1.0))
        power: Array = xp.where(positive, u**self.gamma, 0.0 if self.gamma else 1.0)
        return power * (1.0 + self.gamma * slope)

    @property
    def form(self) -> Form:
        return Form(gamma=self.gamma)


@dataclass(frozen=True)
class Poly1(Shaping):
    """Poly-1: φ(ℓ) = ℓ + ε·(1 − e^{−ℓ}), which changes the first coefficient of ℓ = Σ_j (1 − p)^j/j.

    φ′(ℓ) = 1 + ε·e^{−ℓ}.

    Parameters
    ----------
    epsilon : float
        ε ≥ −1: below it a loss would fall as the truth becomes less likely. 2 for ImageNet in the paper.
    soft : "surprisal" or "per-class", optional
        Needed for soft targets. "per-class" is CE + ε·(1 − Σ t q), as in optax.

    Raises
    ------
    OptionError
        ε below −1 or not finite.

    References
    ----------
    Leng, Tan, Liu, Cubuk, Shi, Cheng and Anguelov, "PolyLoss", 2022 (arXiv 2204.12511), section 3.2.

    Examples
    --------
    >>> import xent
    >>> P, Q = xent.Labels(0), xent.Probabilities([0.8, 0.2])
    >>> round(float(xent.cross_entropy(P, Q, shaping=xent.losses.Poly1(2.0))), 4)
    0.6231
    """

    epsilon: float = 2.0
    soft: Reading | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", checks.require_at_least(self.epsilon, -1.0, "Poly1(epsilon)"))
        require_reading(self.soft, "Poly1(soft=)")

    def value(self, loss: Array) -> Array:
        xp = namespace(loss)
        found = loss - self.epsilon * xp.expm1(-loss)
        if self.epsilon >= 0.0:
            return found
        # Near ℓ = 0 that is a difference; this is a sum: (1 + ε)·ℓ − ε·(ℓ + expm1(−ℓ)).
        near = loss < _NEAR
        small = xp.where(near, loss, 0.0)
        return xp.where(near, (1.0 + self.epsilon) * small - self.epsilon * _beyond_first(small), found)

    def derivative(self, loss: Array) -> Array:
        return one_plus(self.epsilon, loss)

    @property
    def form(self) -> Form:
        return Form(epsilon=self.epsilon)


def one_plus(epsilon: float, loss: Array) -> Array:
    """1 + ε·e^{−ℓ}, as a sum of two terms of one sign."""
    xp = namespace(loss)
    return 1.0 + epsilon * xp.exp(-loss) if epsilon >= 0.0 else (1.0 + epsilon) + epsilon * xp.expm1(-loss)


#: Below it ℓ + expm1(−ℓ) loses more than three bits as a difference, and fourteen terms of its series suffice.
_NEAR = 0.5


def _beyond_first(loss: Array) -> Array:
    """ℓ + expm1(−ℓ) = ℓ²/2·(1 − ℓ/3·(1 − ℓ/4·(…))) for 0 ≤ ℓ < 0.5."""
    xp = namespace(loss)
    series = xp.ones_like(loss)
    for j in range(16, 2, -1):
        series = 1.0 - loss / j * series
    return 0.5 * loss * loss * series


@dataclass(frozen=True)
class Scaled(Shaping):
    """φ(ℓ) = c·ℓ: the cross-entropy beside a penalty, with a weight that is not part of a mean's denominator.

    Raises
    ------
    OptionError
        c negative or not finite.
    """

    coefficient: float

    soft: Reading | None = field(default="surprisal", init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficient", checks.require_nonnegative(self.coefficient, "Scaled(coefficient)"))

    def value(self, loss: Array) -> Array:
        return self.coefficient * loss

    def derivative(self, loss: Array) -> Array:
        return self.coefficient * namespace(loss).ones_like(loss)

    @property
    def form(self) -> Form:
        return Form(factor=self.coefficient)
