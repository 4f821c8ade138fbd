"""What the pages of this guide share: published numbers, commands, tables and drawings."""

from __future__ import annotations

import html
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

ROOT = Path(__file__).parents[2]


class Mismatch(Exception):
    """A number on a page is not the one that was published."""


def published(value: Any, text: str) -> None:
    """Raise unless ``value``, rounded to the digits of ``text``, is the number that ``text`` says."""
    number = float(value.detach() if hasattr(value, "detach") else value)
    mantissa = text.lower().partition("e")[0]
    digits = len(mantissa.partition(".")[2])
    shown = f"{number:.{digits}e}" if "e" in text.lower() else f"{number:.{digits}f}"
    if float(shown) != float(text):
        raise Mismatch(f"the page computes {number!r}, which is {shown}; published is {text}")


def same(value: Any, other: Any, relative: float = 1e-12) -> None:
    """Raise unless two results agree, element by element."""
    left, right = (_flat(x) for x in (value, other))
    if len(left) != len(right):
        raise Mismatch(f"{len(left)} numbers against {len(right)}")
    for a, b in zip(left, right, strict=True):
        if not abs(a - b) <= relative * max(abs(a), abs(b), 1e-300) and abs(a - b) > 1e-15:
            raise Mismatch(f"{a!r} against {b!r}")


def _flat(x: Any) -> list[float]:
    values = x.detach() if hasattr(x, "detach") else x
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, (list, tuple)):
        return [float(values)]
    return [number for value in values for number in _flat(value)]


def shell(line: str, *, expect: int = 0, folder: str | Path = ROOT) -> None:
    """Run ``xent …`` in a folder, by default the repository's root, and print the line and what it prints."""
    program, *arguments = shlex.split(line)
    if program != "xent":
        raise ValueError(f"only xent is run here, not {program}")
    # As on a terminal of 80 columns, in plain letters; in another folder a relative path would not be found.
    paths = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry)
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-m", "xent", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode != expect:
        raise RuntimeError(f"{line}: exit code {done.returncode}, not {expect}\n{done.stdout}{done.stderr}")
    rows = [_command(line), *(done.stdout + done.stderr).splitlines()]
    print("\n".join(row.rstrip() for row in rows))


def _command(line: str) -> str:
    """A command over as many lines as it needs, each of which a shell would take."""
    # A space within quotes stays where it is; options go together with what they are given.
    words = re.findall(r"--\S+ (?:'[^']*'|[^-\s]\S*)|\S+", line)
    rows = ["$"]
    for word in words:
        if len(rows[-1]) + len(word) > 76:
            rows[-1] += " \\"
            rows.append("   ")
        rows[-1] += f" {word}"
    return "\n".join(rows)


class Table:
    """Rows of text as a table of the page. Cells are shown as they are; `this` is code."""

    def __init__(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        for row in rows:
            if len(row) != len(headers):
                raise ValueError(f"{len(row)} cells under {len(headers)} headers: {row}")
        self.headers, self.rows = headers, rows

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{_cell(text)}</th>" for text in self.headers)
        body = "".join("<tr>" + "".join(f"<td>{_cell(text)}</td>" for text in row) + "</tr>" for row in self.rows)
        table = f'<table class="table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        return f'<div class="pst-scrollable-table-container">{table}</div>'


def _cell(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


# Colours are drawn as these and then said as the theme's, so that a drawing follows light and dark.
_THEMED = {
    "#101010": "var(--pst-color-text-base)",
    "#d8d8d8": "var(--pst-color-border)",
    "#0b6bcb": "var(--xent-a)",
    "#c2410c": "var(--xent-b)",
}
TEXT, LINE, A, B = _THEMED
LINE_COLOURS = [B, A]


def themed(text: str) -> str:
    """A drawing or its description, with the theme's colours in place of those that it was made with."""
    for colour, variable in _THEMED.items():
        text = text.replace(f'"{colour}"', f'"{variable}"')
    return text


def drawn(spec: dict[str, Any]) -> str:
    """A chart as SVG inside the page: no script, nothing from a network."""
    description = spec.get("description")
    if not description:
        raise ValueError("a chart needs a description, which is read out where it is not seen")
    svg = themed(vl_convert.vegalite_to_svg(spec))
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    if size:
        svg = svg.replace(size.group(0), f'style="max-width:{size.group(1)}px"', 1)
    label = html.escape(description, quote=True)
    return f'<div class="xent-chart" role="img" aria-label="{label}">{svg}</div>'


@alt.theme.register("xent", enable=True)
def _theme() -> alt.theme.ThemeConfig:
    axis = {
        "labelColor": TEXT,
        "titleColor": TEXT,
        "domainColor": LINE,
        "tickColor": LINE,
        "gridColor": LINE,
        "labelFontSize": 14,
        "titleFontSize": 14,
        "titleFontWeight": "normal",
    }
    return alt.theme.ThemeConfig(
        {
            "width": 460,
            "height": 260,
            "background": "transparent",
            "config": {
                "font": "sans-serif",
                "view": {"stroke": None},
                "axis": axis,
                "legend": {
                    "labelColor": TEXT,
                    "titleColor": TEXT,
                    "labelFontSize": 14,
                    "orient": "top",
                    "symbolStrokeWidth": 2.5,
                    "symbolSize": 300,
                },
                "text": {"color": TEXT, "fontSize": 14},
            },
        }
    )


alt.renderers.register("xent", lambda spec: {"text/html": drawn(spec)})
alt.renderers.enable("xent")
