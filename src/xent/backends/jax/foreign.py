"""Calls from XLA's compiled code into the CPU kernel, on XLA's own buffers.

XLA's foreign function interface is a C structure of pointers; ``ctypes`` reads it, so nothing has to be compiled
against JAX. The call names a job in a string, not by an address, so that compiled programs can be cached on disk.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import threading
import time
from collections.abc import Callable
from ctypes import POINTER, Structure, c_char_p, c_int32, c_int64, c_size_t, c_void_p
from typing import Any

import jax
import numpy as np

#: The field's name in XLA's header, xla/ffi/api/c_api.h; PRED is a boolean.
_TYPES = {1: "?", 2: "i1", 3: "i2", 4: "i4", 5: "i8", 6: "u1", 7: "u2", 8: "u4", 9: "u8", 10: "f2", 11: "f4", 12: "f8"}
_BFLOAT16 = 16
_EXECUTE = 3
_METADATA = 1
_INTERNAL = 13
#: The version of the interface that is spoken here. Later ones of the same major version add fields at the end.
_VERSION = (0, 1)


#: Seconds between two looks at whether XLA is in Python.
_MOMENT = 5e-3


class _Extension(Structure):
    _fields_ = (("size", c_size_t), ("type", c_int32), ("next", c_void_p))


class _ApiVersion(Structure):
    _fields_ = (("size", c_size_t), ("extension", c_void_p), ("major", c_int32), ("minor", c_int32))


class _Metadata(Structure):
    _fields_ = (("size", c_size_t), ("version", _ApiVersion), ("traits", ctypes.c_uint32))


class _MetadataExtension(Structure):
    _fields_ = (("base", _Extension), ("metadata", POINTER(_Metadata)))


class _Error(Structure):
    _fields_ = (("size", c_size_t), ("extension", c_void_p), ("message", c_char_p), ("code", c_int32))


_CREATE_ERROR = ctypes.CFUNCTYPE(c_void_p, POINTER(_Error))


class _Api(Structure):
    _fields_ = (
        ("size", c_size_t),
        ("extension", c_void_p),
        ("version", _ApiVersion),
        ("internal", c_void_p),
        ("create_error", _CREATE_ERROR),
    )


class _Buffer(Structure):
    _fields_ = (
        ("size", c_size_t),
        ("extension", c_void_p),
        ("dtype", c_int32),
        ("data", c_void_p),
        ("rank", c_int64),
        ("dims", POINTER(c_int64)),
    )


class _Buffers(Structure):
    _fields_ = (
        ("size", c_size_t),
        ("extension", c_void_p),
        ("count", c_int64),
        ("types", POINTER(c_int32)),
        ("buffers", POINTER(POINTER(_Buffer))),
    )


class _Span(Structure):
    _fields_ = (("address", c_void_p), ("length", c_size_t))


class _Attributes(Structure):
    _fields_ = (
        ("size", c_size_t),
        ("extension", c_void_p),
        ("count", c_int64),
        ("types", POINTER(c_int32)),
        ("names", POINTER(POINTER(_Span))),
        ("values", POINTER(POINTER(_Span))),
    )


class _Call(Structure):
    _fields_ = (
        ("size", c_size_t),
        ("extension", POINTER(_Extension)),
        ("api", POINTER(_Api)),
        ("context", c_void_p),
        ("stage", c_int32),
        ("arguments", _Buffers),
        ("results", _Buffers),
        ("attributes", _Attributes),
    )


class _Memory:
    """What NumPy makes an array of."""

    def __init__(self, address: int, shape: tuple[int, ...], kind: str) -> None:
        self.__array_interface__ = {"shape": shape, "typestr": f"<{kind}", "data": (address, False), "version": 3}


def _array(buffer: _Buffer) -> Any:
    shape = tuple(buffer.dims[: buffer.rank])
    half = buffer.dtype == _BFLOAT16
    kind = "u2" if half else _TYPES[buffer.dtype]
    found = np.asarray(_Memory(buffer.data, shape, kind)) if buffer.data else np.empty(shape, kind)
    return found.view(jax.numpy.bfloat16) if half else found


def _arrays(buffers: _Buffers) -> list[Any]:
    return [_array(buffers.buffers[i].contents) for i in range(buffers.count)]


class _Running:
    """How many calls from XLA's threads are in Python."""

    def __init__(self) -> None:
        self._lock, self._count = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1

    def wait(self) -> None:
        """Until none has been for a moment. A thread that is in Python when the interpreter ends never comes back,
        and XLA would wait for it."""
        quiet = 0
        while quiet < 3:
            time.sleep(_MOMENT)
            quiet = 0 if self._count else quiet + 1


_running = _Running()
# Before what JAX does at the end, which was registered when it was imported.
atexit.register(_running.wait)


def handler(work: Callable[[bytes, list[Any], list[Any]], None]) -> Any:
    """A C function that calls ``work(description, arguments, results)`` on NumPy arrays over XLA's buffers.

    The results are filled in place. The arrays must not be kept: their memory is XLA's. It may be called from several
    threads at once. An exception becomes JAX's error; none can leave through C.
    """

    def call(pointer: Any) -> int | None:
        frame = pointer.contents
        try:
            if frame.extension and frame.extension.contents.type == _METADATA:
                extension = ctypes.cast(frame.extension, POINTER(_MetadataExtension)).contents
                version = extension.metadata.contents.version
                version.major, version.minor = _VERSION
                extension.metadata.contents.traits = 0
                return None
            if frame.stage == _EXECUTE:
                span = frame.attributes.values[0].contents
                what = ctypes.string_at(span.address, span.length)
                with _running:
                    work(what, _arrays(frame.arguments), _arrays(frame.results))
        except BaseException as error:  # noqa: BLE001
            message = f"xent: {type(error).__name__}: {error}".encode()
            found: int = frame.api.contents.create_error(_Error(ctypes.sizeof(_Error), None, message, _INTERNAL))
            return found
        return None

    return ctypes.CFUNCTYPE(c_void_p, POINTER(_Call))(call)


def register(name: str, function: Any) -> None:
    """Make a handler known to XLA on the CPU. The caller keeps it alive for as long as the process lives."""
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(ctypes.cast(function, c_void_p)), platform="cpu")


def description(kind: str, names: tuple[str, ...], fields: dict[str, Any]) -> str:
    """A job as text, for the program."""
    return json.dumps({"kind": kind, "names": names, **fields})


def described(text: bytes) -> dict[str, Any]:
    """What ``description`` was given."""
    found: dict[str, Any] = json.loads(text)
    return found
