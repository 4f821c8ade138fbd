"""S4: a penalty R is added to an example's loss, from the statistics of its row.

A member is a frozen dataclass that names the statistics it needs and gives R and its derivative by each of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from xent.core import checks
from xent.core.arrays import Array


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
