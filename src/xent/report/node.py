"""Reading a result: every field is asked for by its kind, and a wrong one is refused by its full name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xent.errors import DataError

SCHEMA = "xent.evaluation/1"
_WORDS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95% interval; the ends are NaN where they are not known."""

    value: float
    low: float
    high: float

    @property
    def bounded(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Node:
    """One object of the result, and where it stands in it."""

    fields: Mapping[str, Any]
    path: str = "result"

    def _get(self, name: str, expected: str) -> Any:
        if name not in self.fields:
            raise DataError(f"{self.path}.{name}", expected, "no such field", _HINT)
        return self.fields[name]

    def refuse(self, name: str, expected: str, got: Any) -> DataError:
        """The error for a field that is not what the schema says."""
        shown = repr(got)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        return DataError(f"{self.path}.{name}", expected, f"{shown} of type {type(got).__name__}", _HINT)

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.fields.get(name) is not None

    def number(self, name: str) -> float:
        return self._number(name, self._get(name, "a number"))

    def _number(self, name: str, got: Any) -> float:
        if isinstance(got, str) and got in _WORDS:
            return _WORDS[got]
        if isinstance(got, bool) or not isinstance(got, (int, float)):
            raise self.refuse(name, 'a number, "inf", "-inf" or "nan"', got)
        return float(got)

    def numbers(self, name: str) -> list[float]:
        return [self._number(f"{name}[{i}]", x) for i, x in enumerate(self._list(name))]

    def count(self, name: str) -> int:
        return self._count(name, self._get(name, "a count"))

    def _count(self, name: str, got: Any) -> int:
        if isinstance(got, bool) or not isinstance(got, int) or got < 0:
            raise self.refuse(name, "an integer that is not negative", got)
        return got

    def flag(self, name: str) -> bool:
        got = self._get(name, "true or false")
        if not isinstance(got, bool):
            raise self.refuse(name, "true or false", got)
        return got

    def counts(self, name: str) -> list[int]:
        return [self._count(f"{name}[{i}]", x) for i, x in enumerate(self._list(name))]

    def matrix(self, name: str) -> list[list[int]]:
        rows = self._list(name)
        return [Node({"row": row}, f"{self.path}.{name}[{i}]").counts("row") for i, row in enumerate(rows)]

    def text(self, name: str) -> str:
        return self._text(name, self._get(name, "text"))

    def _text(self, name: str, got: Any) -> str:
        # A class name or a row id may be a number in the JSON.
        if isinstance(got, (str, int, float)):
            return str(got)
        raise self.refuse(name, "text", got)

    def texts(self, name: str) -> list[str]:
        return [self._text(f"{name}[{i}]", x) for i, x in enumerate(self._list(name))]

    def interval(self, name: str) -> Interval:
        node = self.node(name)
        return Interval(node.number("value"), node.number("low"), node.number("high"))

    def node(self, name: str) -> Node:
        got = self._get(name, "an object")
        if not isinstance(got, Mapping):
            raise self.refuse(name, "an object", got)
        return Node(got, f"{self.path}.{name}")

    def nodes(self, name: str) -> list[Node]:
        for i, item in enumerate(self._list(name)):
            if not isinstance(item, Mapping):
                raise self.refuse(f"{name}[{i}]", "an object", item)
        return [Node(item, f"{self.path}.{name}[{i}]") for i, item in enumerate(self._list(name))]

    def _list(self, name: str) -> Sequence[Any]:
        got = self._get(name, "a list")
        if isinstance(got, str) or not isinstance(got, Sequence):
            raise self.refuse(name, "a list", got)
        return got


_HINT = "Give the dict that `xent evaluate --json` writes, unchanged (docs/reference/evaluation-json.md)."


def read(result: Mapping[str, Any]) -> Node:
    """The whole result, its schema checked."""
    if not isinstance(result, Mapping):
        raise DataError("result", f"a dict of schema {SCHEMA}", f"a {type(result).__name__}", _HINT)
    root = Node(result)
    if root.text("schema") != SCHEMA:
        raise DataError("result.schema", repr(SCHEMA), repr(result["schema"]), _HINT)
    return root
