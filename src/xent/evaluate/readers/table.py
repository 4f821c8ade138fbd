"""What a reader gives: a table with names, perhaps a number of rows, and batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from xent.errors import MissingExtraError, UnreadableFileError


@dataclass(frozen=True)
class Request:
    """The columns wanted. A typed format hands its own types over; text (CSV) is parsed as is said here."""

    numbers: tuple[str, ...]
    text: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """Text too; CSV takes its words for nothing (``NA``) as missing, which in other text are what they say."""
    not_null: tuple[str, ...] = ()
    """Words that CSV must not take for a missing label, because a class is called so."""
    booleans: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Every column once, in the order in which the batches hold them."""
        return list(dict.fromkeys(self.numbers + self.text + self.integers + self.labels + self.booleans))


class Table(Protocol):
    """One open file."""

    path: str
    names: list[str]
    rows: int | None

    def batches(self, request: Request, size: int) -> Iterator[Any]:
        """Arrow record batches of at most ``size`` rows with the request's columns, in the file's order."""
        ...

    def is_list(self, name: str) -> bool:
        """Whether each row of the column holds a list of numbers."""
        ...

    def close(self) -> None:
        """Let the file go."""
        ...


def arrow() -> Any:
    """pyarrow, or the line that installs it."""
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError(
            "files", "pyarrow, which reads them", "no pyarrow", 'Run: pip install "xent[cli]"'
        ) from error
    return pyarrow


def reading(path: str, what: str) -> AbstractContextManager[None]:
    """Turns whatever a reader raises on a broken file into UnreadableFileError with the file's name."""
    return _reading(path, what)


@contextmanager
def _reading(path: str, what: str) -> Iterator[None]:
    pa = arrow()
    try:
        yield
    except UnreadableFileError:
        raise
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise unreadable(path, what, error) from error


def unreadable(path: str, what: str, error: Exception) -> UnreadableFileError:
    """The error for a file that stopped making sense."""
    reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
    if isinstance(error, UnicodeDecodeError) or "invalid utf8" in reason.lower():
        return UnreadableFileError(path, "text in UTF-8", reason, "Save the file as UTF-8.")
    return UnreadableFileError(
        path, f"a whole {what} file", reason, "Write or copy the file again, or correct the value named."
    )


def check_text(batch: Any, request: Request) -> None:
    """Raises pyarrow's error where text is not UTF-8, which no typed format checks when it reads."""
    for name in (*request.text, *request.labels):
        batch.column(batch.schema.get_field_index(name)).validate(full=True)


def is_list_type(kind: Any) -> bool:
    """Whether an Arrow type is a list of any layout."""
    types = arrow().types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def slices(batch: Any, size: int) -> Iterator[Any]:
    """A batch in pieces of at most ``size`` rows, without copying."""
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)
