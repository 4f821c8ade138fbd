"""Rows of numbers, 64 at a time, as LLVM vectors: what the passes over a row are generated from.

A loop over 64 accumulators becomes vector instructions only as long as LLVM sees through it, and never with stores that
go past the cache or reads ahead of time. So the passes of ``xent.kernels.cpu.passes`` state their vectors themselves;
LLVM cuts them to the registers of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from xent.kernels.cpu.lanes import DOUBLE, LANES, SINGLE

_I1, _I8, _I32, _I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
LINE = 64  # bytes of a cache line, and the alignment of a store that goes past the cache

#: The type that stands for 16-bit numbers in compiled code.
BFLOAT16, FLOAT16 = types.uint16, types.int16
_CELLS = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    BFLOAT16: ir.IntType(16),
    FLOAT16: ir.IntType(16),
}
_HALF = (BFLOAT16, FLOAT16)


def compute_type(stored: Any) -> Any:
    """The type of the arithmetic: float32 for half precision."""
    return types.float64 if stored == types.float64 else types.float32


class Lanes:
    """Vectors of ``width`` numbers that are stored as ``stored`` and computed in float32 or float64."""

    def __init__(self, builder: Any, stored: Any, width: int = LANES) -> None:
        self.builder, self.stored, self.width = builder, stored, width
        self.of = DOUBLE if stored == types.float64 else SINGLE
        self.cell = _CELLS[stored]
        self.bytes = {types.float64: 8, types.float32: 4}.get(stored, 2)
        self.type = ir.VectorType(self.of.llvm, width)
        self.integers = ir.VectorType(self.of.integer, width)
        self.booleans = ir.VectorType(_I1, width)

    def number(self, value: float) -> Any:
        return ir.Constant(self.type, [value] * self.width)

    def whole(self, value: int) -> Any:
        return ir.Constant(self.integers, [value] * self.width)

    def none(self) -> Any:
        return ir.Constant(self.booleans, [0] * self.width)

    def splat(self, x: Any) -> Any:
        """A number in every lane."""
        blank = ir.Constant(ir.VectorType(x.type, self.width), ir.Undefined)
        first = self.builder.insert_element(blank, x, ir.Constant(_I32, 0))
        return self.builder.shuffle_vector(first, blank, ir.Constant(ir.VectorType(_I32, self.width), [0] * self.width))

    def multiply_add(self, u: Any, v: Any, w: Any) -> Any:
        return self.builder.fadd(self.builder.fmul(u, v, flags=("contract",)), w, flags=("contract",))

    # Places

    @property
    def places(self) -> Any:
        """0, 1, 2 …"""
        return ir.Constant(ir.VectorType(_I32, self.width), list(range(self.width)))

    def holds(self, position: Any, k: Any) -> Any:
        """Whether number k is among those from a position on."""
        return self.builder.icmp_unsigned("<", self.builder.sub(k, position), ir.Constant(_I64, self.width))

    def is_at(self, position: Any, k: Any) -> Any:
        """In which lane number k is, which is none for k < 0."""
        b = self.builder
        lane = b.select(self.holds(position, k), b.sub(k, position), ir.Constant(_I64, -1))
        return b.icmp_signed("==", self.places, self.splat(b.trunc(lane, _I32)))

    # Memory

    def pointer(self, address: Any, position: Any) -> Any:
        """To the ``width`` numbers from a position on."""
        start = self.builder.inttoptr(address, self.cell.as_pointer())
        return self.builder.bitcast(
            self.builder.gep(start, [position]), ir.VectorType(self.cell, self.width).as_pointer()
        )

    def load(self, pointer: Any) -> Any:
        return self.widened(self.builder.load(pointer, align=self.bytes))

    def store(self, x: Any, pointer: Any, *, streaming: bool = False) -> None:
        """``streaming`` past the cache; the pointer is then at the start of a cache line."""
        done = self.builder.store(self.narrowed(x), pointer, align=LINE if streaming else self.bytes)
        if streaming:
            done.set_metadata("nontemporal", self.builder.module.add_metadata([ir.Constant(_I32, 1)]))

    def read_ahead(self, address: Any, position: Any, *, write: bool = False) -> None:
        """Ask for the lines from a position on, to read or to write; an address that does not exist is no error."""
        kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32])
        function = self.builder.module.globals.get("llvm.prefetch.p0")
        if function is None:
            function = ir.Function(self.builder.module, kind, "llvm.prefetch.p0")
        start = self.builder.bitcast(self.pointer(address, position), _I8.as_pointer())
        for line in range(0, self.width * self.bytes, LINE):
            at = self.builder.gep(start, [ir.Constant(_I64, line)])
            self.builder.call(function, [at, ir.Constant(_I32, int(write)), ir.Constant(_I32, 2), ir.Constant(_I32, 1)])

    def scratch(self) -> Any:
        """Room for one vector, as it is stored."""
        return cgutils.alloca_once(self.builder, ir.VectorType(self.cell, self.width))

    def copy(self, target: Any, source: Any, count: Any) -> None:
        cgutils.raw_memcpy(self.builder, target, source, count, self.bytes)

    # Half precision

    def widened(self, raw: Any) -> Any:
        """As stored, to the type of the arithmetic."""
        b = self.builder
        if self.stored not in _HALF:
            return raw
        bits = b.zext(raw, self.integers)
        if self.stored == BFLOAT16:
            return b.bitcast(b.shl(bits, self.whole(16)), self.type)
        # Exponent and mantissa shifted into place and scaled by 2¹¹², which makes subnormal numbers right too.
        magnitude = b.and_(bits, self.whole(0x7FFF))
        shifted = b.shl(magnitude, self.whole(13))
        value = b.fmul(b.bitcast(shifted, self.type), self.number(2.0**112))
        special = b.bitcast(b.or_(shifted, self.whole(0x7F800000)), self.type)
        value = b.select(b.icmp_signed(">=", magnitude, self.whole(0x7C00)), special, value)
        sign = b.shl(b.and_(bits, self.whole(0x8000)), self.whole(16))
        return b.bitcast(b.or_(b.bitcast(value, self.integers), sign), self.type)

    def narrowed(self, x: Any) -> Any:
        """To what is stored: to nearest, ties to even; NaN stays NaN."""
        b = self.builder
        if self.stored not in _HALF:
            return x
        bits = b.bitcast(x, self.integers)
        undefined = b.fcmp_unordered("uno", x, x)
        if self.stored == BFLOAT16:
            odd = b.and_(b.lshr(bits, self.whole(16)), self.whole(1))
            value = b.lshr(b.add(b.add(bits, self.whole(0x7FFF)), odd), self.whole(16))
            return b.trunc(b.select(undefined, self.whole(0x7FC0), value), ir.VectorType(self.cell, self.width))
        sign = b.and_(b.lshr(bits, self.whole(16)), self.whole(0x8000))
        magnitude = b.and_(bits, self.whole(0x7FFFFFFF))
        # Normal: round at bit 13 in integers. Subnormal: x + ½ leaves x/2⁻²⁴ in the low bits of the float32.
        odd = b.and_(b.lshr(magnitude, self.whole(13)), self.whole(1))
        normal = b.add(b.sub(magnitude, self.whole(0x38000000 - 0xFFF)), odd)
        normal = b.ashr(normal, self.whole(13))
        small = b.bitcast(b.fadd(b.bitcast(magnitude, self.type), self.number(0.5)), self.integers)
        small = b.sub(small, self.whole(0x3F000000))
        value = b.select(b.icmp_signed("<", magnitude, self.whole(0x38800000)), small, normal)
        value = b.select(b.icmp_signed(">", value, self.whole(0x7C00)), self.whole(0x7C00), value)
        value = b.select(undefined, self.whole(0x7E00), value)
        return b.trunc(b.or_(value, sign), ir.VectorType(self.cell, self.width))

    # Arithmetic

    @property
    def unit(self) -> float:
        """What ``exp_in_units`` counts in: e^x in it is a normal number for every e^x that is not zero."""
        return 2.0**-60 if self.of is DOUBLE else 2.0**-25

    def exp_in_units(self, x: Any) -> Any:
        """e^x/unit for x ≤ 0: x = n·ln 2 + f with n whole, and 2ⁿ is added to the exponent of e^f. Not for NaN."""
        b, of = self.builder, self.of
        vanishes = b.fcmp_ordered("<", x, self.number(of.lowest))
        shifted = self.multiply_add(x, self.number(1.4426950408889634), self.number(of.magic))
        n = b.fsub(shifted, self.number(of.magic))
        f = self.multiply_add(n, self.number(-of.high), x)
        f = self.multiply_add(n, self.number(-of.low), f)
        p = self.number(of.series[0] / self.unit)
        for coefficient in (*of.series[1:], 1.0):
            p = self.multiply_add(p, f, self.number(coefficient / self.unit))
        power = b.shl(b.bitcast(shifted, self.integers), self.whole(of.mantissa))
        e = b.bitcast(b.add(b.bitcast(p, self.integers), power), self.type)
        return b.select(vanishes, self.number(0.0), e)

    def folded(self, x: Any, join: Callable[[Any, Any], Any]) -> Any:
        """The lanes joined to one number: the first half with the second, and again. Always in the same order."""
        b, width = self.builder, self.width
        blank = ir.Constant(x.type, ir.Undefined)
        while width > 1:
            width //= 2
            low, high = (
                b.shuffle_vector(x, blank, ir.Constant(ir.VectorType(_I32, width), list(range(start, start + width))))
                for start in (0, width)
            )
            x, blank = join(low, high), ir.Constant(ir.VectorType(x.type.element, width), ir.Undefined)
        return b.extract_element(x, ir.Constant(_I32, 0))

    def total(self, x: Any) -> Any:
        """The sum of the lanes, in float64."""
        wide = ir.VectorType(ir.DoubleType(), self.width)
        return self.folded(x if x.type == wide else self.builder.fpext(x, wide), self.builder.fadd)

    def any(self, x: Any) -> Any:
        """Whether a lane of booleans is true."""
        bits = ir.IntType(self.width)
        return self.builder.icmp_unsigned("!=", self.builder.bitcast(x, bits), ir.Constant(bits, 0))

    def larger(self, x: Any, y: Any) -> Any:
        """The larger of two; y where x is NaN."""
        return self.builder.select(self.builder.fcmp_ordered(">", x, y), x, y)


Row = tuple[Lanes, Any, Any]


def each(rows: Sequence[Row], size: Any, body: Callable[..., None]) -> None:
    """``body(position, x, …)`` for all numbers of some rows of one size, a vector at a time.

    A row is its lanes, its address and a vector of what is read beyond its end: nothing outside it is touched.
    """
    b, width = rows[0][0].builder, rows[0][0].width
    whole = b.and_(size, ir.Constant(_I64, -width))
    rest = b.sub(size, whole)
    ends = []
    for lanes, address, beyond in rows:
        end = lanes.scratch()
        lanes.store(beyond, end)
        lanes.copy(end, lanes.pointer(address, whole), rest)
        ends.append(end)
    count = b.lshr(b.add(size, ir.Constant(_I64, width - 1)), ir.Constant(_I64, width.bit_length() - 1))
    with cgutils.for_range(b, count) as loop:
        position = b.mul(loop.index, ir.Constant(_I64, width))
        last = b.icmp_signed("==", position, whole)
        body(
            position,
            *(
                lanes.load(b.select(last, end, lanes.pointer(address, position)))
                for (lanes, address, _), end in zip(rows, ends, strict=True)
            ),
        )
