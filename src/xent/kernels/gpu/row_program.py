"""One program for softmax rows: statistics, the gradient from row scalars, and both at once.

A program has R rows. Where they fit (HELD) they are read once and stay in registers; else it has one row, which is read
in pieces, and again for the gradient, by then from the second-level cache where the rows at work fit there (see
``launch.cut_of``). What depends on the row alone is done for the row, the truth's own gradient too.
"""

from __future__ import annotations

import triton
import triton.language as tl

from xent.kernels.gpu import bits
from xent.kernels.gpu.numbers import log1p, rounded
from xent.kernels.gpu.passes import absorb, first_of, gradient_of, read, rest_of, score_of, slope_of

_LOSS, _LSE, _ENTROPY, _ARGMAX, _SUM = (
    tl.constexpr(bit) for bit in (bits.LOSS, bits.LSE, bits.ENTROPY, bits.ARGMAX, bits.SCORE_SUM)
)
_FACTOR, _TRUTH, _CAP = (tl.constexpr(bit) for bit in (bits.FACTOR, bits.TRUTH, bits.CAP))
_NONE, _HARD, _SMOOTHED, _SOFT, _LABELLED = (
    tl.constexpr(kind) for kind in (bits.NONE, bits.HARD, bits.SMOOTHED, bits.SOFT, bits.LABELLED)
)
_UNCHECKED = tl.constexpr(bits.UNCHECKED)
_MIXED_ENTROPY, _FUSED, _UNLESS_ONE = (tl.constexpr(kind) for kind in (bits.MIXED_ENTROPY, bits.FUSED, bits.UNLESS_ONE))
_NOWHERE = tl.constexpr(2147483647)


@triton.jit(do_not_specialize=["count"])
def rows(  # type: ignore[no-untyped-def]
    z, out, index, probs, a_, b_, h_, replaced_, truth_slope_, offset, weights, p_shift_, above_,
    losses, lses, entropies, sums, firsts,
    count, classes,
    stride, step, plane, leap,
    out_stride, out_step, out_plane, out_leap,
    p_stride, p_step, p_plane, p_leap,
    on, off, factor, cap, z_loss, form_factor, epsilon, form_q, gamma, limit, highest, tolerance,
    p_factor,
    WANT: tl.constexpr, TARGET: tl.constexpr, CHECK: tl.constexpr, GRADIENT: tl.constexpr, OWN_MASS: tl.constexpr,
    ADJUSTS: tl.constexpr, ABOVE: tl.constexpr, SHAPED: tl.constexpr, HELD: tl.constexpr, R: tl.constexpr,
    B: tl.constexpr, ALIGNED: tl.constexpr, FLAT: tl.constexpr, PTX: tl.constexpr,
):  # fmt: skip
    """``index``, a, b, h and what goes with the truth are one number a row; layouts as in ``xent.kernels.layout``.

    a, b and h where GRADIENT says so; where it is FUSED, c is in the place of a, and where OWN_MASS, a is without b·Σt.
    ``weights``: one number a class, that multiplies t. p_shift_: where there is one, log p is p_factor·probs − p_shift.
    CHECK: a row of what is no probability, or of a sum that is not 1, is NaN. R is 1 where rows are not HELD.
    FLAT: row after row is one step further, and no leap. ALIGNED divides the number of classes and every step between
    rows: by so many numbers memory is read at a time.
    """
    # Triton believes a product.
    classes = classes // ALIGNED * ALIGNED
    step, leap = step // ALIGNED * ALIGNED, leap // ALIGNED * ALIGNED
    out_step, out_leap = out_step // ALIGNED * ALIGNED, out_leap // ALIGNED * ALIGNED
    p_step, p_leap = p_step // ALIGNED * ALIGNED, p_leap // ALIGNED * ALIGNED
    above = 1.0
    if ABOVE:
        above = tl.load(above_).to(tl.float32)
        if ABOVE == _UNLESS_ONE:
            if above == 1.0:
                return
    row = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    there = row < count
    base = z + row * step
    if not FLAT:
        base = z + (row // plane) * leap + (row % plane) * step
    dead = row >= count
    a = tl.zeros([R], tl.float32)
    b, h, c = a, a, a
    if GRADIENT == _FUSED:
        c = tl.load(a_ + row, mask=there, other=0.0)
        if ABOVE:
            c = tl.where(c == 0.0, 0.0, tl.where(above == 0.0, 0.0, c * above))
        dead = c == 0.0
    elif GRADIENT:
        a = tl.load(a_ + row, mask=there, other=0.0)
        b = tl.load(b_ + row, mask=there, other=0.0)
        dead = (a == 0.0) & (b == 0.0)
        if GRADIENT == _MIXED_ENTROPY:
            h = tl.load(h_ + row, mask=there, other=0.0)
            dead = dead & (h == 0.0)
    truth = tl.full([R], -1, tl.int64)
    known = there
    replaced = tl.zeros([R], tl.float32)
    truth_slope = replaced
    if (TARGET == _HARD) or (TARGET == _SMOOTHED) or (TARGET == _LABELLED):
        truth = tl.load(index + row, mask=there, other=0)
        known = there & (truth >= 0) & (truth < classes)
        if _TRUTH & ADJUSTS:
            replaced = tl.load(replaced_ + row, mask=there, other=0.0)
            truth_slope = tl.load(truth_slope_ + row, mask=there, other=0.0)
    p_base = probs
    if (TARGET >= _SOFT) and (TARGET != _LABELLED):
        p_base = probs + row * p_step
        if not FLAT:
            p_base = probs + (row // p_plane) * p_leap + (row % p_plane) * p_step

    shift = p_shift_
    if p_shift_ is not None:
        shift = tl.load(p_shift_ + row, mask=there, other=0.0)

    peak = tl.full([R], -float("inf"), tl.float32)
    rest = tl.zeros([R], tl.float32)
    ties, drops, dot, mass, spread, total = rest, rest, rest, rest, rest, rest
    piece = tl.zeros([R], tl.int32)
    reads = there & (dead == 0)
    # Of a row that does not count nothing is read.
    end = classes * tl.max(reads.to(tl.int32), axis=0)
    whole = end // B * B
    if HELD:
        columns, wide, valid, x, slope, t, p = read(
            base, stride, 0, reads, classes, truth, replaced, factor, offset, cap, p_base, p_stride, on, off,
            weights, highest, shift, p_factor, TARGET, ADJUSTS, CHECK, True, B,
        )  # fmt: skip
        peak, rest, ties, drops, dot, mass, spread, total, piece = absorb(
            x, valid, t, p, 0, peak, rest, ties, drops, dot, mass, spread, total, piece, on, off,
            WANT, TARGET, CHECK, True, PTX,
        )  # fmt: skip
    else:
        for begin in tl.range(0, whole, B, num_stages=2):
            columns, wide, valid, x, slope, t, p = read(
                base, stride, begin, reads, classes, truth, replaced, factor, offset, cap, p_base, p_stride, on, off,
                weights, highest, shift, p_factor, TARGET, ADJUSTS, CHECK, False, B,
            )  # fmt: skip
            peak, rest, ties, drops, dot, mass, spread, total, piece = absorb(
                x, valid, t, p, begin, peak, rest, ties, drops, dot, mass, spread, total, piece, on, off,
                WANT, TARGET, CHECK, False, PTX,
            )  # fmt: skip
        for begin in range(whole, end, B):
            columns, wide, valid, x, slope, t, p = read(
                base, stride, begin, reads, classes, truth, replaced, factor, offset, cap, p_base, p_stride, on, off,
                weights, highest, shift, p_factor, TARGET, ADJUSTS, CHECK, True, B,
            )  # fmt: skip
            peak, rest, ties, drops, dot, mass, spread, total, piece = absorb(
                x, valid, t, p, begin, peak, rest, ties, drops, dot, mass, spread, total, piece, on, off,
                WANT, TARGET, CHECK, True, PTX,
            )  # fmt: skip

    rest = rest_of(peak, rest, ties)
    if _ARGMAX & WANT:
        if HELD:
            first, void = first_of(x == peak[:, None], columns), first_of(x != x, columns)
        else:
            # The piece of the peak once more; and all, where there is NaN.
            columns, wide, valid, x, slope, t, p = read(
                base, stride, tl.max(piece, axis=0), reads, classes, truth, replaced, factor, offset, cap, p_base,
                p_stride, on, off, weights, highest, shift, p_factor, _NONE, ADJUSTS, _UNCHECKED, True, B,
            )  # fmt: skip
            first = first_of(x == peak[:, None], columns)
            void = tl.full([R], _NOWHERE, tl.int32)
            for begin in range(0, classes * tl.max((rest != rest).to(tl.int32), axis=0), B):
                columns, wide, valid, x, slope, t, p = read(
                    base, stride, begin, reads, classes, truth, replaced, factor, offset, cap, p_base, p_stride, on,
                    off, weights, highest, shift, p_factor, _NONE, ADJUSTS, _UNCHECKED, True, B,
                )  # fmt: skip
                void = tl.minimum(void, first_of(x != x, columns))
        tl.store(firsts + row, tl.where(void < _NOWHERE, void, first).to(tl.int64), mask=there)
    if GRADIENT:
        # What makes each number of a row that does not count 0·e^(−∞).
        rest = tl.where(dead, 0.0, rest)
        peak = tl.where(dead, 0.0, peak)
    excess = log1p(rest)
    lse = peak + excess
    entropy = excess + spread / (1.0 + rest)
    loss = tl.zeros([R], tl.float32)
    score, truth_cap = loss, 1.0
    if (TARGET == _HARD) or (TARGET == _SMOOTHED):
        place = tl.where(known, truth, 0)
        score, truth_cap = score_of(base + place * stride, known & reads, place, replaced, factor, offset, cap, ADJUSTS)
        drop = tl.where(score == peak, 0.0, peak - tl.where(score == peak, 0.0, score))
        loss = tl.where(on == 0.0, 0.0 * excess, on * (drop + excess))
        if TARGET == _SMOOTHED:
            loss += off * (drops + classes * excess)
        mass = tl.zeros([R], tl.float32) + (on + off * classes)
        loss = tl.where(known, loss, float("nan"))
    if TARGET >= _SOFT:
        if CHECK:
            mass = tl.where(tl.abs(mass - 1.0) > tolerance, float("nan"), mass) * on + off * classes
        loss = tl.where(known, dot + mass * excess, float("nan"))
    if GRADIENT:
        # Where the gradient takes the place of the scores, the truth's has been read by now.
        tl.debug_barrier()
    if GRADIENT == _FUSED:
        loss = tl.where(dead, 0.0, loss)
        lse = tl.where(dead, 0.0, lse)
    if losses is not None:
        tl.store(losses + row, loss, mask=there)
    if lses is not None:
        tl.store(lses + row, lse, mask=there)
    if entropies is not None:
        tl.store(entropies + row, entropy, mask=there)
    if _SUM & WANT:
        tl.store(sums + row, total, mask=there)

    if GRADIENT:
        if GRADIENT == _FUSED:
            b = c
            if SHAPED:
                b = tl.where(dead, 0.0, c * slope_of(loss, form_factor, epsilon, form_q, gamma, limit))
            a = tl.where(dead, 0.0, b * mass)
            if _LSE & WANT:
                if z_loss != 0.0:
                    a += 2.0 * z_loss * c * lse
        elif OWN_MASS:
            a = tl.where(dead, 0.0, a + b * mass)
        # A label outside the classes makes its row NaN.
        a = tl.where(known | dead, a, float("nan"))
        at_truth = h
        if (TARGET == _HARD) or (TARGET == _SMOOTHED):
            bt = b * (on + off)
            same = score == peak
            share = 1.0 / (1.0 + rest)
            e = tl.exp(tl.where(same, 0.0, score - peak))
            at_truth = tl.where(same, ((a - bt) - bt * rest) * share, a * share * e - bt)
            if GRADIENT == _MIXED_ENTROPY:
                q = e * share
                at_truth += h * tl.where(q == 0.0, 0.0, q * (tl.where(same, 0.0, peak - score) + excess - entropy))
            if _FACTOR & ADJUSTS:
                at_truth *= factor
            if _CAP & ADJUSTS:
                at_truth *= truth_cap
            if _TRUTH & ADJUSTS:
                at_truth *= truth_slope
            at_truth = tl.where(dead, 0.0, at_truth)
        target = out + row * out_step
        if not FLAT:
            target = out + (row // out_plane) * out_leap + (row % out_plane) * out_step
        kind = out.dtype.element_ty
        if HELD:
            found = gradient_of(
                x, t, slope, peak, rest, a, b, h, excess, entropy, off, factor,
                TARGET, GRADIENT == _MIXED_ENTROPY, ADJUSTS, PTX,
            )  # fmt: skip
            tl.store(
                target[:, None] + wide * out_stride,
                rounded(found, kind, PTX),
                mask=there[:, None] & (columns[None, :] < classes),
            )
        else:
            for begin in tl.range(0, whole, B, num_stages=2):
                columns, wide, valid, x, slope, t, p = read(
                    base, stride, begin, reads, classes, truth, replaced, factor, offset, cap, p_base, p_stride, on,
                    off, weights, highest, shift, p_factor, TARGET, ADJUSTS, _UNCHECKED, False, B,
                )  # fmt: skip
                found = gradient_of(
                    x, t, slope, peak, rest, a, b, h, excess, entropy, off, factor,
                    TARGET, GRADIENT == _MIXED_ENTROPY, ADJUSTS, PTX,
                )  # fmt: skip
                # Not to push the scores of other rows out of the cache.
                tl.store(target[:, None] + wide * out_stride, rounded(found, kind, PTX), eviction_policy="evict_first")
            for begin in range(whole, classes, B):
                columns, wide, valid, x, slope, t, p = read(
                    base, stride, begin, reads, classes, truth, replaced, factor, offset, cap, p_base, p_stride, on,
                    off, weights, highest, shift, p_factor, TARGET, ADJUSTS, _UNCHECKED, True, B,
                )  # fmt: skip
                found = gradient_of(
                    x, t, slope, peak, rest, a, b, h, excess, entropy, off, factor,
                    TARGET, GRADIENT == _MIXED_ENTROPY, ADJUSTS, PTX,
                )  # fmt: skip
                tl.store(
                    target[:, None] + wide * out_stride, rounded(found, kind, PTX), mask=columns[None, :] < classes
                )
        if (TARGET == _HARD) or (TARGET == _SMOOTHED):
            # After all of the program's threads have written what this is written over.
            tl.debug_barrier()
            tl.store(target + place * out_stride, rounded(at_truth, kind, PTX), mask=known)
