"""Fenchel–Young losses: the cross-entropy's relatives whose predictions may be zero.

    q(z) = argmax_p ⟨p, z⟩ − Ω(p)        L = Ω*(z) + Ω(t) − ⟨t, z⟩        ∂L/∂z = q − t

L ≥ 0, and 0 only where q = t.

With Ω the negative of Tsallis' entropy, Ω_α(p) = Σ (p^α − p)/(α(α − 1)), q is α-entmax: the softmax at α = 1, where L
is KL(t‖q) and for labels the cross-entropy, and the nearest distribution to the scores at α = 2, sparsemax. For α > 1
classes that are far below the best have no mass at all, and scores that are ahead by 1/(α − 1) have a loss of 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xent.core import checks
from xent.core.arrays import Array
from xent.core.predictions import Logits, Probabilities, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.targets import Distribution, Labels
from xent.functional.fenchel_young import entmax_of, fenchel_young, fenchel_young_value_and_grad
from xent.losses.catalogue import member

__all__ = ["FenchelYoung", "entmax", "entmax_loss", "sparsemax", "sparsemax_loss"]

_BLONDEL = "Blondel, Martins and Niculae, Learning with Fenchel-Young Losses, 2020, arXiv 1901.02324"


@dataclass(frozen=True)
class FenchelYoung:
    """L = Σ w·(Ω*(z) + Ω(t) − ⟨t, z⟩)/D with Ω the negative Tsallis entropy of index α. ∂L/∂z = w·(q − t)/D.

    Call it with P and Q as ``cross_entropy``. It is no ``-log q``: q may be 0 at the truth, where L is finite.

    Parameters
    ----------
    alpha : float
        α ≥ 1. 1 is KL(t‖softmax), for labels the cross-entropy; 1.5 is entmax; 2 sparsemax.

    Raises
    ------
    OptionError
        α < 1 or not finite.

    Notes
    -----
    Exact by sorting for α = 1.5 and 2, by bisection for others. First and second derivatives by the scores are those of
    the mathematics; higher ones are not. Errors are a few eps of 1 + max z − z_y for the loss and of 1 for the
    gradient, and for α > 2 the root of index α − 1 of that for classes at the edge of the support, where q(z) has no
    derivative.

    References
    ----------
    Blondel, Martins and Niculae, "Learning with Fenchel-Young Losses", JMLR 21, 2020 (arXiv 1901.02324).

    Examples
    --------
    >>> import xent
    >>> loss = xent.losses.fenchel_young.FenchelYoung(2.0)
    >>> round(float(loss(xent.Labels([0]), xent.Logits([[0.5, 0.0, -3.0]]))), 4)
    0.0625
    """

    alpha: float = 1.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checks.require_at_least(self.alpha, 1.0, "FenchelYoung(alpha)"))

    @property
    def entry(self) -> tuple[str, dict[str, Any]]:
        """What ``describe`` finds it by."""
        if self.alpha == 2.0:
            return "fenchel_young.sparsemax_loss", {}
        return "fenchel_young.entmax_loss", {"alpha": self.alpha}

    def __call__(
        self,
        P: Labels | Distribution,
        Q: Logits | Projection,
        *,
        weight: Any = None,
        class_weight: Any = None,
        reduction: Reduction = "mean",
        denominator: Any = None,
        empty: Empty = "nan",
    ) -> Array:
        """The loss. Arguments, shapes and errors as of ``cross_entropy``.

        Raises
        ------
        UndefinedPairError
            Indicators, or a Q that holds no scores.
        """
        return fenchel_young(
            P,
            Q,
            self.alpha,
            weight=weight,
            class_weight=class_weight,
            reduction=reduction,
            denominator=denominator,
            empty=empty,
        )

    def value_and_grad(
        self,
        P: Labels | Distribution,
        Q: Logits | Projection,
        *,
        weight: Any = None,
        class_weight: Any = None,
        reduction: Reduction = "mean",
        denominator: Any = None,
        empty: Empty = "nan",
    ) -> tuple[Array, Any]:
        """The loss, and its gradient by the array that Q holds, as of ``xent.value_and_grad``."""
        return fenchel_young_value_and_grad(
            P,
            Q,
            self.alpha,
            weight=weight,
            class_weight=class_weight,
            reduction=reduction,
            denominator=denominator,
            empty=empty,
        )

    def probabilities(self, Q: Logits | Projection) -> Probabilities:
        """q(z), what the model predicts: ``entmax(Q, alpha)``."""
        return entmax_of(Q, self.alpha)


@member(
    "q = argmin_p ‖p − z‖², the distribution nearest to the scores",
    gradient="(1[q > 0] − 1[q > 0]·1[q > 0]ᵀ/|q > 0|)·g",
    source="Martins and Astudillo, From Softmax to Sparsemax, 2016, arXiv 1602.02068",
)
def sparsemax(Q: Logits | Projection) -> Probabilities:
    """Sparsemax: (z − τ)₊ with Σ = 1. Differentiable once.

    Returns
    -------
    Probabilities
        Of Q's shape, with zeros. In float32 at least.

    Examples
    --------
    >>> import xent
    >>> xent.losses.fenchel_young.sparsemax(xent.Logits([0.75, 0.25, -1.0])).probs
    array([0.75, 0.25, 0.  ])
    """
    return entmax_of(Q, 2.0)


@member(
    "q = (1 + (α − 1)·(z − c))₊^{1/(α − 1)}, Σ q = 1",
    gradient="s·(g − ⟨s, g⟩/Σs), s = q^{2 − α}",
    source="Peters, Niculae and Martins, Sparse Sequence-to-Sequence Models, 2019, arXiv 1905.05702",
    defaults={"alpha": "1.5, the paper's"},
)
def entmax(Q: Logits | Projection, alpha: float = 1.5) -> Probabilities:
    """α-entmax: the softmax at α = 1, sparsemax at α = 2. Differentiable once.

    Raises
    ------
    OptionError
        α < 1 or not finite.

    Examples
    --------
    >>> import xent
    >>> xent.losses.fenchel_young.entmax(xent.Logits([1.0, 1.0, -3.0])).probs
    array([0.5, 0.5, 0. ])
    """
    return FenchelYoung(alpha).probabilities(Q)


@member(
    "½·‖q − t‖² + Σ_{q = 0} t·(τ − z), q = sparsemax(z)",
    gradient="w·(q − t)",
    source="Martins and Astudillo, From Softmax to Sparsemax, 2016, arXiv 1602.02068; " + _BLONDEL,
)
def sparsemax_loss() -> FenchelYoung:
    """Sparsemax loss: zero as soon as the true score leads by 1."""
    return FenchelYoung(2.0)


@member(
    "Ω*(z) + Ω(t) − ⟨t, z⟩, Ω(p) = Σ (p^α − p)/(α(α − 1))",
    gradient="w·(q − t), q = entmax(z, α)",
    source="Peters, Niculae and Martins, Sparse Sequence-to-Sequence Models, 2019, arXiv 1905.05702; " + _BLONDEL,
    defaults={"alpha": "1.5, the paper's"},
)
def entmax_loss(alpha: float = 1.5) -> FenchelYoung:
    """Entmax loss: zero as soon as the true score leads by 1/(α − 1). See ``FenchelYoung``."""
    return FenchelYoung(alpha)
