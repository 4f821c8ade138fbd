"""NPZ: arrays by name, read out of the zip a few rows at a time. Pickled objects are never loaded."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from xent.errors import ColumnError, InputError, UnreadableFileError
from xent.evaluate.readers.table import Request, arrow, unreadable

_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError)


@dataclass(frozen=True)
class _Member:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool


class NpzTable:
    """The arrays of an NPZ file as columns; a 2-D array (rows, K) is a list column."""

    def __init__(self, path: str) -> None:
        arrow()
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
            self._members = {
                name.removesuffix(".npy"): self._header(name) for name in self._zip.namelist() if name.endswith(".npy")
            }
        except _BROKEN as error:
            raise unreadable(path, "NPZ", error) from error
        self.names: list[str] = list(self._members)
        self.rows: int | None = None

    def _header(self, name: str) -> _Member:
        with self._zip.open(name) as stream:
            return _read_header(stream)

    def _member(self, name: str) -> _Member:
        member = self._members[name]
        where = f"{self.path}: array {name!r}"
        if member.dtype.hasobject:
            raise ColumnError(
                where,
                "numbers or text",
                "pickled Python objects, which are never loaded",
                "Save it as a plain dtype.",
            )
        if len(member.shape) not in (1, 2):
            raise ColumnError(where, "1 or 2 dimensions", f"shape {member.shape}")
        if member.dtype.kind not in "fiubUS" or (member.dtype.itemsize > 8 and member.dtype.kind in "fiu"):
            raise ColumnError(where, "floats of 16 to 64 bits, integers or text", f"dtype {member.dtype}")
        if member.fortran and len(member.shape) == 2 and min(member.shape) > 1:
            raise ColumnError(
                where,
                "rows one after another, to be read a few at a time",
                "an array in column order",
                "Save np.ascontiguousarray(array).",
            )
        return member

    def batches(self, request: Request, size: int) -> Iterator[Any]:
        """Record batches of at most ``size`` rows."""
        pa = arrow()
        members = {name: self._member(name) for name in request.names}
        lengths = {name: member.shape[0] for name, member in members.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
            raise InputError(self.path, "arrays with one number of rows", shown, "Save arrays of the same rows.")
        total = next(iter(lengths.values()))
        streams: dict[str, IO[bytes]] = {}
        try:
            for name in members:
                streams[name] = self._zip.open(name + ".npy")
                _read_header(streams[name])
            for start in range(0, total, size):
                count = min(size, total - start)
                arrays = [_to_arrow(pa, _rows(streams[n], m, count)) for n, m in members.items()]
                yield pa.record_batch(arrays, names=list(members))
            for stream in streams.values():
                if stream.read(1):  # also what makes zipfile compare the checksum
                    raise EOFError("an array goes on after its last row")
        except UnreadableFileError:
            raise
        except _BROKEN as error:
            raise unreadable(self.path, "NPZ", error) from error
        finally:
            for stream in streams.values():
                stream.close()

    def is_list(self, name: str) -> bool:
        """Whether the array has more than one dimension; beyond two it is refused when read."""
        return len(self._members[name].shape) != 1

    def close(self) -> None:
        """Let the file go."""
        self._zip.close()


def _read_header(stream: IO[bytes]) -> _Member:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"npy version {version} is not read; versions 1.0 and 2.0 are")
    return _Member(tuple(shape), dtype, fortran)


def _rows(stream: IO[bytes], member: _Member, count: int) -> np.ndarray[Any, np.dtype[Any]]:
    width = int(np.prod(member.shape[1:], dtype=np.int64))
    data = stream.read(count * width * member.dtype.itemsize)
    if len(data) != count * width * member.dtype.itemsize:
        raise EOFError("an array ends before its rows do")
    array = np.frombuffer(data, dtype=member.dtype).reshape((count, *member.shape[1:]))
    return array if member.dtype.isnative else array.astype(member.dtype.newbyteorder("="))


def _to_arrow(pa: Any, array: np.ndarray[Any, np.dtype[Any]]) -> Any:
    if array.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), array.shape[1])
    if array.dtype.kind == "S":
        return pa.array(np.char.decode(array, "utf-8"))
    return pa.array(array)
