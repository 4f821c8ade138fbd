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


class _Peak:
    """A running maximum in lanes, which remembers NaN."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes, b = lanes, lanes.builder
        self.largest = cgutils.alloca_once_value(b, lanes.number(-_INFINITY))
        self.undefined = cgutils.alloca_once_value(b, lanes.none())

    def see(self, x: Any) -> None:
        b = self.lanes.builder
        b.store(self.lanes.larger(x, b.load(self.largest)), self.largest)
        b.store(b.or_(b.load(self.undefined), b.fcmp_unordered("uno", x, x)), self.undefined)

    def found(self) -> Any:
        b = self.lanes.builder
        largest = self.lanes.folded(b.load(self.largest), self.lanes.larger)
        nan = ir.Constant(largest.type, float("nan"))
        return b.select(self.lanes.any(b.load(self.undefined)), nan, largest)


@intrinsic
def peak_of(typing: Any, z: Any, like: Any, size: Any) -> Any:
    """max z; NaN where z holds one."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = Lanes(builder, like.dtype)
        peak = _Peak(lanes)
        each([(lanes, args[0], lanes.number(-_INFINITY))], args[2], lambda position, x: peak.see(x))
        return peak.found()

    return compute_type(like.dtype)(types.int64, like, types.int64), generate


@intrinsic
def adjust_row(typing: Any, z: Any, like: Any, size: Any, scale: Any, offset: Any, k: Any, at_k: Any, out: Any) -> Any:
    """z̃ = scale·z + offset at ``out``, where there is room for a multiple of 64 numbers, and max z̃ as of ``peak_of``.

    ``offset`` is the address of a row of the same type, or None; ``at_k`` is z̃ in place k (none where k < 0). The scale
    is positive. Of float32 and float64.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, _, size, scale, more, k, at_k, out = args
        lanes = Lanes(builder, like.dtype)
        factor, special = lanes.splat(scale), lanes.splat(at_k)
        peak = _Peak(lanes)
        changed = cgutils.alloca_once(builder, lanes.type)

        def body(position: Any, x: Any, o: Any = None) -> None:
            builder.store(builder.fmul(x, factor) if o is None else lanes.multiply_add(x, factor, o), changed)
            with builder.if_then(lanes.holds(position, k), likely=False):
                builder.store(builder.select(lanes.is_at(position, k), special, builder.load(changed)), changed)
            value = builder.load(changed)
            lanes.store(value, lanes.pointer(out, position))
            peak.see(value)

        rows = [(lanes, address, lanes.number(-_INFINITY))]
        if offset != types.none:
            rows.append((lanes, more, lanes.number(0.0)))
        each(rows, size, body)
        return peak.found()

    compute = compute_type(like.dtype)
    given = (types.int64, like, types.int64, compute, offset, types.int64, compute, types.int64)
    return compute(*given), generate


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
