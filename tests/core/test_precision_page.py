"""docs/precision.md publishes the bounds that the tests use, for every pair, and figures that are within them."""

from __future__ import annotations

import re
from pathlib import Path

from support.bounds import BOUNDS, REFERENCE
from support.problems import DTYPES, PREDICTIONS, TRUTHS

PAGE = Path(__file__).parents[2] / "docs" / "precision.md"
NAMES = {"Logits": "logits", "LogProbabilities": "log_probs", "Probabilities": "probs", "Projection": "projection"}
COLUMNS = sum(len(dtypes) for dtypes in DTYPES.values())


def tables(text: str) -> list[list[list[str]]]:
    """The cells of each table, without its two head lines."""
    blocks = re.findall(r"(?:^\|.*\n?)+", text, flags=re.MULTILINE)
    return [[[c.strip() for c in line.strip("|").split("|")] for line in block.splitlines()[2:]] for block in blocks]


def test_the_page_says_what_the_tests_hold() -> None:
    _, loss, gradient, reference = tables(PAGE.read_text(encoding="utf-8"))
    for which, table in enumerate((loss, gradient)):
        assert len(table) == len(TRUTHS) * len(PREDICTIONS)
        assert len({(row[0], row[1]) for row in table}) == len(table)
        for row in table:
            bound = BOUNDS[NAMES[row[1]]][which]
            measured = [float(cell) for cell in row[2:-1]]
            assert len(measured) == COLUMNS
            assert float(row[-1]) == bound
            assert max(measured) <= bound
    measured, bounds = ([float(cell) for cell in row[1:]] for row in reference)
    assert tuple(bounds) == REFERENCE
    assert all(m <= b for m, b in zip(measured, bounds, strict=True))
