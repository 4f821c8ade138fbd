"""What the CPU kernels are made of: how they are compiled, memory at an address, an exponential that vectorises.

LLVM will not reorder a floating-point sum or a NaN-aware maximum by itself. So every reduction of the kernels runs in
``LANES`` independent accumulators, which become vector registers, and lanes are added at the end of a block in float64:
the error of a sum does not grow with the number of classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

LANES = 64
#: Elements whose sum is kept in float32 lanes before it goes to float64.
BLOCK = 64 * LANES

_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    # "contract" for fused multiply-add. Not "nnan" or "ninf": NaN and −∞ are data here. Not "reassoc": the rounding
    # trick in exp_of_drop is undone by it.
    "fastmath": {"contract", "nsz"},
}


def jit(function: Callable[..., Any]) -> Any:
    """Compile at the first call, and keep the code on disk: beside this file, in the user's cache folder, or in
    NUMBA_CACHE_DIR. Where none of them can be written to, every process compiles anew."""
    try:
        return njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # Numba's, for want of a folder; what else it raises, it raises again here
        return njit(**_OPTIONS)(function)


@intrinsic
def _pointer(typing: Any, address: Any, like: Any) -> Any:
    """An integer address as a pointer to the elements of ``like``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(like.dtype)(types.intp, like), generate


@jit
def row_at(address, like, size):  # type: ignore[no-untyped-def]
    """A contiguous row of ``size`` elements of like's type at an address."""
    return carray(_pointer(address, like), (size,))


@intrinsic
def bits32(typing: Any, x: Any) -> Any:
    """The 32 bits of a float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic
def float32_of(typing: Any, x: Any) -> Any:
    """The float32 that 32 bits are."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate


@dataclass(frozen=True)
class _Exponential:
    """The constants of e^x in one type: x = n·ln 2 + f with n whole, e^x = 2^n·e^f."""

    llvm: Any
    integer: Any
    mantissa: int
    #: The exponent of 1 in the bits.
    bias: int
    #: Below this e^x is zero.
    lowest: float
    #: 1.5·2^mantissa: added to a number, it leaves the nearest integer in the low bits.
    magic: float
    #: ln 2 in two parts, of which n·high is exact.
    high: float
    low: float
    #: (e^f − 1)/f on |f| ≤ ½ ln 2, highest power first: the polynomial through the Chebyshev nodes.
    series: tuple[float, ...]


SINGLE = _Exponential(
    llvm=ir.FloatType(),
    integer=ir.IntType(32),
    mantissa=23,
    bias=127,
    lowest=-103.98,
    magic=12582912.0,
    high=0.693145751953125,
    low=1.428606765330187e-06,
    series=(0.0013933641032, 0.00836914849086, 0.041666465006, 0.166665052604, 0.500000001346, 1.00000001077),
)
DOUBLE = _Exponential(
    llvm=ir.DoubleType(),
    integer=ir.IntType(64),
    mantissa=52,
    bias=1023,
    lowest=-745.14,
    magic=6755399441055744.0,
    high=0.6931471805437468,
    low=1.619851018665656e-11,
    series=(
        2.0918129454967065736e-9,
        2.5110037605963777712e-8,
        2.7557263301474754518e-7,
        2.7557240918578969823e-6,
        0.000024801587336421322573,
        0.00019841269890047113707,
        0.0013888888888879081845,
        0.0083333333333196006109,
        0.041666666666666676764,
        0.16666666666666680806,
        0.49999999999999999998,
        1.0,
    ),
)


@intrinsic
def exp_of_drop(typing: Any, x: Any) -> Any:
    """e^x for x ≤ 0, in x's own type, subnormal numbers included; NaN of NaN.

    Straight-line code without a call or a branch, so that a loop around it becomes vector instructions.
    """
    of = SINGLE if x == types.float32 else DOUBLE

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def number(value: float) -> Any:
            return ir.Constant(of.llvm, value)

        def multiply_add(u: Any, v: Any, w: Any) -> Any:
            return builder.fadd(builder.fmul(u, v, flags=("contract",)), w, flags=("contract",))

        def power(exponent: Any) -> Any:
            biased = builder.add(exponent, ir.Constant(of.integer, of.bias))
            return builder.bitcast(builder.shl(biased, ir.Constant(of.integer, of.mantissa)), of.llvm)

        (x,) = args
        vanishes = builder.fcmp_ordered("<", x, number(of.lowest))
        t = builder.select(vanishes, number(of.lowest), x)
        shifted = multiply_add(t, number(1.4426950408889634), number(of.magic))
        n = builder.fsub(shifted, number(of.magic))
        f = multiply_add(n, number(-of.high), t)
        f = multiply_add(n, number(-of.low), f)
        p = number(of.series[0])
        for coefficient in (*of.series[1:], 1.0):
            p = multiply_add(p, f, number(coefficient))
        # 2^n in two factors: e^x may be subnormal, and then the last product rounds it.
        whole = builder.sub(builder.bitcast(shifted, of.integer), builder.bitcast(number(of.magic), of.integer))
        half = builder.ashr(whole, ir.Constant(of.integer, 1))
        e = builder.fmul(builder.fmul(p, power(half)), power(builder.sub(whole, half)))
        return builder.select(vanishes, number(0.0), e)

    return x(x), generate
