"""The confusion matrix: colour is the share of the true class, the number in a cell is its count of rows."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import altair as alt

from ..format import compact, shorten
from ..html import Markup
from ..theme import A, INK, INVERSE, MUTED
from .frame import Frame, data, letters

# Shares of a row, and how much ink each step takes. No step lies between .42 and .78, where neither dark nor light numbers
# could be read on the colour (tests/report/test_style.py measures the contrast of every step).
STEPS = (0.0, 1e-12, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9)
OPACITY = (0.0, 0.07, 0.12, 0.19, 0.28, 0.38, 0.84, 0.92, 1.0)
_DARK = 0.6  # from this opacity on, numbers are written in the inverse colour
_SIDE = 82  # px for the names of the classes
_NUMBERED = 24  # more classes than this have cells too small for a number


@dataclass(frozen=True)
class Cell:
    """Rows of class ``truth`` that the model takes for class ``predicted``."""

    truth: int
    predicted: int
    n: int
    share: float
    tip: str


def is_wide(k: int) -> bool:
    """Whether the matrix of k classes needs more than a phone's width."""
    return k > 10


def confusion(names: Sequence[str], cells: Sequence[Cell], label: str) -> Markup:
    """K × K cells, truth down, prediction across."""
    k = len(names)
    size = 27.0 if k <= 10 else 30.0 if k <= _NUMBERED else 15.0
    if k <= 10:
        size = min(54.0, (360 - _SIDE - 8) / k)
    top = _SIDE + 8 if k > 4 else 40
    frame = Frame(
        width=_SIDE + k * size + 8, height=top + k * size + 12, left=_SIDE, right=8, top=top, bottom=12
    )
    scale = alt.Scale(domain=list(range(k)), padding=0)
    short = json.dumps([shorten(n, letters(_SIDE - 22)) for n in names])
    step = dict(labelExpr=f"{short}[datum.value]", ticks=False, domain=False, labelColor=INK, titleColor=MUTED)
    across = dict(labelAngle=-90, labelAlign="left", labelBaseline="middle") if k > 4 else dict(labelAngle=0)
    room = top - 18
    x = alt.X(
        "predicted:O",
        scale=scale,
        axis=alt.Axis(orient="top", title="predicted", minExtent=room, maxExtent=room, titlePadding=0, **step, **across),
    )
    y = alt.Y(
        "truth:O",
        scale=scale,
        axis=alt.Axis(title="truth", minExtent=_SIDE - 16, maxExtent=_SIDE - 16, titlePadding=0, **step),
    )
    rows = [
        {
            "truth": c.truth,
            "predicted": c.predicted,
            "text": compact(c.n) if c.n else "",
            "ink": OPACITY[bisect_right(STEPS, c.share) - 1],
            "tip": c.tip,
        }
        for c in cells
    ]
    cell = alt.Chart(data(row for row in rows if row["ink"])).mark_rect(fill=A)
    ink = alt.FillOpacity("ink:Q", scale=None)
    layers = [cell.encode(x=x, y=y, fillOpacity=ink, description=alt.Description("tip:N"))]
    if k <= _NUMBERED:
        font = min(11.0, size * 0.4)
        for colour, group in (
            (INK, [row for row in rows if row["text"] and row["ink"] < _DARK]),
            (INVERSE, [row for row in rows if row["text"] and row["ink"] >= _DARK]),
        ):
            if group:
                word = alt.Chart(data(group)).mark_text(color=colour, fontSize=font, aria=False)
                layers.append(word.encode(x=x, y=y, text="text:N"))
    return frame.draw(label, *layers)


assert len(STEPS) == len(OPACITY)
assert all(a < b for a, b in pairwise(STEPS))
