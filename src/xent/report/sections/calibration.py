"""Calibration: the reliability diagram of A, and of B beside it."""

from __future__ import annotations

import math

from xent.report.charts.reliability import Bin, Model, reliability
from xent.report.figure import figure, note, pair, section
from xent.report.format import beside, count, fixed, p_value, rows
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


def _model(model: Node, who: str, look: Model) -> tuple[Markup | None, Markup]:
    node = model.node("calibration")
    return _diagram(node, who, look), _nulls(node, who)


def _diagram(node: Node, who: str, look: Model) -> Markup | None:
    full = [b for b in node.nodes("bins") if b.count("n")]
    if not full:
        return None
    bins = [_bin(b) for b in full]
    forecast = "mean predicted probability" if node.has("of") and node.text("of") == "yes" else "mean confidence"
    title = f"Reliability of {who}" if who else "Reliability"
    above = sum(b.frequency_high < b.confidence for b in bins)
    below = sum(b.frequency_low > b.confidence for b in bins)
    sentence = (
        f"In {len(bins) - above - below} of {len(bins)} bins the 95% interval of the frequency holds the {forecast};"
        f" in {above} the prediction is too high, in {below} too low."
    )
    numbers = table(
        f"{title}: frequency with its Clopper–Pearson interval",
        ("from", "to", "rows", forecast, "frequency", "low", "high"),
        [_line(b) for b in full],
        text=(),
    )
    return figure(
        title, sentence, lambda label: reliability(bins, look, forecast, "observed frequency", label), numbers
    )


def _bin(b: Node) -> Bin:
    n, confidence, frequency = b.count("n"), b.number("confidence"), b.number("frequency")
    tip = f"predicted {fixed(confidence, 3)}, observed {fixed(frequency, 3)}: {rows(n)}"
    return Bin(n, confidence, frequency, b.number("frequency_low"), b.number("frequency_high"), tip)


def _line(b: Node) -> tuple[str, ...]:
    rest = ("confidence", "frequency", "frequency_low", "frequency_high")
    ends = (fixed(b.number("low"), 4), fixed(b.number("high"), 4))
    return (*ends, count(b.count("n")), *(fixed(b.number(key), 4) for key in rest))


def _nulls(node: Node, who: str) -> Markup:
    squared, ece = node.node("squared"), node.node("ece")
    p = squared.number("p_value")
    return note(
        f"{who}: squared" if who else "Squared",
        f" calibration error {_against_chance(squared)}; {p_value(p)}: {found(p)}. ECE {_against_chance(ece)}.",
    )


def _against_chance(error: Node) -> str:
    """An error and what chance alone would give, with the same decimals."""
    high = error.number("null_high")
    value, mean, top = (beside(error.number(key), high) for key in ("value", "null_mean", "null_high"))
    return (
        f"{value}, where a perfectly calibrated model would show {mean} on average and 95% of the time less than {top}"
    )


def found(p: float) -> str:
    """What the p-value of the squared calibration error says, at 5%."""
    if math.isnan(p):
        return "too few rows to tell"
    return "miscalibrated beyond chance" if p < 0.05 else "not to be told from a calibrated model"
