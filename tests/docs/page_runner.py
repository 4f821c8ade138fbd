"""Run the code cells of one page of the guide, as its build does, and print what each shows.

    python page_runner.py PAGE

Prints one JSON object a cell: the heading that it stands under and what a reader sees below it. A cell that raises ends
the run with its traceback and exit code 1.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OPTIONS = re.compile(r"\A(?::[^\n]*\n)+\n?")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """One code cell: where it stands, what it runs."""

    heading: str
    line: int
    code: str


def cells(page: Path) -> list[Cell]:
    """The code cells of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        headings = [heading for heading in _HEADING.finditer(text, 0, match.start()) if not _inside(text, heading)]
        body = match.group(1)
        options = _OPTIONS.match(body)
        code = body[options.end() :] if options else body
        start = match.start(1) + (options.end() if options else 0)
        found.append(Cell(headings[-1].group(1) if headings else "", text.count("\n", 0, start), code))
    return found


def _inside(text: str, heading: re.Match[str]) -> bool:
    """Whether what looks like a heading is a comment in a code block."""
    return text.count("\n```", 0, heading.start()) % 2 == 1


def run(page: Path) -> list[dict[str, str]]:
    """Run the cells in one namespace; what each shows."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    return [{"heading": cell.heading, "shown": _shown(cell, page, namespace)} for cell in cells(page)]


def _shown(cell: Cell, page: Path, namespace: dict[str, Any]) -> str:
    """Run one cell as a notebook does: what it prints, and how its last expression is drawn."""
    body = ast.parse(cell.code, filename=str(page))
    ast.increment_lineno(body, cell.line)
    last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(body, str(page), "exec"), namespace)
        value = None if last is None else eval(compile(ast.Expression(last.value), str(page), "eval"), namespace)
    return printed.getvalue() + _drawn(value)


def _drawn(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "_repr_mimebundle_"):
        bundle = value._repr_mimebundle_(None, None)
        return str((bundle[0] if isinstance(bundle, tuple) else bundle)["text/html"])
    return str(value._repr_html_()) if hasattr(value, "_repr_html_") else repr(value)


if __name__ == "__main__":
    page = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "_support"))
    for shown in run(page):
        print(json.dumps(shown))
