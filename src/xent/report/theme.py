"""The palette and the manner of every chart.

A chart names its colours by the tokens below, which are no colours of their own: svg.py turns each into a class,
and style.css gives the class its colour in the light and in the dark theme. A and B differ by shape as well.
"""

from __future__ import annotations

from typing import Any

INK = "#000001"  # words and numbers
MUTED = "#000002"  # tick labels, reference lines
GRID = "#000003"
A = "#000004"
B = "#000005"
PAPER = "#000006"  # the background: gaps between bars
INVERSE = "#000007"  # words on a cell of full colour
BAR = "#000008"  # counts, which belong to neither model

TOKENS = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    A: "a",
    B: "b",
    PAPER: "paper",
    INVERSE: "inverse",
    BAR: "bar",
}

FONT_SIZE = 11

CONFIG: dict[str, Any] = {
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "domainColor": MUTED,
        "tickColor": MUTED,
        "gridColor": GRID,
        "labelColor": MUTED,
        "titleColor": INK,
        "labelFontSize": FONT_SIZE,
        "titleFontSize": FONT_SIZE,
        "titleFontWeight": "normal",
        "tickSize": 4,
        # Where labels go must not hang on the fonts of the machine that draws, or the bytes would change with
        # it: no label is measured, and each axis says how much room it takes.
        "labelOverlap": False,
        "labelFlush": False,
        "labelBound": False,
        "labelLimit": 1000,
        "titleLimit": 1000,
    },
    "text": {"color": INK, "fontSize": FONT_SIZE},
}
