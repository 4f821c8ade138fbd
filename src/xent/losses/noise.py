"""Losses for labels some of which are wrong, and for models that are too sure."""

from __future__ import annotations

from typing import Any, Literal

from xent.core import checks
from xent.core.penalties import Entropy, ZLoss
from xent.core.predictions import Logits, LogProbabilities, Projection
from xent.core.robust_shaping import GeneralizedCrossEntropy, SymmetricCrossEntropy, TaylorCrossEntropy
from xent.core.scores import Scores
from xent.core.shaping import Reading, Scaled
from xent.core.target_steps import BackwardCorrection, HardBootstrap, Smoothing
from xent.functional.mixture import mixed_log_probabilities
from xent.losses.catalogue import member
from xent.losses.loss import Loss

__all__ = [
    "backward_correction",
    "confidence_penalty",
    "forward_correction",
    "generalized_cross_entropy",
    "hard_bootstrap",
    "label_smoothing",
    "soft_bootstrap",
    "softcap",
    "symmetric_cross_entropy",
    "taylor_cross_entropy",
    "temperature",
    "z_loss",
]


@member(
    "CE(t′), t′ = (1 − ε)·t + ε/K; “others”: ε/(K − 1) for each class but the truth",
    gradient="a = w·Σt′, b = w, with t′",
    source="Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, Rethinking the Inception Architecture, 2015, arXiv 1512.00567",
    places="S2",
    defaults={"formula": "uniform: PyTorch, optax, Keras, timm; “others”: Megatron"},
)
def label_smoothing(epsilon: float, *, formula: Literal["uniform", "others"] = "uniform", allowed: Any = None) -> Loss:
    """Label smoothing. With ``allowed`` (K booleans) the other classes have a score of −∞ and no share of ε.

    Raises
    ------
    OptionError, ShapeError
        ε outside [0, 1], another formula, no class that can share ε: see ``Smoothing``.
    """
    scores = None if allowed is None else Scores(allowed=allowed)
    return Loss(scores=scores, target=Smoothing(epsilon, formula, allowed))


@member(
    "(1 − e^{−qℓ})/q; 0 gradient where p < k",
    gradient="a = w·e^{−qℓ}·Σt, b = w·e^{−qℓ}",
    source="Zhang and Sabuncu, Generalized Cross Entropy Loss, 2018, arXiv 1805.07836",
    places="S3",
    defaults={"q": ".7, the paper's", "truncation": "None; .5 in the paper where it truncates"},
)
def generalized_cross_entropy(q: float = 0.7, *, truncation: float | None = None, soft: Reading | None = None) -> Loss:
    """Generalized cross-entropy, between the cross-entropy (q → 0) and the absolute error (q = 1)."""
    return Loss(shaping=GeneralizedCrossEntropy(q, truncation, soft=soft))


@member(
    "α·ℓ − β·A·(1 − e^{−ℓ})",
    gradient="a = w·(α − β·A·e^{−ℓ})·Σt, b = w·(α − β·A·e^{−ℓ})",
    source="Wang, Ma, Chen, Luo, Yi and Bailey, Symmetric Cross Entropy, 2019, arXiv 1908.06112",
    places="S3",
    defaults={
        "alpha": ".1, the paper's for CIFAR-10",
        "beta": "1, the same",
        "log_zero": "log 1e−4, the authors' code",
    },
)
def symmetric_cross_entropy(
    alpha: float = 0.1, beta: float = 1.0, *, log_zero: float = -9.210340371976182, soft: Reading | None = None
) -> Loss:
    """Symmetric cross-entropy, α·H(P, Q) + β·H(Q, P): α times Poly-1 with ε = −A·β/α."""
    return Loss(shaping=SymmetricCrossEntropy(alpha, beta, log_zero, soft=soft))


@member(
    "Σ_{j≤n} (1 − p)^j/j",
    gradient="a = w·(1 − (1 − p)^n)·Σt, b = w·(1 − (1 − p)^n)",
    source="Feng, Shu, Lin, Lv, Li and An, IJCAI 2020",
    places="S3",
)
def taylor_cross_entropy(terms: int = 2, *, soft: Reading | None = None) -> Loss:
    """Taylor cross-entropy: the first terms of the cross-entropy as a power series of 1 − p."""
    return Loss(shaping=TaylorCrossEntropy(terms, soft=soft))


@member(
    "CE(β·t + (1 − β)·1[k = argmax q])",
    gradient="a = w, b = w, with that target as a constant",
    source="Reed, Lee, Anguelov, Szegedy, Erhan and Rabinovich, 2014, arXiv 1412.6596",
    places="S2",
    defaults={"beta": ".8, the paper's"},
)
def hard_bootstrap(beta: float = 0.8) -> Loss:
    """Hard bootstrapping: some trust in the class that the model finds best."""
    return Loss(target=HardBootstrap(beta))


@member(
    "β·CE + (1 − β)·H(q)",
    gradient="a = w·β·Σt, b = w·β, h = w·(1 − β)",
    source="Reed, Lee, Anguelov, Szegedy, Erhan and Rabinovich, 2014, arXiv 1412.6596",
    places="S3 S4",
    defaults={"beta": ".95, the paper's"},
)
def soft_bootstrap(beta: float = 0.95) -> Loss:
    """Soft bootstrapping, −Σ (β·t + (1 − β)·q)·log q, whose gradient goes through q in both places."""
    beta = checks.require_fraction(beta, "soft_bootstrap(beta)")
    return Loss(shaping=Scaled(beta), penalties=(Entropy(1.0 - beta),))


@member(
    "CE(t·T⁻¹), T(i, j) = P(written j | truth i)",
    gradient="a = w·Σt′, b = w, with t′ = t·T⁻¹",
    source="Patrini, Rozza, Menon, Nock and Qu, 2017, arXiv 1609.03683, theorem 1",
    places="S2",
)
def backward_correction(transition: Any) -> Loss:
    """Backward noise correction: unbiased, and below zero for some examples.

    Raises
    ------
    OptionError, ShapeError
        T that is no transition matrix, has no inverse, or is of another number of classes: see ``BackwardCorrection``.
    """
    return Loss(target=BackwardCorrection(transition))


@member(
    "−log Σ_i q_i·T(i, y) = lse(z) − lse(z + log T(·, y))",
    gradient="p − softmax(z + log T(·, y))",
    source="Patrini, Rozza, Menon, Nock and Qu, 2017, arXiv 1609.03683, theorem 2",
)
def forward_correction(Q: Logits | Projection, transition: Any) -> LogProbabilities:
    """Forward noise correction: Q\'s distribution over truths becomes that over what is written down, q·T.

    It is a prediction, so that every loss and measure takes it: ``cross_entropy(P, forward_correction(Q, T))``. It does
    not see which labels do not count: their scores have to be numbers, or their gradient is NaN. It costs one product
    of N·K² multiplications; where an entry of q·T would vanish beside the largest q, one for each set of columns of T
    that are 0 in the same places.

    Parameters
    ----------
    Q : Logits or Projection
    transition : array (K, K)
        T(i, j), the probability that truth i is written down as j. Its rows sum to one.

    Raises
    ------
    OptionError
        T not square, with an entry outside [0, 1], or with rows that do not sum to one. Where ``torch.compile`` reads
        the code the result is NaN.
    ShapeError
        T for another number of classes.
    """
    return mixed_log_probabilities(Q, transition, "forward_correction(transition)")


@member(
    "CE + λ·lse(z)²",
    gradient="a = w·(Σt + 2λ·lse), b = w",
    source="Chowdhery et al., PaLM, 2022, arXiv 2204.02311, section 5",
    places="S4",
    defaults={"coefficient": "1e-4, PaLM and T5X"},
)
def z_loss(coefficient: float = 1e-4) -> Loss:
    """z-loss keeps the log-partition near zero."""
    return Loss(penalties=(ZLoss(coefficient),))


@member(
    "CE − β·H(q)",
    gradient="a = w·Σt, b = w, h = −w·β",
    source="Pereyra, Tucker, Chorowski, Kaiser and Hinton, 2017, arXiv 1701.06548",
    places="S4",
)
def confidence_penalty(beta: float) -> Loss:
    """Confidence penalty: a prediction that is spread out costs less. There is no universal β."""
    return Loss(penalties=(Entropy(-checks.require_nonnegative(beta, "confidence_penalty(beta)")),))


@member("CE(z/τ)", gradient="(a·p − b·t)/τ", source="Hinton, Vinyals and Dean, 2015, arXiv 1503.02531", places="S1")
def temperature(tau: float) -> Loss:
    """A softmax with temperature τ: in training and at inference.

    Raises
    ------
    OptionError
        τ not positive.
    """
    return Loss(scores=Scores(scale=1.0 / checks.require_positive(tau, "temperature(tau)")))


@member(
    "CE(c·tanh(z/c))",
    gradient="(1 − tanh²(z/c))·(a·p − b·t)",
    source="Gemma 2, 2024, arXiv 2408.00118",
    places="S1",
    defaults={"cap": "30, Gemma 2"},
)
def softcap(cap: float = 30.0) -> Loss:
    """Scores that cannot leave (−c, c): in training and at inference."""
    return Loss(scores=Scores(softcap=cap))
