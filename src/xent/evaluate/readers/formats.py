"""Which reader a file gets: by its name's ending, never by guessing at its bytes."""

from __future__ import annotations

import os

from xent.errors import UnreadableFileError
from xent.evaluate.readers.csv import CsvTable
from xent.evaluate.readers.ipc import IpcTable
from xent.evaluate.readers.npz import NpzTable
from xent.evaluate.readers.parquet import ParquetTable
from xent.evaluate.readers.table import Table

PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_READERS: tuple[tuple[tuple[str, ...], type], ...] = (
    (PARQUET, ParquetTable),
    (_CSV, CsvTable),
    ((".arrow", ".feather", ".ipc"), IpcTable),
    ((".npz",), NpzTable),
)
ENDINGS = tuple(ending for endings, _ in _READERS for ending in endings)


def has_known_ending(path: str) -> bool:
    """Whether the name is that of a file that can be read."""
    return path.lower().endswith(ENDINGS)


def open_table(path: str) -> Table:
    """An open file. Raises UnreadableFileError where it is missing, broken, or of no format that is read."""
    if not os.path.exists(path):
        raise UnreadableFileError(path, "a file", "no such file", "Check the path.")
    if os.path.isdir(path):
        raise UnreadableFileError(path, "a file", "a folder", "Name the files in it.")
    for endings, reader in _READERS:
        if path.lower().endswith(endings):
            if os.path.getsize(path) == 0:
                raise UnreadableFileError(path, "rows", "an empty file of 0 bytes", "Write the file again.")
            table: Table = reader(path)
            return table
    raise UnreadableFileError(
        path, f"a name that ends in {', '.join(ENDINGS)}", "another ending", "Rename or convert the file."
    )
