"""Margins at the true class: L-Softmax, SM-Softmax, AM-Softmax and their successors.

All but SM-Softmax, L-Softmax and A-Softmax are meant for cosines. Made with ``normalize=True`` they take a Projection
and normalise it; without, they take Logits that are cosines, and refuse a Projection. L-Softmax keeps the lengths of a
Projection. A margin of the angle refuses Logits outside [−1, 1] at the truth, or gives NaN where they cannot be read.

On a Projection the angles come from its hidden states and classifiers, and the gradient by a hidden state is bounded:
‖∂L/∂x‖ ≤ s·abs(f′(θ))/‖x‖ for the true class. On Logits the derivative by a cosine, which has no bound at θ = 0 and π,
is cut where sin θ < 1e-4.

A margin is for training. ``loss.at_inference(Q)`` gives the scores of the model in use.
"""

from __future__ import annotations

from xent.core import checks
from xent.core.margins import Angular, Boundary, Gradient, LargeMargin, Shift
from xent.core.predictions import Logits, Projection
from xent.core.scores import Scores
from xent.functional.centres import best_centre
from xent.losses.catalogue import member
from xent.losses.loss import Loss

__all__ = [
    "a_softmax",
    "am_softmax",
    "arcface",
    "combined_margin",
    "cosface",
    "l_softmax",
    "sm_softmax",
    "sub_center",
]

_TURN = (
    "(a·p − b·t)·s, at the truth times ∂f(θ): by x of a Projection |f′(θ)|/‖x‖ long; by a cosine in Logits "
    "−f′(θ)/sin θ, cut where sin θ < 1e-4"
)
_ARC = f"{_TURN}; straight-through: −sin θ for f′(θ)"


@member(
    "CE with z_y = ‖W_y‖·‖x‖·(λ·cos θ + ψ(θ))/(1 + λ), ψ = (−1)^k·cos mθ − 2k, k = ⌊mθ/π⌋",
    gradient=_TURN,
    source="Liu, Wen, Yu and Yang, Large-Margin Softmax Loss, 2016, arXiv 1612.02295",
    places="S1",
    defaults={"m": "4, the largest of the paper's 1 … 4", "blend": "0; annealed in the authors' code"},
)
def l_softmax(m: int = 4, blend: float = 0.0) -> Loss:
    """L-Softmax, for a Projection without a bias, whose lengths it keeps; Logits are cosines. ``blend`` is the λ of its
    annealing: see ``LargeMargin.annealed``."""
    return Loss(scores=Scores(margin=LargeMargin(m, blend)))


@member(
    "CE with z_y = ‖x‖·(λ·cos θ + ψ(θ))/(1 + λ), z_j = ‖x‖·cos θ_j",
    gradient=_TURN,
    source="Liu, Wen, Yu, Li, Raj and Song, SphereFace, 2017, arXiv 1704.08063",
    places="S1",
    defaults={"m": "4, the paper's", "blend": "0; annealed from 1000 to 5 in the authors' prototxt"},
)
def a_softmax(m: int = 4, blend: float = 0.0) -> Loss:
    """A-Softmax (SphereFace): L-Softmax with classifiers of length 1. For a Projection."""
    return Loss(scores=Scores(normalize="weight", margin=LargeMargin(m, blend)))


@member(
    "CE with z_y − m",
    gradient="a·p̃ − b·t, p̃ with the margin",
    source="Liang, Wang, Lei, Liao and Li, Soft-Margin Softmax for Deep Classification, 2017",
    places="S1",
    defaults={"m": ".6, Banerjee et al., arXiv 2011.11538; the paper names none"},
)
def sm_softmax(m: float = 0.6) -> Loss:
    """SM-Softmax (soft margin): the true score has to lead by m. m ≥ 0; scores are not cosines here.

    Raises
    ------
    OptionError
        m < 0.
    """
    return Loss(scores=Scores(margin=Shift(checks.require_nonnegative(m, "sm_softmax(m)"))))


@member(
    "CE with s·(cos θ_y − m), s·cos θ_j",
    gradient="s·(a·p − b·t)",
    source="Wang, Cheng, Liu and Liu, Additive Margin Softmax, 2018, arXiv 1801.05599; Wang et al., CosFace, 2018, "
    "arXiv 1801.09414",
    places="S1",
    defaults={"m": ".35, the authors' prototxt (.4 insightface)", "scale": "30, the same (64 insightface)"},
)
def am_softmax(m: float = 0.35, scale: float = 30.0, *, normalize: bool = False) -> Loss:
    """AM-Softmax. With ``normalize`` Q is a Projection, whose scores are made cosines; without, Logits are cosines.

    Raises
    ------
    OptionError
        m < 0, or s not positive.
    """
    margin = Shift(checks.require_nonnegative(m, "am_softmax(m)"), cosines=True)
    return Loss(scores=Scores(normalize="both" if normalize else None, margin=margin, scale=scale))


@member(
    "CE with s·(cos θ_y − m), s·cos θ_j",
    gradient="s·(a·p − b·t)",
    source="Wang, Wang, Zhou, Ji, Gong, Zhou, Li and Liu, CosFace, 2018, arXiv 1801.09414",
    places="S1",
    defaults={"m": ".35, the paper's", "scale": "64, the paper's"},
)
def cosface(m: float = 0.35, scale: float = 64.0, *, normalize: bool = False) -> Loss:
    """CosFace: AM-Softmax with its own defaults, and its errors."""
    margin = Shift(checks.require_nonnegative(m, "cosface(m)"), cosines=True)
    return Loss(scores=Scores(normalize="both" if normalize else None, margin=margin, scale=scale))


@member(
    "CE with s·cos(θ_y + m), s·cos θ_j",
    gradient=_ARC,
    source="Deng, Guo, Xue and Zafeiriou, ArcFace, 2019, arXiv 1801.07698",
    places="S1",
    defaults={
        "m": ".5 rad, the paper's",
        "scale": "64, the paper's",
        "boundary": "continue: the paper's formula, Paddle, insightface; “linear”: PyTorch Metric Learning",
        "grad": "true: the formula's; “straight-through”: insightface",
        "normalize": "False: the scores are cosines, as in the authors' code",
    },
)
def arcface(
    m: float = 0.5,
    scale: float = 64.0,
    *,
    boundary: Boundary = "continue",
    grad: Gradient = "true",
    normalize: bool = False,
) -> Loss:
    """ArcFace. What it means past θ + m = π, and in the gradient, differs among its implementations: ``boundary`` and
    ``grad`` name the choices, see ``Angular``."""
    margin = Angular(1.0, m, 0.0, boundary, grad)
    return Loss(scores=Scores(normalize="both" if normalize else None, margin=margin, scale=scale))


@member(
    "CE with s·(cos(m₁θ_y + m₂) − m₃), s·cos θ_j",
    gradient=_ARC,
    source="Deng, Guo, Xue and Zafeiriou, ArcFace, 2019, arXiv 1801.07698, equation 4",
    places="S1",
    defaults={
        "m1": "1, Paddle",
        "m2": ".5, Paddle",
        "m3": "0, Paddle",
        "scale": "64, Paddle",
        "boundary": "continue, Paddle",
        "grad": "true, Paddle",
        "normalize": "False: the scores are cosines, as in Paddle",
    },
)
def combined_margin(
    m1: float = 1.0,
    m2: float = 0.5,
    m3: float = 0.0,
    scale: float = 64.0,
    *,
    boundary: Boundary = "continue",
    grad: Gradient = "true",
    normalize: bool = False,
) -> Loss:
    """SphereFace's, ArcFace's and CosFace's margins together. m₃ may be below zero. See ``Angular``."""
    margin = Angular(m1, m2, m3, boundary, grad)
    return Loss(scores=Scores(normalize="both" if normalize else None, margin=margin, scale=scale))


@member(
    "z_k = max over the centres of class k",
    gradient="to the centre that is nearest",
    source="Deng, Guo, Liu, Gong and Zafeiriou, Sub-center ArcFace, 2020",
    defaults={"centres": "3, the paper's and PyTorch Metric Learning's"},
)
def sub_center(Q: Logits | Projection, centres: int = 3, *, normalize: bool = False) -> Logits:
    """Scores of classes that have several centres each: of K·centres classifiers, the best of each class's.

    A prediction, so that every loss takes it; it does not see which labels do not count, whose scores have to be
    numbers. Classifiers k·centres … k·centres + centres − 1 belong to class k.

    Parameters
    ----------
    Q : Logits (…, K·centres) or Projection
    centres : int
    normalize : bool
        For a Projection: its scores are cosines.

    Raises
    ------
    OptionError
        A number of classifiers that is no multiple of ``centres``.
    """
    return best_centre(Q, centres, normalize)
