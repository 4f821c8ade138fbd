"""A gradient times what comes from above, in its place."""

from __future__ import annotations

import numpy as np
import torch

from xent.core.arrays import Array

_LIKE = {torch.float32: np.empty(0, np.float32), torch.float64: np.empty(0, np.float64)}


def scaled_in_place(x: Array, factor: float) -> Array:
    """x·factor in x's memory; 0 where the factor is, whatever x holds.

    Not by PyTorch's operator, where it can be: in a process that was forked from one that had used it, that waits for
    threads which are not there.
    """
    like = _LIKE.get(x.dtype)
    if like is None or not torch.ops.aten.is_non_overlapping_and_dense(x):
        return x.zero_() if factor == 0.0 else x.mul_(factor)
    from xent.kernels.cpu.scaling import scale

    scale(x.data_ptr(), like, x.numel(), factor)
    return x
