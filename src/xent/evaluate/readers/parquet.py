"""Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xent.evaluate.readers.table import Request, arrow, check_text, is_list_type, reading


class ParquetTable:
    """A Parquet file, read a batch at a time."""

    def __init__(self, path: str) -> None:
        arrow()
        from pyarrow import parquet

        self.path = path
        with reading(path, "Parquet"):
            # pre_buffer would hold whole row groups at once: memory would follow the writer's row groups
            self._file: Any = parquet.ParquetFile(
                path, pre_buffer=False, buffer_size=1 << 20, page_checksum_verification=True
            )
            self._schema = self._file.schema_arrow
            self.names: list[str] = list(self._schema.names)
        self.rows: int | None = int(self._file.metadata.num_rows)

    def batches(self, request: Request, size: int) -> Iterator[Any]:
        """Record batches of at most ``size`` rows."""
        wanted = request.names
        with reading(self.path, "Parquet"):
            for batch in self._file.iter_batches(batch_size=size, columns=wanted, use_threads=True):
                chosen = batch.select(wanted)
                check_text(chosen, request)
                yield chosen

    def is_list(self, name: str) -> bool:
        """Whether each row of the column holds a list."""
        return is_list_type(self._schema.field(name).type)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
