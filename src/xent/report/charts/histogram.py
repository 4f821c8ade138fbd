"""A histogram with a few marked values, each named above the plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from ..html import Markup
from ..theme import BAR, INK, PAPER
from .frame import Frame, count_axis, data, ticks

_LINE = 15  # px from one name above the plot to the next


@dataclass(frozen=True)
class Marked:
    """A value to point out; ``dash`` tells its line from the others without colour."""

    at: float
    name: str
    colour: str = INK
    dash: tuple[int, ...] = ()


def histogram(
    edges: Sequence[float], counts: Sequence[int], tips: Sequence[str], marked: Sequence[Marked], title: str, label: str
) -> Markup:
    """Counts between edges, in nats, on a logarithmic axis of counts."""
    frame = Frame(height=250 + _LINE * len(marked), top=10 + _LINE * len(marked))
    low, high = min([edges[0], *(m.at for m in marked)]), max([edges[-1], *(m.at for m in marked)])
    if low == high:  # one row, or rows that are all alike
        low, high = low - 0.5, high + 0.5
    x_scale = alt.Scale(domain=[low, high], nice=False)
    y_scale, levels = count_axis(max(counts, default=0))
    if len(levels) > 6:
        levels = levels[::2]
    rows = data(
        {"from": a, "to": b, "n": n, "tip": tip}
        for a, b, n, tip in zip(edges[:-1], edges[1:], counts, tips, strict=True)
        if n
    )
    x_axis = frame.x_axis(title, values=ticks(low, high, 7), format="~g", grid=False)
    y_axis = frame.y_axis("rows (log)", values=levels, format="~s")
    bars = (
        alt.Chart(rows)
        .mark_rect(fill=BAR, stroke=PAPER, strokeWidth=0.75)
        .encode(
            x=alt.X("from:Q", scale=x_scale, axis=x_axis),
            x2="to:Q",
            y=alt.Y("n:Q", scale=y_scale, axis=y_axis),
            y2=alt.datum(0),
            description=alt.Description("tip:N"),
        )
    )
    middle = (low + high) / 2
    return frame.draw(label, bars, *(layer for i, m in enumerate(marked) for layer in _pointer(m, i, middle, x_scale)))


def _pointer(marked: Marked, row: int, middle: float, scale: alt.Scale) -> tuple[alt.Chart, alt.Chart]:
    """The line of a marked value up to its name, which stands on the side that has room."""
    here = data([{"at": marked.at, "name": marked.name}])
    height = -8 - _LINE * row
    x = alt.X("at:Q", scale=scale)
    line = alt.Chart(here).mark_rule(stroke=marked.colour, strokeWidth=1.5, strokeDash=list(marked.dash), aria=False)
    left = marked.at <= middle
    word = alt.Chart(here).mark_text(align="left" if left else "right", dx=5 if left else -5, color=marked.colour, aria=False)
    return (
        line.encode(x=x, y=alt.value(height - 5), y2=alt.value("height")),
        word.encode(x=x, y=alt.value(height), text="name:N"),
    )
