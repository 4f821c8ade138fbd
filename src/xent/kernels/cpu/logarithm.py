"""Logarithms that vectorise, in the manner of ``exp_of_drop``: straight-line LLVM, without a call or a branch.

Polynomials are through the Chebyshev nodes of their interval; computed in 50 digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@dataclass(frozen=True)
class _Logarithm:
    """The constants of log in one type: y = 2^k·(1 + f) with √½ ≤ 1 + f < √2, log y = k·ln 2 + log(1 + f)."""

    llvm: Any
    integer: Any
    mantissa: int
    #: The bits of √½, of the mantissa, and the smallest normal number.
    root: int
    mask: int
    tiny: float
    #: ln 2 in two parts, of which k·high is exact.
    high: float
    low: float
    #: (log(1 + e) − e)/e² on 0 ≤ e ≤ 1, highest power first.
    fraction: tuple[float, ...]
    #: The same on √½ ≤ 1 + e ≤ √2.
    reduced: tuple[float, ...]
    #: (e^x − 1 − x)/x² on −ln 2 ≤ x ≤ 0.
    rise: tuple[float, ...]


_SINGLE = _Logarithm(
    llvm=ir.FloatType(),
    integer=ir.IntType(32),
    mantissa=23,
    root=0x3F3504F3,
    mask=0x007FFFFF,
    tiny=2.0**-126,
    high=0.693145751953125,
    low=1.428606765330187e-06,
    fraction=(
        0.0028016419928033499,
        -0.017184266982448709,
        0.049309973434549694,
        -0.091394137740149202,
        0.13033364238242816,
        -0.16365152869205535,
        0.19956707952251836,
        -0.24996759908263925,
        0.33333237346213987,
        -0.49999999522223771,
    ),
    reduced=(
        0.067690241138160015,
        -0.11557287882015821,
        0.1181213614232965,
        -0.12420814467908905,
        0.14232317859552221,
        -0.16667536772428633,
        0.20001446722200232,
        -0.25000010940100676,
        0.33333322793607103,
        -0.49999999943496369,
    ),
    rise=(
        0.00015356793724868728,
        0.0013555333417847767,
        0.0083216092397866658,
        0.041664784110924197,
        0.16666655544851884,
        0.49999999893046831,
    ),
)
_DOUBLE = _Logarithm(
    llvm=ir.DoubleType(),
    integer=ir.IntType(64),
    mantissa=52,
    root=0x3FE6A09E667F3BCD,
    mask=0x000FFFFFFFFFFFFF,
    tiny=2.0**-1022,
    high=0.6931471805437468,
    low=1.619851018665656e-11,
    fraction=(
        3.4964999995177528e-5,
        -0.00038701111085803039,
        0.0020308462484097632,
        -0.0067614194988498022,
        0.016177448292083774,
        -0.030006248922024149,
        0.045718328874219642,
        -0.060245718496051139,
        0.072060527838905025,
        -0.0816358369873179,
        0.090440384058187817,
        -0.099899409783376175,
        0.11109469727104494,
        -0.12499802193640868,
        0.14285697368176904,
        -0.1666666569676973,
        0.19999999965822402,
        -0.24999999999359621,
        0.33333333333328547,
        -0.49999999999999994,
    ),
    reduced=(
        0.026259864395059445,
        -0.059437712587656804,
        0.064444211089636647,
        -0.056696437725659268,
        0.056865855373398732,
        -0.062025600107261778,
        0.066823758862331165,
        -0.071484204800234125,
        0.076916546465267996,
        -0.083329991360913696,
        0.090909213286728551,
        -0.10000011277649974,
        0.11111111107647632,
        -0.12499999789546679,
        0.14285714282687989,
        -0.16666666668629756,
        0.20000000000032049,
        -0.24999999999992915,
        0.3333333333333326,
        -0.50000000000000004,
    ),
    rise=(
        8.5121264138344737e-12,
        1.5499900701113742e-10,
        2.0813574078078269e-9,
        2.5047453730864683e-8,
        2.7557086533306375e-7,
        2.755731121574248e-6,
        2.4801587112634127e-5,
        0.00019841269838279249,
        0.0013888888888858485,
        0.0083333333333331493,
        0.041666666666666661,
        0.16666666666666667,
        0.5,
    ),
)


def _of(kind: Any) -> _Logarithm:
    return _SINGLE if kind == types.float32 else _DOUBLE


class _Code:
    """LLVM instructions on numbers of one type."""

    def __init__(self, builder: Any, of: _Logarithm) -> None:
        self.builder, self.of = builder, of

    def number(self, value: float) -> Any:
        return ir.Constant(self.of.llvm, value)

    def whole(self, value: int) -> Any:
        return ir.Constant(self.of.integer, value)

    def multiply_add(self, u: Any, v: Any, w: Any) -> Any:
        product = self.builder.fmul(u, v, flags=("contract",))
        return self.builder.fadd(product, w, flags=("contract",))

    def polynomial(self, series: tuple[float, ...], x: Any) -> Any:
        found = self.number(series[0])
        for coefficient in series[1:]:
            found = self.multiply_add(found, x, self.number(coefficient))
        return found

    def square(self, x: Any) -> Any:
        return self.builder.fmul(x, x)


@intrinsic
def log1p_of_fraction(typing: Any, e: Any) -> Any:
    """log(1 + e) for 0 ≤ e ≤ 1: e + e²·P(e), so that a small e keeps its digits; NaN of NaN."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Code(builder, _of(e))
        (x,) = args
        return code.multiply_add(code.square(x), code.polynomial(code.of.fraction, x), x)

    return e(e), generate


@intrinsic
def log_of_complement(typing: Any, q: Any, y: Any) -> Any:
    """log y with y = 1 − q: from q where q ≤ ½ and y has lost digits, from y elsewhere.

    log y of any y > 0 alone: log_of_complement(1, y). Subnormal numbers included; −∞ of 0; NaN of y < 0, of q < 0 and
    of NaN.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        of = _of(y)
        code = _Code(builder, of)
        q_, y_ = args
        # A subnormal number is scaled into the normal range; what is no positive finite number is put in at the end.
        small = builder.fcmp_ordered("<", y_, code.number(of.tiny))
        scale = 2 * of.mantissa if of.mantissa == 23 else of.mantissa + 2
        normal = builder.select(small, builder.fmul(y_, code.number(2.0**scale)), y_)
        shifted = builder.sub(builder.bitcast(normal, of.integer), code.whole(of.root))
        k = builder.ashr(shifted, code.whole(of.mantissa))
        bits = builder.add(builder.and_(shifted, code.whole(of.mask)), code.whole(of.root))
        one, two = code.number(1.0), code.number(2.0)
        far = builder.fsub(builder.bitcast(bits, of.llvm), one)
        # y ≥ ½: 1 + f is 1 − q, or its double, and f then comes from q without a rounding.
        near = builder.select(
            builder.icmp_signed("==", k, code.whole(0)), builder.fneg(q_), builder.fsub(one, builder.fmul(two, q_))
        )
        f = builder.select(builder.fcmp_ordered("<=", q_, code.number(0.5)), near, far)
        k = builder.sub(k, builder.select(small, code.whole(scale), code.whole(0)))
        power = builder.sitofp(k, of.llvm)
        low = builder.fmul(power, code.number(of.low))
        tail = code.multiply_add(code.square(f), code.polynomial(of.reduced, f), low)
        found = code.multiply_add(power, code.number(of.high), builder.fadd(f, tail))
        infinite = builder.fcmp_ordered("==", y_, code.number(math.inf))
        found = builder.select(infinite, y_, found)
        found = builder.select(builder.fcmp_ordered("==", y_, code.number(0.0)), code.number(-math.inf), found)
        outside = builder.or_(
            builder.fcmp_unordered("<", y_, code.number(0.0)), builder.fcmp_unordered("<", q_, code.number(0.0))
        )
        return builder.select(outside, code.number(math.nan), found)

    return y(q, y), generate


@intrinsic
def complement_of_exp(typing: Any, x: Any, e: Any) -> Any:
    """1 − e^x for x ≤ 0, given e = e^x: from x where x > −ln 2 and the difference would lose digits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Code(builder, _of(x))
        x_, e_ = args
        near = builder.fneg(code.multiply_add(code.square(x_), code.polynomial(code.of.rise, x_), x_))
        far = builder.fsub(code.number(1.0), e_)
        return builder.select(builder.fcmp_ordered(">", x_, code.number(-math.log(2))), near, far)

    return x(x, e), generate
