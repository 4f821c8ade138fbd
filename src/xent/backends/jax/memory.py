"""JAX arrays as NumPy arrays on the same memory, and back."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from xent.core.arrays import Array


def in_memory(*arrays: Array) -> bool:
    """Whether all arrays are concrete, and each is whole in the memory of one CPU device."""
    return all(readable(x) and len(x.devices()) == 1 for x in arrays)


def readable(x: Array) -> bool:
    """Whether an array is concrete, and all of it in memory. A constant inside a program that is traced is not."""
    if isinstance(x, jax.core.Tracer) or not hasattr(x, "devices"):
        return False
    return bool(x.is_fully_addressable) and all(device.platform == "cpu" for device in x.devices())


def device_of(x: Array) -> Any:
    """The device of an array in memory."""
    return next(iter(x.devices()))


def to_numpy(x: Array) -> Any:
    """A view of an array in memory."""
    return np.asarray(x)


def from_numpy(values: Any, device: Any) -> Array:
    """An array on a device. Memory that starts at a cache line, as gradients do, is taken over and not copied."""
    return jax.device_put(values, device)
