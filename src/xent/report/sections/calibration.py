"""Calibration: the reliability diagram of A, and of B beside it."""

from __future__ import annotations

import math

from xent.report.charts.reliability import Bin, Model, reliability
from xent.report.figure import figure, note, pair, section
from xent.report.format import count, fixed, p_value, rows, significant
from xent.report.html import Markup
from xent.report.node import Node
from xent.report.table import table
from xent.report.theme import A, B

_LOOK_A = Model(colour=A, shape="circle", size=52)
_LOOK_B = Model(colour=B, shape="diamond", size=84)


def calibration(result: Node) -> Markup | None:
    """The section, or None where no model has a calibration."""
    models = [(result, "A", _LOOK_A)]
    if result.has("comparison"):
        models.append((result.node("comparison").node("summary"), "B", _LOOK_B))
    drawn = [_model(m, who if len(models) > 1 else "", look) for m, who, look in models if m.has("calibration")]
    if not drawn:
        return None
    return section("Calibration", pair(*[f for f, _ in drawn]), [n for _, n in drawn])


def _model(model: Node, who: str, look: Model) -> tuple[Markup, Markup]:
    node = model.node("calibration")
    bins = [_bin(b) for b in node.nodes("bins") if b.count("n")]
    title = f"Reliability of {who}" if who else "Reliability"
    outside = sum(not b.frequency_low <= b.confidence <= b.frequency_high for b in bins)
    over = sum(b.frequency_high < b.confidence for b in bins)
    sentence = (
        f"In {len(bins) - outside} of {len(bins)} bins the 95% interval of the frequency holds the mean confidence;"
        f" in {over} the model is too confident, in {outside - over} not confident enough."
    )
    numbers = table(
        f"{title}: frequency with its Clopper–Pearson interval",
        ("from", "to", "rows", "confidence", "frequency", "low", "high"),
        [
            (
                fixed(b.low, 3),
                fixed(b.high, 3),
                count(b.n),
                fixed(b.confidence, 4),
                fixed(b.frequency, 4),
                fixed(b.frequency_low, 4),
                fixed(b.frequency_high, 4),
            )
            for b in bins
        ],
        text=(),
    )
    chart = figure(
        title,
        sentence,
        lambda label: reliability(bins, look, "mean confidence", "observed frequency", label),
        numbers,
    )
    return chart, _nulls(node, who)


def _bin(b: Node) -> Bin:
    n = b.count("n")
    low, high, confidence = b.number("low"), b.number("high"), b.number("confidence")
    frequency = b.number("frequency")
    tip = f"confidence {fixed(confidence, 3)}, frequency {fixed(frequency, 3)}: {rows(n)}"
    return Bin(low, high, n, confidence, frequency, b.number("frequency_low"), b.number("frequency_high"), tip)


def _nulls(node: Node, who: str) -> Markup:
    squared, ece = node.node("squared"), node.node("ece")
    p = squared.number("p_value")
    return note(
        f"{who}: squared" if who else "Squared",
        f" calibration error {significant(squared.number('value'), 2)}"
        f" ({significant(squared.number('null_mean'), 2)} on average if perfectly calibrated,"
        f" 95% below {significant(squared.number('null_high'), 2)}; {p_value(p)}): {found(p)}."
        f" ECE {significant(ece.number('value'), 2)}"
        f" (if perfectly calibrated: {significant(ece.number('null_mean'), 2)} on average,"
        f" 95% below {significant(ece.number('null_high'), 2)}).",
    )


def found(p: float) -> str:
    """What the p-value of the squared calibration error says, at 5%."""
    if math.isnan(p):
        return "too few rows to tell"
    return "miscalibrated beyond chance" if p < 0.05 else "not to be told from a calibrated model"
