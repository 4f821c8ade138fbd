"""NumPy's constants of a loss (an offset, log-priors, weights), kept on the device that they are used on.

A copy from the host's memory is one that the host waits for, and that no graph of a device takes.
"""

from __future__ import annotations

import sys
import weakref
from typing import Any

import numpy as np

from xent.core.arrays import Array, constant, library

#: By the NumPy array's identity, device and type: the array, as long as it lives, what it held, and that on the device.
_KEPT: dict[tuple[int, str, str], tuple[Any, Any, Array]] = {}


def kept_constant(value: Any, like: Array, dtype: Any) -> Array:
    """``constant``; of PyTorch's accelerators that of the last call, where the array still holds the same."""
    if library(like) != "torch" or like.device.type == "cpu" or _watched():
        return constant(value, like, dtype)
    key = id(value), str(like.device), str(dtype)
    found: Any = _KEPT.get(key)
    if found is not None and found[0]() is value and np.array_equal(found[1], value, equal_nan=True):
        return found[2]
    # A tensor of inference mode could not be used in training afterwards.
    with sys.modules["torch"].inference_mode(mode=False):
        made = constant(value, like, dtype)
    _KEPT[key] = weakref.ref(value, lambda _: _KEPT.pop(key, None)), value.copy(), made
    return made


def _watched() -> bool:
    """Whether a compiler, a transform or a mode is at work, whose tensors are of no use to others."""
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return True
    return bool(torch._C._len_torch_dispatch_stack()) or torch._C._get_tracing_state() is not None
