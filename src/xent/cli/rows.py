"""The rows of a file as a linear model takes them: columns of numbers, and on the first pass the truth and weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from xent.cli.patterns import matched
from xent.errors import ColumnError
from xent.evaluate.columns import require
from xent.evaluate.engine import Progress
from xent.evaluate.matrix import vector, wide_matrix
from xent.evaluate.readers import Request, Table, open_table
from xent.evaluate.readers.csv import CsvTable
from xent.evaluate.readers.table import arrow

if TYPE_CHECKING:
    from xent.linear_model.stream import Labelled

_NUMBERS = 1 << 19
"""Numbers in a batch: a few copies of it leave a processor's cache, and no more."""
_MOST, _FEWEST = 1 << 16, 64
_LOOKED_AT = 1000
"""Rows of a CSV file by which a column is taken for one of numbers."""


class FileRows:
    """A ``Source`` of ``xent.linear_model``: every pass reads the file from its beginning.

    ``keep`` names columns that ``kept`` hands on as they are; ``width`` is how many numbers a row makes elsewhere.
    """

    def __init__(
        self,
        path: str,
        features: tuple[str, ...],
        *,
        truth: str | None = None,
        weight: str | None = None,
        keep: tuple[str, ...] = (),
        width: int = 1,
        advance: Progress | None = None,
    ) -> None:
        self.name, self.features, self.truth, self.weight, self.keep = path, features, truth, weight, keep
        self.advance = advance
        self._size = max(_FEWEST, min(_MOST, _NUMBERS // max(len(features), width)))
        with closing(open_table(path)) as table:
            self.typed = not isinstance(table, CsvTable)
            self._booleans = () if self.typed else _booleans(table, features)
        self._numbers = tuple(name for name in features if name not in self._booleans)

    def batches(self) -> Iterator[Any]:
        """The features of the next rows (n, D)."""
        for batch in self._read(Request(self._numbers, booleans=self._booleans)):
            yield self._matrix(batch)

    def kept(self) -> Iterator[tuple[Any, Any]]:
        """The same rows, with the columns of ``keep`` as a record batch."""
        text = tuple(name for name in self.keep if name not in self.features)
        for batch in self._read(Request(self._numbers, text=text, booleans=self._booleans)):
            yield self._matrix(batch), batch.select(list(self.keep))

    def labelled(self) -> Iterator[Labelled]:
        """The same rows, with their truth and weight."""
        from xent.linear_model.stream import Labelled

        assert self.truth is not None
        weights = () if self.weight is None else (self.weight,)
        for batch in self._read(Request(self._numbers + weights, labels=(self.truth,), booleans=self._booleans)):
            names, codes = _labels(_column(batch, self.truth), f"--truth {self.truth!r}")
            weight = None
            if self.weight is not None:
                weight = vector(_as_numbers(_column(batch, self.weight)), self.weight, f"--weight {self.weight!r}")
            yield Labelled(self._matrix(batch), names, codes, weight)

    def _read(self, request: Request) -> Iterator[Any]:
        done = 0
        with closing(open_table(self.name)) as table:
            for batch in table.batches(request, self._size):
                yield batch
                done += batch.num_rows
                if self.advance is not None:
                    self.advance(done, table.rows)

    def _matrix(self, batch: Any) -> Any:
        columns = [_as_numbers(_column(batch, name)) for name in self.features]
        numbers = arrow().record_batch(columns, names=list(self.features))
        return wide_matrix(numbers, self.features, f"features in {self.name}")


def _column(batch: Any, name: str) -> Any:
    return batch.column(batch.schema.get_field_index(name))


def _as_numbers(column: Any) -> Any:
    """Booleans as 0 and 1, decimals as floats, all else as it is."""
    pa = arrow()
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return column.cast(pa.float64()) if _is_cast(kind) else column


def _is_cast(kind: Any) -> bool:
    types = arrow().types
    return bool(types.is_boolean(kind) or types.is_decimal(kind))


def _labels(column: Any, argument: str) -> tuple[list[Any], Any]:
    """The classes in an Arrow column, and the place there of each row's; −1 where it has none."""
    pa = arrow()
    if pa.types.is_dictionary(column.type):  # which may name classes that no row has
        column = column.dictionary_decode()
    kind = column.type
    known = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_string, pa.types.is_large_string, pa.types.is_null)
    if not any(is_kind(kind) for is_kind in known):
        raise ColumnError(
            argument,
            "classes as text, integers or booleans",
            f"values of type {kind}",
            "Write them as integers or text.",
        )
    if pa.types.is_null(kind):
        return [], np.full(len(column), -1, np.int64)
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return encoded.dictionary.to_pylist(), codes.astype(np.int64)


def not_numbers(table: Table, names: Sequence[str]) -> dict[str, str]:
    """Columns that do not hold one number a row, and what each holds instead."""
    wrong = {name: "lists" for name in names if table.is_list(name)}
    rest = [name for name in names if name not in wrong]
    first = _looked_at(table, rest)
    if first is not None:
        found = {name: _not_numbers(_column(first, name), written=isinstance(table, CsvTable)) for name in rest}
        wrong |= {name: what for name, what in found.items() if what is not None}
    return wrong


def _looked_at(table: Table, names: Sequence[str]) -> Any:
    """The first rows of columns, as a CSV file's text; None where there are none."""
    return next(table.batches(Request((), labels=tuple(names)), _LOOKED_AT), None) if names else None


def _booleans(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    """Columns of a CSV file that hold True and False."""
    first = _looked_at(table, names)
    return () if first is None else tuple(name for name in names if _is_boolean(_column(first, name)))


def _is_boolean(column: Any) -> bool:
    found = set(column.unique().to_pylist()) - {None}
    return bool(found) and {text.strip().lower() for text in found} <= {"true", "false"}


def shown(wrong: dict[str, str]) -> str:
    """“text in 'city', lists in 'z'”."""
    more = f" and {len(wrong) - 8} columns more" if len(wrong) > 8 else ""
    return ", ".join(f"{what} in {name!r}" for name, what in list(wrong.items())[:8]) + more


def _not_numbers(column: Any, *, written: bool) -> str | None:
    """What a column holds instead of numbers; ``written``: as text, from which they are still to be read."""
    pa = arrow()
    kind = column.type
    if not written:
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_cast(kind)
        return None if number else f"values of type {kind}"
    from pyarrow import compute

    try:
        compute.utf8_trim_whitespace(column).cast(pa.float64())
    except pa.ArrowInvalid:
        return None if _is_boolean(column) else "text"
    return None


def find_features(table: Table, pattern: str | None, taken: dict[str, str]) -> tuple[str, ...]:
    """The features: of a list with commas, whose parts may hold ``*``; else every column that has no other use.

    ``taken`` names columns of another use, by their flags. They are no features.
    """
    if pattern is None:
        argument = f"columns of {table.path}"
        chosen = [name for name in table.names if name not in taken.values()]
    else:
        argument = f"--features {pattern!r} in {table.path}"
        chosen = matched(pattern, table.names, list(taken.values()), argument)
    for flag, name in taken.items():
        if name in chosen:
            raise ColumnError(argument, f"features other than {flag}", repr(name), "Leave it out.")
    features = tuple(require(name, table.names, argument) for name in dict.fromkeys(chosen))
    if not features:
        raise ColumnError(argument, "a feature", "no column but those of another use")
    wrong = not_numbers(table, features)
    if wrong:
        good = [name for name in features if name not in wrong]
        usable = f" Those of numbers: {','.join(good[:12])}{',…' if len(good) > 12 else ''}." if good else ""
        hint = f"Name the features: --features 'a,b,x_*'. Write a category as columns of 0 and 1.{usable}"
        raise ColumnError(argument, "columns of one number a row", shown(wrong), hint)
    return features
