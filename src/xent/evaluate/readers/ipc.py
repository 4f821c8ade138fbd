"""Arrow IPC, the file format and the stream format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xent.evaluate.readers.table import Request, arrow, check_text, is_list_type, reading, slices

_MAGIC = b"ARROW1"
_END = b"\xff\xff\xff\xff\0\0\0\0"  # the end-of-stream mark: a message of length zero


class IpcTable:
    """An Arrow IPC file. It is mapped, so that one written as a single huge batch is not copied into memory."""

    def __init__(self, path: str) -> None:
        pa = arrow()
        self.path = path
        self.rows: int | None = None
        with reading(path, "Arrow IPC"):
            self._source: Any = pa.memory_map(path)
            self._is_file = self._source.read(len(_MAGIC)) == _MAGIC
            if not self._is_file:
                self._check_end()
            self._source.seek(0)
            opener = pa.ipc.open_file if self._is_file else pa.ipc.open_stream
            self._reader: Any = opener(self._source)
            self._schema = self._reader.schema
            self.names: list[str] = list(self._schema.names)

    def _check_end(self) -> None:
        """Raises EOFError where the stream does not end as it must: cut between two batches, it would read as whole."""
        self._source.seek(max(0, self._source.size() - len(_END)))
        if self._source.read(len(_END)) != _END:
            raise EOFError("no mark at the end of the stream: the file was cut, or its writer not closed")

    def batches(self, request: Request, size: int) -> Iterator[Any]:
        """Record batches of at most ``size`` rows."""
        with reading(self.path, "Arrow IPC"):
            for batch in self._whole_batches():
                chosen = batch.select(request.names)
                check_text(chosen, request)
                yield from slices(chosen, size)

    def _whole_batches(self) -> Iterator[Any]:
        if self._is_file:
            for index in range(self._reader.num_record_batches):
                yield self._reader.get_batch(index)
        else:
            yield from self._reader

    def is_list(self, name: str) -> bool:
        """Whether each row of the column holds a list."""
        return is_list_type(self._schema.field(name).type)

    def close(self) -> None:
        """Let the file go."""
        self._source.close()
