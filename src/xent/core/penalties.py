"""S4: a penalty R is added to an example's loss, from the statistics of its row.

A member is a frozen dataclass that names the statistics it needs and gives R and its derivative by each of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from xent.core import checks
from xent.core.arrays import Array, namespace


class Penalty(ABC):
    """R(statistics of a row), added to φ(ℓ) before weights act."""

    #: Names of the row statistics that the penalty reads.
    needs: ClassVar[frozenset[str]]

    @abstractmethod
    def value(self, statistics: Mapping[str, Array]) -> Array:
        """R, one number a row."""

    @abstractmethod
    def derivative(self, statistics: Mapping[str, Array]) -> dict[str, Array]:
        """∂R/∂s for each statistic s that the penalty needs."""


@dataclass(frozen=True)
class ZLoss(Penalty):
    """z-loss: R = λ·lse(z)², which keeps the log-partition of the scores near zero.

    Parameters
    ----------
    coefficient : float
        λ ≥ 0, often 1e-4.

    Raises
    ------
    OptionError
        λ negative or not finite.

    References
    ----------
    de Brébisson and Vincent, "The Z-loss: a shift and scale invariant classification loss belonging to the Spherical
    Family", 2016; in the form used here, Chowdhery et al., "PaLM", 2022 (arXiv 2204.02311), section 5.

    Examples
    --------
    >>> import xent
    >>> P, Q = xent.Labels(0), xent.Logits([2.0, 0.0])
    >>> plain = xent.cross_entropy(P, Q)
    >>> round(float(xent.cross_entropy(P, Q, penalties=[xent.ZLoss(1e-2)]) - plain), 5)
    0.04524
    """

    coefficient: float

    needs: ClassVar[frozenset[str]] = frozenset({"lse"})

    def __post_init__(self) -> None:
        number = checks.require_nonnegative(self.coefficient, "ZLoss(coefficient)")
        object.__setattr__(self, "coefficient", number)

    def value(self, statistics: Mapping[str, Array]) -> Array:
        return self.coefficient * statistics["lse"] ** 2

    def derivative(self, statistics: Mapping[str, Array]) -> dict[str, Array]:
        return {"lse": 2.0 * self.coefficient * statistics["lse"]}


@dataclass(frozen=True)
class Magnitude(Penalty):
    """R = λ·(a/u² + 1/a) with a = ‖x‖, kept in [l, u]: it is least at a = u, so that hidden states grow.

    The part of MagFace that holds against its margin, which makes long hidden states dear. For a Projection.

    Parameters
    ----------
    coefficient : float
        λ ≥ 0.
    shortest, longest : float
        l and u, 0 < l < u.

    Raises
    ------
    OptionError
        λ negative or not finite; bounds that are none.

    References
    ----------
    Meng, Zhao, Huang and Zhou, "MagFace", 2021 (arXiv 2103.06627), section 3.2.
    """

    coefficient: float = 35.0
    shortest: float = 10.0
    longest: float = 110.0

    needs: ClassVar[frozenset[str]] = frozenset({"norm"})

    def __post_init__(self) -> None:
        shortest, longest = checks.require_bounds(self.shortest, self.longest, "Magnitude(shortest, longest)")
        object.__setattr__(self, "shortest", shortest)
        object.__setattr__(self, "longest", longest)
        number = checks.require_nonnegative(self.coefficient, "Magnitude(coefficient)")
        object.__setattr__(self, "coefficient", number)

    def value(self, statistics: Mapping[str, Array]) -> Array:
        a = self._kept(statistics["norm"])
        return self.coefficient * (a / self.longest**2 + 1.0 / a)

    def derivative(self, statistics: Mapping[str, Array]) -> dict[str, Array]:
        norm = statistics["norm"]
        a = self._kept(norm)
        slope = self.coefficient * (1.0 / self.longest**2 - 1.0 / a**2)
        inside = (norm >= self.shortest) & (norm <= self.longest)
        return {"norm": namespace(norm).where(inside, slope, 0.0)}

    def _kept(self, norm: Array) -> Array:
        xp = namespace(norm)
        return xp.where(norm < self.shortest, self.shortest, xp.where(norm > self.longest, self.longest, norm))


@dataclass(frozen=True)
class Entropy(Penalty):
    """R = c·H(Q), the entropy of the prediction, −Σ q log q. c < 0 is the confidence penalty, which asks for spread.

    With c = 1 − β and φ(ℓ) = β·ℓ it makes soft bootstrapping, −Σ (β·p + (1 − β)·q) log q with the gradient through q.

    Parameters
    ----------
    coefficient : float
        c. There is no universal value.

    Raises
    ------
    OptionError
        c not finite.

    References
    ----------
    Pereyra, Tucker, Chorowski, Kaiser and Hinton, "Regularizing Neural Networks by Penalizing Confident Output
    Distributions", 2017 (arXiv 1701.06548); Reed, Lee, Anguelov, Szegedy, Erhan and Rabinovich, "Training Deep Neural
    Networks on Noisy Labels with Bootstrapping", 2014 (arXiv 1412.6596), equation 6.
    """

    coefficient: float

    needs: ClassVar[frozenset[str]] = frozenset({"entropy"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficient", checks.require_finite(self.coefficient, "Entropy(coefficient)"))

    def value(self, statistics: Mapping[str, Array]) -> Array:
        return self.coefficient * statistics["entropy"]

    def derivative(self, statistics: Mapping[str, Array]) -> dict[str, Array]:
        return {"entropy": self.coefficient * namespace(statistics["entropy"]).ones_like(statistics["entropy"])}
