"""The kernel that is written in array operations: it runs on every array-API namespace, and holds a few N×K arrays.

Scores never enter an exponential except as their distance to the row's peak, and the peak's own 1 is kept out of the
sum: with m = max z, reached by n scores, r = Σ_{z_k<m} exp(z_k − m) + (n − 1),

    −log softmax(z)_k = (m − z_k) + log1p(r),

two terms that are never negative. Nothing cancels, so the loss of a true class with p → 1 keeps its digits, which
log-sum-exp minus score loses. In the gradient p_k − 1 = −r/(1 + r) at a peak for the same reason. Nothing asks where
the peak is: compilers make a slow loop of an argmax, and fuse the rest into two passes.
"""

from __future__ import annotations

from typing import Any

from xent.core import algebra
from xent.core.arrays import Array, device_of, log1p, namespace, pick, sum_classes, to_compute, to_index
from xent.kernels.coefficients import row_coefficients, target_probs
from xent.kernels.protocol import (
    HardTarget,
    Link,
    RowCoefficients,
    RowStatistics,
    Statistic,
    Target,
    Task,
)

_LN2 = 0.6931471805599453


class Composed:
    """Array operations of the framework that the array comes from."""

    name = "composed"

    def refuses(self, task: Task) -> str | None:
        if task.library not in ("numpy", "torch", "jax", "tensorflow"):
            return f"it has been written for numpy, torch, jax and tensorflow, not {task.library}"
        if task.link != "logits" and task.want & {"lse", "score_sum"}:
            return "log-sum-exp and Σz belong to scores, and Q holds probabilities"
        return None

    def row_statistics(self, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]) -> RowStatistics:
        xp = namespace(q)
        x = to_compute(q)
        surprisal, lse = _surprisal(x, link, xp)
        found: dict[str, Array] = {}
        if "loss" in want:
            if link == "logits" and isinstance(target, HardTarget):
                found["loss"] = _hard_loss_of_scores(x, target, xp)
            else:
                found["loss"] = _loss(surprisal, target, link, xp)
        if "divergence" in want:
            found["divergence"] = _divergence(surprisal, target, xp)
        if "lse" in want:
            assert lse is not None
            found["lse"] = lse
        if "entropy" in want:
            q_ = x if link == "probs" else xp.exp(-surprisal)
            found["entropy"] = sum_classes(_times(q_, surprisal, xp))
        if "argmax" in want:
            found["argmax"] = xp.argmax(x, axis=-1)
        if "score_sum" in want:
            found["score_sum"] = sum_classes(x)
        return RowStatistics(**found)

    def row_gradient(self, q: Array, target: Target | None, link: Link, coefficients: RowCoefficients) -> Array:
        xp = namespace(q)
        x = to_compute(q)
        a, b, h = (
            None if c is None else xp.astype(c, x.dtype, copy=False)[..., None]
            for c in (coefficients.a, coefficients.b, coefficients.h)
        )
        t = None if target is None or b is None else dense_target(target, x)
        surprisal, _ = _surprisal(x, link, xp)
        if link == "logits":
            gradient = _softmax_gradient(x, surprisal, t, a, b, xp)
        elif b is None or t is None:
            gradient = xp.zeros_like(x)
        elif link == "log_probs":
            gradient = -b * t
        else:
            # b·(t/q), not t·(b/q): 1/q overflows where q is subnormal and t/q need not.
            gradient = -_times(b, t / xp.where(t == 0, 1.0, x), xp)
        if h is not None:
            gradient = gradient + h * _entropy_slope(x, surprisal, link, xp)
        if link != "logits":
            gradient = _poisoned(gradient, x, xp)
        idle = _all_zero(a, b, h, xp)
        return xp.astype(xp.where(idle, 0.0, gradient), q.dtype, copy=False)

    def row_fused(self, q: Array, target: Target, link: Link, c: Array) -> tuple[Array, Array]:
        loss = self.row_statistics(q, target, link, frozenset({"loss"})).loss
        coefficients = row_coefficients({"loss": c}, target, q.shape[-1])
        return namespace(q).where(c == 0, 0.0, loss), self.row_gradient(q, target, link, coefficients)

    def element_statistics(self, q: Array, link: Link) -> tuple[Array, Array]:
        xp = namespace(q)
        x = to_compute(q)
        if link == "logits":
            tail = xp.log1p(xp.exp(-xp.abs(x)))
            return xp.where(x < 0, -x, 0.0) + tail, xp.where(x > 0, x, 0.0) + tail
        if link == "log_probs":
            return -x, _minus_log1mexp(x, xp)
        return -xp.log(x), -log1p(-x)

    def element_gradient(self, q: Array, link: Link, a: Array, b: Array) -> Array:
        xp = namespace(q)
        x = to_compute(q)
        if link == "logits":
            e = xp.exp(-xp.abs(x))
            small, large = e / (1 + e), 1 / (1 + e)
            gradient = a * xp.where(x >= 0, large, small) - b * xp.where(x >= 0, small, large)
        elif link == "log_probs":
            # e^x/(1 − e^x), not 1/expm1(−x), which is 0 where e^−x overflows and −∞ at x = +0.
            gradient = _times(a, xp.exp(x) / xp.abs(xp.expm1(x)), xp) - b
        else:
            gradient = _times(a, 1 / (1 - x), xp) - _times(b, 1 / x, xp)
        return xp.astype(xp.where((a == 0) & (b == 0), 0.0, gradient), q.dtype, copy=False)

    def element_losses(
        self, q: Array, link: Link, t: Array, positive_weight: Array | None, *, slopes: bool
    ) -> tuple[Array, Array | None]:
        xp = namespace(q)
        x = to_compute(q)
        no, yes = 1 - t, t if positive_weight is None else t * positive_weight
        if link != "logits":
            first, second = self.element_statistics(q, link)
            loss = _times(yes, first, xp) + _times(no, second, xp)
            return loss, self.element_gradient(q, link, no, yes) if slopes else None
        # With m the mass of the side that x speaks against and o that of the other: m·|x| + (m + o)·log(1 + e).
        size, positive = xp.abs(x), x >= 0
        e = xp.exp(-size)
        m, o = xp.where(positive, no, yes), xp.where(positive, yes, no)
        loss = xp.where(m == 0, 0.0, m * size) + (1 if positive_weight is None else m + o) * xp.log1p(e)
        if not slopes:
            return loss, None
        slope = (m - o * e) / (1 + e)
        return loss, xp.astype(xp.where(positive, slope, -slope), q.dtype, copy=False)

    def element_loss_gradient(self, q: Array, link: Link, t: Array, positive_weight: Array | None, g: Array) -> Array:
        xp = namespace(q)
        x = to_compute(q)
        _, slope = self.element_losses(x, link, t, positive_weight, slopes=True)
        return xp.astype(xp.where(g == 0, 0.0, g * slope), q.dtype, copy=False)

    def element_fused(
        self, q: Array, link: Link, t: Array, weight: Array | None, positive_weight: Array | None, scale: float
    ) -> tuple[Array, Array]:
        xp = namespace(q)
        yes, no = self.element_statistics(q, link)
        t, weight, positive_weight = (
            None if x is None else xp.astype(x, yes.dtype, copy=False) for x in (t, weight, positive_weight)
        )
        counted = None if weight is None else weight != 0
        values = algebra.element_values(yes, no, t, positive_weight, None, weight, counted, algebra.plain)
        a, b = algebra.element_derivatives(yes, no, t, positive_weight, None, weight, counted)
        total = xp.astype(xp.sum(values, dtype=xp.float64), yes.dtype)
        return total, self.element_gradient(q, link, a * scale, b * scale)


def surprisals(q: Array, link: Link) -> Array:
    """−log q of every class, in the type of the arithmetic."""
    return _surprisal(to_compute(q), link, namespace(q))[0]


def _surprisal(x: Array, link: Link, xp: Any) -> tuple[Array, Array | None]:
    """−log q of every class, and the log-sum-exp of scores."""
    if link == "log_probs":
        return -x, None
    if link == "probs":
        return -xp.log(x), None
    _, drop, rest, peak = _peak(x, xp)
    excess = xp.log1p(rest)
    return drop + excess, (peak + excess)[..., 0]


def _peak(x: Array, xp: Any) -> tuple[Array, Array, Array, Array]:
    """Where z = m, m − z, r and m; r is NaN where the softmax is not defined (NaN, no finite score, +∞ twice)."""
    peak = xp.max(x, axis=-1, keepdims=True)
    at_peak = x == peak
    # At a peak the distance is 0, of an infinite score too.
    drop = xp.where(at_peak, 0.0, peak - x)
    ties = sum_classes(xp.astype(at_peak, x.dtype), keepdims=True) - 1.0
    rest = sum_classes(xp.where(at_peak, 0.0, xp.exp(-drop)), keepdims=True) + ties
    undefined = xp.isnan(peak) | (xp.isinf(peak) & ((peak < 0) | (ties > 0)))
    return at_peak, drop, xp.where(undefined, float("nan"), rest), peak


def one_hot(index: Array, x: Array, xp: Any) -> Array:
    """Whether each class of x is that of the index of its row."""
    classes = xp.arange(x.shape[-1], device=device_of(x))
    return classes == to_index(index)[..., None]


def _times(mass: Array, value: Array, xp: Any) -> Array:
    """mass·value, with 0·∞ = 0."""
    return xp.where((mass == 0) & ~xp.isnan(value), 0.0, mass * value)


def _poisoned(value: Array, x: Array, xp: Any) -> Array:
    """NaN in the rows of value where x has one. A label reads one class only, which may be another than the NaN."""
    bad = xp.any(xp.isnan(x), axis=-1, keepdims=True)
    return xp.where(bad if value.ndim == x.ndim else bad[..., 0], float("nan"), value)


def _loss(surprisal: Array, target: Target | None, link: Link, xp: Any) -> Array:
    assert target is not None
    if isinstance(target, HardTarget):
        return _poisoned(_hard_loss(surprisal, target, xp), surprisal, xp)
    return sum_classes(_times(dense_target(target, surprisal), surprisal, xp))


def _hard_loss_of_scores(x: Array, target: HardTarget, xp: Any) -> Array:
    """The same from the score of the true class, so that no surprisal of another is held in memory."""
    _, drop, rest, peak = _peak(x, xp)
    m, excess = peak[..., 0], xp.log1p(rest)[..., 0]
    index = to_index(target.index)
    inside = (index >= 0) & (index < x.shape[-1])
    picked = pick(x, xp.where(inside, index, 0))
    loss = target.on * (xp.where(picked == m, 0.0, m - picked) + excess) if target.on else 0.0 * excess
    if target.off:
        loss = loss + target.off * (sum_classes(drop) + x.shape[-1] * excess)
    return xp.where(inside, loss, float("nan"))


def _hard_loss(surprisal: Array, target: HardTarget, xp: Any) -> Array:
    index = to_index(target.index)
    inside = (index >= 0) & (index < surprisal.shape[-1])
    safe = xp.where(inside, index, 0)
    loss = 0.0
    if target.on:
        picked = pick(surprisal, safe)
        loss = picked if target.on == 1.0 else target.on * picked
    if target.off:
        loss = loss + target.off * sum_classes(surprisal)
    return xp.where(inside, loss, float("nan"))


def _divergence(surprisal: Array, target: Target | None, xp: Any) -> Array:
    """Σ t (log t − log q): term by term, so that equal P and Q give exactly 0 where both are held as numbers."""
    assert target is not None
    t = dense_target(target, surprisal)
    if isinstance(target, HardTarget) or target.log_probs is None or target.on != 1.0 or target.off:
        log_t = xp.log(xp.where(t == 0, 1.0, t))
    else:
        log_t = xp.where(t == 0, 0.0, target.log_probs)
    return sum_classes(_times(t, log_t + surprisal, xp))


def dense_target(target: Target, x: Array) -> Array:
    """t with one number for each class of x, in its type; NaN in the rows of an index outside the classes."""
    xp = namespace(x)
    if not isinstance(target, HardTarget):
        return xp.astype(target_probs(target), x.dtype, copy=False)
    index = to_index(target.index)
    inside = (index >= 0) & (index < x.shape[-1])
    # Not where(…, on + off, off): of two Python numbers PyTorch makes float32, whatever x is.
    t = xp.where(one_hot(index, x, xp), target.on + target.off, xp.full_like(x, target.off))
    return xp.where(inside[..., None], t, float("nan"))


def _softmax_gradient(x: Array, surprisal: Array, t: Array | None, a: Array | None, b: Array | None, xp: Any) -> Array:
    """a·p − b·t; at the peak ((a − b·t) − b·t·r)/(1 + r), in which p → 1 does not cancel."""
    if a is None and (b is None or t is None):
        return xp.zeros_like(x)
    bt = xp.zeros_like(x) if b is None or t is None else b * t
    a = 0.0 if a is None else a
    at_peak, _, rest, _ = _peak(x, xp)
    return xp.where(at_peak, ((a - bt) - bt * rest) / (1 + rest), a * xp.exp(-surprisal) - bt)


def _entropy_slope(x: Array, surprisal: Array, link: Link, xp: Any) -> Array:
    """∂H(q)/∂(what Q holds)."""
    if link == "probs":
        return surprisal - 1
    q = xp.exp(-surprisal)
    if link == "log_probs":
        return _times(q, surprisal - 1, xp)
    entropy = sum_classes(_times(q, surprisal, xp), keepdims=True)
    return _times(q, surprisal - entropy, xp)


def _minus_log1mexp(x: Array, xp: Any) -> Array:
    """−log(1 − e^x) for x ≤ 0; either form is exact on its own side of −ln 2."""
    near = xp.where(x > -_LN2, x, -_LN2)
    far = xp.where(x > -_LN2, -_LN2, x)
    return xp.where(x > -_LN2, -xp.log(-xp.expm1(near)), -log1p(-xp.exp(far)))


def _all_zero(a: Array | None, b: Array | None, h: Array | None, xp: Any) -> Array:
    idle = None
    for c in (a, b, h):
        if c is not None:
            idle = c == 0 if idle is None else idle & (c == 0)
    assert idle is not None, "a gradient without coefficients"
    return idle


composed = Composed()
