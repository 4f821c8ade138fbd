"""Which rows the numbers rest on, and what a reader must be warned of."""

from __future__ import annotations

import math

from xent.report.figure import note
from xent.report.format import count, given, interval, rows
from xent.report.html import Markup, el, join
from xent.report.node import Node


def row_account(result: Node) -> Markup:
    """Rows read, used, ignored and refused; infinite losses and refused rows as warnings."""
    node = result.node("rows")
    if not result.has("comparison"):
        return join(el("p", _counts(node), class_="source"), _refused(node, ""), _infinite(result.node("loss"), ""))
    comparison = result.node("comparison")
    summary = comparison.node("summary")
    second = summary.node("rows")
    return join(
        el("p", "A: ", _counts(node), el("br"), "B: ", _counts(second), class_="source"),
        _refused(node, "A"),
        _refused(second, "B"),
        None if same_rows(result) else note(_unlike(comparison.count("rows"), node, second), warn=True),
        _infinite(result.node("loss"), ""),
        _infinite(summary.node("loss"), "B: "),
    )


def same_rows(result: Node) -> bool:
    """Whether A and B scored the same rows."""
    comparison = result.node("comparison")
    models = (result, comparison.node("summary"))
    return all(model.node("rows").count("used") == comparison.count("rows") for model in models)


def _counts(node: Node) -> str:
    return (
        f"{rows(node.count('read'))} read: {count(node.count('used'))} used,"
        f" {count(node.count('ignored'))} ignored, {count(node.count('refused'))} refused."
    )


def _unlike(pairs: int, a: Node, b: Node) -> str:
    return (
        f"A and B did not score the same rows. The comparison is over the {rows(pairs)} that both scored; what stands"
        f" under A alone is over its {count(a.count('used'))}, under B over its {count(b.count('used'))}."
    )


def unit(result: Node) -> str:
    """What a row is."""
    return "token" if result.text("kind") == "tokens" else "row"


def _refused(node: Node, who: str) -> Markup | None:
    refused = node.count("refused")
    if not refused:
        return None
    said = f"{f'For {who}, ' if who else ''}{rows(refused)} refused and left out of every number"
    if not node.has("first_refused"):
        return note(f"{said}.", warn=True)
    first = node.node("first_refused")
    return note(
        f"{said}; the first is row {count(first.count('row'))}: ",
        first.text("reason"),
        warn=True,
    )


def _infinite(loss: Node, who: str) -> Markup | None:
    n = loss.count("infinite_rows")
    if not n:
        return None
    first = f"; the first is row {count(loss.count('first_infinite'))}" if loss.has("first_infinite") else ""
    text = f"{who}{rows(n)} with an infinite loss: the truth has a probability of zero{first}."
    if math.isinf(loss.interval("nats").value):
        text += " One such row makes the mean infinite, whatever the others are."
    if not loss.has("floor"):
        return note(text, warn=True)
    floor = loss.node("floor")
    at = given(floor.number("probability"))
    nats, bits = interval(floor.interval("nats")), interval(floor.interval("bits"))
    return note(
        join(
            text,
            f" With every probability of a truth raised to at least {at},"
            f" the cross-entropy is {nats.whole} nats, {bits.value} bits; it depends on that floor.",
        ),
        warn=True,
    )
