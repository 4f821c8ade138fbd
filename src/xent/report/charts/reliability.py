"""Reliability: how often the model is right where it says so, and how many rows stand behind each point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from xent.report.html import Markup, join
from xent.report.theme import BAR, MUTED, PAPER

from .frame import Frame, counts_up, data

_TENTHS = [0, 0.2, 0.4, 0.6, 0.8, 1]
_UNIT = alt.Scale(domain=[0, 1], nice=False)


@dataclass(frozen=True)
class Bin:
    """One bin of confidence with at least one row."""

    n: int
    confidence: float
    frequency: float
    frequency_low: float
    frequency_high: float
    tip: str


@dataclass(frozen=True)
class Model:
    """How the points of one model look."""

    colour: str
    shape: str
    size: float


def reliability(bins: Sequence[Bin], model: Model, confidence: str, frequency: str, label: str) -> Markup:
    """The diagram over the counts, on one axis of confidence. The two names are the titles of the axes."""
    rows = data(
        {
            "confidence": b.confidence,
            "frequency": b.frequency,
            "low": b.frequency_low,
            "high": b.frequency_high,
            "n": b.n,
            "tip": b.tip,
        }
        for b in bins
    )
    return join(_diagram(rows, model, frequency, label), _counts(rows, max(b.n for b in bins), confidence, label))


def _diagram(rows: alt.Data, model: Model, frequency: str, label: str) -> Markup:
    frame = Frame(height=316, top=10, bottom=8)
    x = alt.X("confidence:Q", scale=_UNIT, axis=alt.Axis(title=None, labels=False, ticks=False, values=_TENTHS))
    y = alt.Y("frequency:Q", scale=_UNIT, axis=frame.y_axis(frequency, values=_TENTHS, format=".1f"))
    ends = data([{"confidence": 0, "frequency": 0}, {"confidence": 1, "frequency": 1}])
    diagonal = alt.Chart(ends).mark_line(stroke=MUTED, strokeWidth=1, strokeDash=[4, 3], aria=False).encode(x=x, y=y)
    bars = alt.Chart(rows).mark_rule(stroke=model.colour, strokeWidth=2, aria=False)
    caps = alt.Chart(rows).mark_tick(
        orient="horizontal", fill=model.colour, size=9, thickness=1.5, opacity=1, aria=False
    )
    points = alt.Chart(rows).mark_point(
        shape=model.shape, size=model.size, fill=model.colour, stroke=PAPER, strokeWidth=1, opacity=1
    )
    return frame.draw(
        label,
        diagonal,
        bars.encode(x=x, y=alt.Y("low:Q", scale=_UNIT), y2="high:Q"),
        caps.encode(x=x, y=alt.Y("low:Q", scale=_UNIT)),
        caps.encode(x=x, y=alt.Y("high:Q", scale=_UNIT)),
        points.encode(x=x, y=y, description=alt.Description("tip:N")),
    )


def _counts(rows: alt.Data, most: int, confidence: str, label: str) -> Markup:
    frame = Frame(height=116, top=6, bottom=42)
    x_axis = frame.x_axis(confidence, values=_TENTHS, format=".1f", grid=False)
    # A stem below each point and no bar over its bin: bins of equal counts are not equally wide, and a bar's area would
    # say what is not so.
    stems = alt.Chart(rows).mark_rule(stroke=BAR, strokeWidth=5)
    return frame.draw(
        f"Rows in each bin. {label}",
        stems.encode(
            x=alt.X("confidence:Q", scale=_UNIT, axis=x_axis),
            y=counts_up(frame, "n", most, 2),
            y2=alt.datum(0),
            description=alt.Description("tip:N"),
        ),
    )
