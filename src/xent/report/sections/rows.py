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
    refused = node.count("refused")
    parts = (
        f"{rows(node.count('read'))} read: {count(node.count('used'))} used,"
        f" {count(node.count('ignored'))} ignored, {count(refused)} refused."
    )
    warnings = [_refused(node, refused) if refused else None, _infinite(result.node("loss"), "")]
    if result.has("comparison"):
        warnings.append(_infinite(result.node("comparison").node("summary").node("loss"), "B: "))
    return join(el("p", parts, class_="source"), warnings)


def unit(result: Node) -> str:
    """What a row is."""
    return "token" if result.text("kind") == "tokens" else "row"


def _refused(node: Node, refused: int) -> Markup:
    if not node.has("first_refused"):
        return note(f"{rows(refused)} refused and left out of every number.", warn=True)
    first = node.node("first_refused")
    return note(
        f"{rows(refused)} refused and left out of every number; the first is row {count(first.count('row'))}: ",
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
