"""The objective in the course of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from xent.report.html import Markup
from xent.report.theme import PAPER, A

from .frame import Frame, data, ticks, widen


@dataclass(frozen=True)
class Step:
    """One step: passes over the rows until then, the objective in nats, its tooltip."""

    passes: float
    objective: float
    tip: str


def course(steps: Sequence[Step], label: str) -> Markup:
    """A line through the steps; each is a point where they are few."""
    frame = Frame(left=58)
    low, high = widen([s.objective for s in steps], 0.06)
    end = max(s.passes for s in steps) * 1.04
    rows = data({"passes": s.passes, "objective": s.objective, "tip": s.tip} for s in steps)
    x = alt.X(
        "passes:Q",
        scale=alt.Scale(domain=[0, end], nice=False),
        axis=frame.x_axis("passes over the rows", values=ticks(0, end, 6), format="~r", grid=False),
    )
    y = alt.Y(
        "objective:Q",
        scale=alt.Scale(domain=[low, high], nice=False),
        axis=frame.y_axis("objective (nats)", values=ticks(low, high, 6), format="~r"),
    )
    line = alt.Chart(rows).mark_line(stroke=A, strokeWidth=2, aria=False).encode(x=x, y=y)
    size = 30 if len(steps) <= 60 else 8
    points = alt.Chart(rows).mark_point(size=size, fill=A, stroke=PAPER, strokeWidth=0.5, opacity=1)
    return frame.draw(label, line, points.encode(x=x, y=y, description=alt.Description("tip:N")))
