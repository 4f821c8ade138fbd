"""Losses for classes, or answers, of very different frequency."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.backends import find, on_arrays
from xent.core import checks
from xent.core.arrays import Array, captured, classes_at, classes_last, constant, namespace, to_compute
from xent.core.asymmetric_shaping import Asymmetric
from xent.core.margins import Shift
from xent.core.predictions import Logits
from xent.core.reduction import Empty, Reduction
from xent.core.scores import Scores
from xent.core.shaping import Focal, Poly1, Reading
from xent.core.targets import Indicators
from xent.errors import OptionError
from xent.functional import cross_entropy
from xent.functional.averaging import reduced
from xent.functional.weights import alive, weight_array
from xent.losses.catalogue import member
from xent.losses.class_weights import class_balanced_weights, class_counts, equalization_weights, rebalanced_weights
from xent.losses.loss import Loss

__all__ = [
    "asymmetric",
    "balanced_softmax",
    "class_balanced",
    "class_balanced_weights",
    "distribution_balanced",
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
    """Asymmetric loss for many labels of which few are yes. The reference sums: write ``reduction="sum"`` for that.

    It is for Indicators. Labels and Distributions have no side of no: of them it is the focal loss with γ₊.
    """
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
    n = class_counts(counts, "logit_adjustment(counts)")
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
def ldam(counts: Any, max_margin: float = 0.5, scale: float = 30.0, *, normalize: bool = False) -> Loss:
    """LDAM: a margin of each class, larger for rare ones. The authors' scores are cosines. With ``normalize`` Q is a
    Projection, whose scores are made cosines; without, Logits are taken as they are.

    Raises
    ------
    WeightError, OptionError
        A count that is not positive and finite; Δ or s out of range.
    """
    n = class_counts(counts, "ldam(counts)")
    margin = checks.require_nonnegative(max_margin, "ldam(max_margin)") * (n.min() / n) ** 0.25
    shift = Shift(margin, cosines=True)
    return Loss(scores=Scores(normalize="both" if normalize else None, margin=shift, scale=scale))


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


@member(
    "b·r̂·(focal of BCE): yes at z + ν, no at κ·(z + ν) and over κ; r̂ = α + σ(β·(r − μ)), ν = −c·log(N/n − 1)/κ",
    gradient="b·r̂·φ′·(σ − t) at those scores, by each element",
    source="Wu, Huang, Liu, Wang and Lin, Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed "
    "Datasets, 2020, arXiv 2007.09654",
    places="S1 S3",
    defaults={
        "kappa": "2, the authors' settings for COCO (5 for VOC)",
        "bias": ".05, the authors' settings",
        "gamma": "2, the same",
        "factor": "2, the same",
        "alpha": ".1, the same",
        "beta": "10, the same",
        "mu": ".2, the authors' settings for COCO (.3 for VOC)",
    },
)
@on_arrays
def distribution_balanced(
    P: Indicators,
    Q: Logits,
    counts: Any,
    examples: float,
    *,
    kappa: float = 2.0,
    bias: float = 0.05,
    gamma: float = 2.0,
    factor: float = 2.0,
    alpha: float = 0.1,
    beta: float = 10.0,
    mu: float = 0.2,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Distribution-balanced loss: weights that undo how often an image is drawn, and a no that soon pushes no more.

    It is called with P and Q, as its scores and weights follow the truth. The mean is over elements, as in the authors'
    code. (Their class reads ``neg_bias`` and their settings give ``init_bias``: a bias that is not applied there.)

    Parameters
    ----------
    P : Indicators
        0 and 1.
    Q : Logits
        Of P's shape; labels along its class axis.
    counts : array (K,)
        Training examples of each label, n.
    examples : number
        Training examples in all, N: more than any n.
    kappa : float
        κ > 0, by which the scores of a no are multiplied and its loss divided.
    bias : float
        c ≥ 0, how much of the log-odds of each label is in ν.
    gamma : float
        γ of the focal loss; 0: none.
    factor : float
        b.
    alpha, beta, mu : float
        As of ``rebalanced_weights``.
    weight, reduction, denominator, empty
        As of ``cross_entropy``.

    Raises
    ------
    KindError, ShapeError, SoftTargetError
        Another P or Q, or shapes that do not fit; truths between 0 and 1.
    WeightError, OptionError
        A count that is not positive, or not below ``examples``; a number out of range.

    Examples
    --------
    >>> import xent
    >>> P, Q = xent.Indicators([[1.0, 0.0]]), xent.Logits([[0.5, -1.0]])
    >>> round(float(xent.losses.imbalance.distribution_balanced(P, Q, [10, 90], 100)), 4)
    0.0835
    """
    checks.require_pair(P, Q, (Indicators,), (Logits,))
    checks.require_one_library({"P": P.values, "Q": Q.scores})
    name = "distribution_balanced"
    n = class_counts(counts, f"{name}(counts)")
    total = checks.require_positive(examples, f"{name}(examples)")
    if not captured() and not (n < total).all():
        raise OptionError(f"{name}(examples)", "more examples than any label has", f"{total:g} and {n.max():g}")
    kappa = checks.require_positive(kappa, f"{name}(kappa=)")
    shift = -checks.require_nonnegative(bias, f"{name}(bias=)") * np.log(total / n - 1.0) / kappa
    axis = Q.axis % Q.scores.ndim
    x = classes_last(to_compute(Q.scores), axis)
    checks.require_same_shape(P.values, tuple(Q.scores.shape), "Indicators")
    y = namespace(x).astype(classes_last(P.values, axis), x.dtype, copy=False)
    checks.require_vector(n, x.shape[-1], f"{name}(counts)")
    slope = y + (1.0 - y) * kappa
    moved = (x + constant(shift, x, x.dtype)) * slope
    w = rebalanced_weights(y, n, alpha=alpha, beta=beta, mu=mu) / slope
    given = weight_array(weight, x, "weight=", find(x).reads(x, weight))
    if given is not None and given.ndim == x.ndim:
        given = classes_last(given, axis)
    each = cross_entropy(
        Indicators(y, smoothing=P.smoothing),
        Logits(moved),
        weight=alive(given),
        shaping=Focal(gamma),
        reduction="none",
    )
    each = each * w * checks.require_nonnegative(factor, f"{name}(factor=)")
    found = reduced(each, weight=given, reduction=reduction, denominator=denominator, empty=empty)
    return classes_at(found, axis) if reduction == "none" else found
