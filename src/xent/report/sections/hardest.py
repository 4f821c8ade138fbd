"""The rows that the model finds hardest, by id."""

from __future__ import annotations

from collections.abc import Callable

from xent.report.figure import note, section
from xent.report.format import count, fixed, significant
from xent.report.html import Child, Markup, name
from xent.report.node import Node
from xent.report.table import table


def hardest(result: Node) -> Markup:
    """A table, hardest first; columns that no row has are left out."""
    nodes = result.nodes("hardest")
    if not nodes:
        return section("Hardest rows", note("No row was used."))
    columns = [(head, cell, words) for head, key, cell, words in _COLUMNS if any(n.has(key) for n in nodes)]
    lines = [[cell(n) for _, cell, _ in columns] for n in nodes]
    text = [i for i, (_, _, words) in enumerate(columns) if words]
    return section("Hardest rows", table("Rows of the greatest loss", [head for head, _, _ in columns], lines, text))


def _name(key: str) -> Callable[[Node], Child]:
    return lambda row: name(row.text(key)) if row.has(key) else "–"


# Head, field, cell, whether it holds words. The loss stands early: a phone shows the first four columns.
_COLUMNS: tuple[tuple[str, str, Callable[[Node], Child], bool], ...] = (
    ("row", "row", lambda row: count(row.count("row")), False),
    ("id", "id", _name("id"), True),
    ("loss (nats)", "nats", lambda row: fixed(row.number("nats"), 3), False),
    ("truth", "truth", _name("truth"), True),
    ("predicted", "predicted", _name("predicted"), True),
    ("probability of the truth", "probability", lambda row: significant(row.number("probability")), False),
)
