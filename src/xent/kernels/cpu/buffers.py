"""Where the memory of a gradient comes from."""

from __future__ import annotations

from typing import Any

import numpy as np


def gradient_like(shape: tuple[int, ...], dtype: Any) -> Any:
    """A new array for a gradient; what it holds is not defined."""
    return np.empty(shape, dtype)
