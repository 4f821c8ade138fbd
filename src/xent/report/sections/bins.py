"""The bins of a histogram, read and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from xent.report.format import count, rows, significant
from xent.report.node import Node


def read_bins(node: Node) -> tuple[list[float], list[int]]:
    """Edges and counts of a histogram; both are empty where nothing could be counted."""
    edges, counts = node.numbers("edges"), node.counts("counts")
    if counts and len(edges) != len(counts) + 1:
        raise node.refuse("edges", f"{len(counts) + 1} edges around {len(counts)} counts", edges)
    for i, (low, high) in enumerate(pairwise(edges)):
        if not -math.inf < low < high < math.inf:
            raise node.refuse(f"edges[{i + 1}]", "finite edges in rising order", high)
    return edges, counts


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
