"""From what the user wrote (``z_*``, ``p0..p9``, a list) to columns, in the order of the classes, and their names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from xent.errors import ColumnError

_RANGE = re.compile(r"(?P<stem>.*?)(?P<first>\d+)\.\.(?P<stem2>.*?)(?P<last>\d+)", re.DOTALL)


@dataclass(frozen=True)
class Columns:
    """Columns of Q. ``classes`` is None where the names do not say them: one list column, or a single number a row.

    ``stored`` is the order of the same columns in the file, which a glob does not keep.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...] | None
    pattern: str
    stored: tuple[str, ...] | None = None

    @property
    def moved(self) -> bool:
        """Whether the file has the columns in another order."""
        return self.stored is not None and self.stored != self.names

    def reordered(self, classes: Sequence[str]) -> Columns | None:
        """The same columns in the order of ``classes``, where these are the names that the columns carry."""
        if self.classes is None or set(classes) != set(self.classes):
            return None
        place = dict(zip(self.classes, self.names, strict=True))
        return Columns(tuple(place[name] for name in classes), tuple(classes), self.pattern)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that reads digits as numbers: z_2 before z_10."""
    parts = re.split(r"(\d+)", text)
    return tuple((0, int(p), p) if p.isdecimal() and p.isascii() else (1, 0, p) for p in parts if p)


def find_columns(pattern: str, available: Sequence[str], taken: Sequence[str], argument: str) -> Columns:
    """The columns that ``pattern`` stands for.

    A name that exists is itself, even where it holds ``*`` or ``..``. In a glob one ``*`` stands for the class;
    ``taken`` (truth, id) are not predictions and never match it.

    Raises ColumnError where nothing matches, a name is twice in the file, or a glob mixes numbered columns with others.
    """
    if pattern in available:
        return Columns((require(pattern, available, argument),), None, pattern)
    if "," in pattern:
        names = tuple(part.strip() for part in pattern.split(","))
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ColumnError(argument, "every column once", f"{twice!r} twice")
        return Columns(tuple(require(name, available, argument) for name in names), names, pattern)
    if match := _RANGE.fullmatch(pattern):
        return _range(match, pattern, available, argument)
    if "*" in pattern:
        return _glob(pattern, [name for name in available if name not in taken], available, argument)
    require(pattern, available, argument)
    raise AssertionError("require() raises for a name that is not there")


def require(name: str, available: Sequence[str], argument: str) -> str:
    """``name``, if the file has it exactly once."""
    count = sum(1 for other in available if other == name)
    if count == 1:
        return name
    if count > 1:
        raise ColumnError(argument, f"one column {name!r}", f"{count} of that name", "Rename one of them.")
    close = difflib.get_close_matches(name, available, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "Write one of the columns that are there."
    raise ColumnError(argument, f"a column {name!r}", _listed(available), hint)


def _range(match: re.Match[str], pattern: str, available: Sequence[str], argument: str) -> Columns:
    first, last = match["first"], match["last"]
    if match["stem"] != match["stem2"] or int(first) >= int(last):
        raise ColumnError(argument, "a range of two columns of one name and a rising number, as p0..p9", repr(pattern))
    width = len(first) if first.startswith("0") and len(first) > 1 else 1
    numbers = tuple(f"{number:0{width}d}" for number in range(int(first), int(last) + 1))
    names = tuple(require(match["stem"] + number, available, argument) for number in numbers)
    return Columns(names, numbers, pattern)


def _glob(pattern: str, candidates: Sequence[str], available: Sequence[str], argument: str) -> Columns:
    if pattern.count("*") != 1:
        raise ColumnError(argument, "one * in the pattern, which stands for the class", repr(pattern))
    head, tail = pattern.split("*")
    size = len(head) + len(tail)
    found = [n for n in candidates if n.startswith(head) and n.endswith(tail) and len(n) > size]
    if not found:
        raise ColumnError(
            argument,
            f"columns that match {pattern!r}",
            _listed(available),
            "Quote the pattern for the shell.",
        )
    part = {name: name[len(head) : len(name) - len(tail)] for name in found}
    numbered = [name for name in found if part[name].isdecimal()]
    if numbered and len(numbered) < len(found):
        other = next(name for name in found if not part[name].isdecimal())
        ordered = sorted(numbered, key=natural_key)
        # A column such as z_mean, taken for a class, would change every softmax without a word.
        raise ColumnError(
            argument,
            f"{pattern!r} to match numbered columns only, or none",
            f"{len(numbered)} numbered columns and {other!r}",
            f"Write the range {ordered[0]}..{ordered[-1]}, or list the columns with commas.",
        )
    # by the class, not by the whole name: two patterns over the same classes must give one order
    in_order = sorted(found, key=lambda name: natural_key(part[name]))
    names = tuple(require(name, available, argument) for name in in_order)
    return Columns(names, tuple(part[name] for name in names), pattern, tuple(found))


def _listed(available: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in available[:12])
    more = f" and {len(available) - 12} more" if len(available) > 12 else ""
    return f"columns {shown}{more}" if available else "no columns"
