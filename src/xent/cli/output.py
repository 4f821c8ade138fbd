"""Files written at the end, whole or not at all."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

from xent.errors import OptionError, XentError


def check_destination(flag: str, path: Path | None, inputs: Sequence[str | None]) -> None:
    """Refuse before the work what would fail or destroy after it: no folder to write to, or an input file."""
    if path is None:
        return
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise OptionError(flag, "a file in a folder that is there", repr(str(path)), "Make the folder first.")
    for name in inputs:
        if name is not None and path.exists() and os.path.exists(name) and os.path.samefile(path, name):
            raise OptionError(flag, "a file of its own", f"{str(path)!r}, which is an input", "Choose another name.")


def check_apart(outputs: Mapping[str, Path | None]) -> None:
    """Refuse one file for two options, by whatever names: one output would destroy the other."""
    given = [path for path in outputs.values() if path is not None]
    for one, other in combinations(given, 2):
        # Of files that are there only they themselves know: hard links, names without regard to case.
        there = one.exists() and other.exists()
        if one.resolve() == other.resolve() or (there and one.samefile(other)):
            raise OptionError(", ".join(outputs), "a file of its own for each", f"one file twice, {str(other)!r}")


def write_outputs(result: dict[str, Any], *, html: Path | None, json: Path | None) -> None:
    """Write the page and the JSON. Each is made beside its place and moved there once both are whole."""
    made: list[tuple[Path, Path]] = []
    try:
        if json is not None:
            made.append((_made("--json", json, lambda path: _write_json(result, path)), json))
        if html is not None:
            from xent.report import write_html

            made.append((_made("--html", html, lambda path: write_html(result, path)), html))
        for temporary, place in made:
            os.replace(temporary, place)
    finally:
        for temporary, _ in made:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(flag: str, place: Path | None) -> Iterator[None]:
    """Turns what a full disk or a closed folder raises into an error that names the option."""
    try:
        yield
    except OSError as error:
        if isinstance(error, XentError):  # of a file that was read
            raise
        raise OptionError(flag, "a file that can be written", f"{place}: {error.strerror}") from error


@contextmanager
def whole_file(flag: str, place: Path) -> Iterator[Path]:
    """A file to write to, which takes its place at the end, and goes away where something went wrong."""
    temporary = _made(flag, place, lambda path: None)
    try:
        with writing(flag, place):
            yield temporary
            os.replace(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)


def _write_json(result: dict[str, Any], path: Path) -> None:
    text = json.dumps(result, ensure_ascii=False, allow_nan=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _made(flag: str, place: Path, write: Callable[[Path], None]) -> Path:
    """A temporary file beside ``place``, written; with the permissions that a new file of the user's has."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.absolute().parent)
    except OSError as error:
        raise OptionError(flag, "a folder that can be written to", f"{place}: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        write(temporary)
    except OSError as error:
        temporary.unlink()
        raise OptionError(flag, "a file that can be written", f"{place}: {error.strerror}") from error
    except BaseException:
        temporary.unlink()
        raise
    return temporary


@contextmanager
def standard_output() -> Iterator[None]:
    """Printing, to the last byte. Raises OptionError where the place it goes to takes no more (a full disk)."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader has gone, as in “| head”: nothing to say, and the command line knows how to end
    except OSError as error:
        # What is still buffered goes nowhere: Python would try once more at the end, and fail there with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OptionError("standard output", "a place that can be written to", str(error.strerror)) from error
