"""Softmax rows, 64 at a time: a vector holds one class of 64 rows.

For few classes, of which a row would not fill a vector, and for classes that do not lie side by side: 64 rows are
gathered as a tile (class, row), and their gradient is spread again. The formulas are those of
``xent.kernels.composed``.
"""

from __future__ import annotations

import numpy as np

from xent.kernels.cpu.bits import ARGMAX, ENTROPY, LOSS, LSE, SCORE_SUM
from xent.kernels.cpu.lanes import LANES, exp_of_drop, jit
from xent.kernels.cpu.logarithm import log1p_of_fraction, log_of_complement
from xent.kernels.cpu.passes import number_at, put_number
from xent.kernels.cpu.rows import row_address, unit_of
from xent.kernels.cpu.tiles import tile_exponentials, tile_mixed, tile_peaks, tile_picked
from xent.kernels.cpu.transpose import SIDE, rows_from_tile, tile_from_rows

#: From so many classes on a block of 16 by 16 is worth its empty places.
FEWEST = 5


@jit
def _room(size, like):  # type: ignore[no-untyped-def]
    """An empty tile, with room for a multiple of 16 classes."""
    return np.empty(((size + SIDE - 1) // SIDE * SIDE, LANES), like.dtype)


@jit
def _gather(layout, like, size, begin, count, tile):  # type: ignore[no-untyped-def]
    """``count`` rows into the tile; its other lanes are zero."""
    if count < LANES:
        tile[:] = 0
    step = layout[1]
    if step == like.itemsize:
        if count == LANES and size >= FEWEST and layout[4] == 0:
            tile_from_rows(row_address(layout, begin), layout[2], like, size, tile.ctypes.data)
            return
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
        if count == LANES and size >= FEWEST and layout[4] == 0:
            rows_from_tile(tile.ctypes.data, size, row_address(layout, begin), layout[2], like)
            return
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
def _logarithms(rests, excesses):  # type: ignore[no-untyped-def]
    """log(1 + r) of each row."""
    for i in range(LANES):
        r = rests[i]
        small = log1p_of_fraction(min(r, 1.0))
        large = log_of_complement(1.0, 1.0 + r)
        excesses[i] = large if r > 1.0 else small
        excesses[i] = r if r != r else excesses[i]


@jit
def _labels_of(index, row, count, size, labels):  # type: ignore[no-untyped-def]
    """The labels of a tile's rows in 32 bits; −1 where it is no class."""
    part = index[row : row + count]
    for i in range(count):
        labels[i] = part[i] if part[i] >= 0 and part[i] < size else -1


@jit
def _label_drops(tile, size, peaks, labels, picked, drops):  # type: ignore[no-untyped-def]
    """m − z of each row's label; NaN where it is no class."""
    tile_picked(tile.ctypes.data, tile, size, labels.ctypes.data, picked.ctypes.data)
    for i in range(LANES):
        drops[i] = 0.0 if picked[i] == peaks[i] else float(peaks[i]) - float(picked[i])


@jit
def _drop_sums(tile, size, peaks, sums):  # type: ignore[no-untyped-def]
    """Σ (m − z) of each row."""
    sums[:] = 0.0
    for k in range(size):
        z = tile[k]
        for i in range(LANES):
            sums[i] += 0.0 if z[i] == peaks[i] else float(peaks[i] - z[i])


@jit
def _hard_losses(drops, sums, excesses, size, on, off, losses):  # type: ignore[no-untyped-def]
    for i in range(LANES):
        # A target without mass takes no part, but NaN stays NaN.
        loss = on * (drops[i] + excesses[i]) if on != 0 else 0.0 * (drops[i] - drops[i] + excesses[i])
        losses[i] = loss + off * (sums[i] + size * excesses[i]) if off != 0 else loss


@jit
def _soft_sums(tile, truth, size, peaks, on, off, masses, sums):  # type: ignore[no-untyped-def]
    """Σ t and Σ t·(m − z) of each row."""
    zero = tile.dtype.type(0)
    sums[:] = 0.0
    masses[:] = 0.0
    for k in range(size):
        z, p = tile[k], truth[k]
        for i in range(LANES):
            t = on * p[i] + off
            drop = zero if z[i] == peaks[i] else peaks[i] - z[i]
            sums[i] += zero if (t == zero and drop == drop) else t * drop
            masses[i] += t


@jit
def _entropy_sums(tile, size, peaks, sums):  # type: ignore[no-untyped-def]
    """Σ e^(z − m)·(m − z) of each row."""
    zero = tile.dtype.type(0)
    sums[:] = 0.0
    for k in range(size):
        z = tile[k]
        for i in range(LANES):
            drop = zero if z[i] == peaks[i] else peaks[i] - z[i]
            e = exp_of_drop(-drop)
            sums[i] += zero if e == zero else e * drop


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
    tile = _room(size, out)
    truth = _room(size, out) if truths is not None else tile
    peaks, picked = np.empty(LANES, out.dtype), np.empty(LANES, out.dtype)
    labels = np.zeros(LANES, np.int32)
    rests, excesses, sums, masses = np.empty(LANES), np.empty(LANES), np.zeros(LANES), np.zeros(LANES)
    entropies = np.empty(LANES)
    at, peaks_at, rests_at = tile.ctypes.data, peaks.ctypes.data, rests.ctypes.data
    row = begin
    while row < end:
        count = _count(layout, row, end)
        _gather(layout, like, size, row, count, tile)
        tile_peaks(at, out, size, peaks_at)
        # What reads the scores comes first: the exponentials take their place.
        if want & LOSS:
            if truths is not None:
                _gather(truths, out, size, row, count, truth)
                _soft_sums(tile, truth, size, peaks, kind(on), kind(off), masses, sums)
            elif index is not None:
                _labels_of(index, row, count, size, labels)
                _label_drops(tile, size, peaks, labels, picked, masses)
                if off != 0:
                    _drop_sums(tile, size, peaks, sums)
        if want & ENTROPY:
            _entropy_sums(tile, size, peaks, entropies)
        if want & ARGMAX:
            for i in range(count):
                first[row + i] = _argmax(tile, size, i, peaks[i])
        if want & SCORE_SUM:
            for i in range(count):
                total = 0.0
                for k in range(size):
                    total += tile[k, i]
                out[3, row + i] = total
        tile_exponentials(at, out, size, peaks_at, rests_at)
        _logarithms(rests, excesses)
        if want & LOSS:
            if truths is not None:
                for i in range(count):
                    out[0, row + i] = sums[i] + masses[i] * excesses[i]
            elif index is not None:
                _hard_losses(masses, sums, excesses, size, on, off, sums)
                for i in range(count):
                    out[0, row + i] = sums[i]
        if want & LSE:
            for i in range(count):
                out[1, row + i] = float(peaks[i]) + excesses[i]
        if want & ENTROPY:
            for i in range(count):
                out[2, row + i] = excesses[i] + entropies[i] / (1.0 + rests[i])
        row += count


@jit
def _drops(tile, size, peaks, out):  # type: ignore[no-untyped-def]
    """m − z of each class, to a tile of its own."""
    for k in range(size):
        z, drop = tile[k], out[k]
        for i in range(LANES):
            drop[i] = 0 if z[i] == peaks[i] else peaks[i] - z[i]


@jit
def _add_slopes(tile, size, unit, drops, shares, excesses, entropies, h):  # type: ignore[no-untyped-def]
    """From powers in a tile of their own to h·q·(−log q − H), beside the drops."""
    zero = tile.dtype.type(0)
    for k in range(size):
        e, drop = tile[k], drops[k]
        for i in range(LANES):
            q = e[i] * unit * shares[i]
            drop[i] = zero if q == zero else h[i] * q * (drop[i] + tile.dtype.type(excesses[i] - entropies[i]))


@jit
def _factors(tile, size, unit, shares, a, factors):  # type: ignore[no-untyped-def]
    """What the powers are to be multiplied by, and the unit that they are in then: 1 where a factor would have been
    subnormal, and lost digits that the product has."""
    small = np.int64(0)
    for i in range(LANES):
        factors[i] = a[i] * shares[i] * unit
        small += np.int64(abs(factors[i]) < 1e-36) & np.int64(a[i] != 0)
    if small == 0:
        return unit
    for k in range(size):
        e = tile[k]
        for i in range(LANES):
            e[i] *= unit
    for i in range(LANES):
        factors[i] = a[i] * shares[i]
    return tile.dtype.type(1)


@jit
def _mix_hard(tile, size, unit, rests, shares, a, b, labels, on, off, count, spare):  # type: ignore[no-untyped-def]
    """a·q − b·t in place of the powers, for a label of each row; NaN in rests for a label that is no class."""
    factors, shifts, bt, above = spare[0], spare[1], spare[2], spare[3]
    unit = _factors(tile, size, unit, shares, a, factors)
    for i in range(LANES):
        shifts[i] = b[i] * off
        bt[i] = b[i] * (on + off)
        above[i] = ((a[i] - bt[i]) - bt[i] * tile.dtype.type(rests[i])) * shares[i]
    for i in range(count):
        rests[i] = np.nan if labels[i] < 0 else rests[i]
    tile_mixed(
        tile.ctypes.data, tile, size, labels.ctypes.data,
        factors.ctypes.data, shifts.ctypes.data, bt.ctypes.data, above.ctypes.data, tile.dtype.type(1) / unit,
    )  # fmt: skip


@jit
def _mix_soft(tile, size, unit, rests, shares, a, b, truth, on, off):  # type: ignore[no-untyped-def]
    """a·q − b·t in place of the powers, for probabilities of each row."""
    kind = tile.dtype.type
    for k in range(size):
        e, p = tile[k], truth[k]
        for i in range(LANES):
            bt = b[i] * (on * p[i] + off)
            power = e[i] * unit
            above = ((a[i] - bt) - bt * kind(rests[i])) * shares[i]
            e[i] = above if power == 1 else a[i] * shares[i] * power - bt


@jit
def _settle(tile, size, rests, a, b, h, count):  # type: ignore[no-untyped-def]
    """Zero in rows without a coefficient, NaN in those whose softmax is not defined."""
    special = np.int64(0)
    for i in range(LANES):
        idle = np.int64(a[i] == 0) & np.int64(b[i] == 0) & np.int64(h[i] == 0)
        special += idle | np.int64(rests[i] != rests[i])
    if special == 0:
        return
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
    on_, off_, unit = kind(on), kind(off), kind(unit_of(b))
    tile = _room(size, b)
    lanes = np.zeros((9, LANES), b.dtype)
    labels = np.zeros(LANES, np.int32)
    peaks, a_, b_, h_, shares, spare = lanes[0], lanes[1], lanes[2], lanes[3], lanes[4], lanes[5:]
    wide = np.zeros((5, LANES))
    rests, excesses, sums, masses, entropies = wide[0], wide[1], wide[2], wide[3], wide[4]
    at, peaks_at, rests_at = tile.ctypes.data, peaks.ctypes.data, rests.ctypes.data
    truth = slopes = tile
    if truths is not None:
        truth = _room(size, b)
    if h is not None:
        slopes = _room(size, b)
    row = begin
    while row < end:
        count = _count(layout, row, end)
        _gather(layout, like, size, row, count, tile)
        tile_peaks(at, b, size, peaks_at)
        # Parts, and not places in the whole: a loop over places that might be negative is no vector code.
        part = b[row : row + count]
        for i in range(count):
            b_[i] = part[i] * scale
        # What reads the scores comes first: the exponentials take their place.
        if truths is not None:
            _gather(truths, b, size, row, count, truth)
            if losses is not None:
                _soft_sums(tile, truth, size, peaks, on_, off_, masses, sums)
        elif index is not None:
            _labels_of(index, row, count, size, labels)
        if index is not None and losses is not None:
            _label_drops(tile, size, peaks, labels, spare[0], masses)
            if off != 0:
                _drop_sums(tile, size, peaks, sums)
        if h is not None:
            _entropy_sums(tile, size, peaks, entropies)
            _drops(tile, size, peaks, slopes)
        tile_exponentials(at, b, size, peaks_at, rests_at)
        for i in range(LANES):
            shares[i] = 1.0 / (1.0 + rests[i])
        if losses is not None or h is not None:
            _logarithms(rests, excesses)
        if losses is not None:
            if truths is not None:
                for i in range(LANES):
                    sums[i] += masses[i] * excesses[i]
            else:
                _hard_losses(masses, sums, excesses, size, on, off, sums)
                masses[:] = on + off * size
            told = losses[row : row + count]
            for i in range(count):
                told[i] = 0 if b_[i] == 0 else sums[i]
                a_[i] = b_[i] * masses[i]
        else:
            for i in range(count):
                a_[i] = a[row + i]
        if h is not None:
            for i in range(count):
                h_[i] = h[row + i]
            for i in range(LANES):
                entropies[i] = excesses[i] + entropies[i] / (1.0 + rests[i])
            _add_slopes(tile, size, unit, slopes, shares, excesses, entropies, h_)
        if truths is not None:
            _mix_soft(tile, size, unit, rests, shares, a_, b_, truth, on_, off_)
        elif index is not None:
            _mix_hard(tile, size, unit, rests, shares, a_, b_, labels, on_, off_, count, spare)
        else:
            unit_now = _factors(tile, size, unit, shares, a_, spare[0])
            for i in range(LANES):
                spare[1, i] = 0
                labels[i] = -1
            shift_at = spare[1].ctypes.data
            tile_mixed(
                at, b, size, labels.ctypes.data, spare[0].ctypes.data, shift_at, shift_at, shift_at, kind(1) / unit_now
            )
        if h is not None:
            for k in range(size):
                for i in range(LANES):
                    tile[k, i] += slopes[k, i]
        _settle(tile, size, rests, a_, b_, h_, count)
        _spread(tile, target, like, size, row, count)
        row += count
