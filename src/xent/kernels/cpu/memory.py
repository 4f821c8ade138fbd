"""Arrays of either framework as NumPy arrays on the same memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.arrays import HALF, Array, dtype_name, library, namespace

#: How the memory of an operand lies beside that of the elements: it is 1 everywhere and has none, one number for all,
#: one for each class of the last axis, one for each element.
ONE, SAME, CLASSES, EACH = 0, 1, 2, 3


def as_numpy(x: Array) -> Any:
    """x without a copy; bfloat16, which NumPy does not have, as the int16 that its bits are."""
    if library(x) == "tensorflow":
        # A view of the tensor's own memory, not to be written to.
        return np.asarray(x).view(np.int16) if dtype_name(x) == "bfloat16" else np.asarray(x)
    if library(x) != "torch":
        return np.asarray(x)
    x = x.detach().resolve_neg()
    return (x.view(namespace(x).int16) if dtype_name(x) == "bfloat16" else x).numpy()


def from_numpy(values: Any, like: Array, *, same_type: bool = False) -> Array:
    """A NumPy array as one of the framework of ``like``; ``same_type``: of its type, which the bits are of."""
    kind, dtype = library(like), like.dtype
    if kind == "numpy":
        return values.view(dtype) if same_type else values
    if kind == "tensorflow":
        half = same_type and dtype_name(like) in HALF
        return namespace(like).from_numpy(values.view(np.int16) if half else values, dtype if same_type else None)
    if same_type and dtype_name(like) in HALF:
        return namespace(like).from_numpy(values.view(np.int16)).view(dtype)
    return namespace(like).from_numpy(values)


def plain_vector(x: Any, dtype: Any) -> Any:
    """A NumPy array as one contiguous, writeable axis: for what has gaps, or may not be written to, the loops would be
    compiled once more."""
    found = np.ascontiguousarray(x, dtype).reshape(-1)
    return found if found.flags.writeable else found.copy()
