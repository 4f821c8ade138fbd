"""float16 and bfloat16 as the 16 bits that they are: a row is unpacked to float32, and a gradient packed again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from xent.kernels.cpu.lanes import bits32, float32_of, jit, row_at

#: How 16 bits are to be read; 0 where the row holds float32 or float64.
BFLOAT16, FLOAT16 = 1, 2


@jit
def _unpack_bfloat16(row, out):  # type: ignore[no-untyped-def]
    for i in range(row.size):
        out[i] = float32_of(np.int32(row[i]) << np.int32(16))


@jit
def _unpack_float16(row, out):  # type: ignore[no-untyped-def]
    """Exponent and mantissa shifted into place and scaled by 2¹¹², which makes subnormal numbers right too."""
    for i in range(row.size):
        bits = np.int32(row[i])
        magnitude = bits & np.int32(0x7FFF)
        value = float32_of(magnitude << np.int32(13)) * np.float32(2.0**112)
        special = float32_of((magnitude << np.int32(13)) | np.int32(0x7F800000))
        value = special if magnitude >= np.int32(0x7C00) else value
        out[i] = -value if bits & np.int32(0x8000) else value


@jit
def pack_bfloat16(row, out):  # type: ignore[no-untyped-def]
    """To nearest, ties to even; NaN stays NaN."""
    for i in range(row.size):
        bits = bits32(row[i])
        rounded = (bits + np.int32(0x7FFF) + ((bits >> np.int32(16)) & np.int32(1))) >> np.int32(16)
        out[i] = np.uint16(0x7FC0) if row[i] != row[i] else np.uint16(rounded & np.int32(0xFFFF))


@jit
def pack_float16(row, out):  # type: ignore[no-untyped-def]
    """To nearest, ties to even: the sum with a number of the right size rounds where float16 ends."""
    for i in range(row.size):
        bits = bits32(row[i])
        sign = (bits >> np.int32(16)) & np.int32(0x8000)
        magnitude = bits & np.int32(0x7FFFFFFF)
        x = float32_of(magnitude)
        # Normal: round at bit 13 in integers. Subnormal: x + ½ leaves x/2⁻²⁴ in the low bits of the float32.
        normal = (magnitude - np.int32(0x38000000) + np.int32(0xFFF) + ((magnitude >> np.int32(13)) & np.int32(1))) >> (
            np.int32(13)
        )
        small = bits32(x + np.float32(0.5)) - np.int32(0x3F000000)
        value = small if magnitude < np.int32(0x38800000) else normal
        value = np.int32(0x7C00) if value > np.int32(0x7C00) else value
        value = np.int32(0x7E00) if x != x else value
        out[i] = np.uint16(value | sign)


def load(address: Any, like: Any, size: Any, mode: Any, scratch: Any) -> Any:
    """The row at an address: itself, or unpacked into ``scratch``. Compiled code only."""
    raise AssertionError("load is for compiled code")


@overload(load)
def _load(address, like, size, mode, scratch):  # type: ignore[no-untyped-def]
    if like.dtype != types.uint16:
        return lambda address, like, size, mode, scratch: row_at(address, like, size)

    def unpacked(address, like, size, mode, scratch):  # type: ignore[no-untyped-def]
        row = row_at(address, like, size)
        if mode == BFLOAT16:
            _unpack_bfloat16(row, scratch)
        else:
            _unpack_float16(row, scratch)
        return scratch

    return unpacked


def store(row: Any, address: Any, like: Any, mode: Any) -> Any:
    """Put a float32 row at an address of 16-bit numbers; nothing where it is there already. Compiled code only."""
    raise AssertionError("store is for compiled code")


@overload(store)
def _store(row, address, like, mode):  # type: ignore[no-untyped-def]
    if like.dtype != types.uint16:
        return lambda row, address, like, mode: None

    def packed(row, address, like, mode):  # type: ignore[no-untyped-def]
        out = row_at(address, like, row.size)
        if mode == BFLOAT16:
            pack_bfloat16(row, out)
        else:
            pack_float16(row, out)

    return packed
