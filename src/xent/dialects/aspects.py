"""Where frameworks part although the call is equal: data, a line for each edge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from xent.dialects.meaning import Meaning


@dataclass(frozen=True)
class Aspect:
    """One edge: where it applies, and what each framework does there; one that is not named has no such edge."""

    edge: str
    applies: Callable[[Meaning], bool]
    does: Mapping[str, str]


def _rows(m: Meaning) -> bool:
    return m.measure == "cross_entropy" and m.p != "Indicators"


_NAN = dict.fromkeys(("torch", "keras", "tensorflow", "optax"), "NaN")

ASPECTS = (
    Aspect(
        "a true class of probability 0",
        lambda m: m.measure == "cross_entropy" and m.q == "Probabilities",
        {
            "torch": "log 0: BCELoss stops at 100, NLLLoss of log(probs) gives ∞",
            "keras": "clips probabilities to [1e-7, 1 − 1e-7]: 16.118",
            "tensorflow": "∞ or NaN",
            "optax": "∞ or NaN",
            "sklearn": "clips probabilities to the epsilon of their type: 15.94 (float32), 36.04 (float64)",
            "xent": "∞, which it is",
        },
    ),
    Aspect(
        "rows that do not sum to one",
        lambda m: _rows(m) and m.q == "Probabilities",
        {
            "torch": "cross_entropy(log(probs)) divides by the sum, nll_loss(log(probs)) does not",
            "keras": "divides by the sum",
            "tensorflow": "divides by the sum",
            "optax": "divides by the sum",
            "sklearn": "warns, and does not divide",
            "xent": "refuses (NormalizationError)",
        },
    ),
    Aspect(
        "a label outside the classes",
        lambda m: _rows(m) and m.p == "Labels",
        {
            "torch": "raises, but for −100, which is ignored",
            "keras": "raises on TensorFlow and PyTorch, 0 on JAX",
            "tensorflow": "raises; NaN under XLA and on a GPU",
            "optax": "NaN with a finite gradient; −1 is the last class",
            "sklearn": "raises",
            "xent": "refuses (LabelError)",
        },
    ),
    Aspect(
        "a score of −∞ where the truth has no mass",
        lambda m: _rows(m) and m.p == "Distribution" and m.q == "Logits",
        {**_NAN, "xent": "0·∞ = 0: the value is right"},
    ),
    Aspect(
        "a score of ±∞ on the right side",
        lambda m: m.measure == "cross_entropy" and m.p == "Indicators" and m.q == "Logits",
        {**_NAN, "xent": "0"},
    ),
    Aspect(
        "a soft truth that does not sum to one",
        lambda m: _rows(m) and m.p == "Distribution",
        {
            "torch": "taken as it is",
            "keras": "taken as it is; on the TensorFlow backend the gradient is p − t and not (Σt)p − t",
            "tensorflow": "taken as it is, with the gradient p − t and not (Σt)p − t",
            "optax": "taken as it is",
            "xent": "refuses (NormalizationError)",
        },
    ),
    Aspect(
        "an ignored row of NaN",
        lambda m: m.ignore is not None,
        {
            "torch": "loss right, gradient NaN",
            "keras": "loss and gradient 0, by ignore_class=",
            "tensorflow": "loss and gradient NaN",
            "optax": "loss and gradient NaN",
            "xent": "loss and gradient 0",
        },
    ),
    Aspect(
        "no example that counts",
        lambda m: m.ignore is not None and m.reduction == "mean",
        {
            "torch": "NaN",
            "keras": "0",
            "tensorflow": "NaN",
            "optax": "NaN",
            "xent": 'empty= says it: "nan", "zero", "raise"',
        },
    ),
    Aspect(
        "more than two axes",
        lambda m: _rows(m) and m.axis == -1,
        {
            "torch": "classes in axis 1",
            "keras": "classes last",
            "tensorflow": "classes last",
            "optax": "classes last",
            "xent": "classes last, or where axis= says",
        },
    ),
    Aspect(
        "shapes (N, 1) and (N,)",
        lambda m: m.p == "Indicators",
        {
            "torch": "raises",
            "keras": "adds the missing axis",
            "tensorflow": "raises",
            "optax": "broadcasts to (N, N)",
            "xent": "refuses (ShapeError)",
        },
    ),
    Aspect(
        "KL where the truth has a zero",
        lambda m: m.measure == "kl_divergence",
        {
            "torch": "that class adds 0; NaN where it is given as log 0",
            "keras": "clips both sides to [1e-7, 1]",
            "tensorflow": "that class adds 0; its gradient is NaN",
            "optax": "that class adds 0; NaN where it is given as log 0",
            "xent": "that class adds 0",
        },
    ),
    Aspect(
        "soft truths under a shaping",
        lambda m: m.gamma is not None or m.poly is not None,
        {
            "torch": "this call reads 1 − e^−ℓ, which is 1 − p only for 0 and 1",
            "tensorflow": "this call reads 1 − e^−ℓ, which is 1 − p only for 0 and 1",
            "keras": "reads 1 − Σtq (BinaryFocal) or each class (CategoricalFocal)",
            "optax": "reads 1 − Σtq",
            "xent": "refuses (SoftTargetError) unless Focal(…, soft=) says which reading",
        },
    ),
)


def edges(m: Meaning, source: str) -> dict[str, dict[str, str]]:
    """Each edge at which some framework parts from the source: what the source does there, then what the others do."""
    found = {}
    for aspect in ASPECTS:
        if aspect.applies(m) and source in aspect.does:
            does = {source: aspect.does[source], **aspect.does}
            if len(set(does.values())) > 1:
                found[aspect.edge] = does
    return found


def differences(m: Meaning, source: str, to: str) -> tuple[str, ...]:
    """What still differs between an equal pair of calls, a line an edge."""
    return tuple(
        f"{edge}: {does[to]}. {TITLES[source]}: {does[source]}"
        for edge, does in edges(m, source).items()
        if does.get(to, does[source]) != does[source]
    )


TITLES = {
    "torch": "PyTorch",
    "keras": "Keras",
    "tensorflow": "TensorFlow",
    "optax": "optax",
    "sklearn": "scikit-learn",
    "xent": "xent",
}
