"""What the program over rows does with a piece of them: a tile of scores (rows, classes).

Formulas as in ``xent.kernels.composed``: with m = max z and r = Σ e^(z − m) without one peak, −log softmax(z)_k =
(m − z_k) + log1p(r). m, r and every sum are carried from piece to piece, and brought to the new m where one is found.
All that is carried is a sum of terms of one sign, so nothing cancels.
"""

from __future__ import annotations

import triton
import triton.language as tl

from xent.kernels.gpu import bits
from xent.kernels.gpu.numbers import exp, minus_expm1, power, tanh

_CAP, _FACTOR, _OFFSET, _TRUTH = (
    tl.constexpr(bit) for bit in (bits.CAP, bits.FACTOR, bits.OFFSET, bits.TRUTH)
)  # fmt: skip
_ENTROPY, _ARGMAX, _SUM = (tl.constexpr(bit) for bit in (bits.ENTROPY, bits.ARGMAX, bits.SCORE_SUM))
_SMOOTHED, _SOFT, _LOGS, _LABELLED = (
    tl.constexpr(kind) for kind in (bits.SMOOTHED, bits.SOFT, bits.LOGS, bits.LABELLED)
)  # fmt: skip
_ZERO_OR_ONE = tl.constexpr(bits.ZERO_OR_ONE)
_NOWHERE = tl.constexpr(2147483647)


@triton.jit
def read(  # type: ignore[no-untyped-def]
    base, stride, begin, reads, classes, truth, replaced, factor, offset, cap, p_base, p_stride, on, off,
    weights, highest, shift, p_factor, TARGET: tl.constexpr, ADJUSTS: tl.constexpr, CHECK: tl.constexpr,
    MASKED: tl.constexpr, B: tl.constexpr,
):  # fmt: skip
    """(columns, their addresses' factor, which are read, z̃ in float32, the slope of the cap or 1, t or 0, p or 0) of a
    piece, t = w·(on·p + off) with a weight w of each class or 1.

    Without MASKED all is read; with it z̃ is −∞, and t and p are 0, outside. CHECK: p is NaN where it is none.
    """
    columns = begin + tl.arange(0, B)
    wide = columns.to(tl.int64)[None, :]
    valid = reads[:, None] & (columns[None, :] < classes)
    if MASKED:
        x = tl.load(base[:, None] + wide * stride, mask=valid, other=-float("inf")).to(tl.float32)
    else:
        x = tl.load(base[:, None] + wide * stride).to(tl.float32)
    slope = 1.0
    if _CAP & ADJUSTS:
        bent = tanh(x / cap)
        slope = 1.0 - bent * bent
        x = bent * cap
    if _TRUTH & ADJUSTS:
        x = tl.where(columns[None, :] == truth[:, None], replaced[:, None], x)
    if _FACTOR & ADJUSTS:
        x = x * factor
    if _OFFSET & ADJUSTS:
        x += tl.load(offset + columns[None, :], mask=columns[None, :] < classes, other=0.0)
    if MASKED and ADJUSTS:
        x = tl.where(valid, x, -float("inf"))
    t = 0.0
    p = 0.0
    if TARGET >= _SOFT:
        if TARGET == _LABELLED:
            p = tl.where(columns[None, :] == truth[:, None], 1.0, 0.0)
        else:
            at = p_base[:, None] + wide * p_stride
            if MASKED:
                p = tl.load(at, mask=valid, other=-float("inf") if TARGET == _LOGS else 0.0).to(tl.float32)
            else:
                p = tl.load(at).to(tl.float32)
            if shift is not None:
                # At an infinite score that is all the mass the difference is 0.
                p = p * p_factor
                p = tl.where(p == shift[:, None], 0.0, p - shift[:, None])
            if TARGET == _LOGS:
                p = tl.exp(p)
        if CHECK == _ZERO_OR_ONE:
            p = tl.where((p == 0.0) | (p == 1.0), p, float("nan"))
        elif CHECK:
            p = tl.where((p >= 0.0) & (p <= highest), p, float("nan"))
        t = p * on + off
        if weights is not None:
            t *= tl.load(weights + columns[None, :], mask=columns[None, :] < classes, other=0.0)
        if MASKED:
            t = tl.where(valid, t, 0.0)
    return columns, wide, valid, x, slope, t, p


@triton.jit
def absorb(  # type: ignore[no-untyped-def]
    x, valid, t, p, before, peak, rest, ties, drops, dot, mass, spread, total, piece, on, off,
    WANT: tl.constexpr, TARGET: tl.constexpr, CHECK: tl.constexpr, MASKED: tl.constexpr, PTX: tl.constexpr,
):  # fmt: skip
    """What is carried, after a piece x with targets t; ``before`` classes were seen. ``piece``: where that of m begins.

    m is that of the numbers: NaN is in the sums alone. r is carried as r + 1 − n with n, the number of peaks. ``mass``
    is Σt, and Σp where that is looked at.
    """
    old, seen = peak, rest + ties
    peak = tl.maximum(old, tl.max(x, axis=1))
    at_peak = x == peak[:, None]
    # Where both are infinite this is NaN, and not used.
    e = exp(x - peak[:, None], PTX)
    same = peak == old
    factor = tl.where(same, 1.0, exp(tl.where(same, 0.0, old - peak), PTX))
    rest = tl.where(same, rest, seen * factor) + tl.sum(tl.where(at_peak, 0.0, e), axis=1)
    ties = tl.where(same, ties, 0.0) + tl.sum(tl.where(at_peak, 1.0, 0.0), axis=1)
    if (_ENTROPY & WANT) or TARGET >= _SMOOTHED:
        drop = tl.where(at_peak, 0.0, peak[:, None] - x)
        if TARGET == _SMOOTHED:
            counted = drop
            if MASKED:
                counted = tl.where(valid, drop, 0.0)
            drops = with_new_peak(drops, before * 1.0 + tl.zeros_like(drops), old, peak) + tl.sum(counted, axis=1)
        if TARGET >= _SOFT:
            seen_mass = mass
            counted = t
            if CHECK:
                seen_mass = mass * on + before * off
                counted = p
            dot = with_new_peak(dot, seen_mass, old, peak) + tl.sum(tl.where(t == 0.0, 0.0, t * drop), axis=1)
            mass += tl.sum(counted, axis=1)
        if _ENTROPY & WANT:
            faded = factor == 0.0
            moved = factor * (spread + seen * tl.where(same | faded, 0.0, peak - old))
            spread = tl.where(same, spread, tl.where(faded, 0.0, moved))
            spread += tl.sum(tl.where(at_peak | (e == 0.0), 0.0, e * drop), axis=1)
    if _SUM & WANT:
        counted = x
        if MASKED:
            counted = tl.where(valid, x, 0.0)
        total += tl.sum(counted, axis=1)
    if _ARGMAX & WANT:
        piece = tl.where(same, piece, before)
    return peak, rest, ties, drops, dot, mass, spread, total, piece


@triton.jit
def first_of(found, columns):  # type: ignore[no-untyped-def]
    """The first column of each row that was found; a number beyond all where none was."""
    return tl.min(tl.where(found, columns[None, :], _NOWHERE), axis=1)


@triton.jit
def with_new_peak(found, mass, old, new):  # type: ignore[no-untyped-def]
    """Σ t·(m − z) of what was seen, for the new m: each of its terms has grown by the same."""
    still = (old == new) | (mass == 0.0)
    return tl.where(still, found, found + mass * (new - tl.where(still, 0.0, old)))


@triton.jit
def rest_of(peak, rest, ties):  # type: ignore[no-untyped-def]
    """r; NaN where the softmax is not defined: NaN, no score above −∞, +∞ twice."""
    void = (peak == -float("inf")) | ((peak == float("inf")) & (ties > 1.0))
    return tl.where(void, float("nan"), rest + (ties - 1.0))


@triton.jit
def score_of(at, known, truth, replaced, factor, offset, cap, ADJUSTS: tl.constexpr):  # type: ignore[no-untyped-def]
    """(z̃ of the truth of each row, the slope of the cap there); of no use where it is not known."""
    x = tl.load(at, mask=known, other=0.0).to(tl.float32)
    slope = 1.0
    if _CAP & ADJUSTS:
        bent = tanh(x / cap)
        slope = 1.0 - bent * bent
        x = bent * cap
    if _TRUTH & ADJUSTS:
        x = replaced
    if _FACTOR & ADJUSTS:
        x = x * factor
    if _OFFSET & ADJUSTS:
        x += tl.load(offset + truth, mask=known, other=0.0)
    return x, slope


@triton.jit
def gradient_of(  # type: ignore[no-untyped-def]
    x, t, slope, peak, rest, a, b, h, excess, entropy, off, factor,
    TARGET: tl.constexpr, HAS_H: tl.constexpr, ADJUSTS: tl.constexpr, PTX: tl.constexpr,
):  # fmt: skip
    """a·q − b·t − h·q(log q + H) of a piece, by z. Of labels without their own share: that of the truth is written
    over it. NaN in r makes it NaN."""
    # At an infinite peak the distance is NaN, of which the minimum makes 0.
    e = exp(tl.minimum(x - peak[:, None], 0.0), PTX)
    share = 1.0 / (1.0 + rest)
    found = (a * share)[:, None] * e
    if TARGET >= _SMOOTHED:
        bt = (b * off)[:, None]
        if TARGET >= _SOFT:
            bt = b[:, None] * t
        exact = ((a[:, None] - bt) - bt * rest[:, None]) * share[:, None]
        found = tl.where(x == peak[:, None], exact, found - bt)
    if HAS_H:
        q = e * share[:, None]
        surprisal = tl.where(x == peak[:, None], 0.0, peak[:, None] - x) + excess[:, None]
        found += h[:, None] * tl.where(q == 0.0, 0.0, q * (surprisal - entropy[:, None]))
    if _FACTOR & ADJUSTS:
        found *= factor
    if _CAP & ADJUSTS:
        found = tl.where(found == 0.0, 0.0, found * slope)
    return found


@triton.jit
def slope_of(loss, factor, epsilon, q, gamma, limit):  # type: ignore[no-untyped-def]
    """φ′(ℓ) of a ``xent.core.shaping.Form``."""
    e = tl.exp(-loss)
    u = minus_expm1(loss)
    slope = factor * tl.where(epsilon >= 0.0, 1.0 + epsilon * e, (1.0 + epsilon) - epsilon * u)
    if q != 0.0:
        slope *= tl.exp(-q * loss)
    if gamma != 0.0:
        endless = loss == float("inf")
        share = tl.where((u > 0.0) & (loss < float("inf")), loss / tl.where(u > 0.0, u, 1.0), 1.0)
        slope *= power(u, gamma) * (1.0 + gamma * tl.where(endless, 0.0, e) * share)
    return tl.where(loss > limit, 0.0, slope)
