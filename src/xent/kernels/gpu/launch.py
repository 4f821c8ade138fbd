"""How a program over rows is cut: how many rows it has, how many classes it holds at a time, and by how many warps."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch

from xent.core.arrays import Array
from xent.kernels.gpu import bits

#: What a program of short rows holds; the longest row that one holds; and the piece of longer ones.
_TILE, _HELD, _PIECE = 2048, 16384, 16384
#: Numbers a thread holds of a tile, and the threads of a warp.
_NUMBERS, _WARP = 16, 32
#: Elements of a program over elements.
ELEMENTS = 2048


class Cut(NamedTuple):
    """HELD, R, B and the number of warps."""

    held: bool
    rows: int
    classes: int
    warps: int


def cut_of(classes: int, heavy: bool = False) -> Cut:
    """By the length of the rows alone; nothing is tried out at run time.

    A program of a long row fills a multiprocessor by itself, with 1024 threads: so the rows that are at work at a time
    are as many as there are multiprocessors, and may still be in the second-level cache when they are read again
    (132 rows of 128,256 in bfloat16 are 34 MB). ``heavy``: what takes more than 64 registers a thread, which is what
    there are for each of 1024: of the longest rows half as many threads hold twice as much.
    """
    wide = 1 << max(classes - 1, 0).bit_length()
    held = wide <= _HELD
    tile = max(_TILE, wide) if held else _PIECE // (1 + heavy)
    warps = min(max(tile // (_NUMBERS * _WARP), 4), 16 if heavy else 32)
    return Cut(held, max(_TILE // wide, 1) if held else 1, wide if held else tile, warps)


def element_warps(shaped: int) -> int:
    """Of a program of losses of elements: what needs more registers has fewer numbers a thread."""
    return 8 if shaped == bits.SHIFTED else 4


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
