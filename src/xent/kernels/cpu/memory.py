"""Arrays of either framework as NumPy arrays on the same memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.arrays import Array, dtype_name, library, namespace


def as_numpy(x: Array) -> Any:
    """x without a copy; bfloat16, which NumPy does not have, as the int16 that its bits are."""
    if library(x) != "torch":
        return np.asarray(x)
    x = x.detach().resolve_neg()
    return (x.view(namespace(x).int16) if dtype_name(x) == "bfloat16" else x).numpy()
