"""The HTML page of an evaluation: one file, no script, no network.

``write_html(result, path)`` writes it, ``render_html(result)`` returns it. ``result`` is the dict of
``docs/reference/evaluation-json.md``, as ``xent evaluate --json`` writes it. The same dict gives the same
bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from xent.errors import MissingExtraError

__all__ = ["render_html", "require_charts", "write_html"]


def require_charts() -> None:
    """What draws the charts is installed. Raises MissingExtraError with the line that installs it."""
    for library in ("altair", "vl_convert"):
        try:
            import_module(library)
        except ModuleNotFoundError as missing:
            if missing.name != library:
                raise
            raise MissingExtraError(
                "the HTML report",
                "Vega-Altair and vl-convert to draw its charts",
                f"no module {library}",
                'Install them: pip install "xent[cli]"',
            ) from missing


def render_html(result: Mapping[str, Any]) -> str:
    """The page of one evaluation, as text.

    Numbers in ``result`` are nats unless their name says otherwise; an infinite or undefined one may be a
    Python float or ``"inf"``, ``"-inf"``, ``"nan"``.

    Raises:
        DataError: the result is not of schema ``xent.evaluation/1``, or a field is missing or of the wrong
            kind.
        MissingExtraError: Vega-Altair or vl-convert is not installed.
    """
    require_charts()
    from .page import page

    return str(page(result))


def write_html(result: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write the page of one evaluation to ``path``, in UTF-8 with ``\\n`` line ends on every system.

    Raises:
        DataError, MissingExtraError: as ``render_html``, before the file is touched.
        OSError: the file cannot be written.
    """
    text = render_html(result)
    Path(path).write_text(text, encoding="utf-8", newline="\n")
