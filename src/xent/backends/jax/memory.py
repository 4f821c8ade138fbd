"""JAX arrays as NumPy arrays on the same memory, and back."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from xent.core.arrays import Array


def in_memory(*arrays: Array) -> bool:
    """Whether all arrays are concrete, and each is whole in the memory of one CPU device."""
    return all(
        not isinstance(x, jax.core.Tracer)
        and x.is_fully_addressable
        and len(devices := x.devices()) == 1
        and next(iter(devices)).platform == "cpu"
        for x in arrays
    )


def device_of(x: Array) -> Any:
    """The device of an array in memory."""
    return next(iter(x.devices()))


def to_numpy(x: Array) -> Any:
    """A view of an array in memory."""
    return np.asarray(x)


def from_numpy(values: Any, device: Any) -> Array:
    """An array on a device. Memory that starts at a cache line, as gradients do, is taken over and not copied."""
    return jax.device_put(values, device)
