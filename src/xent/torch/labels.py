"""Class indices as PyTorch takes them: which calls it accepts, which rows count, and their weights."""

from __future__ import annotations

import torch

from xent.backends.torch import backend
from xent.core.arrays import Array
from xent.torch.manners import same_type

_INDICES = (torch.int64, torch.uint8)


def class_axis(input: Array) -> int:
    """The number of classes: axis 1, or the only one."""
    return input.shape[1 if input.dim() > 1 else 0]  # type: ignore[no-any-return]  # symbolic under a compiler


def one_label(input: Array, target: Array) -> Array:
    """The label of an input without a batch; PyTorch takes it as a vector of one too."""
    return target[0] if input.dim() == 1 and target.shape == (1,) else target


def fits(input: Array, target: Array, weight: Array | None) -> bool:
    """Whether shapes and types are ones that PyTorch takes: target is input's shape without its class axis."""
    if input.dim() == 0 or target.dtype not in _INDICES or not on_one_device(input, target, weight):
        return False
    if target.shape != input.shape[: input.dim() > 1] + input.shape[2:]:
        return False
    return weight is None or (weight.shape == (class_axis(input),) and same_type(input, weight))


def on_one_device(input: Array, *others: Array | None) -> bool:
    """Whether tensors are where the input is; those without axes may be anywhere."""
    return all(x is None or not x.dim() or x.device == input.device for x in others)


def in_range(input: Array, target: Array, ignore_index: int) -> bool:
    """Whether every label that counts is a class; True where the data may not be read."""
    if not backend.reads(target) or not backend.reads(input) or target.numel() == 0:
        return True
    low, high = torch.aminmax(target)
    classes = class_axis(input)
    if low >= 0 and high < classes:
        return True
    return not bool((((target < 0) | (target >= classes)) & (target != ignore_index)).any())


def counted_labels(target: Array, ignore_index: int) -> Array:
    return target != ignore_index


def label_weights(weight: Array, target: Array, counted: Array) -> Array:
    """w[y] of each row; 0 where it is ignored, NaN where y is no class and could not be read. Differentiable."""
    index = target.to(torch.int64)
    inside = (index >= 0) & (index < weight.shape[0])
    # Not weight[index]: of a single label that is a number to read, which neither torch.vmap nor a device has at hand.
    safe = torch.where(inside, index, 0)
    picked = weight.index_select(0, safe.reshape(-1)).reshape(safe.shape)
    picked = torch.where(inside, picked, float("nan"))
    return torch.where(counted, picked, 0.0)
