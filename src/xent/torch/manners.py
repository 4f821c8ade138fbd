"""What every function of this front end does as PyTorch does: overrides, refusals, result types."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec

import torch
from torch.overrides import handle_torch_function, has_torch_function
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from xent.backends.torch.lean import HALF
from xent.core.arrays import Array
from xent.errors import KindError

P = ParamSpec("P")

_FLOATING = (*HALF, torch.float32, torch.float64)


def overridable(function: Callable[P, Array]) -> Callable[P, Array]:
    """Tensor subclasses and modes see the call, as they see PyTorch's: ``torch.fx`` traces it as one node."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Array:
        every = (*args, *kwargs.values()) if kwargs else args
        if has_torch_function(every):
            return handle_torch_function(call, every, *args, **kwargs)
        return function(*args, **kwargs)

    return call


def refuse(theirs: Callable[..., Any], *args: Any, **kwargs: Any) -> NoReturn:
    """Refuse a call in PyTorch's words: its own function raises on these arguments."""
    theirs(*args, **kwargs)
    raise KindError(
        f"xent.torch.{theirs.__name__}",
        "arguments that it takes",
        "arguments that only PyTorch's own function takes",
        f"Call torch.nn.functional.{theirs.__name__}.",
    )


def wraps(*tensors: Array | None) -> bool:
    """Whether one is a subclass around other tensors, such as a DTensor, which does not mix with plain ones: its calls
    are PyTorch's own."""
    if torch.compiler.is_compiling():
        return False
    return any(x is not None and is_traceable_wrapper_subclass(x) for x in tensors)


def autocasts(x: Array) -> bool:
    """Whether autocast is on for the device of x, under which PyTorch's losses take half precision as float32."""
    device = x.device.type
    return bool(torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device))


def result_type(*tensors: Array | None, autocast: bool = True) -> Any:
    """The floating type of PyTorch's result: the promoted one; float32 for half precision under autocast."""
    found = None
    for x in tensors:
        if x is not None and x.dtype is not found:
            found = x.dtype if found is None else torch.promote_types(found, x.dtype)
    if autocast and found in HALF and autocasts(tensors[0]):
        return torch.float32
    return found


def same_type(x: Array, y: Array) -> bool:
    """Whether x and y have one floating type; under autocast half precision and float32 are one."""
    if x.dtype == y.dtype:
        return True
    return {x.dtype, y.dtype} <= {*HALF, torch.float32} and autocasts(x)


def is_floating(x: Array) -> bool:
    """Whether x is of a type that PyTorch's losses compute in; its 8-bit floats are not."""
    return x.dtype in _FLOATING
