"""Softmax rows, one at a time: a row is read from memory once and stays in cache for the passes after that.

With m = max z and r = Σ exp(z − m) without one peak (see ``xent.kernels.composed``, whose formulas these are).
"""

from __future__ import annotations

import math

import numpy as np

from xent.kernels.cpu.bits import ARGMAX, ENTROPY, LOSS, LSE, SCORE_SUM
from xent.kernels.cpu.lanes import BLOCK, LANES, jit
from xent.kernels.cpu.passes import (
    adjust_row,
    keep_exponentials,
    number_at,
    peak_of,
    settle,
    sum_drops,
    sum_entropy,
    sum_exponentials,
    sum_scores,
    sum_target,
)
from xent.kernels.cpu.writes import write_mixed, write_scaled


@jit
def row_address(layout, row):  # type: ignore[no-untyped-def]
    """Of class 0 of a row; see ``xent.kernels.layout``."""
    start, _, step, plane, leap = layout
    return start + (row // plane) * leap + (row % plane) * step


@jit
def _rest_at_infinity(z, like, size):  # type: ignore[no-untyped-def]
    """r where the peak is infinite: 0 for one score of +∞; NaN for two, and for none that is finite."""
    count = 0
    for i in range(size):
        if number_at(z, like, i) == np.inf:
            count += 1
    return 0.0 if count == 1 else np.nan


@jit
def _rest_of(z, like, size, peak, ahead):  # type: ignore[no-untyped-def]
    """r of a row, which is NaN where the softmax is not defined."""
    if peak != peak:
        return np.nan
    if math.isinf(peak):
        return _rest_at_infinity(z, like, size)
    rest, peaks = 0.0, 0
    for start in range(0, size, BLOCK):
        offset = start * like.itemsize
        part, ties = sum_exponentials(z + offset, like, min(BLOCK, size - start), peak, 0, ahead + offset)
        rest += part
        peaks += ties
    return rest + (peaks - 1)


@jit
def _kept_rest_of(z, like, size, peak, e, powers, unit, ahead):  # type: ignore[no-untyped-def]
    """The same, with e^(z − m) in units at ``e``, which is the address of ``powers`` and may be that of z."""
    if peak != peak:
        return np.nan
    if math.isinf(peak):
        rest = _rest_at_infinity(z, like, size)
        for i in range(size):
            powers[i] = 1 / unit if number_at(z, like, i) == peak else 0.0
        return rest
    rest, peaks = 0.0, 0
    for start in range(0, size, BLOCK):
        offset = start * like.itemsize
        kept = e + start * powers.itemsize
        part, ties = keep_exponentials(z + offset, like, min(BLOCK, size - start), peak, kept, ahead + offset)
        rest += part
        peaks += ties
    return rest + (peaks - 1)


@jit
def _drops(z, like, size, peak):  # type: ignore[no-untyped-def]
    total = 0.0
    for start in range(0, size, BLOCK):
        total += sum_drops(z + start * like.itemsize, like, min(BLOCK, size - start), peak)
    return total


@jit
def _hard_loss(z, like, size, peak, excess, score, on, off):  # type: ignore[no-untyped-def]
    """``score``: z of the truth. z is read for smoothing alone."""
    drop = 0.0 if score == peak else float(peak) - float(score)
    loss = on * (drop + excess) if on != 0 else 0.0 * excess
    if off != 0:
        loss += off * (_drops(z, like, size, peak) + size * excess)
    return loss


@jit
def _soft_sums(z, like, size, peak, p, compute, on, off):  # type: ignore[no-untyped-def]
    """(Σ t·(m − z), Σ t)."""
    dot = mass = 0.0
    for start in range(0, size, BLOCK):
        length = min(BLOCK, size - start)
        target = p + start * compute.itemsize
        part, share = sum_target(z + start * like.itemsize, like, length, peak, target, on, off)
        dot += part
        mass += float(on) * share + float(off) * length
    return dot, mass


@jit
def _entropy(z, like, size, peak, rest, unit):  # type: ignore[no-untyped-def]
    """log1p(r) + Σ e^(z − m)·(m − z)/(1 + r)."""
    total = 0.0
    for start in range(0, size, BLOCK):
        total += sum_entropy(z + start * like.itemsize, like, min(BLOCK, size - start), peak)
    return math.log1p(rest) + total * unit / (1.0 + rest)


@jit
def _argmax(z, like, size, peak):  # type: ignore[no-untyped-def]
    """The first peak, or the first NaN, as NumPy and PyTorch have it."""
    for i in range(size):
        score = number_at(z, like, i)
        if score == peak or score != score:
            return i
    return 0


@jit
def _total(z, like, size):  # type: ignore[no-untyped-def]
    total = 0.0
    for start in range(0, size, BLOCK):
        total += sum_scores(z + start * like.itemsize, like, min(BLOCK, size - start))
    return total


@jit
def statistics(layout, like, size, begin, end, want, index, truths, on, off, out, first):  # type: ignore[no-untyped-def]
    """Rows begin … end: out[0] ℓ, out[1] lse, out[2] entropy, out[3] Σz, one number a row; first the argmax.

    ``truths`` is the layout of probabilities of the type of the arithmetic, or None.
    """
    kind = out.dtype.type
    unit = unit_of(out)
    for row in range(begin, end):
        z = row_address(layout, row)
        peak = peak_of(z, like, size)
        rest = _rest_of(z, like, size, peak, row_address(layout, min(row + 1, end - 1)))
        excess = math.log1p(rest)
        if want & LOSS:
            if truths is not None:
                dot, mass = _soft_sums(z, like, size, peak, row_address(truths, row), out, kind(on), kind(off))
                out[0, row] = dot + mass * excess
            elif index is not None:
                k = index[row]
                known = 0 <= k < size
                out[0, row] = np.nan
                if known:
                    out[0, row] = _hard_loss(z, like, size, peak, excess, number_at(z, like, k), on, off)
        if want & LSE:
            out[1, row] = float(peak) + excess
        if want & ENTROPY:
            out[2, row] = _entropy(z, like, size, peak, rest, unit)
        if want & ARGMAX:
            first[row] = _argmax(z, like, size, peak)
        if want & SCORE_SUM:
            out[3, row] = _total(z, like, size)


@jit
def unit_of(like):  # type: ignore[no-untyped-def]
    """See ``Lanes.unit``."""
    return 2.0**-60 if like.itemsize == 8 else 2.0**-25


@jit
def slope_of(form, loss):  # type: ignore[no-untyped-def]
    """φ′(ℓ) of a ``xent.core.shaping.Form``."""
    factor, epsilon, q, gamma, limit, _ = form
    if loss > limit:
        return 0.0
    power = math.exp(-loss)
    slope = factor * (1.0 + epsilon * power if epsilon >= 0.0 else (1.0 + epsilon) + epsilon * math.expm1(-loss))
    if q != 0.0:
        slope *= math.exp(-q * loss)
    if gamma != 0.0:
        u = -math.expm1(-loss)
        share = loss / u if u > 0.0 else 1.0
        # The usual one without a call of pow, which is as dear as the rest together.
        slope *= (u * u if gamma == 2.0 else u**gamma) * (1.0 + gamma * (0.0 if math.isinf(loss) else power * share))
    return slope


@jit
def gradient(  # type: ignore[no-untyped-def]
    layout, like, size, begin, end, index, truths, on, off, a, b, h, target, past, losses, scale, lses, form, plan
):
    """a·q − b·t + h·q·(−log q − H) of rows begin … end, to where the layout ``target`` says.

    The target is ``index`` or the layout ``truths``; the other is None, or both. ``h`` may be None. Where ``losses`` is
    not, b is the weight of a row's loss, a = b·Σt is found on the way, and the loss is told: 0 in a row of weight 0,
    which is not read. ``scale`` is a factor of b. ``past`` sends the gradient past the cache.

    ``lses``, beside losses, is told the log-sum-exp. ``form``: the numbers of a ``Form`` and λ of a z-loss, with
    b·φ′(ℓ) in the place of b and 2λ·b·lse more in a; the losses are ℓ all the same. ``plan``, of float32 and float64:
    what the scores become before that, see ``xent.kernels.cpu.row_arrays.Plan``; the gradient is by the scores as they
    are in memory. Each may be None.
    """
    kind = b.dtype.type
    zero = kind(0)
    unit = kind(unit_of(b))
    # Room for whole vectors, from the start of a cache line on.
    room = np.zeros(size + 3 * LANES, b.dtype)
    powers = room[(-room.ctypes.data % 64) // room.itemsize :]
    e = powers.ctypes.data
    on_, off_ = kind(on), kind(off)
    a_ = h_ = score = zero
    # Changed scores have a row of their own only where they are read again after their exponentials are.
    again = truths is not None or h is not None or off != 0
    adjusted = np.zeros(size + 3 * LANES if plan is not None and again else 1, b.dtype)
    for row in range(begin, end):
        g = row_address(target, row)
        b_ = kind(b[row] * scale)
        if losses is None:
            a_ = a[row]
        if h is not None:
            h_ = h[row]
        if b_ == zero and (losses is not None or a_ == zero) and h_ == zero:
            write_scaled(e, size, g, like, zero, zero, zero, -1, zero, past)
            if losses is not None:
                losses[row] = zero
            if lses is not None:
                lses[row] = zero
            continue
        z = row_address(layout, row)
        k = -1
        if index is not None and 0 <= index[row] < size:
            k = index[row]
        if plan is None:
            peak = peak_of(z, like, size)
        else:
            out = adjusted.ctypes.data if again else e
            moved = k if plan[2].size or plan[3].size else -1
            truth = zero
            if moved >= 0:
                truth = plan[3][row] if plan[3].size else number_at(z, like, k) - plan[2][row]
                truth *= kind(plan[0])
                if plan[5].size:
                    truth += plan[5][row]
            peak = adjust_row(z, like, size, kind(plan[0]), plan[1], moved, truth, out)
            z = out
        if k >= 0:
            score = number_at(z, like, k)
        rest = _kept_rest_of(z, like, size, peak, e, powers, unit, row_address(layout, min(row + 1, end - 1)))
        excess = math.log1p(rest)
        if losses is not None:
            mass = on + off * size
            if truths is not None:
                dot, mass = _soft_sums(z, like, size, peak, row_address(truths, row), b, on_, off_)
                loss = dot + mass * excess
            elif k >= 0:
                loss = _hard_loss(z, like, size, peak, excess, score, on, off)
            else:
                loss = np.nan
            losses[row] = loss
            if lses is not None:
                lses[row] = float(peak) + excess
            if form is not None:
                partition = 2.0 * form[5] * b_ * (float(peak) + excess)
                b_ = kind(b_ * slope_of(form, loss))
                a_ = kind(b_ * mass + partition)
            else:
                a_ = kind(b_ * mass)
        if plan is not None:
            a_, b_ = kind(a_ * plan[0]), kind(b_ * plan[0])
        if index is not None and k < 0:
            rest = np.nan
        if rest != rest:
            write_scaled(e, size, g, like, zero, zero, kind(np.nan), -1, zero, past)
            continue
        share, r = kind(1.0 / (1.0 + rest)), kind(rest)
        # One factor, or two where the first would be subnormal.
        first, second = kind(a_ * share) * unit, kind(1)
        if abs(first) < 1e-36:
            first, second = unit, kind(a_ * share)
        if truths is not None or h is not None:
            entropy = excess if h is None else _entropy(z, like, size, peak, rest, unit)
            mixture = (first, second, a_, b_, on_, off_, r, share, h_, unit * share, kind(excess - entropy))
            if truths is not None:
                write_mixed(e, z, like, row_address(truths, row), size, g, peak, mixture)
            else:
                one_hot = np.zeros(size, b.dtype)
                if k >= 0:
                    one_hot[k] = 1
                write_mixed(e, z, like, one_hot.ctypes.data, size, g, peak, mixture)
            continue
        at_k = shift = zero
        if index is not None:
            bt = b_ * (on_ + off_)
            shift = b_ * off_
            at_k = ((a_ - bt) - bt * r) * share if score == peak else powers[k] * first * second - bt
            if plan is not None and plan[4].size:
                at_k *= plan[4][row]
        write_scaled(e, size, g, like, first, second, shift, k, at_k, past)
    if past:
        settle()
