"""Functions of numbers, to the digits of float32, for programs on a GPU. Triton's own exp and log are the device's."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def exp(x, PTX: tl.constexpr):  # type: ignore[no-untyped-def]
    """e^x. On NVIDIA's devices in two instructions, which make 0 of what is below 2^−126; Triton's own takes five."""
    if PTX:
        return tl.inline_asm_elementwise(
            "ex2.approx.ftz.f32 $0, $1;", "=f,f", [x * 1.4426950408889634], dtype=tl.float32, is_pure=True, pack=1
        )
    return tl.exp(x)


@triton.jit
def rounded(x, KIND: tl.constexpr, PTX: tl.constexpr):  # type: ignore[no-untyped-def]
    """x in another type, to the nearest, to even. Triton's interpreter cuts bfloat16 off instead."""
    if (not PTX) and tl.bfloat16 == KIND:
        bits = x.to(tl.int32, bitcast=True)
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & -65536
        x = tl.where(x == x, bits.to(tl.float32, bitcast=True), x)
    return x.to(KIND)


@triton.jit
def log1p(x):  # type: ignore[no-untyped-def]
    """log(1 + x) for x ≥ 0, to a few units in the last place, ∞ and NaN included."""
    # 1 + x = 2^k·f with f from 3/4 to 3/2; what 1 + x loses in rounding is left out from 2^k = 2 on, where it is small.
    total = 1.0 + x
    bits = total.to(tl.int32, bitcast=True)
    k = (bits - 0x3F400000) >> 23
    f = (bits - (k << 23)).to(tl.float32, bitcast=True)
    s = tl.where(k == 0, x / (2.0 + x), (f - 1.0) / (f + 1.0))
    found = k.to(tl.float32) * 0.6931471805599453 + twice_atanh(s)
    return tl.where(total < float("inf"), found, total)


@triton.jit
def twice_atanh(s):  # type: ignore[no-untyped-def]
    """2·atanh(s) for |s| ≤ 1/5, by its series; what is left out is below 1e-10 of it."""
    q = s * s
    series = 1.0 / 11.0 + q * (1.0 / 13.0)
    series = 1.0 / 9.0 + q * series
    series = 1.0 / 7.0 + q * series
    series = 1.0 / 5.0 + q * series
    series = 1.0 / 3.0 + q * series
    return 2.0 * (s + s * (q * series))


@triton.jit
def tanh(x):  # type: ignore[no-untyped-def]
    """tanh(x). Below 1/4 its series, since 1 − e^(−2x) would cancel there."""
    size = tl.abs(x)
    q = size * size
    series = 62.0 / 2835.0 - q * (1382.0 / 155925.0)
    series = -17.0 / 315.0 + q * series
    series = 2.0 / 15.0 + q * series
    series = -1.0 / 3.0 + q * series
    near = size + size * (q * series)
    power = tl.exp(-2.0 * size)
    found = tl.where(size < 0.25, near, (1.0 - power) / (1.0 + power))
    return tl.where(x < 0, -found, found)


@triton.jit
def power(x, y):  # type: ignore[no-untyped-def]
    """x^y for x ≥ 0 and y > 0."""
    return tl.where(x > 0, tl.exp(y * tl.log(tl.where(x > 0, x, 1.0))), x)


@triton.jit
def minus_expm1(x):  # type: ignore[no-untyped-def]
    """1 − e^(−x) for x ≥ 0: 2·tanh(x/2)/(1 + tanh(x/2))."""
    t = tanh(0.5 * x)
    return 2.0 * t / (1.0 + t)
