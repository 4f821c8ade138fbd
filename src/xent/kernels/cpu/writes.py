"""The last pass over a row: from the exponentials that an earlier pass kept, the gradient, as it is stored."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from xent.kernels.cpu.lanes import LANES
from xent.kernels.cpu.passes import distance, mass_of
from xent.kernels.cpu.vectors import LINE, Lanes, compute_type, each

_I64 = ir.IntType(64)


def _long(value: int) -> Any:
    return ir.Constant(_I64, value)


@intrinsic
def write_scaled(
    typing: Any,
    e: Any,
    size: Any,
    out: Any,
    like: Any,
    first: Any,
    second: Any,
    shift: Any,
    k: Any,
    at_k: Any,
    past: Any,
) -> Any:
    """out = (e·first)·second − shift, and ``at_k`` in place k (none where k < 0).

    ``past`` sends whole lines to memory past the cache, so that they are not read before they are written: for a
    gradient that is larger than the cache. ``e`` can be read 64 numbers beyond its end.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, size, out, _, first, second, shift, k, at_k, past = args
        lanes, kept = Lanes(builder, like.dtype), Lanes(builder, compute_type(like.dtype))
        one, two, less, special = (lanes.splat(x) for x in (first, second, shift, at_k))

        def value(position: Any) -> Any:
            x = builder.fmul(builder.fmul(kept.load(kept.pointer(e, position)), one), two)
            return builder.select(lanes.is_at(position, k), special, builder.fsub(x, less))

        # Whole lines only go past the cache: the numbers before the first of them are an edge, like those at the end.
        to_line = builder.lshr(builder.and_(builder.neg(out), _long(LINE - 1)), _long(lanes.bytes.bit_length() - 1))
        before = builder.select(past, to_line, _long(0))
        before = builder.select(builder.icmp_signed("<", before, size), before, size)
        inner = builder.sub(size, before)
        after = builder.and_(inner, _long(LANES - 1))

        def whole(streaming: bool) -> None:
            with cgutils.for_range(builder, builder.lshr(inner, _long(LANES.bit_length() - 1))) as loop:
                position = builder.add(before, builder.mul(loop.index, _long(LANES)))
                lanes.store(value(position), lanes.pointer(out, position), streaming=streaming)

        with builder.if_else(past) as (yes, no):
            with yes:
                whole(True)
            with no:
                whole(False)
        edge = lanes.scratch()
        with cgutils.for_range(builder, _long(2)) as loop:
            start = builder.icmp_signed("==", loop.index, _long(0))
            position = builder.select(start, _long(0), builder.sub(size, after))
            lanes.store(value(position), edge)
            lanes.copy(lanes.pointer(out, position), edge, builder.select(start, before, after))
        return context.get_dummy_value()

    compute = compute_type(like.dtype)
    numbers = (compute,) * 3
    given = (types.int64, types.int64, types.int64, like, *numbers, types.int64, compute, types.boolean)
    return types.void(*given), generate


@intrinsic
def write_mixed(typing: Any, e: Any, z: Any, like: Any, p: Any, size: Any, out: Any, peak: Any, mixture: Any) -> Any:
    """out = a·q − b·t + h·q·(−log q − H) with t = on·p + off; p is a row of the type of the arithmetic.

    ``mixture`` is (first, second, a, b, on, off, r, scale, h, unit·scale, log1p(r) − H), of which
    q·a = (e·first)·second. At the peak a·q − b·t is ((a − b·t) − b·t·r)·scale, which does not cancel.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e, z, _, p, size, out, peak, mixture = args
        lanes, truth = Lanes(builder, like.dtype), Lanes(builder, compute_type(like.dtype))
        one, two, a, b, on, off, r, scale, h, to_q, excess = (
            lanes.splat(builder.extract_value(mixture, i)) for i in range(11)
        )
        top, zero = lanes.splat(peak), lanes.number(0.0)
        edge = lanes.scratch()

        def body(position: Any, x: Any, p: Any) -> None:
            power = truth.load(truth.pointer(e, position))
            bt = builder.fmul(b, mass_of(lanes, p, on, off))
            drop = distance(lanes, x, top)
            at_peak = builder.fcmp_ordered("==", drop, zero)
            below = builder.fsub(builder.fmul(builder.fmul(power, one), two), bt)
            above = builder.fmul(builder.fsub(builder.fsub(a, bt), builder.fmul(bt, r)), scale)
            slope = builder.fmul(builder.fmul(h, builder.fmul(power, to_q)), builder.fadd(drop, excess))
            slope = builder.select(builder.fcmp_ordered("==", power, zero), zero, slope)
            value = builder.fadd(builder.select(at_peak, above, below), slope)
            count = builder.sub(size, position)
            with builder.if_else(builder.icmp_signed("<", count, _long(LANES))) as (last, inner):
                with last:
                    lanes.store(value, edge)
                    lanes.copy(lanes.pointer(out, position), edge, count)
                with inner:
                    lanes.store(value, lanes.pointer(out, position))

        each([(lanes, z, top), (truth, p, truth.number(0.0))], size, body)
        return context.get_dummy_value()

    compute = compute_type(like.dtype)
    given = (
        types.int64,
        types.int64,
        like,
        types.int64,
        types.int64,
        types.int64,
        compute,
        types.UniTuple(compute, 11),
    )
    return types.void(*given), generate
