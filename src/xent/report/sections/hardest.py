"""The rows that the model finds hardest, by id."""

from __future__ import annotations

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
    named = [key for key in ("id", "truth", "predicted") if any(n.has(key) for n in nodes)]
    heads = ("row", *named, "loss (nats)", "probability of the truth")
    lines: list[tuple[Child, ...]] = [
        (
            count(n.count("row")),
            *(name(n.text(key)) if n.has(key) else "–" for key in named),
            _nats(n.number("nats")),
            significant(n.number("probability"), 3),
        )
        for n in nodes
    ]
    return section("Hardest rows", table("Rows of the greatest loss", heads, lines, text=range(1, len(named) + 1)))


def _nats(x: float) -> str:
    return fixed(x, 3)
