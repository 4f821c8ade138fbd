"""The drawings of the study page: what they show is computed in ``neuron``, ``digits_study`` and on the page."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import altair as alt
import neuron
import numpy as np
from contours import contour, rows, runs
from live import Live, Row
from xent_docs import TEXT, A, B

Rows = list[dict[str, Any]]

LOSSES = ["cross-entropy", "squared error"]
METHODS = ["gradient descent", "quasi-Newton", "Newton"]
_DASHES = [[1, 0], [6, 3], [2, 2]]
_COLOURS = {"loss": [A, B], "method": [TEXT, B, A]}
#: The plane of weights that is drawn, and the heights of its lines.
_ACROSS, _UP, _COUNT = 8.0, 10.0, 61
_LEVELS = {
    "cross-entropy": [0.45, 0.6, 1, 1.5, 2, 3, 4, 5, 6, 7, 8],
    "squared error": [0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75],
}


def curves(
    rows: Rows, x: alt.X, y: alt.Y, *, of: str = "loss", title: str = "", width: int = 270, tooltip: Sequence[str] = ()
) -> alt.LayerChart:
    """A line for each loss or method, whose points answer the pointer."""
    names = {"loss": LOSSES, "method": METHODS}[of]
    dashes = _DASHES[: len(names)]
    legend = alt.Legend(title=None, symbolType="stroke")
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=x,
        y=y,
        color=alt.Color(f"{of}:N", scale=alt.Scale(domain=names, range=_COLOURS[of]), legend=legend),
        strokeDash=alt.StrokeDash(f"{of}:N", scale=alt.Scale(domain=names, range=dashes), legend=legend),
    )
    near = base.mark_circle(size=250, opacity=0, aria=False).encode(tooltip=[f"{of}:N", *tooltip])
    return (base.mark_line(strokeWidth=2.5) + near).properties(width=width, height=230, **_titled(title))


def beside(panels: dict[str, Any]) -> Row:
    """Charts next to each other, by what each shows in words."""
    return Row([Live(panel.properties(description=description)) for description, panel in panels.items()])


def _titled(text: str) -> dict[str, Any]:
    return {"title": alt.Title(text, color=TEXT, fontSize=14, fontWeight="normal", anchor="start")} if text else {}


def gradient_by_error(rows: Rows) -> Live:
    """``rows``: loss, score, wrong, gradient."""
    tooltip = ["score:Q", alt.Tooltip("wrong:Q", format=".3f"), alt.Tooltip("gradient:Q", format=".4f")]
    x = alt.X("wrong:Q", title="how wrong: |p − y|")
    y = alt.Y("gradient:Q", title="size of the gradient by the score")
    return Live(
        curves(rows, x, y, width=460, tooltip=tooltip).properties(
            description="Size of the gradient by the score against how wrong the probability is. Cross-entropy's is a "
            "straight line from 0 to 1; that of the squared error rises until two thirds and falls back to 0.",
        )
    )


def gradient_of_classes(rows: Rows, truth: int) -> Live:
    """``rows``: loss, truth, class, gradient; a slider for the truth."""
    slider = alt.param("truth", value=truth, bind=alt.binding_range(min=0, max=9, step=1, name="true class "))
    scale = alt.Scale(domain=LOSSES, range=_COLOURS["loss"])
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            x=alt.X("class:O", title="class", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("loss:N", scale=alt.Scale(domain=LOSSES)),
            y=alt.Y("gradient:Q", title="gradient by its score", scale=alt.Scale(domain=[-1.05, 1.05])),
            color=alt.Color("loss:N", title=None, scale=scale),
            tooltip=["loss:N", "class:O", alt.Tooltip("gradient:Q", format=".6f")],
        )
        .transform_filter("datum.truth == truth")
        .add_params(slider)
        .properties(
            description=f"Gradient by the ten scores where the truth is {truth} and the model says another class: "
            "bars near −1 and 1 for cross-entropy, none to be seen for the squared error."
        )
    )
    return Live(chart)


def surfaces(descents: Sequence[tuple[str, neuron.Descent]], shown: str) -> Live:
    """Both losses over the plane of weights, where they bend down, and the descents from their starts."""
    chosen = alt.selection_point(fields=["start"], value=[{"start": shown}], on="click", empty=False)
    panels = [_surface(name, [(s, d) for s, d in descents if d.name == name], chosen) for name in LOSSES]
    with warnings.catch_warnings():
        # One click chooses the start in both maps: that is what is wanted.
        warnings.filterwarnings("ignore", "Automatically deduplicated", UserWarning)
        both = alt.hconcat(*panels, spacing=24).properties(
            description="The mean loss over weight and bias: lines of equal loss, and the paths of gradient descent. "
            "The map of the squared error is shaded where the Hessian has a negative eigenvalue."
        )
        return Live(both)


def _surface(name: str, descents: Sequence[tuple[str, neuron.Descent]], chosen: Any) -> alt.LayerChart:
    w, c, weights = neuron.plane(_ACROSS, _UP, _COUNT)
    height = neuron.value(name, weights)
    marks = alt.Axis(values=[-8, -4, 0, 4, 8])
    x = alt.X("x:Q", title="weight w", scale=alt.Scale(domain=[-_ACROSS, _ACROSS], nice=False), axis=marks)
    y = alt.Y("y:Q", title="bias c", scale=alt.Scale(domain=[-_UP, _UP], nice=False))
    lines = [row for level in _LEVELS[name] for row in rows(contour(w, c, height, level), level)]
    layers: list[Any] = [
        alt.Chart(alt.Data(values=lines))
        .mark_line(color=TEXT, opacity=0.45, strokeWidth=1, aria=False)
        .encode(x=x, y=y, order="at:Q", detail=["level:N", "line:N"], tooltip=alt.Tooltip("level:Q", title="loss"))
    ]
    down = runs(w, c, neuron.least_bend(name, weights) < 0)
    if down:
        shade = alt.Chart(alt.Data(values=down)).mark_rect(color=B, opacity=0.18, aria=False)
        layers.insert(0, shade.encode(x=x, y=y, x2="x2:Q", y2="y2:Q"))
    colour = _COLOURS["loss"][LOSSES.index(name)]
    path = alt.Chart(alt.Data(values=[row for s, d in descents for row in _steps(s, d)])).encode(x=x, y=y)
    line = path.encode(detail="start:N", order="step:Q")
    faint = alt.condition(chosen, alt.value(1.0), alt.value(0.25))
    tooltip = ["start:N", "step:Q", *(alt.Tooltip(f"{k}:Q", format=".4g") for k in ("loss", "error", "gradient"))]
    layers += [
        line.mark_line(color=colour, strokeWidth=2.5, clip=True).encode(opacity=faint),
        path.mark_circle(color=colour, size=35, clip=True, aria=False).encode(opacity=faint, tooltip=tooltip),
        path.mark_point(color=colour, filled=True, size=220, cursor="pointer", opacity=1)
        .encode(tooltip=tooltip)
        .transform_filter(alt.datum.step == 0)
        .add_params(chosen),
        path.mark_text(color=TEXT, dx=14, dy=-10, fontWeight="bold")
        .encode(text="start:N")
        .transform_filter(alt.datum.step == 0),
    ]
    return alt.layer(*layers).properties(width=270, height=300, **_titled(name))


def _steps(start: str, descent: neuron.Descent) -> Rows:
    """The start and the steps 1, 2, 4, 8, …: later steps are shorter."""
    last = len(descent.weights) - 1
    kept = [0, *(2**k for k in range(last.bit_length()) if 2**k < last), last]
    weights = descent.weights[kept]
    loss, error = neuron.value(descent.name, weights), neuron.error(weights)
    slope = np.linalg.norm(neuron.gradient(descent.name, weights), axis=-1)
    columns = {"x": weights[:, 0], "y": weights[:, 1], "loss": loss, "error": error, "gradient": slope}
    return [{"start": start, "step": s, **{k: float(v[i]) for k, v in columns.items()}} for i, s in enumerate(kept)]


def errors_by_pass(rows: Rows, starts: Sequence[str]) -> Row:
    """``rows``: loss, start, passes, error."""
    x = alt.X("passes:Q", title="passes over the examples", scale=alt.Scale(type="log"), axis=_powers())
    y = alt.Y("error:Q", title="training error", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
    tooltip = ["passes:Q", alt.Tooltip("error:Q", format=".2%")]
    panels = {s: curves([r for r in rows if r["start"] == s], x, y, title=s, tooltip=tooltip) for s in starts}
    return beside({f"Training error on digits against passes over the examples, {s}": c for s, c in panels.items()})


def gaps(problems: dict[str, Rows]) -> Row:
    """Of each problem the distance to the optimum against the passes; rows: method, passes, gap."""
    x = alt.X("passes:Q", title="passes over the examples", scale=alt.Scale(type="log"), axis=_powers())
    y = alt.Y("gap:Q", title="objective − optimum", scale=alt.Scale(type="log"), axis=alt.Axis(format="e", tickCount=5))
    tooltip = ["passes:Q", alt.Tooltip("gap:Q", format=".2e")]
    panels = {s: curves(rows, x, y, of="method", title=s, tooltip=tooltip) for s, rows in problems.items()}
    return beside({f"Distance to the optimum against passes over the examples, {s}": c for s, c in panels.items()})


def _powers() -> alt.Axis:
    return alt.Axis(values=[1, 10, 100, 1000, 10000], format="d")


def held_out(rows: Rows) -> Row:
    """``rows``: loss, C, nats, error."""
    axis = alt.Axis(values=[0.1, 1, 10, 100, 1000, 10000], format="~g")
    x = alt.X("C:Q", title="C, weaker penalty to the right", scale=alt.Scale(type="log"), axis=axis)
    nats = alt.Y("nats:Q", title="held-out cross-entropy", scale=alt.Scale(zero=True))
    error = alt.Y("error:Q", title="held-out error", axis=alt.Axis(format="%"), scale=alt.Scale(zero=True))
    tooltip = ["C:Q", alt.Tooltip("nats:Q", format=".4f"), alt.Tooltip("error:Q", format=".2%")]
    panels = {"cross-entropy": curves(rows, x, nats, tooltip=tooltip), "error": curves(rows, x, error, tooltip=tooltip)}
    return beside({f"Held-out {what} against C, for both losses": chart for what, chart in panels.items()})


def reliability(bins: dict[str, Rows]) -> Row:
    """Of each loss the bins of ``xent.evaluate``: how sure, and how often right, with its interval."""
    panels = {}
    for name in LOSSES:
        scale = alt.Scale(domain=[0, 1])
        even = alt.Chart(alt.Data(values=[{"a": 0}, {"a": 1}])).mark_line(color=TEXT, strokeDash=[4, 4], opacity=0.6)
        base = alt.Chart(alt.Data(values=bins[name])).encode(
            x=alt.X("confidence:Q", title="probability of the likeliest class", scale=scale),
            tooltip=["n:Q", *(alt.Tooltip(f"{k}:Q", format=".3f") for k in ("confidence", "frequency"))],
        )
        colour = _COLOURS["loss"][LOSSES.index(name)]
        ends = {"y": alt.Y("frequency_low:Q", title="how often it was right", scale=scale), "y2": "frequency_high:Q"}
        chart = (
            even.encode(x="a:Q", y="a:Q")
            + base.mark_rule(color=colour, strokeWidth=2).encode(**ends)
            + base.mark_circle(color=colour, size=90, opacity=1).encode(y=alt.Y("frequency:Q", scale=scale))
        )
        told = f"How often the likeliest class was right against how sure the model was of it, by {name}"
        panels[told] = chart.properties(width=270, height=270, **_titled(name))
    return beside(panels)
