"""The passes over a tile of 64 rows, a class at a time, as intrinsics of compiled code: a lane is a row.

A tile is an array (class, 64) of the type of the arithmetic. See ``xent.kernels.cpu.passes`` for those over one row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from xent.kernels.cpu.lanes import LANES
from xent.kernels.cpu.vectors import Lanes

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_WIDE = ir.VectorType(ir.DoubleType(), LANES)


def _start(address: Any, lanes: Lanes) -> Any:
    """The first vector at an address."""
    return lanes.pointer(address, ir.Constant(_I64, 0))


def _each_class(lanes: Lanes, tile: Any, size: Any, body: Callable[[Any, Any, Any], None]) -> None:
    """``body(x, pointer, k)`` for the vector of each class."""
    b = lanes.builder
    with cgutils.for_range(b, size) as loop:
        pointer = lanes.pointer(tile, b.mul(loop.index, ir.Constant(_I64, LANES)))
        body(lanes.load(pointer), pointer, loop.index)


def _labelled(lanes: Lanes, labels: Any) -> Callable[[Any], Any]:
    """Of a class k, the rows whose label it is; ``labels`` is the address of 64 numbers of 32 bits."""
    b = lanes.builder
    pointer = b.inttoptr(labels, ir.VectorType(_I32, LANES).as_pointer())
    found = b.load(pointer, align=4)
    return lambda k: b.icmp_signed("==", found, lanes.splat(b.trunc(k, _I32)))


@intrinsic
def tile_peaks(typing: Any, tile: Any, like: Any, size: Any, peaks: Any) -> Any:
    """max z of each row to ``peaks``; NaN of a row that holds one."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile, _, size, peaks = args
        lanes = Lanes(builder, like.dtype)
        peak = cgutils.alloca_once_value(builder, lanes.number(-float("inf")))
        undefined = cgutils.alloca_once_value(builder, lanes.none())

        def body(x: Any, pointer: Any, k: Any) -> None:
            builder.store(lanes.larger(x, builder.load(peak)), peak)
            builder.store(builder.or_(builder.load(undefined), builder.fcmp_unordered("uno", x, x)), undefined)

        _each_class(lanes, tile, size, body)
        found = builder.select(builder.load(undefined), lanes.number(float("nan")), builder.load(peak))
        lanes.store(found, _start(peaks, lanes))
        return context.get_dummy_value()

    return types.void(types.int64, like, types.int64, types.int64), generate


@intrinsic
def tile_exponentials(typing: Any, tile: Any, like: Any, size: Any, peaks: Any, rests: Any) -> Any:
    """e^(z − m), in units, in place of z, and r of each row, in float64, to ``rests``.

    r is NaN where the softmax is not defined: for NaN, for no score that is finite, and for +∞ twice.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile, _, size, peaks, rests = args
        lanes = Lanes(builder, like.dtype)
        top = lanes.load(_start(peaks, lanes))
        zero, one = lanes.number(0.0), lanes.number(1.0)
        total = cgutils.alloca_once_value(builder, ir.Constant(_WIDE, [0.0] * LANES))
        ties = cgutils.alloca_once_value(builder, lanes.number(-1.0))

        def body(x: Any, pointer: Any, k: Any) -> None:
            at_peak = builder.fcmp_ordered("==", x, top)
            power = lanes.exp_in_units(builder.fsub(x, top))
            below = builder.select(at_peak, zero, power)
            below = below if below.type == _WIDE else builder.fpext(below, _WIDE)
            builder.store(builder.fadd(builder.load(total), below), total)
            builder.store(builder.fadd(builder.load(ties), builder.select(at_peak, one, zero)), ties)
            lanes.store(builder.select(at_peak, lanes.number(1 / lanes.unit), power), pointer)

        _each_class(lanes, tile, size, body)
        extra = builder.load(ties)
        infinite = builder.fcmp_ordered("==", top, lanes.number(float("inf")))
        twice = builder.and_(infinite, builder.fcmp_ordered(">", extra, zero))
        # Not above −∞: −∞ itself, and NaN.
        void = builder.or_(twice, builder.fcmp_unordered("<=", top, lanes.number(-float("inf"))))
        wide = extra if extra.type == _WIDE else builder.fpext(extra, _WIDE)
        rest = builder.fadd(builder.fmul(builder.load(total), ir.Constant(_WIDE, [lanes.unit] * LANES)), wide)
        rest = builder.select(void, ir.Constant(_WIDE, [float("nan")] * LANES), rest)
        places = builder.inttoptr(rests, _WIDE.as_pointer())
        builder.store(rest, places, align=8)
        return context.get_dummy_value()

    return types.void(types.int64, like, types.int64, types.int64, types.int64), generate


@intrinsic
def tile_picked(typing: Any, tile: Any, like: Any, size: Any, labels: Any, out: Any) -> Any:
    """The number of each row's label; NaN where it is no class."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile, _, size, labels, out = args
        lanes = Lanes(builder, like.dtype)
        at = _labelled(lanes, labels)
        found = cgutils.alloca_once_value(builder, lanes.number(float("nan")))

        def body(x: Any, pointer: Any, k: Any) -> None:
            builder.store(builder.select(at(k), x, builder.load(found)), found)

        _each_class(lanes, tile, size, body)
        lanes.store(builder.load(found), _start(out, lanes))
        return context.get_dummy_value()

    return types.void(types.int64, like, types.int64, types.int64, types.int64), generate


@intrinsic
def tile_mixed(  # type: ignore[no-untyped-def]
    typing, tile, like, size, labels, factors, shifts, bt, above, one
):
    """e·factor − shift in place of e, and for a row's label e·factor − bt, or ``above`` where e is ``one``.

    A power of one tells a peak; what stands above is as right for what is one by rounding.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile, _, size, labels, *rows, one = args
        lanes = Lanes(builder, like.dtype)
        at = _labelled(lanes, labels)
        peak = lanes.splat(one)
        factor, shift, share, top = (lanes.load(_start(address, lanes)) for address in rows)

        def body(e: Any, pointer: Any, k: Any) -> None:
            x = builder.fmul(e, factor)
            at_peak = builder.fcmp_ordered("==", e, peak)
            own = builder.select(at_peak, top, builder.fsub(x, share))
            lanes.store(builder.select(at(k), own, builder.fsub(x, shift)), pointer)

        _each_class(lanes, tile, size, body)
        return context.get_dummy_value()

    return types.void(types.int64, like, *(types.int64,) * 6, like.dtype), generate
