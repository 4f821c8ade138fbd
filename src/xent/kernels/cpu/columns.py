"""Softmax rows, 64 at a time: a vector holds one class of 64 rows.

For few classes, of which a row would not fill a vector, and for classes that do not lie side by side: 64 rows are
gathered as a tile (class, row), and their gradient is spread again. The formulas are those of
``xent.kernels.composed``.
"""

from __future__ import annotations

import math

import numpy as np

from xent.kernels.cpu.bits import ARGMAX, ENTROPY, LOSS, LSE, SCORE_SUM
from xent.kernels.cpu.lanes import LANES, exp_of_drop, jit
from xent.kernels.cpu.passes import number_at, put_number
from xent.kernels.cpu.rows import row_address


@jit
def _gather(layout, like, size, begin, count, tile):  # type: ignore[no-untyped-def]
    """``count`` rows into the tile; its other lanes are zero."""
    if count < LANES:
        tile[:] = 0
    step = layout[1]
    if step == like.itemsize:
        for i in range(count):
            z = row_address(layout, begin + i)
            for k in range(size):
                tile[k, i] = number_at(z, like, k)
        return
    z = row_address(layout, begin)
    for k in range(size):
        lanes = tile[k]
        for i in range(count):
            lanes[i] = number_at(z + k * step, like, i)


@jit
def _spread(tile, layout, like, size, begin, count):  # type: ignore[no-untyped-def]
    """The tile's first ``count`` rows to where they belong."""
    step = layout[1]
    if step == like.itemsize:
        for i in range(count):
            g = row_address(layout, begin + i)
            for k in range(size):
                put_number(tile[k, i], g, like, k)
        return
    g = row_address(layout, begin)
    for k in range(size):
        lanes = tile[k]
        for i in range(count):
            put_number(lanes[i], g + k * step, like, i)


@jit
def _count(layout, begin, end):  # type: ignore[no-untyped-def]
    """How many rows from one on make the next tile: in one plane where they lie side by side."""
    count = min(LANES, end - begin)
    return min(count, layout[3] - begin % layout[3]) if layout[1] != layout[2] else count


@jit
def _measure(tile, size, peaks, rests):  # type: ignore[no-untyped-def]
    """m and r of each row; r is NaN where the softmax is not defined."""
    kind = tile.dtype.type
    zero, one = kind(0), kind(1)
    ties = np.empty(LANES, tile.dtype)
    void = np.zeros(LANES, tile.dtype)
    peaks[:] = kind(-np.inf)
    rests[:] = 0.0
    ties[:] = -one
    for k in range(size):
        z = tile[k]
        for i in range(LANES):
            peaks[i] = z[i] if z[i] > peaks[i] else peaks[i]
            void[i] += zero if z[i] == z[i] else one
    for k in range(size):
        z = tile[k]
        for i in range(LANES):
            at_peak = z[i] == peaks[i]
            rests[i] += zero if at_peak else exp_of_drop(z[i] - peaks[i])
            ties[i] += one if at_peak else zero
    for i in range(LANES):
        infinite = peaks[i] == np.inf
        bad = void[i] > zero or peaks[i] == -np.inf or (infinite and ties[i] > zero)
        rests[i] = np.nan if bad else rests[i] + ties[i]


@jit
def _logarithms(rests, excesses):  # type: ignore[no-untyped-def]
    for i in range(LANES):
        excesses[i] = math.log1p(rests[i])


@jit
def _hard_losses(tile, size, peaks, excesses, index, on, off, count, losses):  # type: ignore[no-untyped-def]
    spread = np.zeros(LANES)
    if off != 0:
        for k in range(size):
            z = tile[k]
            for i in range(LANES):
                spread[i] += 0.0 if z[i] == peaks[i] else float(peaks[i] - z[i])
    for i in range(count):
        k = index[i]
        if k < 0 or k >= size:
            losses[i] = np.nan
            continue
        drop = 0.0 if tile[k, i] == peaks[i] else float(peaks[i]) - float(tile[k, i])
        # A target without mass takes no part, but NaN stays NaN.
        loss = on * (drop + excesses[i]) if on != 0 else 0.0 * excesses[i]
        losses[i] = loss + off * (spread[i] + size * excesses[i]) if off != 0 else loss


@jit
def _soft_losses(tile, truth, size, peaks, excesses, on, off, masses, losses):  # type: ignore[no-untyped-def]
    zero = tile.dtype.type(0)
    losses[:] = 0.0
    masses[:] = 0.0
    for k in range(size):
        z, p = tile[k], truth[k]
        for i in range(LANES):
            t = on * p[i] + off
            drop = zero if z[i] == peaks[i] else peaks[i] - z[i]
            losses[i] += zero if (t == zero and drop == drop) else t * drop
            masses[i] += t
    for i in range(LANES):
        losses[i] += masses[i] * excesses[i]


@jit
def _entropies(tile, size, peaks, rests, excesses, entropies):  # type: ignore[no-untyped-def]
    zero = tile.dtype.type(0)
    entropies[:] = 0.0
    for k in range(size):
        z = tile[k]
        for i in range(LANES):
            drop = zero if z[i] == peaks[i] else peaks[i] - z[i]
            e = exp_of_drop(-drop)
            entropies[i] += zero if e == zero else e * drop
    for i in range(LANES):
        entropies[i] = excesses[i] + entropies[i] / (1.0 + rests[i])


@jit
def _argmax(tile, size, row, peak):  # type: ignore[no-untyped-def]
    """The first peak, or the first NaN, as NumPy and PyTorch have it."""
    found = -1
    for k in range(size):
        if tile[k, row] != tile[k, row]:
            return k
        if found < 0 and tile[k, row] == peak:
            found = k
    return max(found, 0)


@jit
def statistics(layout, like, size, begin, end, want, index, truths, on, off, out, first):  # type: ignore[no-untyped-def]
    """Rows begin … end: out[0] ℓ, out[1] lse, out[2] entropy, out[3] Σz, one number a row; first the argmax.

    ``truths`` is the layout of probabilities of the type of the arithmetic, or None.
    """
    kind = out.dtype.type
    tile = np.empty((size, LANES), out.dtype)
    truth = np.empty((size, LANES), out.dtype) if truths is not None else tile
    peaks = np.empty(LANES, out.dtype)
    rests, excesses, losses, masses = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    row = begin
    while row < end:
        count = _count(layout, row, end)
        _gather(layout, like, size, row, count, tile)
        _measure(tile, size, peaks, rests)
        _logarithms(rests, excesses)
        if want & LOSS:
            if truths is not None:
                _gather(truths, out, size, row, count, truth)
                _soft_losses(tile, truth, size, peaks, excesses, kind(on), kind(off), masses, losses)
            elif index is not None:
                _hard_losses(tile, size, peaks, excesses, index[row : row + count], on, off, count, losses)
            out[0, row : row + count] = losses[:count]
        if want & LSE:
            for i in range(count):
                out[1, row + i] = float(peaks[i]) + excesses[i]
        if want & ENTROPY:
            _entropies(tile, size, peaks, rests, excesses, masses)
            out[2, row : row + count] = masses[:count]
        if want & ARGMAX:
            for i in range(count):
                first[row + i] = _argmax(tile, size, i, peaks[i])
        if want & SCORE_SUM:
            for i in range(count):
                total = 0.0
                for k in range(size):
                    total += tile[k, i]
                out[3, row + i] = total
        row += count


@jit
def _exponentials(tile, size, peaks):  # type: ignore[no-untyped-def]
    """e^(z − m) in place of z; 1 at every peak."""
    zero = tile.dtype.type(0)
    for k in range(size):
        z = tile[k]
        for i in range(LANES):
            z[i] = exp_of_drop(zero if z[i] == peaks[i] else z[i] - peaks[i])


@jit
def _slopes(tile, size, peaks, rests, h, out):  # type: ignore[no-untyped-def]
    """h·q·(−log q − H) of each class."""
    zero = tile.dtype.type(0)
    excesses, entropies = np.empty(LANES), np.empty(LANES)
    _logarithms(rests, excesses)
    _entropies(tile, size, peaks, rests, excesses, entropies)
    for k in range(size):
        z, slope = tile[k], out[k]
        for i in range(LANES):
            drop = zero if z[i] == peaks[i] else peaks[i] - z[i]
            q = exp_of_drop(-drop) / tile.dtype.type(1.0 + rests[i])
            slope[i] = zero if q == zero else h[i] * q * (drop + tile.dtype.type(excesses[i] - entropies[i]))


@jit
def _mix_hard(tile, size, peaks, rests, a, b, index, on, off, count):  # type: ignore[no-untyped-def]
    """a·q − b·t in place of z, for a label of each row; NaN in rests for a label that is no class."""
    kind = tile.dtype.type
    zero = kind(0)
    factors = np.empty(LANES, tile.dtype)
    labelled = np.zeros(LANES, np.bool_)
    for i in range(count):
        if index[i] < 0 or index[i] >= size:
            rests[i] = np.nan
        else:
            labelled[i] = tile[index[i], i] == peaks[i]
    _exponentials(tile, size, peaks)
    for i in range(LANES):
        factors[i] = a[i] * kind(1.0 / (1.0 + rests[i]))
    shift = off if off != 0 else zero
    for i in range(count):
        # The label's own number, before the others: it is put back after them.
        if rests[i] == rests[i]:
            bt = b[i] * (on + off)
            k = index[i]
            if labelled[i]:
                own = ((a[i] - bt) - bt * kind(rests[i])) * kind(1.0 / (1.0 + rests[i]))
            else:
                own = factors[i] * tile[k, i] - bt
            peaks[i] = own
    for k in range(size):
        e = tile[k]
        for i in range(LANES):
            e[i] = factors[i] * e[i] - b[i] * shift
    for i in range(count):
        if rests[i] == rests[i]:
            tile[index[i], i] = peaks[i]


@jit
def _mix_soft(tile, size, peaks, rests, a, b, truth, on, off):  # type: ignore[no-untyped-def]
    """a·q − b·t in place of z, for probabilities of each row."""
    kind = tile.dtype.type
    one = kind(1)
    _exponentials(tile, size, peaks)
    for k in range(size):
        e, p = tile[k], truth[k]
        for i in range(LANES):
            scale = kind(1.0 / (1.0 + rests[i]))
            bt = b[i] * (on * p[i] + off)
            # e = 1 tells a peak; the formula is as right for what is 1 by rounding.
            above = ((a[i] - bt) - bt * kind(rests[i])) * scale
            e[i] = above if e[i] == one else a[i] * scale * e[i] - bt


@jit
def _settle(tile, size, rests, a, b, h, count):  # type: ignore[no-untyped-def]
    """Zero in rows without a coefficient, NaN in those whose softmax is not defined."""
    for i in range(count):
        if a[i] == 0 and b[i] == 0 and h[i] == 0:
            for k in range(size):
                tile[k, i] = 0
        elif rests[i] != rests[i]:
            for k in range(size):
                tile[k, i] = np.nan


@jit
def gradient(layout, like, size, begin, end, index, truths, on, off, a, b, h, target, losses, scale):  # type: ignore[no-untyped-def]
    """a·q − b·t + h·q·(−log q − H) of rows begin … end, to where the layout ``target`` says.

    ``index``, ``truths``, ``h`` and ``losses`` may be None; see ``xent.kernels.cpu.rows.gradient``.
    """
    kind = b.dtype.type
    on_, off_ = kind(on), kind(off)
    tile = np.empty((size, LANES), b.dtype)
    lanes = np.zeros((4, LANES), b.dtype)
    peaks, a_, b_, h_ = lanes[0], lanes[1], lanes[2], lanes[3]
    rests, each, masses = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    truth = slopes = tile
    if truths is not None:
        truth = np.empty((size, LANES), b.dtype)
    if h is not None:
        slopes = np.empty((size, LANES), b.dtype)
    row = begin
    while row < end:
        count = _count(layout, row, end)
        _gather(layout, like, size, row, count, tile)
        _measure(tile, size, peaks, rests)
        for i in range(count):
            b_[i] = b[row + i] * scale
        if truths is not None:
            _gather(truths, b, size, row, count, truth)
        if losses is not None:
            excesses = np.empty(LANES)
            _logarithms(rests, excesses)
            if truths is not None:
                _soft_losses(tile, truth, size, peaks, excesses, on_, off_, masses, each)
            elif index is not None:
                masses[:] = on + off * size
                _hard_losses(tile, size, peaks, excesses, index[row : row + count], on, off, count, each)
            for i in range(count):
                losses[row + i] = 0 if b_[i] == 0 else each[i]
                a_[i] = b_[i] * masses[i]
        else:
            a_[:count] = a[row : row + count]
        if h is not None:
            h_[:count] = h[row : row + count]
            _slopes(tile, size, peaks, rests, h_, slopes)
        if truths is not None:
            _mix_soft(tile, size, peaks, rests, a_, b_, truth, on_, off_)
        elif index is not None:
            _mix_hard(tile, size, peaks, rests, a_, b_, index[row : row + count], on_, off_, count)
        else:
            _exponentials(tile, size, peaks)
            for k in range(size):
                for i in range(LANES):
                    tile[k, i] *= a_[i] * kind(1.0 / (1.0 + rests[i]))
        if h is not None:
            tile += slopes
        _settle(tile, size, rests, a_, b_, h_, count)
        _spread(tile, target, like, size, row, count)
        row += count
