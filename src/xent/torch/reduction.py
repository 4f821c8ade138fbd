"""PyTorch's reductions, the two deprecated arguments among them, and PyTorch's denominators."""

from __future__ import annotations

import warnings
from typing import Any

from xent.core.arrays import Array

_NAMES = ("none", "mean", "sum")
# From warn, over reduction_of, the loss and ``overridable``, to the line that called the loss.
_CALLER = 5


def reduction_of(size_average: bool | None, reduce: bool | None, reduction: Any) -> str:
    """ "none", "mean" or "sum", as PyTorch reads its three arguments; its warnings, and its ValueError."""
    if size_average is not None or reduce is not None:
        found = legacy(size_average, reduce)
        message = f"size_average and reduce args will be deprecated, please use reduction='{found}' instead."
        warnings.warn(message, stacklevel=_CALLER - 1)
        return found
    if reduction == "elementwise_mean":
        message = "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead."
        warnings.warn(message, stacklevel=_CALLER - 1)
        return "mean"
    if reduction not in _NAMES:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return str(reduction)


def legacy(size_average: bool | None, reduce: bool | None) -> str:
    """What ``size_average`` and ``reduce`` stand for; None is True."""
    if reduce is None or reduce:
        return "mean" if size_average is None or size_average else "sum"
    return "none"


def reduced(values: Array, reduction: str, denominator: Any = None) -> Array:
    """The values, their sum, or their sum over the denominator (by default their number)."""
    if reduction == "none":
        return values
    if reduction == "sum":
        return values.sum()
    return values.mean() if denominator is None else values.sum() / denominator
