"""The passes over one row, as intrinsics of compiled code: each reads a row of scores, and says a number or two.

Sums run in 64 lanes of the type of the arithmetic and leave a pass in float64; the caller cuts a row into blocks, so
that the error of a sum does not grow with the number of classes. ``like`` is an empty array of the type that is stored
(``vectors.BFLOAT16`` and ``FLOAT16`` for half precision); addresses are integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from xent.kernels.cpu.vectors import Lanes, compute_type, each

_INFINITY = float("inf")
_I64, _DOUBLE = ir.IntType(64), ir.DoubleType()


class _Sum:
    """A running sum in lanes."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.room = cgutils.alloca_once_value(lanes.builder, lanes.number(0.0))

    def add(self, x: Any) -> None:
        b = self.lanes.builder
        b.store(b.fadd(b.load(self.room), x), self.room)

    def total(self) -> Any:
        return self.lanes.total(self.lanes.builder.load(self.room))


def distance(lanes: Lanes, x: Any, peak: Any) -> Any:
    """peak − x, and 0 at the peak even where it is infinite."""
    b = lanes.builder
    return b.select(b.fcmp_ordered("==", x, peak), lanes.number(0.0), b.fsub(peak, x))


@intrinsic
def number_at(typing: Any, address: Any, like: Any, position: Any) -> Any:
    """One number of a row."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        one = Lanes(builder, like.dtype, 1)
        return builder.extract_element(one.load(one.pointer(args[0], args[2])), ir.Constant(ir.IntType(32), 0))

    return compute_type(like.dtype)(types.int64, like, types.int64), generate


@intrinsic
def put_number(typing: Any, x: Any, address: Any, like: Any, position: Any) -> Any:
    """Store one number of a row."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        one = Lanes(builder, like.dtype, 1)
        one.store(one.splat(args[0]), one.pointer(args[1], args[3]))
        return context.get_dummy_value()

    return types.void(compute_type(like.dtype), types.int64, like, types.int64), generate


@intrinsic
def peak_of(typing: Any, z: Any, like: Any, size: Any) -> Any:
    """max z; NaN where z holds one."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = Lanes(builder, like.dtype)
        peak = cgutils.alloca_once_value(builder, lanes.number(-_INFINITY))
        undefined = cgutils.alloca_once_value(builder, lanes.none())

        def body(position: Any, x: Any) -> None:
            builder.store(lanes.larger(x, builder.load(peak)), peak)
            builder.store(builder.or_(builder.load(undefined), builder.fcmp_unordered("uno", x, x)), undefined)

        each([(lanes, args[0], lanes.number(-_INFINITY))], args[2], body)
        largest = lanes.folded(builder.load(peak), lanes.larger)
        nan = ir.Constant(largest.type, float("nan"))
        return builder.select(lanes.any(builder.load(undefined)), nan, largest)

    return compute_type(like.dtype)(types.int64, like, types.int64), generate


def _exponentials(keep: bool) -> Any:
    @intrinsic
    def exponentials(typing: Any, z: Any, like: Any, size: Any, peak: Any, e: Any, ahead: Any) -> Any:
        kind = types.Tuple((types.float64, types.int64))

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address, _, size, peak, kept, ahead = args
            lanes = Lanes(builder, like.dtype)
            computed = Lanes(builder, compute_type(like.dtype))
            top = lanes.splat(peak)
            rest = _Sum(lanes)
            ties = cgutils.alloca_once_value(builder, lanes.whole(0))

            def body(position: Any, x: Any) -> None:
                lanes.read_ahead(ahead, position)
                drop = builder.fsub(x, top)
                power = lanes.exp_in_units(drop)
                at_peak = builder.fcmp_ordered("==", drop, lanes.number(0.0))
                rest.add(builder.select(at_peak, lanes.number(0.0), power))
                count = builder.load(ties)
                builder.store(builder.select(at_peak, builder.add(count, lanes.whole(1)), count), ties)
                if keep:
                    computed.store(power, computed.pointer(kept, position))

            each([(lanes, address, lanes.number(-_INFINITY))], size, body)
            total = builder.fmul(rest.total(), ir.Constant(_DOUBLE, lanes.unit))
            count = lanes.folded(builder.load(ties), builder.add)
            count = count if count.type == _I64 else builder.sext(count, _I64)
            return context.make_tuple(builder, kind, [total, count])

        compute = compute_type(like.dtype)
        return kind(types.int64, like, types.int64, compute, types.int64, types.int64), generate

    return exponentials


#: (Σ e^(z − peak) over what is below the peak, how many are at it). ``ahead`` is where to read next. The first also
#: keeps e^(z − peak), in units, at ``e``, where there is room for a multiple of 64 numbers.
keep_exponentials = _exponentials(True)
sum_exponentials = _exponentials(False)


def _row_sum(term: Callable[[Lanes, Any, Any], Any]) -> Any:
    """Σ term(z, peak) over a row; a term is 0 at the peak, so the peak is what stands beyond the row's end."""

    @intrinsic
    def row_sum(typing: Any, z: Any, like: Any, size: Any, peak: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            lanes = Lanes(builder, like.dtype)
            top, total = lanes.splat(args[3]), _Sum(lanes)

            def body(position: Any, x: Any) -> None:
                total.add(term(lanes, x, top))

            each([(lanes, args[0], top)], args[2], body)
            return total.total()

        return types.float64(types.int64, like, types.int64, compute_type(like.dtype)), generate

    return row_sum


def _entropy_term(lanes: Lanes, x: Any, peak: Any) -> Any:
    """e^(x − peak)·(peak − x)/unit, with 0·∞ = 0."""
    b = lanes.builder
    drop = distance(lanes, x, peak)
    power = lanes.exp_in_units(b.fneg(drop))
    nothing = b.fcmp_ordered("==", power, lanes.number(0.0))
    return b.select(nothing, lanes.number(0.0), b.fmul(power, drop))


#: Σ (peak − z).
sum_drops = _row_sum(distance)
#: Σ e^(z − peak)·(peak − z), in units.
sum_entropy = _row_sum(_entropy_term)


@intrinsic
def adjust_row(typing: Any, z: Any, like: Any, size: Any, scale: Any, offset: Any, out: Any) -> Any:
    """scale·z + offset at ``out``, where there is room for a multiple of 64 numbers; ``offset`` is a row of the same
    type. Of float32 and float64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, _, size, scale, offset, out = args
        lanes = Lanes(builder, like.dtype)
        factor = lanes.splat(scale)

        def body(position: Any, x: Any, o: Any) -> None:
            lanes.store(lanes.multiply_add(x, factor, o), lanes.pointer(out, position))

        each([(lanes, address, lanes.number(0.0)), (lanes, offset, lanes.number(0.0))], size, body)
        return context.get_dummy_value()

    compute = compute_type(like.dtype)
    return types.void(types.int64, like, types.int64, compute, types.int64, types.int64), generate


@intrinsic
def sum_scores(typing: Any, z: Any, like: Any, size: Any) -> Any:
    """Σ z."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = Lanes(builder, like.dtype)
        total = _Sum(lanes)
        each([(lanes, args[0], lanes.number(0.0))], args[2], lambda position, x: total.add(x))
        return total.total()

    return types.float64(types.int64, like, types.int64), generate


def mass_of(lanes: Lanes, p: Any, on: Any, off: Any) -> Any:
    """t = on·p + off."""
    return lanes.multiply_add(on, p, off)


def _times(lanes: Lanes, mass: Any, value: Any) -> Any:
    """mass·value, with 0·∞ = 0; value is not NaN."""
    b = lanes.builder
    return b.select(b.fcmp_ordered("==", mass, lanes.number(0.0)), lanes.number(0.0), b.fmul(mass, value))


@intrinsic
def sum_target(typing: Any, z: Any, like: Any, size: Any, peak: Any, p: Any, on: Any, off: Any) -> Any:
    """(Σ t·(peak − z), Σ p) with t = on·p + off; p is a row of the type of the arithmetic."""
    kind = types.Tuple((types.float64, types.float64))

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, _, size, peak, target, on, off = args
        lanes, truth = Lanes(builder, like.dtype), Lanes(builder, compute_type(like.dtype))
        top, on, off = (lanes.splat(x) for x in (peak, on, off))
        dot, mass = _Sum(lanes), _Sum(lanes)

        def body(position: Any, x: Any, p: Any) -> None:
            dot.add(_times(lanes, mass_of(lanes, p, on, off), distance(lanes, x, top)))
            mass.add(p)

        each([(lanes, address, top), (truth, target, truth.number(0.0))], size, body)
        return context.make_tuple(builder, kind, [dot.total(), mass.total()])

    compute = compute_type(like.dtype)
    return kind(types.int64, like, types.int64, compute, types.int64, compute, compute), generate


@intrinsic
def settle(typing: Any) -> Any:
    """Wait until what was stored past the cache can be seen by other threads."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate
