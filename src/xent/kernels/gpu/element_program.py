"""One program for elements, of which each is an example of its own: Indicators with scores."""

from __future__ import annotations

import triton
import triton.language as tl

from xent.kernels.gpu import bits
from xent.kernels.gpu.numbers import exp, log1p, rounded

_SAME, _CLASSES, _EACH = (tl.constexpr(how) for how in (bits.SAME, bits.CLASSES, bits.EACH))
_UNLESS_ONE = tl.constexpr(bits.UNLESS_ONE)


@triton.jit
def operand(x, place, column, there, HOW: tl.constexpr):  # type: ignore[no-untyped-def]
    """A number for each element; HOW it lies: 0 none, which is 1; one for all; one for each of the last axis; each."""
    found = 1.0
    if HOW == _SAME:
        found = tl.load(x).to(tl.float32)
    elif HOW == _CLASSES:
        found = tl.load(x + column, mask=there, other=0.0).to(tl.float32)
    elif HOW == _EACH:
        found = tl.load(x + place, mask=there, other=0.0).to(tl.float32)
    return found


@triton.jit
def sides(  # type: ignore[no-untyped-def]
    z, out, a, b, yes, no, count, GRADIENT: tl.constexpr, B: tl.constexpr, PTX: tl.constexpr
):
    """(−log q, −log(1 − q)) of each element, or a·∂(−log(1 − q)) + b·∂(−log q)."""
    place = tl.program_id(0).to(tl.int64) * B + tl.arange(0, B)
    there = place < count
    x = tl.load(z + place, mask=there, other=0.0).to(tl.float32)
    size = tl.abs(x)
    e = exp(-size, PTX)
    if GRADIENT:
        share = 1.0 / (1.0 + e)
        small, large = e * share, share
        no_mass = tl.load(a + place, mask=there, other=0.0)
        yes_mass = tl.load(b + place, mask=there, other=0.0)
        upward = x >= 0
        found = no_mass * tl.where(upward, large, small) - yes_mass * tl.where(upward, small, large)
        found = tl.where(x == x, found, x)
        found = tl.where((no_mass == 0.0) & (yes_mass == 0.0), 0.0, found)
        tl.store(out + place, rounded(found, out.dtype.element_ty, PTX), mask=there)
    else:
        tail = log1p(e)
        tl.store(yes + place, tl.where(x < 0, -x, 0.0) + tail, mask=there)
        tl.store(no + place, tl.where(x > 0, x, 0.0) + tail, mask=there)


@triton.jit
def losses(  # type: ignore[no-untyped-def]
    z, out, t_, w_, v_, above_, each, sums, count, classes, scale,
    T: tl.constexpr, W: tl.constexpr, V: tl.constexpr, ABOVE: tl.constexpr, B: tl.constexpr,
    PTX: tl.constexpr,
):  # fmt: skip
    """ℓ = v·t·(−log q) + (1 − t)·(−log(1 − q)): w·ℓ of each element, or their sum in each program; and scale·w·∂ℓ.

    What is None is not made. An element of weight 0 gives 0 whatever it holds.
    """
    above = 1.0
    if ABOVE:
        above = tl.load(above_).to(tl.float32)
        if ABOVE == _UNLESS_ONE:
            if above == 1.0:
                return
    place = tl.program_id(0).to(tl.int64) * B + tl.arange(0, B)
    # The remainder of the first in 64 bits, of the others in 32.
    first = (tl.program_id(0).to(tl.int64) * B % classes).to(tl.int32)
    column = (first + tl.arange(0, B)) % classes
    there = place < count
    x = tl.load(z + place, mask=there, other=0.0).to(tl.float32)
    t = operand(t_, place, column, there, T)
    no_mass = tl.zeros([B], tl.float32) + (1.0 - t)
    yes_mass = tl.zeros([B], tl.float32) + t * operand(v_, place, column, there, V)
    size = tl.abs(x)
    e = exp(-size, PTX)
    upward = x >= 0
    against, along = tl.where(upward, no_mass, yes_mass), tl.where(upward, yes_mass, no_mass)
    dead = place >= count
    w = tl.zeros([B], tl.float32) + operand(w_, place, column, there, W)
    if W:
        dead = w == 0.0
    if (each is not None) or (sums is not None):
        loss = tl.where(against == 0.0, 0.0, against * size) + (against + along) * log1p(e)
        loss = tl.where(dead | (there == 0), 0.0, w * loss)
        if each is not None:
            tl.store(each + place, loss, mask=there)
        if sums is not None:
            # Few additions in float32, and few in float64, of which some devices do little.
            some = tl.sum(tl.reshape(loss, [B // 16, 16]), axis=1)
            tl.store(sums + tl.program_id(0), tl.sum(some.to(sums.dtype.element_ty), axis=0))
    if out is not None:
        slope = (against - along * e) / (1.0 + e)
        found = (scale * above) * w * tl.where(upward, slope, tl.where(x == x, -slope, x))
        if ABOVE:
            found = tl.where(above == 0.0, 0.0, found)
        tl.store(out + place, rounded(tl.where(dead, 0.0, found), out.dtype.element_ty, PTX), mask=there)


@triton.jit
def scaled(x, above_, count, B: tl.constexpr, PTX: tl.constexpr):  # type: ignore[no-untyped-def]
    """above·x in x's place; 0 where either is."""
    above = tl.load(above_).to(tl.float32)
    if above == 1.0:
        return
    place = tl.program_id(0).to(tl.int64) * B + tl.arange(0, B)
    there = place < count
    found = tl.load(x + place, mask=there, other=0.0).to(tl.float32)
    found = tl.where(found == 0.0, 0.0, tl.where(above == 0.0, 0.0, found * above))
    tl.store(x + place, rounded(found, x.dtype.element_ty, PTX), mask=there)
