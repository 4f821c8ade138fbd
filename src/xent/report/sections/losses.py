"""The distribution of the rows' losses, and the loss of each class."""

from __future__ import annotations

import math

from xent.report.charts.classes import ClassLoss, classes
from xent.report.charts.histogram import Marked, histogram
from xent.report.figure import figure, note, pair, section
from xent.report.format import count, fixed, interval, percent, rows, significant
from xent.report.html import Markup, name
from xent.report.node import Node
from xent.report.table import table
from xent.report.theme import MUTED, A

from .bins import bin_rows, bin_tips, read_bins

_DRAWN = 30


def losses(result: Node) -> Markup:
    """Both figures side by side; only the first where the input names no classes."""
    return section("Losses", pair(_rows(result), _classes(result)))


def _rows(result: Node) -> Markup:
    node = result.node("losses")
    edges, counts = read_bins(node)
    if not counts:
        return note("No row has a finite loss, so there is no distribution to draw.")
    quantiles = node.node("quantiles")
    half, most, nearly_all = (quantiles.number(q) for q in ("0.5", "0.9", "0.99"))
    sentence = (
        f"Half of the rows lose at most {significant(half)} nats, 90% at most {significant(most)}"
        f" and 99% at most {significant(nearly_all)}."
    )
    mean = result.node("loss").interval("nats")
    marked = []
    if math.isfinite(mean.value):
        marked.append(Marked(mean.value, f"mean {interval(mean).value}", A))
    if result.has("baseline"):
        baseline = result.node("baseline").number("nats")
        marked.append(Marked(baseline, f"class frequencies alone {significant(baseline)}", MUTED, (4, 3)))
        sentence += (
            f" The mean is {interval(mean).value}; always predicting the class frequencies has {significant(baseline)}."
        )
    infinite = result.node("loss").count("infinite_rows")
    if infinite:
        sentence += f" {rows(infinite)} with an infinite loss cannot be drawn."
    numbers = table("Rows by loss, in nats", ("from", "to", "rows"), bin_rows(edges, counts), text=())
    return figure(
        "Loss of each row",
        sentence,
        lambda label: histogram(edges, counts, bin_tips(edges, counts), marked, "loss of a row (nats)", label),
        numbers,
    )


def _classes(result: Node) -> Markup | None:
    if not result.has("classes"):
        return None
    nodes = result.nodes("classes")
    if not nodes:
        return None
    items = [
        ClassLoss(
            n.text("name"),
            n.interval("nats"),
            f"{n.text('name')}: {interval(n.interval('nats')).whole} nats over {rows(n.count('n'))}",
        )
        for n in nodes
    ]
    worst, best = items[0], items[-1]
    sentence = (
        f"Worst is {worst.name} with {interval(worst.nats).value} nats,"
        f" best is {best.name} with {interval(best.nats).value}."
        if len(items) > 1
        else f"{worst.name} has {interval(worst.nats).value} nats."
    )
    if len(items) > _DRAWN:
        sentence += f" Drawn are the {_DRAWN} worst classes; the table has {count(len(items))}."
    numbers = table(
        "Loss of each class, worst first",
        ("class", "rows", "nats", "low", "high", "error"),
        [_line(n) for n in nodes],
    )
    overall = result.node("loss").interval("nats").value
    return figure("Loss of each class", sentence, lambda label: classes(items[:_DRAWN], overall, label), numbers)


def _line(n: Node) -> tuple[Markup, str, str, str, str, str]:
    shown = interval(n.interval("nats"))
    error = percent(n.number("error")) if n.has("error") else fixed(math.nan, 0)
    return name(n.text("name")), count(n.count("n")), shown.value, shown.low or "–", shown.high or "–", error
