"""A histogram with a few marked values, each named above the plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import altair as alt

from xent.report.html import Markup
from xent.report.theme import BAR, INK, PAPER

from .frame import Frame, counts_up, data, text_width, ticks

_LINE = 15  # px from one name above the plot to the next


@dataclass(frozen=True)
class Marked:
    """A value to point out; ``dash`` tells its line from the others without colour."""

    at: float
    name: str
    colour: str = INK
    dash: tuple[int, ...] = ()


def histogram(
    edges: Sequence[float],
    counts: Sequence[int],
    tips: Sequence[str],
    marked: Sequence[Marked],
    title: str,
    label: str,
) -> Markup:
    """Counts between edges, in nats, on a logarithmic axis of counts; zero is always on the axis of nats."""
    frame = Frame(height=250 + _LINE * len(marked), top=10 + _LINE * len(marked))
    shown = [0.0, edges[0], edges[-1], *(m.at for m in marked)]
    low, high = min(shown), max(shown)
    if low == high:  # every row has a loss of zero
        high = 1.0
    scale = alt.Scale(domain=[low, high], nice=False)
    rows = data(
        {"from": a, "to": b, "n": n, "tip": tip}
        for a, b, n, tip in zip(edges[:-1], edges[1:], counts, tips, strict=True)
        if n
    )
    x_axis = frame.x_axis(title, values=ticks(low, high, 7), format="~g", grid=False)
    bars = (
        alt.Chart(rows)
        .mark_rect(fill=BAR, stroke=PAPER, strokeWidth=0.75)
        .encode(
            x=alt.X("from:Q", scale=scale, axis=x_axis),
            x2="to:Q",
            y=counts_up(frame, "n", max(counts, default=0), 6),
            y2=alt.datum(0),
            description=alt.Description("tip:N"),
        )
    )
    positions = [(m.at - low) / (high - low) * frame.plot_width for m in marked]
    pointers = [
        layer
        for row, i in enumerate(_arranged(marked, positions, frame.plot_width / 2))
        for layer in _pointer(marked[i], row, positions[i] <= frame.plot_width / 2, scale)
    ]
    return frame.draw(label, bars, *pointers)


def _arranged(marked: Sequence[Marked], x: Sequence[float], middle: float) -> tuple[int, ...]:
    """The order of the names from the plot upwards in which the fewest lines run through a name."""

    def crossings(order: tuple[int, ...]) -> int:
        spans = [(x[i], x[i] + text_width(marked[i].name) * (1 if x[i] <= middle else -1)) for i in order]
        return sum(min(span) < x[i] < max(span) for row, i in enumerate(order) for span in spans[:row])

    return min(permutations(range(len(marked))), key=crossings)


def _pointer(marked: Marked, row: int, rightwards: bool, scale: alt.Scale) -> tuple[alt.Chart, alt.Chart]:
    """The line of a marked value up to its name, which stands on the side that has room."""
    here = data([{"at": marked.at, "name": marked.name}])
    height = -8 - _LINE * row
    align, dx = ("left", 5) if rightwards else ("right", -5)
    x = alt.X("at:Q", scale=scale)
    line = alt.Chart(here).mark_rule(stroke=marked.colour, strokeWidth=1.5, strokeDash=list(marked.dash), aria=False)
    word = alt.Chart(here).mark_text(align=align, dx=dx, color=marked.colour, aria=False)
    return (
        line.encode(x=x, y=alt.value(height - 5), y2=alt.value("height")),
        word.encode(x=x, y=alt.value(height), text="name:N"),
    )
