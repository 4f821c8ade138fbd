"""JAX arrays as NumPy arrays on the same memory, and back."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from xent.core.arrays import Array

#: XLA reads memory that starts at such an address as it is; other memory it copies.
_ALIGNED = 64


def in_memory(*arrays: Array) -> bool:
    """Whether all arrays are concrete, and each is whole in the memory of one CPU device."""
    return all(
        not isinstance(x, jax.core.Tracer)
        and x.is_fully_addressable
        and len(devices := x.devices()) == 1
        and next(iter(devices)).platform == "cpu"
        for x in arrays
    )


def to_numpy(x: Array) -> Any:
    """A view of an array in memory."""
    return np.asarray(x)


def from_numpy(values: Any, like: Array) -> Array:
    """An array on the device of another; large ones are not copied, and NumPy's memory is kept with it."""
    device = next(iter(like.devices()))
    large = values.nbytes > 2**16 and values.ctypes.data % _ALIGNED == 0 and values.flags.c_contiguous
    if large and values.dtype.name != "bfloat16":
        return jax.dlpack.from_dlpack(values, device=device)
    return jax.device_put(values, device)
