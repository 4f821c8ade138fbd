"""Rows of a few numbers to a tile and back: 16 rows by 16 classes at a time, in registers.

A row holds its classes side by side and a tile its rows, so one is the other transposed. Number by number that takes as
long as all the arithmetic of ten classes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from xent.kernels.cpu.lanes import LANES
from xent.kernels.cpu.vectors import Lanes, compute_type

SIDE = 16
_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
_LANE = ir.Constant(ir.VectorType(_I32, SIDE), list(range(SIDE)))


def _long(value: int) -> Any:
    return ir.Constant(_I64, value)


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """16 vectors of 16, transposed: blocks of 8, 4, 2 and 1 change places across the diagonal."""
    half = SIDE // 2
    while half:
        low = [lane if lane & half == 0 else SIDE + lane - half for lane in range(SIDE)]
        high = [lane + half if lane & half == 0 else SIDE + lane for lane in range(SIDE)]
        masks = [ir.Constant(ir.VectorType(_I32, SIDE), mask) for mask in (low, high)]
        for i in range(SIDE):
            if i & half == 0:
                a, b = rows[i], rows[i + half]
                rows[i], rows[i + half] = (builder.shuffle_vector(a, b, mask) for mask in masks)
        half //= 2
    return rows


def _inside(builder: Any, classes: Any) -> Any:
    """Which of 16 classes there are."""
    count = Lanes(builder, types.int16, SIDE).splat(builder.trunc(classes, _I32))
    return builder.icmp_signed("<", _LANE, count)


def _masked(builder: Any, name: str, cells: Any, *, store: bool) -> Any:
    """LLVM's load or store of some lanes."""
    mask, pointer = ir.VectorType(_I1, SIDE), cells.as_pointer()
    kind = (
        ir.FunctionType(ir.VoidType(), [cells, pointer, _I32, mask])
        if store
        else ir.FunctionType(cells, [pointer, _I32, mask, cells])
    )
    return cgutils.get_or_insert_function(builder.module, kind, name)


def _blocks(builder: Any, size: Any, body: Any) -> None:
    """``body(first row, first class, which classes there are)`` for the blocks of a tile."""
    count = builder.lshr(builder.add(size, _long(SIDE - 1)), _long(4))
    with cgutils.for_range(builder, count) as classes:
        k = builder.mul(classes.index, _long(SIDE))
        inside = _inside(builder, builder.sub(size, k))
        with cgutils.for_range(builder, _long(LANES // SIDE)) as rows:
            body(builder.mul(rows.index, _long(SIDE)), k, inside)


def _suffix(lanes: Lanes) -> str:
    kinds = {types.float32: "f32", types.float64: "f64"}
    return f"v{SIDE}{kinds.get(lanes.stored, 'i16')}.p0"


@intrinsic
def tile_from_rows(typing: Any, z: Any, step: Any, like: Any, size: Any, tile: Any) -> Any:
    """64 rows, ``step`` bytes apart, to a tile, which has room for a multiple of 16 classes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        z, step, _, size, tile = args
        lanes, computed = Lanes(builder, like.dtype, SIDE), Lanes(builder, compute_type(like.dtype), SIDE)
        cells = ir.VectorType(lanes.cell, SIDE)
        load = _masked(builder, f"llvm.masked.load.{_suffix(lanes)}", cells, store=False)
        align, blank = ir.Constant(_I32, lanes.bytes), ir.Constant(cells, [0] * SIDE)
        ahead = builder.mul(step, _long(LANES))

        def body(row: Any, k: Any, inside: Any) -> None:
            block = []
            for i in range(SIDE):
                address = builder.add(z, builder.mul(builder.add(row, _long(i)), step))
                lanes.read_ahead(builder.add(address, ahead), k)
                raw = builder.call(load, [lanes.pointer(address, k), align, inside, blank])
                block.append(lanes.widened(raw))
            for i, x in enumerate(_turned(builder, block)):
                place = builder.add(builder.mul(builder.add(k, _long(i)), _long(LANES)), row)
                computed.store(x, computed.pointer(tile, place))

        _blocks(builder, size, body)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, like, types.int64, types.int64), generate


@intrinsic
def rows_from_tile(typing: Any, tile: Any, size: Any, g: Any, step: Any, like: Any) -> Any:
    """A tile to 64 rows, ``step`` bytes apart."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile, size, g, step, _ = args
        lanes, computed = Lanes(builder, like.dtype, SIDE), Lanes(builder, compute_type(like.dtype), SIDE)
        cells = ir.VectorType(lanes.cell, SIDE)
        store = _masked(builder, f"llvm.masked.store.{_suffix(lanes)}", cells, store=True)
        align, ahead = ir.Constant(_I32, lanes.bytes), builder.mul(step, _long(LANES))

        def body(row: Any, k: Any, inside: Any) -> None:
            block = []
            for i in range(SIDE):
                place = builder.add(builder.mul(builder.add(k, _long(i)), _long(LANES)), row)
                block.append(computed.load(computed.pointer(tile, place)))
            for i, x in enumerate(_turned(builder, block)):
                address = builder.add(g, builder.mul(builder.add(row, _long(i)), step))
                lanes.read_ahead(builder.add(address, ahead), k, write=True)
                builder.call(store, [lanes.narrowed(x), lanes.pointer(address, k), align, inside])

        _blocks(builder, size, body)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64, like), generate
