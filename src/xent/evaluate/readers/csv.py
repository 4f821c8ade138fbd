"""CSV and TSV, plain or gzipped, parsed as declared: predictions are numbers, truth and id are text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

from xent.errors import UnreadableFileError
from xent.evaluate.readers.table import Request, arrow, reading, slices

_NULLS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>", "#N/A")
_BLOCK = 4 << 20  # bytes of text parsed at a time


class CsvTable:
    """A CSV file with a header line.

    Types are never inferred: inference sees one block, and a column that starts ``0`` and goes on ``0.5`` would break.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.rows: int | None = None
        self._delimiter = "\t" if ".tsv" in path.lower()[-7:] else ","
        with reading(path, "CSV"):
            self.names: list[str] = []
            reader = self._open(None)
            self.names = list(reader.schema.names)
            reader.close()

    def _open(self, request: Request | None) -> Any:
        pa = arrow()
        from pyarrow import csv

        convert = csv.ConvertOptions()
        if request is not None:
            types = {name: pa.float64() for name in request.numbers}
            types |= {name: pa.int64() for name in request.integers}
            types |= {name: pa.bool_() for name in request.booleans}
            types |= {name: pa.string() for name in request.text + request.labels}
            convert = csv.ConvertOptions(
                column_types=types,
                include_columns=request.names,
                null_values=_NULLS,
            )
        return csv.open_csv(
            self.path,
            read_options=csv.ReadOptions(block_size=_BLOCK),
            # with one column an empty line is a row without its value; with more it is no row
            parse_options=csv.ParseOptions(delimiter=self._delimiter, ignore_empty_lines=len(self.names) != 1),
            convert_options=convert,
        )

    def batches(self, request: Request, size: int) -> Iterator[Any]:
        """Record batches of at most ``size`` rows."""
        with reading(self.path, "CSV"):
            try:
                with closing(self._open(request)) as reader:
                    for batch in reader:
                        yield from slices(_with_nulls(batch, request), size)
            except arrow().ArrowInvalid:
                self._raise_for_value(request)
                raise

    def _raise_for_value(self, request: Request) -> None:
        """Raises where a cell cannot be read as it is to be: pyarrow tells neither its row nor its column's name."""
        pa = arrow()
        wanted = ((request.numbers, "numbers"), (request.integers, "whole numbers"), (request.booleans, "booleans"))
        words = {name: what for names, what in wanted for name in names}
        kinds = {"numbers": pa.float64(), "whole numbers": pa.int64(), "booleans": pa.bool_()}
        first = 1
        with suppress(pa.ArrowInvalid), closing(self._open(Request((), text=tuple(words)))) as reader:
            for batch in reader:
                for name, what in words.items():
                    wrong = _first_wrong(batch.column(batch.schema.get_field_index(name)), kinds[what])
                    if wrong is not None:
                        row, value = wrong
                        got = f"{value!r} in row {first + row}"
                        raise UnreadableFileError(self.path, f"{what} in column {name!r}", got, "Correct the value.")
                first += batch.num_rows

    def is_list(self, name: str) -> bool:
        """Never: a CSV cell holds one number."""
        return False

    def close(self) -> None:
        """Nothing is held between batches."""


def _first_wrong(column: Any, kind: Any) -> tuple[int, str] | None:
    """(The place, the text) of the first cell that is not of that kind of number."""
    pa = arrow()
    from pyarrow import compute

    text = compute.utf8_trim_whitespace(column)
    empty = compute.is_in(text, value_set=pa.array(_NULLS, pa.string()))
    text = compute.if_else(empty, pa.scalar(None, pa.string()), text)
    low, high = 0, len(text)
    if _is_kind(text, kind):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _is_kind(text[low:middle], kind) else (low, middle)
    return low, column[low].as_py()


def _is_kind(text: Any, kind: Any) -> bool:
    try:
        text.cast(kind)
    except arrow().ArrowInvalid:
        return False
    return True


def _with_nulls(batch: Any, request: Request) -> Any:
    """The batch with missing text as null: an empty cell anywhere, and in labels a word that says so.

    An id may be ``NA`` (Namibia) or ``Null`` (a name): pyarrow's own list of words would hold for every column.
    """
    pa = arrow()
    from pyarrow import compute

    words = [word for word in _NULLS if word not in request.not_null]
    for name in dict.fromkeys(request.text + request.labels):
        place = batch.schema.get_field_index(name)
        column = batch.column(place)
        missing = compute.is_in(column, value_set=pa.array(words if name in request.labels else [""], pa.string()))
        filled = compute.if_else(missing, pa.scalar(None, pa.string()), column)
        batch = batch.set_column(place, name, filled)
    return batch
