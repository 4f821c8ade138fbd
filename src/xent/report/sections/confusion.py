"""What the model takes for what: the matrix where there are few classes, and the commonest confusions."""

from __future__ import annotations

from xent.report.charts.confusion import Cell, confusion, is_wide
from xent.report.figure import figure, note, pair, section
from xent.report.format import count, percent, rows
from xent.report.html import Markup, name
from xent.report.node import Node
from xent.report.table import table


def confusions(result: Node) -> Markup | None:
    """The section, or None where the input names no classes."""
    if not result.has("confusion") and not result.has("confusions"):
        return None
    matrix, commonest = _matrix(result), _commonest(result)
    side_by_side = matrix is not None and not is_wide(len(result.node("confusion").texts("names")))
    return section("Confusions", pair(matrix, commonest) if side_by_side else [matrix, commonest])


def _matrix(result: Node) -> Markup | None:
    if not result.has("confusion"):
        return None
    node = result.node("confusion")
    names, counts = node.texts("names"), node.matrix("counts")
    if [len(row) for row in counts] != [len(names)] * len(names):
        raise node.refuse("counts", f"{len(names)} rows of {len(names)} counts", counts)
    total, right = sum(map(sum, counts)), sum(row[i] for i, row in enumerate(counts))
    cells = [
        Cell(i, j, n, n / sum(row) if n else 0.0, _tip(names[i], names[j], n, sum(row)))
        for i, row in enumerate(counts)
        for j, n in enumerate(row)
    ]
    sentence = (
        f"On the diagonal are {count(right)} of {rows(total)}."
        f" {_worst(names, counts)}A cell’s colour is its share of the rows of that truth."
    )
    numbers = table(
        "Confusion matrix: rows are the truth, columns the prediction",
        ("truth \\ predicted", *names),
        [(name(names[i]), *(count(n) for n in row)) for i, row in enumerate(counts)],
    )
    return figure(
        "Confusion matrix",
        sentence,
        lambda label: confusion(names, cells, label),
        numbers,
        wide=is_wide(len(names)),
    )


def _tip(truth: str, predicted: str, n: int, of: int) -> str:
    share = f", {percent(n / of)} of {truth}" if of else ""
    return f"truth {truth}, predicted {predicted}: {rows(n)}{share}"


def _worst(names: list[str], counts: list[list[int]]) -> str:
    n, i, j = max((n, -i, -j) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j)
    return f"The commonest confusion is {names[-i]} taken for {names[-j]}: {rows(n)}. " if n else ""


def _commonest(result: Node) -> Markup | None:
    if not result.has("confusions"):
        return None
    nodes = result.nodes("confusions")
    if not nodes:
        return note("No row is predicted wrongly.")
    return table(
        "Commonest confusions",
        ("truth", "predicted", "rows"),
        [(name(n.text("truth")), name(n.text("predicted")), count(n.count("n"))) for n in nodes],
        text=(0, 1),
    )
