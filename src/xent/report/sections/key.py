"""The key figures of A as a grid of small tiles."""

from __future__ import annotations

import math

from xent.report.format import Shown, fixed, given, interval, p_value, percent, percent_interval, significant
from xent.report.html import Child, Markup, el
from xent.report.node import Interval, Node

from .calibration import found


def key_figures(result: Node) -> Markup:
    """One tile a measure: name, value, interval or remark. A measure that does not apply has no tile."""
    loss = result.node("loss")
    tiles = [
        _loss("Cross-entropy", loss, "nats"),
        _loss("Cross-entropy", loss, "bits"),
        _interval("Perplexity", result.interval("perplexity")),
    ]
    if result.has("bits_per_byte"):
        tiles.append(_interval("Bits per byte", result.interval("bits_per_byte")))
    if result.has("error"):
        error = result.node("error")
        shown = percent_interval(Interval(error.number("value"), error.number("low"), error.number("high")))
        tiles.append(_tile("Error", shown.value, shown.span, f"{error.count('wrong'):,} wrong"))
    if result.has("brier"):
        tiles.append(_interval("Brier score", result.interval("brier")))
    if result.has("confidence"):
        tiles.append(_confidence(result))
    if result.has("calibration"):
        tiles.append(_calibration(result.node("calibration")))
    if result.has("baseline"):
        tiles.append(_baseline(result.node("baseline")))
    title = "Key figures of A" if result.has("comparison") else "Key figures"
    return el("section", el("h2", title), el("dl", tiles, class_="tiles"))


def _tile(label: str, value: Child, *remarks: str, long: bool = False) -> Markup:
    return el(
        "div",
        el("dt", label),
        el("dd", value, class_="value"),
        [el("dd", remark, class_="remark") for remark in remarks if remark],
        class_="tile long" if long else "tile",
    )


def _unit(shown: Shown, unit: str) -> list[Child]:
    return [shown.value, " ", el("span", unit, class_="unit")]


def _loss(label: str, loss: Node, unit: str) -> Markup:
    x = loss.interval(unit)
    shown = interval(x)
    if math.isinf(x.value) and loss.has("floor"):
        floor = loss.node("floor")
        floored = interval(floor.interval(unit)).value
        return _tile(label, _unit(shown, unit), f"{floored} with a floor of {given(floor.number('probability'))}")
    return _tile(label, _unit(shown, unit), shown.span)


def _interval(label: str, x: Interval) -> Markup:
    shown = interval(x)
    return _tile(label, shown.value, shown.span)


def _confidence(result: Node) -> Markup:
    node = result.node("confidence")
    verdict = node.text("verdict")
    shown = interval(result.interval("confidence"))
    remark = f"loss − entropy {shown.whole}"
    if result.has("entropy"):
        remark += f"; entropy {interval(result.interval('entropy')).value} nats"
    return _tile("Confidence", verdict[:1].upper() + verdict[1:], remark, long=True)


def _calibration(node: Node) -> Markup:
    squared = node.node("squared")
    p = squared.number("p_value")
    return _tile(
        "Calibration error, squared",
        significant(squared.number("value"), 2),
        f"{found(p)} ({p_value(p)})",
        long=True,
    )


def _baseline(node: Node) -> Markup:
    skill = node.number("skill")
    value = percent(skill) if math.isfinite(skill) else fixed(skill, 0)
    return _tile(
        "Skill",
        value,
        f"over the class frequencies: {significant(node.number('nats'))} nats,"
        f" {significant(node.number('bits'))} bits, error {percent(node.number('error'))}",
        long=True,
    )
