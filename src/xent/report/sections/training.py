"""How the model came about, where ``xent train`` made the result."""

from __future__ import annotations

import math

from xent.report.charts.course import Step, course
from xent.report.figure import figure, section
from xent.report.format import count, rows, significant
from xent.report.html import Markup, el
from xent.report.node import Node
from xent.report.table import table

_DIGITS = 6


def training(result: Node) -> Markup | None:
    """What was minimised, how it ended, and the objective after each step; nothing for predictions from a file."""
    if not result.has("training"):
        return None
    node = result.node("training")
    trace = node.node("trace")
    passes, objective = trace.numbers("passes"), trace.numbers("objective")
    steps = [
        Step(p, o, f"step {i}: {significant(o, _DIGITS)} nats after {significant(p)} passes")
        for i, (p, o) in enumerate(zip(passes, objective, strict=True), 1)
    ]
    parts = [el("p", _what(node)), el("p", _end(node))]
    if len(steps) > 1:
        parts.append(_course(steps))
    return section("Training", parts)


def _what(node: Node) -> str:
    C = node.number("C")
    penalty = f"with an L2 penalty, C = {significant(C)}" if math.isfinite(C) else "without a penalty"
    return (
        f"A {node.text('model')} of {count(node.count('features'))} features, trained on {rows(node.count('rows'))},"
        f" of which none is judged here. Minimised was the mean {node.text('loss')} {penalty}."
    )


def _end(node: Node) -> str:
    gradient, tolerance = significant(node.number("gradient"), 2), significant(node.number("tolerance"), 2)
    way = f"{count(node.count('steps'))} steps and {significant(node.number('passes'))} passes over the rows"
    objective = f"the objective is {significant(node.number('objective'), _DIGITS)} nats"
    if node.flag("converged"):
        return f"The optimum was found after {way}: {objective}, its gradient {gradient}, at most {tolerance}."
    return f"The optimum was not found after {way}: {objective}, its gradient {gradient}, above {tolerance}."


def _course(steps: list[Step]) -> Markup:
    first, last = steps[0], steps[-1]
    sentence = (
        f"From {significant(first.objective, _DIGITS)} nats after the first step on all rows to"
        f" {significant(last.objective, _DIGITS)} after the last."
    )
    numbers = table(
        "Objective after each step, in nats",
        ("step", "passes", "objective"),
        [(str(i), significant(s.passes), significant(s.objective, _DIGITS)) for i, s in enumerate(steps, 1)],
        text=(),
    )
    return figure("Objective in the course of the training", sentence, lambda label: course(steps, label), numbers)
