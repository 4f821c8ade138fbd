"""The command line: parsing, progress, exit codes; no mathematics."""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper

from xent.errors import MissingExtraError, XentError

__all__ = ["main"]

UNUSABLE = 2
"""Exit code of input or usage that cannot be worked with."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as of a shell."""


def main() -> None:
    """Run ``xent``. Exits 0 where all went well, 2 where the input or the usage cannot be worked with,
    130 where it was interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal of an old encoding has no minus sign or ∞: it gets their escapes, never a traceback or a "?".
            stream.reconfigure(errors="backslashreplace")
    try:
        for library in ("typer", "rich"):
            _need(library)
        from xent.cli.app import app

        app(prog_name="xent")
    except XentError as error:
        print(f"xent: {_plain(str(error))}", file=sys.stderr)
        sys.exit(UNUSABLE)
    except KeyboardInterrupt:  # while the commands were still being imported
        print("xent: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _need(library: str) -> None:
    try:
        import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        raise MissingExtraError(
            "the command line", "typer and rich", f"no module {library}", 'Run: pip install "xent[cli]"'
        ) from error


def _plain(text: str) -> str:
    """A message with control characters written out: it may quote a file."""
    from xent.report.format import visible

    return visible(text)
