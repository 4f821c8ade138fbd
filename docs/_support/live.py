"""A chart that answers the pointer: drawn as SVG when the page is built, and once more by Vega where scripts run.

The script is bundled from the installed vl-convert into the guide itself; nothing comes from a network. Without it the
drawing stays as it was built.
"""

from __future__ import annotations

import json
from pathlib import Path

import altair as alt
import vl_convert
from xent_docs import drawn, themed

#: What a page holds that needs the script.
MARK = 'class="xent-live"'


class Live:
    """A chart with its sliders, tooltips and clicks."""

    def __init__(self, chart: alt.TopLevelMixin) -> None:
        self.chart = chart

    def _repr_html_(self) -> str:
        spec = self.chart.to_dict()
        # Within a script element only its end tag means anything.
        text = themed(json.dumps(spec, separators=(",", ":"))).replace("</", "<\\/")
        return f'<div {MARK}>{drawn(spec)}<script type="application/json">{text}</script></div>'


class Row:
    """Charts beside each other, or below where there is no room."""

    def __init__(self, charts: list[Live]) -> None:
        self.charts = charts

    def _repr_html_(self) -> str:
        return f'<div class="xent-row">{"".join(chart._repr_html_() for chart in self.charts)}</div>'


def write_script(folder: Path) -> None:
    """Write live.js: Vega, and what puts it in the place of the drawings."""
    snippet = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    # In a function of its own: the bundle's names are one letter long, and the page's other scripts have them too.
    (folder / "live.js").write_text(f"(() => {{\n{vl_convert.javascript_bundle(snippet)}\n}})();\n", encoding="utf-8")
