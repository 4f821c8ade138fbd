"""α-entmax and the divergence that belongs to it: what the softmax and the cross-entropy are at α = 1.

    q_k = exp_α(z_k − c), Σ q = 1          exp_α(x) = (1 + (α − 1)·x)₊^{1/(α − 1)} → eˣ as α → 1

c is the log-partition of α = 1. With ln_α the inverse of exp_α, t a target and x = z − c, the loss is

    L = Σ_k [ (q_k − t_k)·(1 + (α − 1)·x_k) + t_k·(ln_α t_k − x_k) ]/α,

where no term is below 0, and ∂L/∂c = 1 − Σ q = 0. So c is found among constants, and its own derivative by the scores,
Σ_k q_k^{2−α}·∂z_k/Σ_k q_k^{2−α}, is put to it: first and second derivatives of L are those of the mathematics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from xent.core.arrays import (
    Array,
    cumulative_sum,
    detached,
    device_of,
    dtype_name,
    library,
    log1p,
    namespace,
    pick,
    repeated,
    sum_classes,
    times,
    to_index,
)

#: Below it the threshold is held as c, from it on as τ = (α − 1)·c − 1: that which is not the difference of large
#: numbers, where α is near 1 and where there are many classes.
_NEAR = 1.1


@dataclass(frozen=True, eq=False)
class Entmax:
    """What α-entmax makes of rows of scores (…, K)."""

    q: Array
    #: q − 1, which keeps its digits where q → 1.
    less: Array
    #: 1 + (α − 1)·x: q^{α−1} where q > 0, and 0 or less elsewhere.
    level: Array
    #: x = z − c.
    x: Array


def entmax(z: Array, alpha: float) -> tuple[Entmax, Array]:
    """α-entmax of rows of scores, differentiable, and (…, 1) of NaN for a row that defines nothing (NaN, no finite
    score, +∞ twice), else 1. For α > 1."""
    d, sound = _below_peak(z)
    constant = detached(d)
    threshold = _threshold(constant, alpha)
    if library(z) != "numpy":
        found = _exponential(constant, threshold, alpha)
        slope = _slope(found)
        share = slope / sum_classes(slope, keepdims=True)
        moved = sum_classes(namespace(z).where(share > 0, share * (d - constant), 0.0), keepdims=True)
        threshold = threshold + (moved if alpha < _NEAR else (alpha - 1.0) * moved)
    return _exponential(d, threshold, alpha), sound


def divergence(z: Array, t: Array, alpha: float) -> tuple[Array, Array]:
    """L of each row, and its gradient by the scores, q − t; α > 1."""
    xp = namespace(z)
    found, sound = entmax(z, alpha)
    difference = xp.where(t == 1.0, found.less, found.q - t)
    log_t = xp.expm1((alpha - 1.0) * xp.log(xp.where(t == 0, 1.0, t))) / (alpha - 1.0)
    value = sum_classes(times(difference, found.level) + times(t, log_t - found.x)) / alpha
    # Rounding may leave it a hair below zero; the derivative is not to see that.
    value = value + detached(xp.where(value < 0, -value, 0.0))
    return value * sound[..., 0], difference * sound


def _below_peak(z: Array) -> tuple[Array, Array]:
    """z less its largest, and 1, or NaN where the row defines nothing."""
    xp = namespace(z)
    fixed = detached(z)
    peak = xp.max(fixed, axis=-1, keepdims=True)
    finite = xp.isfinite(peak)
    certain = sum_classes(xp.astype(fixed == float("inf"), z.dtype), keepdims=True)
    bad = xp.any(xp.isnan(fixed), axis=-1, keepdims=True) | (peak == -float("inf")) | (certain > 1)
    sound = xp.where(bad, float("nan"), xp.ones_like(peak))
    # Beside a score of +∞ the others are infinitely far below.
    beside = xp.where(fixed == peak, xp.zeros_like(fixed), -float("inf"))
    # The product has no effect but on derivatives, which are NaN too where a row defines nothing.
    return xp.where(finite, z * sound - xp.where(finite, peak, 0.0), beside), sound


def _exponential(d: Array, threshold: Array, alpha: float) -> Entmax:
    """exp_α(z − c) from what is below the peak, and a threshold: c, or τ."""
    xp = namespace(d)
    power = alpha - 1.0
    if alpha < _NEAR:
        x = d - threshold
        level = 1.0 + power * x
    else:
        level = power * d - threshold
        x = (level - 1.0) / power
    inside = level > 0
    if alpha == 2.0:
        q, less = xp.where(inside, level, 0.0), xp.where(inside, x, -1.0)
    elif alpha == 1.5:
        safe = xp.where(inside, x, 0.0)
        q, less = xp.where(inside, level, 0.0) ** 2, xp.where(inside, safe + safe * safe / 4.0, -1.0)
    else:
        # Of a class outside the support no logarithm is taken, nor differentiated.
        log = log1p(power * xp.where(inside, x, 0.0)) if alpha < _NEAR else xp.log(xp.where(inside, level, 1.0))
        q, less = xp.where(inside, xp.exp(log / power), 0.0), xp.where(inside, xp.expm1(log / power), -1.0)
    return Entmax(q, less, level, x)


def _slope(found: Entmax) -> Array:
    """∂q/∂x = q^{2−α} of each class, 0 outside the support."""
    inside = found.level > 0
    xp = namespace(found.q)
    return xp.where(inside, found.q / xp.where(inside, found.level, 1.0), 0.0)


def _threshold(d: Array, alpha: float) -> Array:
    """c, or τ, of each row (…, 1): by sorting where that gives it, and else by bisection."""
    if alpha in (1.5, 2.0):
        # A class that far below the peak has no mass, whatever the others are; −∞ would be in sums.
        xp = namespace(d)
        s = (alpha - 1.0) * d
        s = -xp.sort(-xp.where(s > -1.0, s, -1.0), axis=-1)
        return _newton(_from_sorted(s, alpha), d, alpha)
    return _bisected(d, alpha)


def _from_sorted(s: Array, alpha: float) -> Array:
    """τ with Σ (s − τ)₊ = 1, for α = 1.5 Σ (s − τ)₊² = 1, of rows that fall.

    With n classes in the support and w = s_n − τ this is A + n·w = 1, or B + 2·A·w + n·w² = 1, where A = Σ (s_k − s_n)
    and B = Σ (s_k − s_n)² over them: sums of the gaps between neighbours, in which nothing cancels. Class n is in the
    support if what the first n have without w is below 1.
    """
    xp = namespace(s)
    n = xp.astype(xp.arange(s.shape[-1], device=device_of(s)), s.dtype) + 1.0
    gap, before = s[..., :-1] - s[..., 1:], n[:-1]
    none = xp.zeros_like(s[..., :1])
    first = xp.concat((none, cumulative_sum(before * gap, -1)), axis=-1)
    if alpha == 2.0:
        without, w = first, (1.0 - first) / n
    else:
        steps = gap * (2.0 * first[..., :-1] + before * gap)
        without = xp.concat((none, cumulative_sum(steps, -1)), axis=-1)
        rest = xp.where(without < 1.0, 1.0 - without, 0.0)
        w = rest / (first + xp.sqrt(first * first + n * rest))
    last = xp.sum(to_index(without < 1.0), axis=-1) - 1
    last = xp.where(last > 0, last, xp.zeros_like(last))
    return pick(s - w, last)[..., None]


def _newton(tau: Array, d: Array, alpha: float) -> Array:
    """τ after two steps of Newton's: running sums lose digits where a row is long. For α ≤ 2, where Σ q is convex."""
    xp = namespace(d)
    for _ in range(2):
        found = _exponential(d, tau, alpha)
        excess = sum_classes(found.q, keepdims=True) - 1.0
        tau = tau + excess * (alpha - 1.0) / sum_classes(_slope(found), keepdims=True)
        tau = xp.where(tau < -1.0, -1.0, tau)
    return tau


def _bisected(d: Array, alpha: float) -> Array:
    """The threshold between that of one class with all mass and that of classes that are alike."""
    xp = namespace(d)
    power, spread = alpha - 1.0, math.log(d.shape[-1])
    digits = 56 if dtype_name(d) == "float64" else 27
    ones = xp.ones_like(d[..., :1])
    if alpha < _NEAR:
        low, high = 0.0 * ones, ones * (-math.expm1(-power * spread) / power)
        steps = digits + math.ceil(math.log2(1.0 + spread))
    else:
        # τ ends as near to zero as K^{1−α}, and keeps its digits there.
        low, high = -ones, ones * -math.exp(-power * spread)
        steps = digits + min(math.ceil(power * spread / math.log(2.0)), 128)
    return repeated(_halved, alpha, steps, (d, low, high))[1]


def _halved(alpha: float, d: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """A step of the bisection."""
    xp = namespace(d)
    middle = (low + high) / 2.0
    more = sum_classes(_exponential(d, middle, alpha).q, keepdims=True) > 1.0
    return d, xp.where(more, middle, low), xp.where(more, high, middle)
