"""Shapings that trust a label less the less likely the model finds it: for labels some of which are wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from xent.core import checks
from xent.core.arrays import Array, namespace
from xent.core.shaping import Form, Reading, Shaping, require_reading
from xent.errors import OptionError


@dataclass(frozen=True)
class GeneralizedCrossEntropy(Shaping):
    """Generalized cross-entropy: φ(ℓ) = (1 − e^{−qℓ})/q = (1 − p^q)/q, from ℓ (q → 0) to the absolute error (q = 1).

    φ′(ℓ) = e^{−qℓ} = p^q. With a truncation k the loss of an example whose p < k is the constant (1 − k^q)/q, and its
    gradient 0. At p = k, where every example of a model of zeros with 1/k classes is, the gradient is that from above.

    Parameters
    ----------
    q : float
        0 ≤ q ≤ 1; 0.7 in the paper. 0 is the cross-entropy itself.
    truncation : float, optional
        k in (0, 1); 0.5 in the paper.
    soft : "surprisal" or "per-class", optional
        Needed for soft targets.

    Raises
    ------
    OptionError
        q outside [0, 1], k outside (0, 1).

    References
    ----------
    Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels", 2018
    (arXiv 1805.07836), equations 6 and 9.

    Examples
    --------
    >>> import xent
    >>> P, Q = xent.Labels(1), xent.Probabilities([0.8, 0.2])
    >>> round(float(xent.cross_entropy(P, Q, shaping=xent.losses.GeneralizedCrossEntropy(1.0))), 4)
    0.8
    """

    q: float = 0.7
    truncation: float | None = None
    soft: Reading | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "q", checks.require_fraction(self.q, "GeneralizedCrossEntropy(q)"))
        if self.truncation is not None:
            k = checks.require_fraction(self.truncation, "GeneralizedCrossEntropy(truncation=)")
            if not 0.0 < k < 1.0:
                raise OptionError("GeneralizedCrossEntropy(truncation=)", "a number between 0 and 1", f"{k:g}")
            object.__setattr__(self, "truncation", k)
        require_reading(self.soft, "GeneralizedCrossEntropy(soft=)")

    @property
    def _limit(self) -> float:
        return math.inf if self.truncation is None else -math.log(self.truncation)

    def value(self, loss: Array) -> Array:
        xp = namespace(loss)
        if self.truncation is not None:
            loss = xp.where(loss > self._limit, self._limit, loss)
        return loss if self.q == 0.0 else -xp.expm1(-self.q * loss) / self.q

    def derivative(self, loss: Array) -> Array:
        xp = namespace(loss)
        # 0·∞ for q = 0 at an infinite loss.
        slope = xp.exp(-self.q * loss) if self.q else xp.ones_like(loss)
        return slope if self.truncation is None else xp.where(loss > self._limit, 0.0, slope)

    @property
    def form(self) -> Form:
        return Form(q=self.q, limit=self._limit)


@dataclass(frozen=True)
class SymmetricCrossEntropy(Shaping):
    """Symmetric cross-entropy: α·H(P, Q) + β·H(Q, P), in which log 0 of a label's other classes is taken for A.

    For a hard label H(Q, P) = −A·(1 − p), so that φ(ℓ) = α·ℓ − β·A·(1 − e^{−ℓ}): α times Poly-1 with ε = −A·β/α.

    Parameters
    ----------
    alpha, beta : float
        α > 0, β ≥ 0; 0.1 and 1.0 for CIFAR-10, 6.0 and 0.1 for CIFAR-100 in the paper.
    log_zero : float
        A < 0. −4 in the paper's text, log 1e−4 in its code, which is the default here.
    soft : "surprisal" or "per-class", optional
        Needed for soft targets, for which neither is the paper's H(Q, P).

    Raises
    ------
    OptionError
        α not positive, β negative, A not negative.

    References
    ----------
    Wang, Ma, Chen, Luo, Yi and Bailey, "Symmetric Cross Entropy for Robust Learning with Noisy Labels", 2019
    (arXiv 1908.06112), equation 7.
    """

    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = math.log(1e-4)
    soft: Reading | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        name = "SymmetricCrossEntropy"
        object.__setattr__(self, "alpha", checks.require_positive(self.alpha, f"{name}(alpha)"))
        object.__setattr__(self, "beta", checks.require_nonnegative(self.beta, f"{name}(beta)"))
        object.__setattr__(self, "log_zero", -checks.require_positive(-self.log_zero, f"−{name}(log_zero)"))
        require_reading(self.soft, f"{name}(soft=)")

    def value(self, loss: Array) -> Array:
        return self.alpha * loss + self.beta * self.log_zero * namespace(loss).expm1(-loss)

    def derivative(self, loss: Array) -> Array:
        return self.alpha - self.beta * self.log_zero * namespace(loss).exp(-loss)

    @property
    def form(self) -> Form:
        return Form(factor=self.alpha, epsilon=-self.log_zero * self.beta / self.alpha)


@dataclass(frozen=True)
class TaylorCrossEntropy(Shaping):
    """The first n terms of ℓ = Σ_j u^j/j, u = 1 − e^{−ℓ}: φ(ℓ) = Σ_{j≤n} u^j/j, φ′(ℓ) = e^{−ℓ}·Σ_{j<n} u^j = 1 − u^n.

    Parameters
    ----------
    terms : int
        n ≥ 1. 1 is the absolute error of p, more come nearer to the cross-entropy.
    soft : "surprisal" or "per-class", needed for soft targets

    Raises
    ------
    OptionError
        n that is no whole number of 1 or more, another reading.

    References
    ----------
    Feng, Shu, Lin, Lv, Li and An, "Can Cross Entropy Loss Be Robust to Label Noise?", IJCAI 2020.
    """

    terms: int = 2
    soft: Reading | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", checks.require_count(self.terms, "TaylorCrossEntropy(terms)"))
        require_reading(self.soft, "TaylorCrossEntropy(soft=)")

    def value(self, loss: Array) -> Array:
        u = -namespace(loss).expm1(-loss)
        return sum((u**j / j for j in range(2, self.terms + 1)), start=u)

    def derivative(self, loss: Array) -> Array:
        u = -namespace(loss).expm1(-loss)
        return namespace(loss).exp(-loss) * sum((u**j for j in range(1, self.terms)), start=1.0)
