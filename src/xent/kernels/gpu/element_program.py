"""One program for elements, of which each is an example of its own: Indicators with scores."""

from __future__ import annotations

import triton
import triton.language as tl

from xent.kernels.gpu import bits
from xent.kernels.gpu.numbers import exp, log1p, power, rounded

_SAME, _CLASSES, _EACH, _ROWS = (tl.constexpr(how) for how in (bits.SAME, bits.CLASSES, bits.EACH, bits.ROWS))
_UNLESS_ONE, _ZERO_OR_ONE, _SHIFTED = (
    tl.constexpr(bit) for bit in (bits.UNLESS_ONE, bits.ZERO_OR_ONE, bits.SHIFTED)
)  # fmt: skip


@triton.jit
def operand(x, place, column, row, there, HOW: tl.constexpr):  # type: ignore[no-untyped-def]
    """A number for each element; HOW it lies: 0 none, which is 1; one for all; one for each of the last axis; each; one
    for each row of that."""
    found = 1.0
    if HOW == _SAME:
        found = tl.load(x).to(tl.float32)
    elif HOW == _CLASSES:
        found = tl.load(x + column, mask=there, other=0.0).to(tl.float32)
    elif HOW == _EACH:
        found = tl.load(x + place, mask=there, other=0.0).to(tl.float32)
    elif HOW == _ROWS:
        found = tl.load(x + row, mask=there, other=0.0).to(tl.float32)
    return found


@triton.jit
def shaped(loss, u, keep, factor, epsilon, gamma):  # type: ignore[no-untyped-def]
    """(φ(ℓ), u·φ′(ℓ)) with u = 1 − e^(−ℓ), which comes with ``keep`` = e^(−ℓ): factor·(u^γ·ℓ + ε·u), of which one is
    used."""
    bent = tl.full(u.shape, 1.0, tl.float32)
    if gamma != 0.0:
        bent = power(u, gamma)
    # ∞·0 is 0 here.
    faded = tl.where(loss < float("inf"), keep * loss, 0.0 * keep)
    slope = bent * (u + gamma * faded) + epsilon * keep * u
    return factor * (bent * loss + epsilon * u), factor * slope


@triton.jit
def shifted(u, keep, gamma, margin):  # type: ignore[no-untyped-def]
    """The same of φ₋ with a margin m > 0, where 1 − ρ = e^(−ℓ) + m: u·φ′(ℓ) = u·e^(−ℓ)·∂φ/∂ρ."""
    rho = tl.where(u != u, u, tl.maximum(u - margin, 0.0))
    rest = keep + margin
    surprisal = log1p(rho / rest)
    bent = tl.full(u.shape, 1.0, tl.float32)
    if gamma != 0.0:
        bent = power(rho, gamma)
    ratio = surprisal / tl.where(rho > 0.0, rho, 1.0)
    slope = bent * (gamma * ratio + 1.0 / rest) * (u * keep)
    return bent * surprisal, tl.where(rho <= 0.0, 0.0, slope)


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
    z, out, t_, w_, v_, g_, scale_, above_, each, sums, count, classes, scale, on, off,
    yes_factor, yes_epsilon, yes_gamma, no_factor, no_epsilon, no_gamma, no_margin,
    T: tl.constexpr, W: tl.constexpr, V: tl.constexpr, G: tl.constexpr, CHECK: tl.constexpr, SHAPED: tl.constexpr,
    ABOVE: tl.constexpr, B: tl.constexpr, PTX: tl.constexpr,
):  # fmt: skip
    """ℓ = v·t·φ(−log q) + (1 − t)·φ₋(−log(1 − q)): w·ℓ of each element, or their sum in each program; and scale·g·w·∂ℓ.

    t = on·given + off, NaN where CHECK finds that it must not be. What is None is not made. An element of weight 0
    gives 0 whatever it holds, and g = 0 a gradient of 0.
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
    row = tl.program_id(0).to(tl.int64) * B // classes + (first + tl.arange(0, B)) // classes
    there = place < count
    x = tl.load(z + place, mask=there, other=0.0).to(tl.float32)
    t = operand(t_, place, column, row, there, T)
    if CHECK == _ZERO_OR_ONE:
        t = tl.where((t == 0.0) | (t == 1.0), t, float("nan"))
    elif CHECK:
        t = tl.where((t >= 0.0) & (t <= 1.0), t, float("nan"))
    t = t * on + off
    no_mass = tl.zeros([B], tl.float32) + (1.0 - t)
    yes_mass = tl.zeros([B], tl.float32) + t * operand(v_, place, column, row, there, V)
    size = tl.abs(x)
    e = exp(-size, PTX)
    upward = x >= 0
    against, along = tl.where(upward, no_mass, yes_mass), tl.where(upward, yes_mass, no_mass)
    dead = place >= count
    w = tl.zeros([B], tl.float32) + operand(w_, place, column, row, there, W)
    if W:
        dead = w == 0.0
    if SHAPED:
        small, large, tail = e / (1.0 + e), 1.0 / (1.0 + e), log1p(e)
        q, rest = tl.where(upward, large, small), tl.where(upward, small, large)
        yes, yes_slope = shaped(tl.where(upward, 0.0, size) + tail, rest, q, yes_factor, yes_epsilon, yes_gamma)
        if SHAPED == _SHIFTED:
            no, no_slope = shifted(q, rest, no_gamma, no_margin)
        else:
            no, no_slope = shaped(tl.where(upward, size, 0.0) + tail, q, rest, no_factor, no_epsilon, no_gamma)
    if (each is not None) or (sums is not None):
        if SHAPED:
            loss = tl.where(yes_mass == 0.0, 0.0, yes_mass * yes) + tl.where(no_mass == 0.0, 0.0, no_mass * no)
        else:
            loss = tl.where(against == 0.0, 0.0, against * size) + (against + along) * log1p(e)
        loss = tl.where(dead | (there == 0), 0.0, w * loss)
        if each is not None:
            tl.store(each + place, rounded(loss, each.dtype.element_ty, PTX), mask=there)
        if sums is not None:
            # Few additions in float32, and few in float64, of which some devices do little.
            some = tl.sum(tl.reshape(loss, [B // 16, 16]), axis=1)
            tl.store(sums + tl.program_id(0), tl.sum(some.to(sums.dtype.element_ty), axis=0))
    if out is not None:
        if SHAPED:
            slope = no_mass * no_slope - yes_mass * yes_slope
        else:
            slope = (against - along * e) / (1.0 + e)
            slope = tl.where(upward, slope, tl.where(x == x, -slope, x))
        if scale_ is not None:
            scale *= tl.load(scale_).to(tl.float32)
        found = (scale * above) * w * slope
        if G:
            g = tl.zeros([B], tl.float32) + operand(g_, place, column, row, there, G)
            dead = dead | (g == 0.0)
            found *= g
        if ABOVE or (scale_ is not None):
            found = tl.where((above == 0.0) | (scale == 0.0), 0.0, found)
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
