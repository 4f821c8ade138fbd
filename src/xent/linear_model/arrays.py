"""Named arrays in an NPZ file that knows what it holds: written whole or not at all, read without pickle."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from xent.errors import UnreadableFileError

Matrix = Any

#: Of every ZIP archive.
_BEGINNING = b"PK\x03\x04"
_BROKEN = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)


def write_arrays(path: Path, kind: str, version: int, arrays: Mapping[str, Any]) -> None:
    """Write arrays; ``kind`` and ``version`` say what they mean. A reader sees the old file or the new one.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    assert not any(np.asarray(array).dtype.hasobject for array in arrays.values()), "only pickle could write it"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, format=np.array(f"{kind}/{version}"), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _array(file: Any, name: str) -> Matrix:
    try:
        return file[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise ValueError(f"its {name} holds Python objects, which are not read") from error
        raise


def read_arrays(path: Path, kind: str, version: int, what: str) -> dict[str, Matrix]:
    """The arrays of a file that ``write_arrays`` wrote; ``what`` is its name in an error.

    Raises
    ------
    UnreadableFileError
        No such file; another one; of a version above ``version``; cut or damaged.
    """
    try:
        # Opened here: NumPy does not close a file that turns out to be cut.
        with open(path, "rb") as stream:
            # NumPy takes any other file for a pickle, and advises to load that.
            if stream.read(len(_BEGINNING)) != _BEGINNING:
                raise ValueError("it is no NPZ file")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as file:
                found = {name: _array(file, name) for name in file.files}
        name, _, number = str(found.pop("format")).partition("/")
        if name != kind:
            raise ValueError(f"it is {name}")
        newer = int(number) > version
    except FileNotFoundError as error:
        raise UnreadableFileError(str(path), what, "no such file", "Check the path.") from error
    except _BROKEN as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UnreadableFileError(str(path), what, f"another file ({reason})", "Check the path.") from error
    if newer:
        raise UnreadableFileError(
            str(path), f"{what} of format {version} or before", f"format {number}", "Read it with a newer xent."
        )
    return found
