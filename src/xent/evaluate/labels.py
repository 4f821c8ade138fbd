"""From the truth column's values to class indices, by a rule that hangs on the classes' names, never on the data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xent.errors import ColumnError, LabelError

MISSING = -1
"""The code of a row whose truth is missing or ignored."""

_OUTSIDE = -2
_LABELS = ("int", "uint", "string", "large_string", "bool", "float", "double", "halffloat", "dictionary", "null")


class LabelCoder:
    """Codes values of the truth column.

    Text is matched with the names. An integer is matched with the names where any name is a number (``1, 2, 3+`` has
    the classes 1 and 2 and no class 0), and is an index from 0 where all are words. A float counts as the integer it
    equals; other floats are no label. A bool is 0 or 1. Null, NaN and the values of ``ignore`` are missing.

    ``counted`` is False where the classes have names but no certain order: then no integer is an index.
    """

    def __init__(self, classes: Sequence[str], ignore: Sequence[str], column: str, *, counted: bool = True) -> None:
        self.classes = tuple(classes)
        self._column = column
        self._by_name = {name: index for index, name in enumerate(self.classes)}
        named = _numbered(self.classes)
        self._uncounted = named is None and not counted
        places = {index: index for index in range(len(self.classes))} if counted else {}
        self._by_number = places if named is None else named
        self._ignored_text = frozenset(ignore)
        self._ignored_number = frozenset(n for n in map(_integer, ignore) if n is not None)
        self._cache: dict[Any, int] = {}

    def encode(self, values: Any, first_row: int) -> npt.NDArray[np.int64]:
        """Indices of an Arrow array of truths, ``MISSING`` where there is none.

        Raises LabelError for a label outside the classes, naming its row; ``first_row`` is the number of the first one.
        Raises ColumnError for a column that holds no labels at all (dates, bytes, structures).
        """
        if not str(values.type).startswith(_LABELS):
            raise ColumnError(
                f"truth {self._column!r}",
                "integers or text",
                f"values of type {values.type}",
                "Write the labels as integers or text.",
            )
        encoded = values.dictionary_encode()
        table = np.array([self._code(v) for v in encoded.dictionary.to_pylist()] + [MISSING], dtype=np.int64)
        indices = encoded.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
        codes: npt.NDArray[np.int64] = table[indices]
        if (table == _OUTSIDE).any():
            self._refuse(values, codes, first_row)
        return codes

    def _code(self, value: Any) -> int:
        if value is None or value != value:
            return MISSING
        key = (type(value), value)
        if key not in self._cache:
            if len(self._cache) > 100_000:  # ids given as the truth must not fill the memory before the refusal
                self._cache.clear()
            self._cache[key] = self._look_up(value)
        return self._cache[key]

    def _look_up(self, value: Any) -> int:
        if isinstance(value, str):
            if value in self._ignored_text:
                return MISSING
            if value in self._by_name:
                return self._by_name[value]
            number = _integer(value)
        elif isinstance(value, (bool, int)):
            number = int(value)
        elif isinstance(value, float):
            number = int(value) if value.is_integer() else None
        else:
            number = None
        if number is None:
            return _OUTSIDE
        if number in self._ignored_number:
            return MISSING
        return self._by_number.get(number, _OUTSIDE)

    def _refuse(self, values: Any, codes: npt.NDArray[np.int64], first_row: int) -> None:
        position = int(np.argmax(codes == _OUTSIDE))
        value = values[position].as_py()
        shown = ", ".join(self.classes[:12]) + (" …" if len(self.classes) > 12 else "")
        raise LabelError(
            f"truth {self._column!r}",
            f"one of the {len(self.classes)} classes {shown}",
            f"{value!r} in row {first_row + position}",
            _ORDER if self._uncounted and _integer(str(value)) is not None else _NAMES,
        )


_NAMES = "Name the classes in the order of the columns with --classes, or leave such rows out with --ignore VALUE."
_ORDER = (
    "The classes are words, and the file's columns are not in the order of their names: which one is 0 is not certain. "
    "Say it with --classes, the same names in your order."
)


def _numbered(classes: Sequence[str]) -> dict[int, int] | None:
    """The classes that integers name, or None where all names are words. Two names of one integer are not numbered."""
    if not any(map(_is_number, classes)):
        return None
    numbers = [_integer(name) for name in classes]
    often = Counter(numbers)
    return {n: index for index, n in enumerate(numbers) if n is not None and often[n] == 1}


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _integer(text: str) -> int | None:
    """The integer that a text is, '3' or '3.0' or '-100'; None for any other."""
    body = text[1:] if text[:1] in ("-", "+") else text
    whole, dot, fraction = body.partition(".")
    if not (whole.isdecimal() and whole.isascii()) or len(whole) > 18 or (dot and fraction.strip("0")):
        return None
    return -int(whole) if text[0] == "-" else int(whole)
