"""A against B: the mean difference, both models side by side, and the differences of the rows."""

from __future__ import annotations

import math
from collections.abc import Callable

from xent.report.charts.difference import difference
from xent.report.charts.histogram import Marked, histogram
from xent.report.figure import figure, note, pair, section
from xent.report.format import count, given, interval, p_value, percent_interval, rows, significant
from xent.report.html import Child, Markup, el, join
from xent.report.node import Interval, Node
from xent.report.table import table

from .bins import bin_rows, bin_tips, read_bins
from .rows import same_rows, unit

_MEASURES: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("Cross-entropy (nats)", ("loss", "nats"), False),
    ("Cross-entropy (bits)", ("loss", "bits"), False),
    ("Perplexity", ("perplexity",), False),
    ("Bits per byte", ("bits_per_byte",), False),
    ("Error", ("error",), True),
    ("Mean entropy (nats)", ("entropy",), False),
    ("Loss − entropy (nats)", ("confidence",), False),
    ("Brier score", ("brier",), False),
)


def against(result: Node) -> Markup | None:
    """The whole comparison, or None where there is no B."""
    if not result.has("comparison"):
        return None
    node = result.node("comparison")
    return section(
        "A against B",
        pair(
            el("div", _difference(node, unit(result)), _side_by_side(result, node.node("summary")), _error(node)),
            _histogram(node),
        ),
    )


def _difference(node: Node, each: str) -> Markup:
    raw = node.node("difference")
    x = node.interval("difference")
    shown = interval(x)
    p = p_value(raw.number("p_value"))
    side = "less" if x.value < 0 else "more"
    size = interval(Interval(-x.value, -x.high, -x.low)) if x.value < 0 else shown
    found = f"95% interval {size.span}; {p}" if size.span else p
    sentence = (
        f"A loses {size.value} nats a {each} {side} than B on average ({found}), over {rows(node.count('rows'))}."
    )
    if raw.has("floor"):
        sentence += f" Both are floored at a probability of {given(raw.number('floor'))}, since a loss was infinite."
    numbers = table(
        "Mean difference of the losses, A − B",
        ("", f"nats a {each}", "from", "to", "p"),
        [("A − B", shown.value, shown.low or "–", shown.high or "–", significant(raw.number("p_value"), 2))],
    )
    title = "Mean difference in loss"
    if not math.isfinite(x.value):
        return note(f"{title}: {shown.value} nats a {each}, which no chart can show.")
    tip = f"A − B: {shown.whole} nats a {each}"
    return figure(title, sentence, lambda label: difference(x, each, tip, label), numbers)


def _histogram(node: Node) -> Markup | None:
    if not node.has("histogram"):
        return None
    edges, counts = read_bins(node.node("histogram"))
    if not counts:
        return None
    below = sum(n for n, high in zip(counts, edges[1:], strict=True) if high <= 0)
    above = sum(n for n, low in zip(counts, edges[:-1], strict=True) if low >= 0)
    sentence = (
        f"The bins up to zero, where A loses less, hold {rows(below)}, those from zero on {rows(above)};"
        f" the differences lie between {significant(edges[0])} and {significant(edges[-1])} nats."
    )
    marked = [Marked(0.0, "no difference")]
    draw: Callable[[str], Markup] = lambda label: histogram(  # noqa: E731
        edges, counts, bin_tips(edges, counts), marked, "loss of A − loss of B (nats)", label
    )
    numbers = table("Differences of the rows, A − B, in nats", ("from", "to", "rows"), bin_rows(edges, counts), text=())
    return figure("Row by row", sentence, draw, numbers)


def _side_by_side(result: Node, summary: Node) -> Markup:
    lines: list[tuple[Child, ...]] = []
    for label, path, share in _MEASURES:
        measured = [_measure(model, path, share) for model in (result, summary)]
        if any(measured):
            lines.append((label, *(m or "–" for m in measured)))
    for label, field in (
        ("Calibration error, squared", "squared"),
        ("Calibration error, ECE", "ece"),
    ):
        if result.has("calibration") and summary.has("calibration"):
            errors = [model.node("calibration").node(field).number("value") for model in (result, summary)]
            lines.append((label, *(significant(x, 2) for x in errors)))
    used = [model.node("rows").count("used") for model in (result, summary)]
    title = "Both models on the same rows"
    if not same_rows(result):
        title = f"Each model on the rows that it scored, A on {count(used[0])} and B on {count(used[1])}"
    lines.insert(0, ("Rows used", *(count(n) for n in used)))
    return table(f"{title}, with 95% intervals", ("", "A", "B"), lines)


def _measure(model: Node, path: tuple[str, ...], share: bool) -> Markup | None:
    for step in path[:-1]:
        model = model.node(step)
    if not model.has(path[-1]):
        return None
    x = model.interval(path[-1])
    shown = percent_interval(x) if share else interval(x)
    return join(shown.value, el("span", shown.span, class_="span") if shown.span else None)


def _error(node: Node) -> Markup | None:
    if not node.has("error"):
        return None
    error = node.node("error")
    return note(
        f"Only A is wrong on {rows(error.count('only_a_wrong'))}, only B on {count(error.count('only_b_wrong'))}"
        f" (McNemar’s exact test: {p_value(error.number('p_value'))})."
    )
