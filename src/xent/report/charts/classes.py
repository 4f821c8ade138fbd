"""The loss of each class with its interval, worst first."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from xent.report.format import distinct
from xent.report.html import Markup
from xent.report.node import Interval
from xent.report.theme import INK, MUTED, PAPER, A

from .frame import Frame, data, letters, rule, ticks

_ROW = 19  # px


@dataclass(frozen=True)
class ClassLoss:
    """One class: its name, its mean loss in nats, and its tooltip."""

    name: str
    nats: Interval
    tip: str


def classes(items: Sequence[ClassLoss], overall: float, label: str) -> Markup:
    """One dot a class, ∞ at the right edge where its loss is infinite, a line at the loss of all rows."""
    frame = Frame(height=_ROW * len(items) + 62, left=116, top=20, bottom=42)
    finite = [v for c in items for v in (c.nats.value, c.nats.high) if math.isfinite(v)]
    if math.isfinite(overall):
        finite.append(overall)
    high = (max(finite, default=0.0) or 1.0) * 1.06
    scale = alt.Scale(domain=[0, high], nice=False)
    names = json.dumps(distinct([c.name for c in items], letters(frame.left - 12)))
    x_axis = frame.x_axis("loss of the class (nats)", values=ticks(0, high, 6), format="~g")
    y_axis = alt.Axis(title=None, labelExpr=f"{names}[datum.value]", ticks=False, domain=False, labelColor=INK)
    order = [str(i) for i in range(len(items))]
    y = alt.Y("i:O", sort=order, scale=alt.Scale(domain=list(range(len(items))), paddingOuter=0.2), axis=y_axis)

    bounded = data(
        {"i": i, "low": max(0.0, c.nats.low), "high": c.nats.high} for i, c in enumerate(items) if c.nats.bounded
    )
    known = data(
        {"i": i, "value": c.nats.value, "tip": c.tip} for i, c in enumerate(items) if math.isfinite(c.nats.value)
    )
    endless = data(
        {"i": i, "value": high, "sign": "∞", "tip": c.tip} for i, c in enumerate(items) if math.isinf(c.nats.value)
    )
    x = alt.X("value:Q", scale=scale, axis=x_axis)
    layers = [
        alt.Chart(bounded)
        .mark_rule(stroke=A, strokeWidth=2, aria=False)
        .encode(y=y, x=alt.X("low:Q", scale=scale, axis=x_axis), x2="high:Q"),
        alt.Chart(known)
        .mark_point(size=46, fill=A, stroke=PAPER, strokeWidth=1, opacity=1)
        .encode(y=y, x=x, description=alt.Description("tip:N")),
        alt.Chart(endless)
        .mark_text(align="right", color=A, fontSize=15)
        .encode(y=y, x=x, text="sign:N", description=alt.Description("tip:N")),
    ]
    if math.isfinite(overall):
        word = alt.Chart(data([{"at": overall, "name": "all rows"}])).mark_text(color=MUTED, dy=-9, aria=False)
        layers += [
            rule("x", overall, stroke=MUTED, strokeWidth=1, strokeDash=[4, 3]),
            word.encode(x=alt.X("at:Q", scale=scale), y=alt.value(0), text="name:N"),
        ]
    return frame.draw(label, *layers)
