"""Softmax rows, one at a time: a row is read from memory once and stays in cache for the passes after that.

With m = max z and r = Σ exp(z − m) without one peak (see ``xent.kernels.composed``, whose formulas these are).
"""

from __future__ import annotations

import math

import numpy as np

from xent.kernels.cpu.half import load, store
from xent.kernels.cpu.lanes import BLOCK, LANES, exp_of_drop, jit, peak_of, rest_of, row_at, workspace

#: What a row is asked for, as bits.
LOSS, LSE, ENTROPY, ARGMAX, SCORE_SUM = 1, 2, 4, 8, 16


@jit
def _rest_at_infinity(z):  # type: ignore[no-untyped-def]
    """r where the peak is infinite: 0 for one score of +∞; NaN for two, for none that is finite, and for NaN."""
    count = 0
    for i in range(z.size):
        if z[i] != z[i]:
            return np.nan
        if z[i] == np.inf:
            count += 1
    return 0.0 if count == 1 else np.nan


@jit
def _drop_sum(z, peak, work):  # type: ignore[no-untyped-def]
    """Σ (peak − z) in lanes, and in float64 over blocks."""
    lanes = work[0]
    total = 0.0
    for start in range(0, z.size, BLOCK):
        block = z[start : min(start + BLOCK, z.size)]
        lanes[:] = 0
        parts = block.size // LANES
        for b in range(parts):
            part = block[b * LANES : b * LANES + LANES]
            for i in range(LANES):
                lanes[i] += z.dtype.type(0) if part[i] == peak else peak - part[i]
        for i in range(LANES):
            total += lanes[i]
        for i in range(parts * LANES, block.size):
            total += 0.0 if block[i] == peak else peak - block[i]
    return total


@jit
def _sum(z, work):  # type: ignore[no-untyped-def]
    total = 0.0
    lanes = work[0]
    for start in range(0, z.size, BLOCK):
        block = z[start : min(start + BLOCK, z.size)]
        lanes[:] = 0
        parts = block.size // LANES
        for b in range(parts):
            part = block[b * LANES : b * LANES + LANES]
            for i in range(LANES):
                lanes[i] += part[i]
        for i in range(LANES):
            total += lanes[i]
        for i in range(parts * LANES, block.size):
            total += block[i]
    return total


@jit
def _soft_sums(z, t, peak, on, off, work):  # type: ignore[no-untyped-def]
    """(Σ t·(peak − z), Σ t) with t = on·p + off and 0·∞ = 0, in float64 over blocks."""
    zero = z.dtype.type(0)
    dots, masses = work[0], work[1]
    dot = mass = 0.0
    for start in range(0, z.size, BLOCK):
        stop = min(start + BLOCK, z.size)
        block, target = z[start:stop], t[start:stop]
        dots[:] = 0
        masses[:] = 0
        parts = block.size // LANES
        for b in range(parts):
            part = block[b * LANES : b * LANES + LANES]
            p = target[b * LANES : b * LANES + LANES]
            for i in range(LANES):
                w = on * p[i] + off
                drop = zero if part[i] == peak else peak - part[i]
                dots[i] += zero if (w == zero and drop == drop) else w * drop
                masses[i] += w
        for i in range(LANES):
            dot += dots[i]
            mass += masses[i]
        for i in range(parts * LANES, block.size):
            w = on * target[i] + off
            drop = zero if block[i] == peak else peak - block[i]
            dot += 0.0 if (w == zero and drop == drop) else w * drop
            mass += w
    return dot, mass


@jit
def _argmax(z, peak):  # type: ignore[no-untyped-def]
    """The first peak, or the first NaN, as NumPy and PyTorch have it."""
    for i in range(z.size):
        if z[i] != z[i]:
            return i
    for i in range(z.size):
        if z[i] == peak:
            return i
    return 0


@jit
def measure(z, work):  # type: ignore[no-untyped-def]
    """m and r of a row."""
    peak = peak_of(z, work)
    return peak, (_rest_at_infinity(z) if math.isinf(peak) else rest_of(z, peak, work))


@jit
def entropy_of(z, peak, rest, work):  # type: ignore[no-untyped-def]
    """log1p(r) + Σ e^{z − m}·(m − z)/(1 + r)."""
    zero = z.dtype.type(0)
    lanes = work[0]
    total = 0.0
    for start in range(0, z.size, BLOCK):
        block = z[start : min(start + BLOCK, z.size)]
        lanes[:] = 0
        parts = block.size // LANES
        for b in range(parts):
            part = block[b * LANES : b * LANES + LANES]
            for i in range(LANES):
                drop = part[i] - peak
                e = exp_of_drop(drop)
                lanes[i] += zero if (e == zero or part[i] == peak) else -e * drop
        for i in range(LANES):
            total += lanes[i]
        for i in range(parts * LANES, block.size):
            drop = block[i] - peak
            e = exp_of_drop(drop)
            total += zero if (e == zero or block[i] == peak) else -e * drop
    return math.log1p(rest) + total / (1.0 + rest)


@jit
def statistics(zs, stride, like, mode, size, begin, end, want, index, ps, p_stride, on, off, out, first):  # type: ignore[no-untyped-def]
    """Rows begin … end: out[0] ℓ, out[1] lse, out[2] entropy, out[3] Σz, one number a row; first the argmax."""
    scratch = np.empty(size, out.dtype)
    work = workspace(out)
    for row in range(begin, end):
        z = load(zs + row * stride, like, size, mode, scratch)
        peak, rest = measure(z, work)
        excess = math.log1p(rest)
        if want & LOSS:
            if ps != 0:
                p = row_at(ps + row * p_stride, out, size)
                dot, mass = _soft_sums(z, p, peak, on, off, work)
                out[0, row] = dot + mass * excess
            else:
                k = index[row]
                if k < 0 or k >= size:
                    out[0, row] = np.nan
                else:
                    drop = 0.0 if z[k] == peak else float(peak) - float(z[k])
                    loss = on * (drop + excess) if on != 0 else 0.0 * excess
                    if off != 0:
                        loss += off * (_drop_sum(z, peak, work) + size * excess)
                    out[0, row] = loss
        if want & LSE:
            out[1, row] = float(peak) + excess
        if want & ENTROPY:
            out[2, row] = entropy_of(z, peak, rest, work)
        if want & ARGMAX:
            first[row] = _argmax(z, peak)
        if want & SCORE_SUM:
            out[3, row] = _sum(z, work)


@jit
def gradient(  # type: ignore[no-untyped-def]
    zs, stride, like, mode, size, begin, end, index, ps, p_stride, on, off, a, b, h, use, gs, g_stride
):
    """a·q − b·t + h·q·(s − H) of rows begin … end, to gs. ``use`` says whether there is a target (1), an h (2)."""
    kind = a.dtype.type
    zero = kind(0)
    scratch = np.empty(size, a.dtype)
    work = workspace(a)
    result = np.empty(size, a.dtype)
    on_, off_ = kind(on), kind(off)
    for row in range(begin, end):
        g = row_at(gs + row * g_stride, a, size) if mode == 0 else result
        a_, b_ = a[row], b[row]
        h_ = h[row] if use & 2 else zero
        if a_ == zero and b_ == zero and h_ == zero:
            g[:] = 0
            store(g, gs + row * g_stride, like, mode)
            continue
        z = load(zs + row * stride, like, size, mode, scratch)
        peak, rest = measure(z, work)
        hard = (use & 1) != 0 and ps == 0
        bad = hard and (index[row] < 0 or index[row] >= size)
        if bad or rest != rest:
            g[:] = np.nan
            store(g, gs + row * g_stride, like, mode)
            continue
        scale = kind(1.0 / (1.0 + rest))
        r = kind(rest)
        if ps != 0:
            p = row_at(ps + row * p_stride, a, size)
            for i in range(size):
                bt = b_ * (on_ * p[i] + off_)
                at_peak = z[i] == peak
                e = exp_of_drop(zero if at_peak else z[i] - peak)
                g[i] = ((a_ - bt) - bt * r) * scale if at_peak else a_ * scale * e - bt
        else:
            factor, shift = a_ * scale, b_ * off_ if hard else zero
            for i in range(size):
                at_peak = z[i] == peak
                g[i] = factor * exp_of_drop(zero if at_peak else z[i] - peak) - shift
            if hard:
                k = index[row]
                bt = b_ * (on_ + off_)
                if z[k] == peak:
                    g[k] = ((a_ - bt) - bt * r) * scale
                else:
                    g[k] = factor * exp_of_drop(z[k] - peak) - bt
        if h_ != zero:
            excess = kind(math.log1p(rest))
            entropy = kind(entropy_of(z, peak, rest, work))
            for i in range(size):
                drop = zero if z[i] == peak else peak - z[i]
                q = exp_of_drop(-drop) * scale
                g[i] += zero if q == zero else h_ * q * (drop + excess - entropy)
        store(g, gs + row * g_stride, like, mode)
