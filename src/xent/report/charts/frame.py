"""What every chart shares: a fixed frame, its data, its axes.

A drawing is made 360 px wide, the width of a phone, and shown up to a third larger where there is room: one
drawing serves phone, desk and print with letters that can be read on each.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from xent.report.format import compact, visible
from xent.report.html import Markup
from xent.report.svg import to_svg
from xent.report.theme import CONFIG

_LETTER = 6.4  # px of a letter at FONT_SIZE in DejaVu Sans, the widest of the common system fonts


@dataclass(frozen=True)
class Frame:
    """The size of a drawing and of its four margins, in px."""

    width: float = 360
    height: float = 240
    left: float = 48
    right: float = 14
    top: float = 12
    bottom: float = 42

    @property
    def plot_width(self) -> float:
        return self.width - self.left - self.right

    @property
    def plot_height(self) -> float:
        return self.height - self.top - self.bottom

    def draw(self, label: str, *layers: alt.Chart) -> Markup:
        """The layers, the first at the bottom, in this frame; ``label`` is the text alternative."""
        padding = {"left": self.left, "right": self.right, "top": self.top, "bottom": self.bottom}
        chart = alt.layer(*layers).properties(
            width=self.plot_width,
            height=self.plot_height,
            padding=padding,
            autosize=alt.AutoSizeParams(type="none"),
        )
        return to_svg(chart, label, CONFIG)

    def x_axis(self, title: str | None, **options: Any) -> alt.Axis:
        """The axis below; options are those of ``alt.Axis``."""
        room = self.bottom - 16
        return alt.Axis(title=title, minExtent=room, maxExtent=room, titlePadding=-6, **options)

    def y_axis(self, title: str | None, **options: Any) -> alt.Axis:
        """The axis on the left; options are those of ``alt.Axis``."""
        room = self.left - 16
        return alt.Axis(title=title, minExtent=room, maxExtent=room, titlePadding=0, **options)


def data(rows: Iterable[Mapping[str, Any]]) -> alt.Data:
    """Rows for a chart; their text is made visible, and their numbers are finite."""
    clean = [{k: visible(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows]
    for row in clean:
        for key, value in row.items():
            assert not isinstance(value, float) or math.isfinite(value), f"{key} is {value} in a chart"
    return alt.Data(values=clean)


def rule(field: str, at: float, **options: Any) -> alt.Chart:
    """A straight line across the plot at one value of ``field``, x or y."""
    mark = alt.Chart(data([{"at": at}])).mark_rule(aria=False, **options)
    return mark.encode(**{field: alt.X("at:Q") if field == "x" else alt.Y("at:Q")})


def counts_up(frame: Frame, field: str, most: int, labels: int) -> alt.Y:
    """Counts upwards on a logarithmic axis that has a zero: one row next to a million can still be seen."""
    top = max(1, most)
    powers = [10**k for k in range(math.floor(math.log10(top)) + 1)]
    if len(powers) > labels:  # 1 would touch 0, and more than two powers too many would touch each other
        powers = powers[1:] if len(powers) <= labels + 2 else powers[1::2]
    values = [0, *powers]
    names = json.dumps({str(v): compact(v) for v in values})
    axis = frame.y_axis("rows (log)", values=values, labelExpr=f"{names}[datum.value]")
    scale = alt.Scale(type="symlog", constant=1, domain=[0, top * 1.15], nice=False)
    return alt.Y(f"{field}:Q", scale=scale, axis=axis)


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round numbers (1, 2 or 5 times a power of ten) from low to high."""
    assert high > low, f"an axis from {low} to {high}"
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def widen(values: Sequence[float], share: float) -> tuple[float, float]:
    """The range of the values with a margin of ``share`` of it on either side; never empty."""
    low, high = min(values), max(values)
    margin = (high - low) * share or abs(high) * share or 1.0
    return low - margin, high + margin


def letters(pixels: float) -> int:
    """How many letters fit."""
    return int(pixels / _LETTER)


def text_width(text: str) -> float:
    """About how many px a text takes."""
    return len(text) * _LETTER
