"""Scores whose memory holds their gradient now: a second use of them raises."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.graph import increment_version

from xent.core.arrays import Array
from xent.errors import OptionError

_NAMED = ("shape", "dtype", "device", "layout", "ndim", "requires_grad", "is_leaf", "grad", "grad_fn", "retains_grad")
_ALLOWED = (
    *(getattr(torch.Tensor, name).__get__ for name in _NAMED),
    *(getattr(torch.Tensor, name) for name in ("dim", "size", "numel", "retain_grad", "register_hook", "__hash__")),
)
_HINT = "Write inplace_gradient=False, or take what you need from the scores before the loss."


class Spent(torch.Tensor):
    """A tensor that was overwritten: it tells its shape and its place in the graph, and nothing else."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in _ALLOWED:
            raise spent_error()
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    def __repr__(self, **_: Any) -> str:
        return f"Spent(shape={tuple(self.shape)}): overwritten by its gradient"


def spent_error() -> OptionError:
    """Raised by a second use."""
    return OptionError(
        "inplace_gradient=True", "no further use of the scores, and one backward", "a second use: they are gone", _HINT
    )


def require_spendable(z: Array) -> None:
    """Only scores that are the result of an operation, and whose memory nobody else reads, can be overwritten.

    z and the tensor that it is a view of can be marked as overwritten; other views cannot be found, only counted.
    """
    if z.is_leaf:
        what = "a leaf: a parameter or an input of its own"
    elif not z.is_contiguous():
        what = "a tensor that is not contiguous"
    elif _readers(z) > (1 if z._base is None else 2):
        what = "scores whose memory is read elsewhere: by another view of it, or by the operation that made them"
    else:
        return
    raise OptionError(
        "inplace_gradient=True", "contiguous scores that a model made, and no other view of them", what, _HINT
    )


def _readers(z: Array) -> int:
    """How many tensors share z's memory, those that autograd keeps among them."""
    storage = z.untyped_storage()
    return int(torch._C._storage_Use_Count(storage._cdata)) - 1  # that of ``storage`` itself


def spend(z: Array) -> None:
    """Mark z, and the tensor that it is a view of, as overwritten; what autograd has kept of them raises too."""
    increment_version(z)
    base = z._base
    for x in (z, base):
        if x is not None and type(x) is torch.Tensor:
            x.__class__ = Spent
