"""What the autograd functions of this backend share.

Each function exists twice. The plain class has forward and backward; ``torch.compile`` traces it, and refuses a class
with a forward-mode rule. Its subclass adds that rule (``jvp``) and the one for ``torch.vmap``, and runs elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from xent.core.arrays import Array


def batched(size: int, in_dims: Sequence[int | None], arguments: Sequence[Any]) -> list[Any]:
    """The arguments with the mapped axis in front; what is not mapped is repeated there, without a copy.

    A kernel takes any number of axes before the classes, so one more is just another axis of examples.
    """
    return [
        x
        if not isinstance(x, torch.Tensor)
        else x.unsqueeze(0).expand(size, *x.shape)
        if dim is None
        else x.movedim(dim, 0)
        for x, dim in zip(arguments, in_dims, strict=True)
    ]


def has_no_memory(x: Array) -> bool:
    """Whether a tensor is the inside of a transform: of torch.func, or of autograd's batched gradients."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(x) or torch._C._functorch.is_legacy_batchedtensor(x))
