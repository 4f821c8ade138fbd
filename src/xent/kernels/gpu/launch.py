"""How a program over rows is cut: how many rows it has, how many classes it holds at a time, and by how many warps."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch

from xent.core.arrays import Array

#: What a program of short rows holds; the longest row that one holds; and the piece of longer ones.
_TILE, _HELD, _PIECE = 2048, 16384, 8192
#: Elements of a program over elements.
ELEMENTS = 2048


class Cut(NamedTuple):
    """HELD, R, B and the number of warps."""

    held: bool
    rows: int
    classes: int
    warps: int


def cut_of(classes: int) -> Cut:
    """By the length of the rows alone; nothing is tried out at run time."""
    wide = 1 << max(classes - 1, 0).bit_length()
    if wide > _HELD:
        return Cut(False, 1, _PIECE, 8)
    # Thirty-two numbers a thread at most.
    return Cut(True, max(_TILE // wide, 1), wide, max(4, wide // 1024))


def aligned(*numbers: int) -> int:
    """The largest power of two, 16 at most, that divides all numbers: of 1000 classes 8. Triton itself looks for 16 or
    nothing."""
    return math.gcd(16, *numbers)


def on_device_of(x: Array) -> AbstractContextManager[object]:
    """Triton launches on the current device."""
    if x.device.type == "cpu":
        return nullcontext()
    device: AbstractContextManager[object] = (torch.cuda if x.device.type == "cuda" else torch.xpu).device(x.device)
    return device


def speaks_ptx(x: Array) -> bool:
    """Whether a tensor is on a device of NVIDIA's, which takes its assembler."""
    return x.device.type == "cuda" and torch.version.hip is None
