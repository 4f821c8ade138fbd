"""What a call of any framework means, in xent's terms: the pair P and Q, what acts on it, and what is divided by what.

A helper is read into a ``Meaning``, and a ``Meaning`` is written down in every framework; no framework knows another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Measure = Literal["cross_entropy", "kl_divergence", "hinge", "squared_error", "poisson", "d2"]
P = Literal["Labels", "Distribution", "Indicators", "Counts"]
Q = Literal["Logits", "LogProbabilities", "Probabilities", "Projection", "Rates", "LogRates"]
Over = Literal["examples", "weights", "elements"]


@dataclass(frozen=True)
class Meaning:
    """A loss: Σ w·φ(ℓ) / D, with ℓ made of P and Q."""

    measure: Measure
    p: P
    q: Q
    #: "none" is one number an example.
    reduction: Literal["none", "sum", "mean"] = "mean"
    #: D of a mean: the examples that count, the sum of their weights, or examples × classes.
    over: Over = "examples"
    #: Of Indicators: "element" keeps each number; "row" takes the mean over the last axis first.
    unit: Literal["element", "row"] = "element"
    smoothing: float = 0.0
    ignore: int | None = None
    #: "row" multiplies an example by the weight of its truth; "term" each −P(k) log Q(k) by w_k, as PyTorch does.
    class_weight: Literal["row", "term"] | None = None
    #: One weight an example.
    sample_weight: bool = False
    #: One weight an element of Indicators.
    element_weight: bool = False
    #: Of the yes side: an array, or a number.
    positive_weight: bool = False
    #: Focal: (1 − e^−ℓ)^γ·ℓ, times α on the yes side and 1 − α on the other (or α alone, for classes).
    gamma: float | None = None
    alpha: float | None = None
    #: Poly-1: ℓ + ε(1 − e^−ℓ).
    poly: float | None = None
    #: The truth is held as −1 and 1.
    signs: bool = False
    #: The truth is held as logarithms.
    log_target: bool = False
    #: A mask of classes that take part in the softmax.
    where: bool = False
    bias: bool = False
    axis: int = -1
    #: Rows of probabilities are divided by their sum first.
    renormalised: bool = False
    #: A number that the whole is multiplied by.
    scale: float = 1.0
    #: What is added to a rate before its logarithm is taken.
    eps: float = 0.0

    @property
    def pair(self) -> str:
        """P and Q as they are written in ``xent``."""
        if self.p == "Counts":
            return "none: counts and rates are no distributions over outcomes"
        return f"P = {_truth(self)}, Q = {_prediction(self)}"


def _truth(m: Meaning) -> str:
    if m.log_target:
        return "Distribution.from_log_probs(log_target)"
    options = [f"ignore={m.ignore}"] if m.ignore is not None and m.p == "Labels" else []
    options += [f"smoothing={m.smoothing:g}"] if m.smoothing else []
    held = "labels" if m.p == "Labels" else "(signs + 1) / 2" if m.signs else "target"
    return f"{m.p}({', '.join([held, *options])})"


def _prediction(m: Meaning) -> str:
    held = {
        "Logits": "scores",
        "LogProbabilities": "log_probs",
        "Probabilities": "probs",
        "Projection": "hidden, classifier, bias" if m.bias else "hidden, classifier",
    }[m.q]
    return f"{m.q}({held})" if m.axis == -1 or m.q == "Projection" else f"{m.q}({held}, axis={m.axis})"


def formula(m: Meaning) -> str:
    """The loss of one example."""
    if m.measure == "d2":
        return "1 − H(P, Q) / H(P, F), with F the frequencies of the classes"
    if m.measure == "poisson":
        return "ℓ = rate − count·log rate" if m.q == "Rates" else "ℓ = exp(log_rate) − count·log_rate"
    if m.measure == "hinge":
        return "ℓ = max(0, 1 − s·z), s = ±1" if m.p == "Indicators" else "ℓ = max_j (z_j + 1[j ≠ y]) − z_y"
    if m.measure == "squared_error":
        return "ℓ = (t − q)²" if m.p == "Indicators" else "ℓ = Σ_k (P(k) − Q(k))²"
    if m.measure == "kl_divergence":
        return "ℓ = Σ_k P(k)·(log P(k) − log Q(k))"
    if m.p == "Indicators":
        yes = "v·t" if m.positive_weight else "t"
        text = f"ℓ = −{yes}·log q − (1 − t)·log(1 − q)"
    else:
        weight = "w_k·" if m.class_weight == "term" and (m.p == "Distribution" or m.smoothing) else ""
        text = f"ℓ = −Σ_k {weight}P(k)·log Q(k)" if m.p == "Distribution" or m.smoothing else "ℓ = −log Q(y)"
    source = {"Logits": "sigmoid(z)" if m.p == "Indicators" else "softmax(z)", "Projection": "softmax(hidden·Wᵀ)"}
    if m.q in source:
        text += f", {'q' if m.p == 'Indicators' else 'Q'} = {source[m.q]}"
    if m.gamma is not None:
        text += f"; then (1 − e^−ℓ)^{m.gamma:g}·ℓ"
    if m.poly is not None:
        text += f"; then ℓ + {m.poly:g}·(1 − e^−ℓ)"
    return text


def _class_weight(m: Meaning) -> str:
    if m.p == "Indicators":
        return "c_k"
    return "w[y]" if m.p == "Labels" and not m.smoothing else "(Σ_k w_k·P(k))"


def reducing(m: Meaning) -> str:
    """What is done with the losses of the examples, and by what the sum is divided."""
    one = "an element" if m.p in ("Indicators", "Counts") and m.unit == "element" else "an example"
    weights = [
        *(
            [_class_weight(m)]
            if m.class_weight == "row" or (m.class_weight and m.p == "Labels" and not m.smoothing)
            else []
        ),
        *(["w"] if m.sample_weight or m.element_weight else []),
    ]
    weighted = "·".join([*weights, "ℓ"])
    within = "each row a mean over its last axis; " if m.unit == "row" else ""
    if m.reduction == "none":
        return f"{within}no mean is taken: {weighted} {one}"
    if m.reduction == "sum":
        return f"{within}Σ {weighted}"
    divisor = {
        "examples": "the elements" if one == "an element" else "the examples",
        "weights": f"Σ {'·'.join(weights)}" if weights else "Σ w[y]",
        "elements": "examples × classes",
    }[m.over]
    counted = " that are not ignored" if m.ignore is not None else ""
    return f"{within}Σ {weighted} / {divisor}{counted}"
