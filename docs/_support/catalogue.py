"""The catalogue of losses as a page: text from ``xent.losses``, curves computed while the page is built."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import altair as alt
import numpy as np
from one_score import CURVES
from xent_docs import LINE_COLOURS, Table

import xent
from xent import losses
from xent.losses.catalogue import ENTRIES, Entry, Loss

#: What a loss is shown with where it has no default.
_GIVEN: dict[str, dict[str, Any]] = {
    "imbalance.logit_adjustment": {"counts": [100, 10, 1]},
    "imbalance.balanced_softmax": {"counts": [100, 10, 1]},
    "imbalance.ldam": {"counts": [1, 10, 100], "scale": 4.0},
    "imbalance.class_balanced": {"counts": [1, 10, 100], "beta": 0.99},
    "noise.label_smoothing": {"epsilon": 0.1},
    "noise.backward_correction": {"transition": (0.7 * np.eye(3) + 0.1).tolist()},
    "noise.confidence_penalty": {"beta": 0.3},
    "noise.temperature": {"tau": 2.0},
    "noise.softcap": {"cap": 3.0},
    "noise.z_loss": {"coefficient": 0.05},
}
#: Scales at which a curve can be seen.
_SCALED = {"scale": 4.0}


def modules() -> list[str]:
    """The modules of the catalogue, in its order."""
    return list(dict.fromkeys(name.partition(".")[0] for name in ENTRIES))


class Entries:
    """The losses of one module."""

    def __init__(self, module: str) -> None:
        self.entries = [entry for name, entry in ENTRIES.items() if name.partition(".")[0] == module]
        if not self.entries:
            raise ValueError(f"no loss in xent.losses.{module}")

    def _repr_html_(self) -> str:
        return "".join(_entry(entry) for entry in self.entries)


def _entry(entry: Entry) -> str:
    parameters = ", ".join(str(p) if p.kind is not p.KEYWORD_ONLY else p.name for p in _bare(entry))
    rows = [
        ["formula", entry.formula],
        ["acts on", ", ".join(entry.places) or "other inputs than one P and Q: see its docstring"],
        ["gradient", entry.gradient],
        *([f"default of `{name}`", why] for name, why in entry.defaults.items()),
        ["source", entry.source],
    ]
    title = f'<h3 id="{entry.name}"><code>{html.escape(entry.name)}({html.escape(parameters)})</code></h3>'
    summary = (entry.make.__doc__ or "").strip().partition("\n\n")[0]
    text = f"<p>{html.escape(' '.join(summary.split())).replace('``', '')}</p>"
    return title + text + Table(["", ""], rows)._repr_html_() + _curves(entry)


def _bare(entry: Entry) -> list[Any]:
    return [p.replace(annotation=p.empty) for p in entry.signature.parameters.values()]


def _curves(entry: Entry) -> str:
    """The loss, its gradient, and φ where it has one, beside the plain cross-entropy."""
    if entry.name in CURVES:
        curve = CURVES[entry.name]
        grid, lines = curve.points()
        panels = [_panel("loss", curve.title, grid, {name: y for name, (y, _) in lines.items()})]
        panels.append(_panel("gradient by it", curve.title, grid, {name: y for name, (_, y) in lines.items()}))
        return _drawn(panels, entry.name, curve.shown)
    given = dict(_GIVEN.get(entry.name, {}))
    if "scale" in entry.signature.parameters and "scale" not in given:
        given |= _SCALED
    required = [p.name for p in entry.signature.parameters.values() if p.default is p.empty]
    if set(required) - set(given):
        return ""
    loss = entry.make(**given)
    if not isinstance(loss, Loss):
        return ""
    if loss.scores is not None:  # the figure's scores are cosines already
        loss = loss.but(scores=replace(loss.scores, normalize=None))
    shown = ", ".join(f"{name} = {value}" for name, value in given.items())
    return _drawn([*_by_score(loss), *_by_loss(loss)], entry.name, shown)


def _by_score(loss: Loss) -> list[Any]:
    """Loss and gradient of class 0 of three, its score moved; of a yes for losses of Indicators."""
    elements = isinstance(loss.shaping, losses.Asymmetric)
    angular = loss.scores is not None and isinstance(loss.scores.margin, losses.Margin)
    score = np.cos(np.linspace(3.0, 0.15, 60)) if angular else np.linspace(-6.0, 6.0, 61)
    if elements:
        P, Q, plain_Q = xent.Indicators(np.ones(len(score))), xent.Logits(score), xent.Logits(score)
    else:
        z = np.stack([score, np.full_like(score, 0.2), np.full_like(score, -0.4)], axis=-1)
        P, Q = xent.Labels(np.zeros(len(score), int)), xent.Logits(z)
        plain_Q = Q
        if angular and isinstance(loss.scores.scale, float):
            plain_Q = xent.Logits(z * loss.scores.scale)
    values, gradients = {}, {}
    for name, one, q in (("cross-entropy", losses.Loss(), plain_Q), ("this loss", loss, Q)):
        values[name] = one(P, q, reduction="none")
        gradient = one.value_and_grad(P, q, reduction="sum")[1]
        gradients[name] = gradient if elements else gradient[:, 0]
    title = "cosine of the truth" if angular else "score of the truth"
    return [_panel("loss", title, score, values), _panel("gradient by it", title, score, gradients)]


def _by_loss(loss: Loss) -> list[Any]:
    """φ(ℓ) over ℓ itself, with the weight of class 0; for Indicators that of a no is the first line."""
    if loss.shaping is None and loss.class_weight is None:
        return []
    surprisal = np.linspace(0.0, 6.0, 61)
    shaped = surprisal if loss.shaping is None else loss.shaping.value(surprisal)
    if loss.class_weight is not None:
        shaped = shaped * loss.class_weight[0]
    elements = isinstance(loss.shaping, losses.Asymmetric)
    first = {"a no": loss.shaping.no.value(surprisal)} if elements else {"cross-entropy": surprisal}
    return [_panel("φ(ℓ)", "ℓ", surprisal, first | {"a yes" if elements else "this loss": shaped})]


def _panel(title: str, by: str, grid: Any, lines: Mapping[str, Any]) -> Any:
    rows = [
        {"x": float(x), "y": float(y), "loss": name}
        for name, values in lines.items()
        for x, y in zip(grid, values, strict=True)
    ]
    names, one = list(lines), len(lines) == 1
    colours, dashes = ([LINE_COLOURS[-1]], [[1, 0]]) if one else (LINE_COLOURS, [[6, 3], [1, 0]])
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=2.5)
        .encode(
            x=alt.X("x:Q", title=by, axis=alt.Axis(tickCount=4)),
            y=alt.Y("y:Q", title=title, axis=alt.Axis(tickCount=5, titlePadding=10)),
            color=alt.Color("loss:N", title=None, scale=alt.Scale(domain=names, range=colours)),
            strokeDash=alt.StrokeDash("loss:N", title=None, scale=alt.Scale(domain=names, range=dashes)),
        )
        .properties(width=190, height=150)
    )


def _drawn(panels: list[Any], name: str, shown: str) -> str:
    """Each a drawing of its own, so that they stand below each other where the page is narrow."""
    drawn = ""
    for panel in panels:
        chart = panel.properties(description=f"{name}: {panel.encoding.y.title} by {panel.encoding.x.title}")
        drawn += f'<div style="flex: 1 1 210px">{alt.renderers.get()(chart.to_dict())["text/html"]}</div>'  # type: ignore[misc]
    caption = f"<p><small>With {html.escape(shown)}.</small></p>" if shown else ""
    return f'<div style="display: flex; flex-wrap: wrap; gap: 8px">{drawn}</div>{caption}'
