"""The mean difference of two models' losses with its interval, on an axis that holds zero."""

from __future__ import annotations

import altair as alt

from xent.report.html import Markup
from xent.report.node import Interval
from xent.report.theme import INK, MUTED, PAPER, A, B

from .frame import Frame, data, ticks, widen


def difference(x: Interval, each: str, tip: str, label: str) -> Markup:
    """Left of zero A is better, right of it B."""
    frame = Frame(height=118, left=14, top=26)
    reach = max(abs(v) for v in (x.value, x.low, x.high)) if x.bounded else abs(x.value)
    low, high = widen([-reach, reach], 0.08)
    scale = alt.Scale(domain=[low, high], nice=False)
    axis = frame.x_axis(f"loss of A − loss of B (nats a {each})", values=ticks(low, high, 5), format="~g")
    here = data([{"value": x.value, "tip": tip}])
    layers = [
        alt.Chart(data([{"zero": 0}]))
        .mark_rule(stroke=MUTED, strokeWidth=1.5, aria=False)
        .encode(x=alt.X("zero:Q", scale=scale, axis=axis)),
        _side("← A is better", "right", A, -8, scale),
        _side("B is better →", "left", B, 8, scale),
    ]
    height = frame.plot_height / 2
    if x.bounded:
        span = alt.Chart(data([{"low": x.low, "high": x.high}]))
        at = {"y": alt.value(height)}
        layers.append(
            span.mark_rule(stroke=INK, strokeWidth=2.5, aria=False).encode(
                x=alt.X("low:Q", scale=scale), x2="high:Q", **at
            )
        )
        cap = span.mark_tick(orient="vertical", fill=INK, size=12, thickness=2, opacity=1, aria=False)
        layers += [cap.encode(x=alt.X(f"{end}:Q", scale=scale), **at) for end in ("low", "high")]
    layers.append(
        alt.Chart(here)
        .mark_point(size=90, fill=INK, stroke=PAPER, strokeWidth=1.5, opacity=1)
        .encode(x=alt.X("value:Q", scale=scale), y=alt.value(height), description=alt.Description("tip:N"))
    )
    return frame.draw(label, *layers)


def _side(words: str, align: str, colour: str, dx: int, scale: alt.Scale) -> alt.Chart:
    here = alt.Chart(data([{"zero": 0, "words": words}]))
    return here.mark_text(align=align, dx=dx, color=colour, aria=False).encode(
        x=alt.X("zero:Q", scale=scale), y=alt.value(-14), text="words:N"
    )
