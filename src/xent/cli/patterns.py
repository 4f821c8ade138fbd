"""From a list of names and patterns to columns, in the order in which they are named."""

from __future__ import annotations

import re
from collections.abc import Sequence

from xent.errors import ColumnError
from xent.evaluate.columns import find_columns


def matched(pattern: str, available: Sequence[str], taken: Sequence[str], argument: str) -> list[str]:
    """Columns of ``x_*``, ``x0..x9``, a name, or several of these with commas; ``*`` never finds those ``taken``.

    A name that exists is itself. What ``*`` stands for is in the file's order.

    Raises ColumnError where a part finds nothing.
    """
    parts = [pattern] if pattern in available else [part.strip() for part in pattern.split(",")]
    return [name for part in parts for name in _part(part, available, taken, argument)]


def _part(part: str, available: Sequence[str], taken: Sequence[str], argument: str) -> Sequence[str]:
    if part in available or "*" not in part:
        return find_columns(part, available, taken, argument).names
    shape = re.compile(".*".join(map(re.escape, part.split("*"))), re.DOTALL)
    found = [name for name in available if name not in taken and shape.fullmatch(name)]
    if not found:
        shown = ", ".join(map(repr, available[:12])) + (" …" if len(available) > 12 else "")
        raise ColumnError(argument, f"columns that match {part!r}", f"columns {shown}", "Quote the pattern.")
    return found
