"""The usual mistakes with a pair, and what they give; D-numbers are rows of the table of disagreements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xent.dialects.meaning import Meaning


@dataclass(frozen=True)
class Mistake:
    """What is written by mistake, and what comes of it in a framework (None: in all of them)."""

    row: str
    text: str
    applies: Callable[[Meaning], bool]
    framework: str | None = None


def _entropy(p: str, *q: str) -> Callable[[Meaning], bool]:
    return lambda m: m.measure == "cross_entropy" and m.p in p.split("|") and (not q or m.q in q)


_CLASSES = "Labels|Distribution"

MISTAKES = (
    Mistake(
        "",
        "Probabilities where scores belong: softmax is taken twice. [.7, .2, .1] for class 0 gives 0.768, not 0.357.",
        _entropy(_CLASSES, "Logits", "Projection"),
    ),
    Mistake(
        "D17",
        "Scores where probabilities belong: [5, −3, 1] for class 0 gives 1.2e-7 or 0.693 for 0.0185.",
        _entropy("Labels|Distribution|Indicators", "Probabilities"),
        "keras",
    ),
    Mistake(
        "D17",
        "Scores where probabilities belong: PyTorch raises for BCELoss; NLLLoss takes anything and gives −score.",
        _entropy("Labels|Indicators", "Probabilities", "LogProbabilities"),
        "torch",
    ),
    Mistake(
        "D15",
        "Classes last in (N, d, C): PyTorch takes axis 1 for the classes. Where d = C it does so without a word.",
        _entropy(_CLASSES, "Logits", "LogProbabilities"),
        "torch",
    ),
    Mistake(
        "D18",
        "One output unit under a softmax is always sure: the loss is 0.0 and nothing is learnt. Write Indicators.",
        _entropy(_CLASSES, "Logits"),
    ),
    Mistake(
        "D7",
        "Class weights with a soft target: divided by the rows and not by the weights, as it is for class indices "
        "(4.815 against 2.408 for the same truth).",
        lambda m: m.p == "Distribution" and m.class_weight is not None,
        "torch",
    ),
    Mistake(
        "D5",
        "A label outside the classes gives NaN or a plausible number, without a word.",
        _entropy("Labels"),
        "optax",
    ),
    Mistake("D5", "A label outside the classes gives NaN under XLA and on a GPU.", _entropy("Labels"), "tensorflow"),
    Mistake(
        "D6",
        "A soft target that does not sum to one has the right loss and a wrong gradient.",
        _entropy("Distribution", "Logits"),
        "tensorflow",
    ),
    Mistake(
        "D8",
        "A score of −∞ for a class that the truth gives no mass: NaN.",
        lambda m: _entropy("Distribution", "Logits")(m) and not m.where,
    ),
    Mistake(
        "D14",
        "ignore_class is compared in the scores' type: in bfloat16, 1001 ignores 1002 too.",
        lambda m: m.ignore is not None,
        "keras",
    ),
    Mistake(
        "D19", "An ignored row of NaN: the loss is right, its gradient NaN.", lambda m: m.ignore is not None, "torch"
    ),
    Mistake("D11", "Every example ignored: the mean is NaN.", lambda m: m.ignore is not None, "torch"),
    Mistake(
        "D1",
        "A true outcome of probability 0 costs 100, and its slope is −1e12.",
        _entropy("Indicators", "Probabilities"),
        "torch",
    ),
    Mistake(
        "D1",
        "A true outcome of probability 0 costs 16.118, and its slope is 0.",
        _entropy("Indicators", "Probabilities"),
        "keras",
    ),
    Mistake(
        "D3",
        "float16 and a probability of 1 for a true outcome: 0 or NaN, by backend.",
        _entropy("Indicators", "Probabilities"),
        "keras",
    ),
    Mistake("D9", "A score of +∞ for a true outcome: NaN, where 0 is right.", _entropy("Indicators", "Logits"), None),
    Mistake("D16", "Scores (N, 1) and truths (N,) are broadcast to (N, N).", _entropy("Indicators", "Logits"), "optax"),
    Mistake(
        "",
        "One-hot rows of one true class given as yes/no outcomes: every class counts by itself. It learns, but its "
        "loss is not that of the softmax, and its probabilities do not sum to one.",
        _entropy("Indicators"),
    ),
    Mistake(
        "D4",
        "Rows that do not sum to one are divided by their sum: q = [.2, .2, .2] gives 1.099, not 1.609.",
        _entropy(_CLASSES, "Probabilities"),
        "keras",
    ),
    Mistake(
        "D13",
        "Behind a softmax TensorFlow's backend finds the scores and gives 53.05 where the others clip and give 16.12.",
        _entropy(_CLASSES, "Probabilities"),
        "keras",
    ),
    Mistake(
        "D1",
        "A true class of probability 0 costs 15.94 in float32 and 36.04 in float64.",
        lambda m: m.measure == "cross_entropy",
        "sklearn",
    ),
    Mistake(
        "",
        'reduction="mean" divides by examples × classes, which is no divergence; write "batchmean".',
        lambda m: m.measure == "kl_divergence",
        "torch",
    ),
    Mistake(
        "D10", "log_target with a class of log-probability −∞: NaN.", lambda m: m.measure == "kl_divergence", "torch"
    ),
    Mistake(
        "",
        "The prediction comes first and is a logarithm, the truth second and is none.",
        lambda m: m.measure == "kl_divergence",
        "optax",
    ),
    Mistake(
        "D20",
        "apply_class_balancing=True multiplies by α = 0.25: 0.0433 where focal loss alone is 0.1733.",
        lambda m: m.gamma is not None and m.p == "Indicators",
        "keras",
    ),
)


def mistakes(m: Meaning, framework: str) -> tuple[str, ...]:
    """What goes wrong with this pair in this framework."""
    return tuple(
        f"{x.text} ({x.row})" if x.row else x.text
        for x in MISTAKES
        if x.applies(m) and (x.framework == framework or (x.framework is None and framework != "xent"))
    )
