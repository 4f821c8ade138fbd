"""What the reader came for: one paragraph that answers."""

from __future__ import annotations

import math

from xent.report.format import count, given, interval, percent, significant
from xent.report.html import Markup, el, join, name
from xent.report.node import Node

from .rows import row_account, unit


def header(result: Node) -> Markup:
    """Title, the sentence on A, the sentence on A against B, and what was read."""
    files = result.node("input").texts("files")
    named = [*_commas(files[:3]), f" and {count(len(files) - 3)} more files" if len(files) > 3 else None]
    return el(
        "header",
        el("h1", "Cross-entropy of ", named),
        el("p", verdict(result), class_="verdict"),
        _against(result),
        el("p", _source(result), class_="source"),
        row_account(result),
    )


def verdict(result: Node) -> Markup:
    """The loss of A in words, and how it compares with knowing only the class frequencies."""
    loss = result.node("loss")
    who = "A’s cross-entropy" if result.has("comparison") else "The cross-entropy"
    nats, bits = loss.interval("nats"), loss.interval("bits")
    if math.isinf(nats.value):
        return join(f"{who} is ", el("strong", "infinite"), ": ", _infinite(loss), _floored(loss))
    shown = interval(nats)
    span = f" (95% interval {shown.span})" if shown.span else ""
    return join(
        f"{who} is ",
        el("strong", f"{shown.value} nats"),
        f" a {unit(result)}{span}, or {interval(bits).value} bits",
        _skill(result),
        ".",
    )


def _infinite(loss: Node) -> str:
    n = loss.count("infinite_rows")
    first = f" (the first is row {count(loss.count('first_infinite'))})" if loss.has("first_infinite") else ""
    who = "one row gives its truth" if n == 1 else f"{count(n)} rows give their truth"
    return f"{who} a probability of zero{first}."


def _floored(loss: Node) -> str:
    if not loss.has("floor"):
        return ""
    floor = loss.node("floor")
    at = given(floor.number("probability"))
    nats = interval(floor.interval("nats")).value
    return f" With every probability of a truth raised to at least {at} it is {nats} nats."


def _skill(result: Node) -> str:
    if not result.has("baseline"):
        return ""
    baseline = result.node("baseline")
    skill = baseline.number("skill")
    if not math.isfinite(skill):
        return ""
    side = "below" if skill >= 0 else "above"
    nats = significant(baseline.number("nats"))
    return f": {percent(abs(skill))} {side} the {nats} nats of always predicting the class frequencies"


def _against(result: Node) -> Markup | None:
    if not result.has("comparison"):
        return None
    return el("p", result.node("comparison").text("sentence"), class_="verdict against")


def _source(result: Node) -> Markup:
    source = result.node("input")
    parts = [_predictions(source)]
    parts += [join(words, name(source.text(key))) for key, words in _COLUMNS if source.has(key)]
    if source.has("classes"):
        parts.append(join(f"{count(len(source.texts('classes')))} classes"))
    a = join(_semicolons(parts), ".")
    if not result.has("comparison"):
        return a
    b = result.node("comparison")
    return join("A: ", a, el("br"), "B: ", _predictions(b), " of ", _commas(b.texts("files")), ".")


def _predictions(source: Node) -> Markup:
    holds = source.text("holds")
    return join(f"{_HOLDS.get(holds, holds)} in ", _columns(source.texts("columns")))


_COLUMNS = (("truth", "truth in "), ("id", "row ids in "), ("bytes", "bytes in "))


_HOLDS = {
    "logits": "logits",
    "probs": "probabilities",
    "log_probs": "log-probabilities",
    "prob": "probability of the second class",
    "log_likelihood": "log-likelihood of the truth",
}


def _columns(columns: list[str]) -> Markup:
    if len(columns) <= 4:
        return join(_commas(columns))
    return join(_commas(columns[:2]), " … ", name(columns[-1]), f" ({count(len(columns))} columns)")


def _commas(names: list[str]) -> list[Markup]:
    return [join(", " if i else None, name(n)) for i, n in enumerate(names)]


def _semicolons(parts: list[Markup]) -> list[Markup]:
    return [join("; " if i else None, part) for i, part in enumerate(parts)]
