"""The losses of the family in arithmetic of 120 digits, written from the papers. No code is shared with xent.

A row loss is a function of scores z and a target t, lists of numbers; an element loss one of z, t and the class k; a
loss of angles one of a hidden state, the classifiers and the label. Derivatives are numerical, at 120 digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import mpmath

# A context of its own; see tests/support/oracle.py.
mp = mpmath.mp.clone()
mp.dps = 120
mpf, INF = mp.mpf, mp.inf

Number: TypeAlias = Any
Phi: TypeAlias = Callable[[Number], Number]
RowLoss: TypeAlias = Callable[[Sequence[Number], Sequence[Number]], Number]
ElementLoss: TypeAlias = Callable[[Number, Number, int], Number]
AngleLoss: TypeAlias = Callable[[Sequence[Number], Sequence[Sequence[Number]], int], Number]
Curve: TypeAlias = Callable[[Number], Number]


def times(mass: Number, value: Number) -> Number:
    """0·∞ = 0."""
    return mpf(0) if mass == 0 else mass * value


def surprisals(z: Sequence[Number]) -> list[Number]:
    """−log softmax(z)."""
    peak = max(z)
    total = mp.log(mp.fsum(mpf(0) if v == -INF else mp.exp(v - peak) for v in z))
    return [INF if v == -INF else (peak - v) + total for v in z]


def softmax(z: Sequence[Number]) -> list[Number]:
    return [mpf(0) if s == INF else mp.exp(-s) for s in surprisals(z)]


def cross_entropy(z: Sequence[Number], t: Sequence[Number]) -> Number:
    return mp.fsum(times(p, s) for p, s in zip(t, surprisals(z), strict=True))


def entropy(z: Sequence[Number]) -> Number:
    return mp.fsum(times(q, s) for q, s in zip(softmax(z), surprisals(z), strict=True))


def both_sides(z: Number) -> tuple[Number, Number]:
    """(−log σ(z), −log(1 − σ(z)))."""
    return mp.log1p(mp.exp(-z)), mp.log1p(mp.exp(z))


# S3: a loss of the surprisal.


def identity(loss: Number) -> Number:
    return loss


def focal(gamma: float) -> Phi:
    return lambda loss: loss if gamma == 0 else (-mp.expm1(-loss)) ** mpf(gamma) * loss


def poly1(epsilon: float) -> Phi:
    return lambda loss: loss - mpf(epsilon) * mp.expm1(-loss)


def generalized(q: float, truncation: float | None = None) -> Phi:
    def phi(loss: Number) -> Number:
        p = mp.exp(-loss)
        if truncation is not None and p <= truncation:
            p = mpf(truncation)
        return -mp.log(p) if q == 0 else (1 - p ** mpf(q)) / mpf(q)

    return phi


def taylor(terms: int) -> Phi:
    return lambda loss: mp.fsum((1 - mp.exp(-loss)) ** j / mpf(j) for j in range(1, terms + 1))


def symmetric(alpha: float, beta: float, log_zero: float) -> Phi:
    """α·H(P, Q) + β·H(Q, P) of a hard label: log 0 is A at each of the other classes, whose mass is 1 − p."""
    return lambda loss: mpf(alpha) * loss - mpf(beta) * mpf(log_zero) * -mp.expm1(-loss)


def asymmetric_no(gamma: float, margin: float) -> Phi:
    """Of −log(1 − q): ρ^γ·(−log(1 − ρ)), ρ = max(q − m, 0)."""

    def phi(loss: Number) -> Number:
        rho = max(-mp.expm1(-loss) - mpf(margin), mpf(0))
        return rho ** mpf(gamma) * -mp.log1p(-rho) if rho else mpf(0)

    return phi


def of_row(phi: Phi) -> RowLoss:
    """φ of the surprisal of the target."""
    return lambda z, t: phi(cross_entropy(z, t))


def of_classes(phi: Phi) -> RowLoss:
    """Σ t·φ(−log q)."""
    return lambda z, t: mp.fsum(times(p, phi(s)) for p, s in zip(t, surprisals(z), strict=True))


def of_sides(phi: Phi, no: Phi | None = None) -> ElementLoss:
    """t·φ(−log q) + (1 − t)·φ(−log(1 − q))."""

    def loss(z: Number, t: Number, k: int) -> Number:
        yes, not_ = both_sides(z)
        return times(t, phi(yes)) + times(1 - t, (no or phi)(not_))

    return loss


def of_element(phi: Phi, no: Phi | None = None) -> ElementLoss:
    """The same of their mean: for a hard t it is the same number."""

    def loss(z: Number, t: Number, k: int) -> Number:
        yes, not_ = both_sides(z)
        mean = times(t, yes) + times(1 - t, not_)
        return t * phi(mean) + (1 - t) * (no or phi)(mean)

    return loss


# S1: changed scores.


def on_scores(change: Callable[[Number, int], Number], loss: RowLoss | None = None) -> RowLoss:
    """The cross-entropy of scores that are changed one by one."""
    return lambda z, t: (loss or cross_entropy)([change(v, k) for k, v in enumerate(z)], t)


def at_truth(change: Callable[[Number, int], Number], scale: float = 1.0) -> RowLoss:
    """The cross-entropy of scores of which that of the truth is changed, and then all are scaled."""

    def loss(z: Sequence[Number], t: Sequence[Number]) -> Number:
        y = list(t).index(1)
        return cross_entropy([mpf(scale) * (change(v, k) if k == y else v) for k, v in enumerate(z)], t)

    return loss


def of_angle(curve: Curve) -> Callable[[Number, int], Number]:
    """A cosine becomes f(θ)."""
    return lambda c, k: curve(mp.acos(c))


def angular(m1: float, m2: float, m3: float, boundary: str = "continue") -> Curve:
    def curve(theta: Number) -> Number:
        angle = mpf(m1) * theta + mpf(m2)
        if boundary == "easy" and mp.cos(theta) <= 0:
            return mp.cos(theta)
        if angle > mp.pi and boundary == "linear":
            return mp.cos(theta) - mpf(m2) * mp.sin(mpf(m2)) - mpf(m3)
        return (mpf(-1) if angle > mp.pi and boundary == "clip" else mp.cos(angle)) - mpf(m3)

    return curve


def large_margin(m: int, blend: float = 0.0) -> Curve:
    def curve(theta: Number) -> Number:
        k = min(int(mp.floor(m * theta / mp.pi)), m - 1)
        psi = (-1) ** k * mp.cos(m * theta) - 2 * k
        return (mpf(blend) * mp.cos(theta) + psi) / (1 + mpf(blend))

    return curve


def of_projection(curve: Curve | None, normalize: str | None, scale: float = 1.0) -> AngleLoss:
    """The cross-entropy of s·‖x‖·‖W_j‖·cos θ_j, with f(θ) at the truth; lengths that are normalised are 1."""

    def loss(x: Sequence[Number], w: Sequence[Sequence[Number]], y: int) -> Number:
        norm = mp.sqrt(mp.fdot(x, x))
        scores = []
        for k, row in enumerate(w):
            length = mp.sqrt(mp.fdot(row, row))
            cosine = mp.fdot(x, row) / (norm * length)
            kept = (1 if normalize in ("both", "hidden") else norm) * (1 if normalize in ("both", "weight") else length)
            turned = curve(mp.acos(cosine)) if curve is not None and k == y else cosine
            scores.append(mpf(scale) * kept * turned)
        return surprisals(scores)[y]

    return loss


# S2 and S4.


def smoothing(epsilon: float, formula: str = "uniform", allowed: Sequence[bool] | None = None) -> RowLoss:
    def loss(z: Sequence[Number], t: Sequence[Number]) -> Number:
        can = [True] * len(z) if allowed is None else list(allowed)
        size, e = sum(can), mpf(epsilon)
        e = e * size / (size - 1) if formula == "others" else e
        target = [(1 - e) * p + (e / size if a else 0) for p, a in zip(t, can, strict=True)]
        return cross_entropy([v if a else -INF for v, a in zip(z, can, strict=True)], target)

    return loss


def hard_bootstrap(beta: float) -> RowLoss:
    def loss(z: Sequence[Number], t: Sequence[Number]) -> Number:
        best = max(range(len(z)), key=lambda k: z[k])
        return cross_entropy(z, [mpf(beta) * p + (1 - mpf(beta)) * (k == best) for k, p in enumerate(t)])

    return loss


def soft_bootstrap(beta: float) -> RowLoss:
    """−Σ (β·t + (1 − β)·q)·log q."""
    return lambda z, t: mp.fsum(
        times(mpf(beta) * p + (1 - mpf(beta)) * q, s) for p, q, s in zip(t, softmax(z), surprisals(z), strict=True)
    )


def backward_correction(transition: Sequence[Sequence[float]]) -> RowLoss:
    """t·T⁻¹·(−log q)."""
    inverse = mp.matrix([[mpf(v) for v in row] for row in transition]) ** -1

    def loss(z: Sequence[Number], t: Sequence[Number]) -> Number:
        s = surprisals(z)
        return mp.fsum(t[j] * inverse[j, k] * s[k] for j in range(len(z)) for k in range(len(z)))

    return loss


def forward_correction(transition: Sequence[Sequence[float]]) -> RowLoss:
    """−Σ_j t_j·log Σ_i q_i·T(i, j)."""

    def loss(z: Sequence[Number], t: Sequence[Number]) -> Number:
        q = softmax(z)
        mixed = [mp.fsum(q[i] * mpf(transition[i][j]) for i in range(len(z))) for j in range(len(z))]
        return mp.fsum(times(p, -mp.log(v)) for p, v in zip(t, mixed, strict=True))

    return loss


def z_loss(coefficient: float) -> RowLoss:
    return lambda z, t: cross_entropy(z, t) + mpf(coefficient) * mp.log(mp.fsum(mp.exp(v) for v in z)) ** 2


def confidence_penalty(beta: float) -> RowLoss:
    return lambda z, t: cross_entropy(z, t) - mpf(beta) * entropy(z)


# Derivatives.


def gradient(loss: Callable[[list[Number]], Number], at: Sequence[float]) -> list[float]:
    """∂loss by each number; 0 by an infinite one."""
    point = [mpf(v) for v in at]

    def partial(i: int) -> float:
        if mp.isinf(point[i]):
            return 0.0
        return float(mp.diff(lambda v: loss([*point[:i], v, *point[i + 1 :]]), point[i]))

    return [partial(i) for i in range(len(point))]
