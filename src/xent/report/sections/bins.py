"""The bins of a histogram in words."""

from __future__ import annotations

from collections.abc import Sequence

from xent.report.format import count, rows, significant


def bin_tips(edges: Sequence[float], counts: Sequence[int]) -> list[str]:
    """A tooltip for each bin."""
    return [
        f"{significant(low)} to {significant(high)} nats: {rows(n)}"
        for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True)
    ]


def bin_rows(edges: Sequence[float], counts: Sequence[int]) -> list[tuple[str, str, str]]:
    """A line of the table for each bin that holds a row."""
    return [
        (significant(low), significant(high), count(n))
        for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True)
        if n
    ]
