"""Loops over elements: each chunk stays in the nearest cache while it is unpacked, computed, summed and packed.

Every loop over a chunk is straight-line arithmetic on its elements, which the compiler turns into vector instructions.
Numbers come in at addresses, as integers: for small work, what is around a loop costs more than the loop.
"""

from __future__ import annotations

import numpy as np

from xent.kernels.cpu.half import load, store
from xent.kernels.cpu.lanes import LANES, exp_of_drop, jit, row_at
from xent.kernels.cpu.logarithm import complement_of_exp, log1p_of_fraction, log_of_complement
from xent.kernels.cpu.memory import CLASSES, EACH, SAME

#: Elements that are worked on at once.
CHUNK = 1024
#: Elements whose sum is one number; threads share out whole blocks, so a sum does not depend on their number.
BLOCK = 16 * CHUNK

#: What Q holds. Scores are None, a type of its own: what the others need is then not compiled for them.
LOG_PROBS, PROBS = 1, 2
LINKS = {"logits": None, "log_probs": LOG_PROBS, "probs": PROBS}

#: How t is held, beside BFLOAT16 and FLOAT16: in the type of the arithmetic; as one byte, 0 to 255; one for all.
SAME_TYPE, BYTES, CONSTANT = 0, 3, 4
_BYTES, _BITS = np.empty(0, np.uint8), np.empty(0, np.uint16)


@jit
def _logits(x, yes, no, by_yes, by_no):  # type: ignore[no-untyped-def]
    """The surprisals of scores, and their slopes: with e = exp(−|x|), max(∓x, 0) + log(1 + e), and σ."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in range(x.size):
        size = abs(x[i])
        e = exp_of_drop(-size)
        large = one / (one + e)
        small = e * large
        tail = log1p_of_fraction(e)
        positive = x[i] >= zero
        yes[i] = tail + (zero if positive else size)
        no[i] = tail + (size if positive else zero)
        by_yes[i] = -small if positive else -large
        by_no[i] = large if positive else small


@jit
def _log_probs(x, yes, no, by_yes, by_no):  # type: ignore[no-untyped-def]
    one = x.dtype.type(1)
    for i in range(x.size):
        e = exp_of_drop(x[i])
        rest = complement_of_exp(x[i], e)
        yes[i] = -x[i]
        no[i] = -log_of_complement(e, rest)
        by_yes[i] = -one
        by_no[i] = e / abs(rest)  # −0 is 0 too


@jit
def _probs(x, yes, no, by_yes, by_no):  # type: ignore[no-untyped-def]
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in range(x.size):
        rest = one - x[i]
        yes[i] = -log_of_complement(one, x[i])
        no[i] = -log_of_complement(x[i], rest)
        by_yes[i] = x.dtype.type(-np.inf) if x[i] == zero else -one / x[i]  # −0 is 0 too
        by_no[i] = one / rest


@jit
def _measure(link, x, yes, no, by_yes, by_no):  # type: ignore[no-untyped-def]
    if link is None:
        _logits(x, yes, no, by_yes, by_no)
    elif link == LOG_PROBS:
        _log_probs(x, yes, no, by_yes, by_no)
    else:
        _probs(x, yes, no, by_yes, by_no)


@jit
def _slope(a, by_no, b, by_yes, scale, g):  # type: ignore[no-untyped-def]
    """scale·(a·∂no + b·∂yes) with 0·∞ = 0; 0 where both are 0, even beside NaN."""
    zero = a.dtype.type(0)
    for i in range(a.size):
        first = zero if (a[i] == zero and by_no[i] == by_no[i]) else a[i] * by_no[i]
        second = zero if (b[i] == zero and by_yes[i] == by_yes[i]) else b[i] * by_yes[i]
        g[i] = zero if (a[i] == zero and b[i] == zero) else scale * (first + second)


@jit
def statistics(link, xs, like, mode, begin, end, yes, no):  # type: ignore[no-untyped-def]
    """−log q and −log(1 − q) of elements begin … end."""
    work = np.empty((3, CHUNK), yes.dtype)
    scratch, by_yes, by_no = work[0], work[1], work[2]
    for at in range(begin, end, CHUNK):
        size = min(CHUNK, end - at)
        x = load(xs + at * like.itemsize, like, size, mode, scratch[:size])
        _measure(link, x, yes[at : at + size], no[at : at + size], by_yes, by_no)


@jit
def gradient(link, xs, like, mode, begin, end, a, b, gs):  # type: ignore[no-untyped-def]
    """a·∂no + b·∂yes of elements begin … end, to gs."""
    work = np.empty((6, CHUNK), a.dtype)
    scratch, yes, no, by_yes, by_no, packed = work[0], work[1], work[2], work[3], work[4], work[5]
    for at in range(begin, end, CHUNK):
        size = min(CHUNK, end - at)
        x = load(xs + at * like.itemsize, like, size, mode, scratch[:size])
        _measure(link, x, yes, no, by_yes, by_no)
        there = gs + at * like.itemsize
        g = row_at(there, a, size) if mode == 0 else packed[:size]
        _slope(a[at : at + size], by_no, b[at : at + size], by_yes, a.dtype.type(1), g)
        store(g, there, like, mode)


@jit
def _fill(out, value):  # type: ignore[no-untyped-def]
    # A loop, here and below: Numba takes seconds to compile an assignment to a slice, and milliseconds for this.
    for i in range(out.size):
        out[i] = value


@jit
def _expanded(c, start, out):  # type: ignore[no-untyped-def]
    """out[j] = c[(start + j) mod K]: once around, and then in copies of doubling length."""
    k = start % c.size
    around = min(c.size - k, out.size)
    for i in range(around):
        out[i] = c[k + i]
    filled = min(c.size, out.size)
    for i in range(around, filled):
        out[i] = c[i - around]
    while filled < out.size:
        size = min(filled, out.size - filled)
        low, high = out[:size], out[filled : filled + size]
        for i in range(size):
            high[i] = low[i]
        filled += size


@jit
def _target(address, kind, at, size, like, scratch):  # type: ignore[no-untyped-def]
    """t of ``size`` elements from ``at`` on, in the type of the arithmetic; a constant is in scratch already."""
    if kind == SAME_TYPE:
        return row_at(address + at * like.itemsize, like, size)
    out = scratch[:size]
    if kind == CONSTANT:
        return out
    if kind == BYTES:
        row = row_at(address + at, _BYTES, size)
        for i in range(size):
            out[i] = row[i]
        return out
    return load(address + 2 * at, _BITS, size, kind, out)


@jit
def _operand(address, how, classes, at, size, like, scratch):  # type: ignore[no-untyped-def]
    """``size`` numbers of an operand from element ``at`` on; what is one for all has been put in scratch before."""
    if how == EACH:
        return row_at(address + at * like.itemsize, like, size)
    out = scratch[:size]
    if how == CLASSES:
        _expanded(row_at(address, like, classes), at, out)
    return out


@jit
def _add(loss, size, lanes):  # type: ignore[no-untyped-def]
    """Σ loss[:size] into float64 lanes: halves are added until they are as long as the lanes, so equal numbers add
    exactly. What loss holds is lost."""
    _fill(loss[size:], 0)
    half = CHUNK // 2
    while half >= LANES:
        low, high = loss[:half], loss[half : 2 * half]
        for i in range(half):
            low[i] += high[i]
        half //= 2
    for i in range(LANES):
        lanes[i] += loss[i]


@jit
def _plain_scores(x, t, scale, loss, g):  # type: ignore[no-untyped-def]
    """ℓ = m·|x| + log(1 + e), g = ±scale·(m − o·e)/(1 + e): m is the mass of the side that x speaks against."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in range(x.size):
        size = abs(x[i])
        e = exp_of_drop(-size)
        positive = x[i] >= zero
        m = one - t[i] if positive else t[i]
        o = t[i] if positive else one - t[i]
        loss[i] = (zero if m == zero else m * size) + log1p_of_fraction(e)
        g[i] = (scale if positive else -scale) * ((m - o * e) / (one + e))


@jit
def _scores(x, t, w, v, scale, loss, g):  # type: ignore[no-untyped-def]
    """The same with weights: of the element, and of its yes side."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in range(x.size):
        size = abs(x[i])
        e = exp_of_drop(-size)
        positive = x[i] >= zero
        yes, no = v[i] * t[i], one - t[i]
        m = no if positive else yes
        o = yes if positive else no
        value = (zero if m == zero else m * size) + (m + o) * log1p_of_fraction(e)
        slope = (m - o * e) / (one + e)
        c = w[i] * (scale if positive else -scale)
        loss[i] = zero if w[i] == zero else w[i] * value
        g[i] = zero if w[i] == zero else c * slope


@jit
def _others(link, x, t, w, v, scale, parts, loss, g):  # type: ignore[no-untyped-def]
    """The same for probabilities and their logarithms."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    yes, no, by_yes, by_no = parts[0], parts[1], parts[2], parts[3]
    _measure(link, x, yes, no, by_yes, by_no)
    for i in range(x.size):
        a, b = one - t[i], v[i] * t[i]
        first = zero if (a == zero and no[i] == no[i]) else a * no[i]
        second = zero if (b == zero and yes[i] == yes[i]) else b * yes[i]
        loss[i] = zero if w[i] == zero else w[i] * (first + second)
        first = zero if (a == zero and by_no[i] == by_no[i]) else a * by_no[i]
        second = zero if (b == zero and by_yes[i] == by_yes[i]) else b * by_yes[i]
        g[i] = zero if w[i] == zero else scale * w[i] * (first + second)


@jit
def fused(xs, like, mode, ts, t_kind, kind, link, weights, scale, begin, end, count, gs, sums, ls):  # type: ignore[no-untyped-def]
    """Blocks begin … end of ``count`` elements: Σ ℓ of each block to sums, scale·∂ℓ to gs; Σ ℓ of the last block.

    Parameters
    ----------
    xs, like, mode : address of what Q holds, an array of its type, BFLOAT16 or FLOAT16 where that is of 16 bits
    ts, t_kind : address of t, and SAME_TYPE, BYTES, CONSTANT, BFLOAT16 or FLOAT16
    kind : an array of the type of the arithmetic
    link : see LINKS
    weights : None; or how the weight lies and its address, the same of the positive weight, and the length of the last
        axis. Weights are of the type of the arithmetic.
    gs, sums : addresses of the gradient, or None; and of one float64 a block or 0
    ls : address of the losses, which are then not added; or None
    """
    work = np.empty((6, CHUNK), kind.dtype)
    scratch, t_, w_, v_, loss, packed = work[0], work[1], work[2], work[3], work[4], work[5]
    parts = np.empty((4, CHUNK if link is not None else 0), kind.dtype)
    lanes = np.empty(LANES, np.float64)
    totals = row_at(sums, lanes, end)
    total = 0.0
    c = kind.dtype.type(scale)
    if t_kind == CONSTANT:
        _fill(t_, row_at(ts, kind, 1)[0])
    if weights is None:
        if link is not None:  # the loop of plain scores reads no weights
            _fill(w_, kind.dtype.type(1))
            _fill(v_, kind.dtype.type(1))
    else:
        w_how, ws, v_how, vs, classes = weights
        _fill(w_, row_at(ws, kind, 1)[0] if w_how == SAME else kind.dtype.type(1))
        _fill(v_, row_at(vs, kind, 1)[0] if v_how == SAME else kind.dtype.type(1))
    for block in range(begin, end):
        _fill(lanes, 0)
        stop = min(count, (block + 1) * BLOCK)
        for at in range(block * BLOCK, stop, CHUNK):
            size = min(CHUNK, stop - at)
            x = load(xs + at * like.itemsize, like, size, mode, scratch[:size])
            t = _target(ts, t_kind, at, size, kind, t_)
            there = 0
            if gs is not None:
                there = gs + at * like.itemsize
            g = row_at(there, kind, size) if mode == 0 and gs is not None else packed[:size]
            if ls is not None:
                loss = row_at(ls + at * kind.itemsize, kind, size)
            if weights is None:
                w, v = w_[:size], v_[:size]
            else:
                w = _operand(ws, w_how, classes, at, size, kind, w_)
                v = _operand(vs, v_how, classes, at, size, kind, v_)
            if link is not None:
                _others(link, x, t, w, v, c, parts, loss, g)
            elif weights is None:
                _plain_scores(x, t, c, loss, g)
            else:
                _scores(x, t, w, v, c, loss, g)
            if gs is not None:
                store(g, there, like, mode)
            if ls is None:
                _add(loss, size, lanes)
        total = 0.0
        for i in range(LANES):
            total += lanes[i]
        if sums != 0:
            totals[block] = total
    return total
