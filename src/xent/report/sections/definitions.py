"""How each number on the page is defined."""

from __future__ import annotations

import re
from dataclasses import dataclass

from xent.report.figure import section
from xent.report.html import Markup, el, join
from xent.report.node import Node


@dataclass(frozen=True)
class _Term:
    """A measure, its definition, the field without which the page does not show it, the kinds that have it so.

    In the definition ``*q*`` is a variable and ``_k`` an index.
    """

    name: str
    text: str
    field: str | None = None
    kinds: tuple[str, ...] = ("classes", "binary", "tokens")


_TERMS = (
    _Term(
        "Cross-entropy",
        "The mean over the rows of *ℓ*_i = −log *q*(truth), where *q* is the probability that the model gives; in nats"
        " with the natural logarithm, in bits divided by log 2. Nothing is clipped: a truth of probability zero costs"
        " infinity.",
    ),
    _Term(
        "95% interval",
        "Made so that in 95 of 100 samples of such rows it holds their true value; rows are taken as independent.",
    ),
    _Term("Perplexity", "exp of the cross-entropy in nats; its interval is exp of that interval."),
    _Term(
        "Bits per byte",
        "Σ *ℓ*_i ÷ (log 2 · bytes): the sum of the losses in bits over the sum of the bytes.",
        "bits_per_byte",
    ),
    _Term("Error", "The share of rows whose most probable class is not the truth, with Wilson’s interval.", "error"),
    _Term("Brier score", "The mean of Σ_k (*q*_k − 1[*k* = truth])², over all classes *k*.", "brier", ("classes",)),
    _Term("Brier score", "The mean of (*q* − 1[second class])².", "brier", ("binary",)),
    _Term(
        "Confidence",
        "The cross-entropy less the mean entropy −Σ_k *q*_k log *q*_k of the predictions, which a calibrated model has"
        " at zero. Above zero the model is overconfident, below it underconfident; where the interval holds zero it"
        " cannot be told.",
        "confidence",
    ),
    _Term(
        "Mean confidence",
        "Rows are put into bins by the probability of the predicted class; its mean in a bin, against how often that"
        " class is the truth.",
        "calibration",
        ("classes",),
    ),
    _Term(
        "Mean predicted probability",
        "Rows are put into bins by the probability of the second class; its mean in a bin, against how often that"
        " class is the truth.",
        "calibration",
        ("binary",),
    ),
    _Term(
        "Calibration error",
        "Squared: the mean over the rows of their bin’s (mean prediction − frequency)², less the part of it that is"
        " chance in the frequency. ECE: the mean of |mean prediction − frequency|. Chance alone"
        " moves both away from zero, so each stands beside what a perfectly calibrated model of the same confidence"
        " would show.",
        "calibration",
    ),
    _Term("Interval of a bin", "Clopper–Pearson, exact for a binomial frequency.", "calibration"),
    _Term(
        "Skill",
        "1 − cross-entropy ÷ baseline, where the baseline always predicts the class frequencies of these rows.",
        "baseline",
    ),
    _Term(
        "Difference of A and B",
        "The mean over the same rows of *ℓ*_A − *ℓ*_B. Pairing takes out what makes a row hard for both.",
        "comparison",
    ),
    _Term(
        "McNemar’s test",
        "Whether the rows on which only A is wrong are as many as those on which only B is.",
        "comparison",
    ),
)
_MARKED = re.compile(r"\*(\w+)\*|_(\w)")


def definitions(result: Node) -> Markup:
    """Terms and formulas, only of the measures that the page shows."""
    kind = result.text("kind")
    shown = [t for t in _TERMS if kind in t.kinds and (t.field is None or result.has(t.field))]
    items = [join(el("dt", term.name), el("dd", _formula(term.text))) for term in shown]
    return section("How each number is defined", el("dl", items, class_="terms"))


def _formula(text: str) -> Markup:
    parts: list[str | Markup] = []
    end = 0
    for found in _MARKED.finditer(text):
        variable, index = found.groups()
        parts += [text[end : found.start()], el("i", variable) if variable else el("sub", el("i", index))]
        end = found.end()
    return join(parts, text[end:])
