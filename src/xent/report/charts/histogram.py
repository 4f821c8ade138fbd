"""A histogram with a few marked values, each named above the plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product

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
    placed = _placed(marked, positions, frame)
    pointers = [layer for row, (i, side) in enumerate(placed) for layer in _pointer(marked[i], row, side, scale)]
    return frame.draw(label, bars, *pointers)


def _placed(marked: Sequence[Marked], x: Sequence[float], frame: Frame) -> list[tuple[int, int]]:
    """Which name stands in which row from the plot upwards, right (1) or left (−1) of its line.

    Of all ways, the one in which no name leaves the drawing and the fewest lines run through a name.
    """

    def cost(placed: list[tuple[int, int]]) -> int:
        spans = [sorted((x[i], x[i] + side * (text_width(marked[i].name) + 10))) for i, side in placed]
        outside = sum(low < -frame.left or high > frame.plot_width + frame.right for low, high in spans)
        crossed = sum(low < x[i] < high for row, (i, _) in enumerate(placed) for low, high in spans[:row])
        return 10 * outside + crossed

    n = len(marked)
    ways = [
        list(zip(order, sides, strict=True)) for sides in product((1, -1), repeat=n) for order in permutations(range(n))
    ]
    return min(ways, key=cost)


def _pointer(marked: Marked, row: int, side: int, scale: alt.Scale) -> tuple[alt.Chart, alt.Chart]:
    """The line of a marked value up to its name."""
    here = data([{"at": marked.at, "name": marked.name}])
    height = -8 - _LINE * row
    align, dx = ("left", 5) if side > 0 else ("right", -5)
    x = alt.X("at:Q", scale=scale)
    line = alt.Chart(here).mark_rule(stroke=marked.colour, strokeWidth=1.5, strokeDash=list(marked.dash), aria=False)
    word = alt.Chart(here).mark_text(align=align, dx=dx, color=marked.colour, aria=False)
    return (
        line.encode(x=x, y=alt.value(height - 5), y2=alt.value("height")),
        word.encode(x=x, y=alt.value(height), text="name:N"),
    )
