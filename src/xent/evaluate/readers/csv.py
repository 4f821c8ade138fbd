"""CSV and TSV, plain or gzipped, parsed as declared: predictions are numbers, truth and id are text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
            reader = self._open(request)
            try:
                for batch in reader:
                    yield from slices(_with_nulls(batch, request), size)
            finally:
                reader.close()

    def is_list(self, name: str) -> bool:
        """Never: a CSV cell holds one number."""
        return False

    def close(self) -> None:
        """Nothing is held between batches."""


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
