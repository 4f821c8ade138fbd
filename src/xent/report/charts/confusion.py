"""The confusion matrix: colour is the share of the true class, the number in a cell is its count of rows."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import altair as alt

from xent.report.format import compact, distinct
from xent.report.html import Markup
from xent.report.theme import INK, INVERSE, MUTED, A

from .frame import Frame, data, letters

# Shares of a row, and how much ink each step takes. Between .4 and .8 neither dark nor light numbers could be read on
# the colour, so no step lies there; tests/report/test_style.py measures the contrast of every step.
STEPS = (0.0, 1e-12, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9)
OPACITY = (0.0, 0.07, 0.12, 0.19, 0.28, 0.38, 0.84, 0.92, 1.0)
_DARK = 0.6  # from this opacity on, numbers are written in the inverse colour
_SIDE = 98  # px for the names of the classes
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
    size = min(54.0, (360 - _SIDE - 8) / k) if not is_wide(k) else 30.0 if k <= _NUMBERED else 15.0
    top = _SIDE + 8 if k > 4 else 40
    frame = Frame(width=_SIDE + k * size + 8, height=top + k * size + 12, left=_SIDE, right=8, top=top, bottom=12)
    scale = alt.Scale(domain=list(range(k)), padding=0)
    names_here = json.dumps(distinct(names, letters(_SIDE - 24)))
    shared = {
        "labelExpr": f"{names_here}[datum.value]",
        "labelColor": INK,
        "labelPadding": 5,
        "titleColor": MUTED,
        "titlePadding": 0,
        "ticks": False,
        "domain": False,
    }
    turned = {"labelAngle": -90, "labelAlign": "left", "labelBaseline": "middle"} if k > 4 else {"labelAngle": 0}
    above, beside = top - 18, _SIDE - 16
    x_axis = alt.Axis(orient="top", title="predicted", minExtent=above, maxExtent=above, **shared, **turned)
    y_axis = alt.Axis(title="truth", minExtent=beside, maxExtent=beside, **shared)
    x, y = alt.X("predicted:O", scale=scale, axis=x_axis), alt.Y("truth:O", scale=scale, axis=y_axis)
    inked = [(OPACITY[bisect_right(STEPS, c.share) - 1], c) for c in cells if c.n]
    rows = data({"truth": c.truth, "predicted": c.predicted, "ink": ink, "tip": c.tip} for ink, c in inked)
    ink_as_given = alt.FillOpacity("ink:Q", scale=None)
    cell = alt.Chart(rows).mark_rect(fill=A)
    layers = [cell.encode(x=x, y=y, fillOpacity=ink_as_given, description=alt.Description("tip:N"))]
    if k <= _NUMBERED:
        for dark, colour in ((False, INK), (True, INVERSE)):
            numbers = data(
                {"truth": c.truth, "predicted": c.predicted, "text": compact(c.n)}
                for ink, c in inked
                if (ink >= _DARK) is dark
            )
            word = alt.Chart(numbers).mark_text(color=colour, fontSize=min(11.0, size * 0.4), aria=False)
            layers.append(word.encode(x=x, y=y, text="text:N"))
    return frame.draw(label, *layers)


assert len(STEPS) == len(OPACITY)
assert all(a < b for a, b in pairwise(STEPS))
