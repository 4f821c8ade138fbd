"""Losses for classes, or answers, of very different frequency."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core import checks
from xent.core.arrays import captured
from xent.core.asymmetric_shaping import Asymmetric
from xent.core.margins import Shift
from xent.core.scores import Scores
from xent.core.shaping import Focal, Poly1, Reading
from xent.errors import OptionError, WeightError
from xent.losses.catalogue import member
from xent.losses.loss import Loss

__all__ = [
    "asymmetric",
    "balanced_softmax",
    "class_balanced",
    "class_balanced_weights",
    "equalization_weights",
    "focal",
    "ldam",
    "logit_adjustment",
    "poly1",
    "rebalanced_weights",
]

_ROW = "a = w·φ′(ℓ)·Σt, b = w·φ′(ℓ)"


@member(
    "α_t·(1 − e^{−ℓ})^γ·ℓ",
    gradient=f"{_ROW}, φ′ = u^γ·(1 + γ·e^{{−ℓ}}·ℓ/u), u = 1 − e^{{−ℓ}}",
    source="Lin, Goyal, Girshick, He and Dollár, Focal Loss for Dense Object Detection, 2017, arXiv 1708.02002",
    places="S3",
    defaults={
        "gamma": "2, the paper's",
        "alpha": "None; .25 in the paper, tensorflow-addons and Keras's binary helper",
    },
)
def focal(gamma: float = 2.0, *, alpha: float | None = None, soft: Reading | None = None) -> Loss:
    """Focal loss: examples that are right already weigh little.

    ``alpha`` belongs to Indicators: a yes weighs α and a no 1 − α. For classes of a softmax give ``class_weight=`` in
    the call (Keras's categorical α is a factor of everything: ``.but(factor=0.25)``).

    Parameters
    ----------
    gamma : float
        γ ≥ 0; 0 is the cross-entropy.
    alpha : float, optional
        α in (0, 1), for Indicators alone.
    soft : "surprisal" or "per-class", optional
        What a soft target means, see ``xent.Focal``.

    Raises
    ------
    OptionError
        γ < 0, α outside (0, 1).
    """
    if alpha is None:
        return Loss(shaping=Focal(gamma, soft=soft))
    number = checks.require_fraction(alpha, "focal(alpha=)")
    if not 0.0 < number < 1.0:
        raise OptionError("focal(alpha=)", "a number between 0 and 1", f"{number:g}")
    return Loss(shaping=Focal(gamma, soft=soft), positive_weight=number / (1.0 - number), factor=1.0 - number)


@member(
    "ℓ + ε·(1 − e^{−ℓ})",
    gradient=f"{_ROW}, φ′ = 1 + ε·e^{{−ℓ}}",
    source="Leng, Tan, Liu, Cubuk, Shi, Cheng and Anguelov, PolyLoss, 2022, arXiv 2204.12511",
    places="S3",
    defaults={"epsilon": "2, the paper's for ImageNet; −1 for detection"},
)
def poly1(epsilon: float = 2.0, *, soft: Reading | None = None) -> Loss:
    """Poly-1: the first coefficient of the series ℓ = Σ (1 − p)^j/j, changed. See ``Poly1``."""
    return Loss(shaping=Poly1(epsilon, soft=soft))


@member(
    "yes: (1 − q)^γ₊·(−log q); no: ρ^γ₋·(−log(1 − ρ)), ρ = max(q − m, 0)",
    gradient="a = w·(1 − t)·φ₋′, b = w·t·φ₊′ of each element",
    source="Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter and Zelnik-Manor, 2021, arXiv 2009.14119",
    places="S3",
    defaults={
        "gamma_positive": "1, the reference code's (timm's single-label form: 1, upstream's: 0)",
        "gamma_negative": "4, the reference code's",
        "margin": ".05, the reference code's",
    },
)
def asymmetric(
    gamma_positive: float = 1.0, gamma_negative: float = 4.0, margin: float = 0.05, *, soft: Reading | None = None
) -> Loss:
    """Asymmetric loss for many labels of which few are yes. The reference sums: write ``reduction="sum"`` for that."""
    return Loss(shaping=Asymmetric(gamma_positive, gamma_negative, margin, soft=soft))


@member(
    "CE(z + τ·log π)",
    gradient="a = w·Σt, b = w, on z̃",
    source="Menon, Jayasumana, Rawat, Jain, Veit and Kumar, Long-tail Learning via Logit Adjustment, 2020, "
    "arXiv 2007.07314",
    places="S1",
    defaults={"tau": "1, the paper's"},
)
def logit_adjustment(counts: Any, tau: float = 1.0) -> Loss:
    """Logit adjustment: the log-prior is added while training, so that it is not in what the scores learn.

    Parameters
    ----------
    counts : array (K,)
        Examples of each class (or frequencies), all above 0. A class without examples has no log-prior: mask it with
        ``Scores(allowed=)``.
    tau : float
        τ.

    Raises
    ------
    WeightError
        A count that is not positive and finite.
    """
    n = _counts(counts, "logit_adjustment(counts)")
    return Loss(scores=Scores(offset=checks.require_finite(tau, "logit_adjustment(tau)") * np.log(n / n.sum())))


@member(
    "CE(z + log n), n the number of examples of each class",
    gradient="a = w·Σt, b = w, on z̃",
    source="Ren, Yu, Sheng, Ma, Zhao, Yi and Li, Balanced Meta-Softmax, 2020, arXiv 2007.10740",
    places="S1",
)
def balanced_softmax(counts: Any) -> Loss:
    """Balanced softmax: logit adjustment with τ = 1 (the softmax does not see what is added to every score)."""
    return logit_adjustment(counts)


@member(
    "CE(s·(z_y − Δ_y), s·z), Δ_y = max_margin·(n_min/n_y)^¼",
    gradient="s·(a·p − b·t)",
    source="Cao, Wei, Gaidon, Arechiga and Ma, Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, "
    "2019, arXiv 1906.07413",
    places="S1",
    defaults={"max_margin": ".5, the authors' code", "scale": "30, the authors' code"},
)
def ldam(counts: Any, max_margin: float = 0.5, scale: float = 30.0) -> Loss:
    """LDAM: a margin of each class, larger for rare ones, on cosines. The authors' scores are cosines; with a
    Projection write ``.but(scores=…)`` with ``normalize="both"``.

    Raises
    ------
    WeightError
        A count that is not positive and finite.
    """
    n = _counts(counts, "ldam(counts)")
    margin = checks.require_nonnegative(max_margin, "ldam(max_margin)") * (n.min() / n) ** 0.25
    return Loss(scores=Scores(margin=Shift(margin), scale=scale))


@member(
    "c[y]·ℓ, c ∝ (1 − β)/(1 − β^n), Σc = K",
    gradient="a = w·c·Σt, b = w·c",
    source="Cui, Jia, Lin, Song and Belongie, Class-Balanced Loss Based on Effective Number of Samples, 2019, "
    "arXiv 1901.05555",
    places="S3",
    defaults={"beta": ".9999, the largest of the paper's .9 … .9999"},
)
def class_balanced(counts: Any, beta: float = 0.9999) -> Loss:
    """Class-balanced weights in the numerator and the denominator. ``class_balanced_weights`` gives them alone, for
    other losses."""
    return Loss(class_weight=class_balanced_weights(counts, beta))


def class_balanced_weights(counts: Any, beta: float = 0.9999) -> np.ndarray:
    """c_k = (1 − β)/(1 − β^n_k), scaled so that they sum to K: one over the effective number of examples.

    Parameters
    ----------
    counts : array (K,)
    beta : float
        β in [0, 1): 0 weighs all classes alike, β → 1 by 1/n.

    Raises
    ------
    WeightError, OptionError
        A count that is not positive; β outside [0, 1).
    """
    n = _counts(counts, "class_balanced_weights(counts)")
    beta = checks.require_fraction(beta, "class_balanced_weights(beta)")
    if beta == 1.0:
        raise OptionError("class_balanced_weights(beta)", "a number in [0, 1)", "1")
    # 1 − β^n without loss where β^n is near 1.
    c = (1.0 - beta) / -np.expm1(n * np.log(beta)) if beta else np.ones_like(n)
    return np.asarray(c * (len(n) / c.sum()))


def rebalanced_weights(
    labels: Any, counts: Any, *, alpha: float = 0.1, beta: float = 10.0, mu: float = 0.2
) -> np.ndarray:
    """Distribution-balanced weights of elements: α + σ(β·(r − μ)), r = n_k^{−1}/Σ_{positive j} n_j^{−1}.

    They undo that an image with several labels is drawn once for each of them. Give them as ``weight=`` beside
    Indicators.

    Parameters
    ----------
    labels : array (N, K) of 0 and 1
    counts : array (K,)
        Examples of each label.
    alpha, beta, mu : float
        0.1, 10 and 0.2 in the authors' settings for COCO (0.3 for VOC).

    Raises
    ------
    WeightError
        A count that is not positive.

    References
    ----------
    Wu, Huang, Liu, Wang and Lin, "Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed Datasets",
    2020 (arXiv 2007.09654), section 3.1.
    """
    y = np.asarray(labels, np.float64)
    rate = 1.0 / _counts(counts, "rebalanced_weights(counts)")
    drawn = y @ rate
    r = rate / np.where(drawn > 0, drawn, 1.0)[:, None]
    r = np.where((drawn > 0)[:, None], r, 0.0)
    return np.asarray(alpha + 1.0 / (1.0 + np.exp(-beta * (r - mu))))


def equalization_weights(
    labels: Any, frequencies: Any, *, threshold: float = 5e-3, drop: float = 0.9, seed: int | None = None
) -> np.ndarray:
    """Equalization loss (EQL) for Indicators: 1 − B·1[f_k < λ]·(1 − y), so that rare classes are not pushed down by
    examples of others. Give them as ``weight=``; B is 1 with probability ``drop``, for each element.

    References
    ----------
    Tan, Wang, Li, Li, Ouyang, Yin and Yan, "Equalization Loss for Long-Tailed Object Recognition", 2020
    (arXiv 2003.05176).
    """
    y = np.asarray(labels, np.float64)
    rare = np.asarray(frequencies, np.float64) < threshold
    chosen = np.random.default_rng(seed).random(y.shape) < drop
    return np.asarray(1.0 - chosen * rare * (1.0 - y))


def _counts(counts: Any, argument: str) -> np.ndarray:
    """One number for each class. Where ``torch.compile`` reads the code, values that cannot be become NaN."""
    if captured():
        n = np.asarray(counts).astype(np.float64)
        return np.where((n > 0) & (n < np.inf), n, np.nan)
    n = np.asarray(counts.tolist() if hasattr(counts, "tolist") else counts, np.float64)
    if n.ndim != 1 or not len(n) or not (np.isfinite(n).all() and (n > 0).all()):
        raise WeightError(argument, "one positive number for each class", f"{n!r}"[:80])
    return n
