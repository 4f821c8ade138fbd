"""A Vega-Altair chart as inline SVG that follows the page's theme and cannot run anything.

vl-convert draws the chart here, once. What comes back is read as XML and rebuilt from the few elements and
attributes that a drawing needs; links, styles, fonts and event handlers have no way through. Colours come out as
classes that style.css fills from its light or dark palette, and a mark's description becomes its tooltip.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import altair as alt
import vl_convert

from .format import visible
from .html import Markup
from .theme import TOKENS

_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_DRAWN = frozenset({"g", "path", "line", "rect", "text"})
_KEPT = frozenset(
    """d x y x1 y1 x2 y2 width height transform text-anchor font-size opacity fill-opacity stroke-width
    stroke-dasharray""".split()  # noqa: SIM905 - sixteen quoted words are harder to read
)
_CLASS = {"fill": "f", "stroke": "s"}
_NOTHING = {None, "none", "transparent"}


def to_svg(chart: alt.TopLevelMixin, label: str, config: dict[str, Any]) -> Markup:
    """The chart as one ``<svg role="img">`` with ``label`` as its text alternative."""
    spec = chart.to_dict()
    spec["config"] = config
    # The Vega-Lite that this Altair writes for, not the newest one that vl-convert carries.
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    drawn = ET.fromstring(vl_convert.vegalite_to_svg(spec, vl_version=version, allowed_base_urls=[]))
    width, height = drawn.get("width"), drawn.get("height")
    root = ET.Element(
        "svg",
        {
            "class": "chart",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "role": "img",
            "aria-label": visible(label),
        },
    )
    for child in drawn:
        _rebuild(child, root)
    return Markup(ET.tostring(root, encoding="unicode"))


def _rebuild(source: ET.Element, parent: ET.Element) -> None:
    tag = source.tag.rpartition("}")[2]
    assert tag in _DRAWN, f"vl-convert drew <{tag}>, which the report does not let through"
    if source.get("class") in {"background", "foreground"} or source.get("opacity") == "0":
        return
    attributes = {key: _rounded(value) for key, value in source.attrib.items() if key in _KEPT}
    colours = [f"{prefix}-{_token(source, key)}" for key, prefix in _CLASS.items() if _token(source, key)]
    if colours:
        attributes["class"] = " ".join(colours)
    if tag == "path" and source.get("fill") in _NOTHING:
        attributes["fill"] = "none"  # SVG would fill what a line encloses
    if tag == "g" and (not len(source) or not attributes or attributes == {"transform": "translate(0,0)"}):
        for child in source:
            _rebuild(child, parent)
        return
    target = ET.SubElement(parent, tag, attributes)
    target.text = source.text
    if source.get("aria-roledescription") and source.get("aria-label") and tag != "g":
        ET.SubElement(target, "title").text = source.get("aria-label")
    for child in source:
        _rebuild(child, target)


def _token(source: ET.Element, key: str) -> str | None:
    colour = source.get(key)
    if colour in _NOTHING:
        return None
    assert colour in TOKENS, f"a chart uses the colour {colour}, which is not in the palette"
    return TOKENS[colour]


def _rounded(text: str) -> str:
    """Coordinates to a hundredth of a pixel: a third of the bytes, and nothing that can be seen."""
    return _NUMBER.sub(lambda found: f"{float(found.group()):.2f}".rstrip("0").rstrip("."), text)
