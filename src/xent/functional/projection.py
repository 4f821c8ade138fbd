"""Projection: the scores that a hidden state and a classifier stand for, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

from xent.core.arrays import Array, detached, look_up, namespace, sum_by_index, sum_classes, to_compute
from xent.core.margins import Shift
from xent.core.predictions import Projection
from xent.core.scores import Scores
from xent.functional.call import Call
from xent.functional.scoring import Angles, angles, normalized


@dataclass(frozen=True, eq=False)
class _Sides:
    """Hidden states and classifiers as they are multiplied, their directions and their lengths."""

    x: Array
    w: Array
    x_unit: Array
    w_unit: Array
    x_norm: Array
    w_norm: Array


def _sides(hidden: Array, weight: Array, scores: Scores) -> _Sides:
    (x, x_norm), (w, w_norm) = normalized(hidden), normalized(weight)
    return _Sides(
        x if scores.normalize in ("both", "hidden") else hidden,
        w if scores.normalize in ("both", "weight") else weight,
        x,
        w,
        x_norm,
        w_norm,
    )


def _has_angle(scores: Scores | None) -> bool:
    return scores is not None and scores.margin is not None and not isinstance(scores.margin, Shift)


def projected_scores(
    Q: Projection, counted: Array | None, weight: Array | None, scores: Scores | None, index: Array | None
) -> tuple[Array, Angles | None]:
    """hidden·weightᵀ + bias, in the type of the arithmetic; and the angles at the truth, where a margin reads them."""
    xp = namespace(Q.hidden)
    hidden = mask_hidden(to_compute(Q.hidden), counted, weight)
    dtype = hidden.dtype
    classifier = xp.astype(Q.weight, dtype, copy=False)
    found = None
    if scores is not None and (scores.normalize is not None or _has_angle(scores)):
        sides = _sides(hidden, classifier, scores)
        hidden, classifier = sides.x, sides.w
        if _has_angle(scores) and index is not None:
            found = angles(sides.x_unit, sides.w_unit, sides.x_norm, sides.w_norm, scores, index)
    made = xp.matmul(hidden, xp.matrix_transpose(classifier))
    return made if Q.bias is None else made + xp.astype(Q.bias, dtype, copy=False), found


def hidden_norm(Q: Projection, counted: Array | None, weight: Array | None) -> Array:
    """‖x‖ of each row, 0 where it does not count."""
    return normalized(mask_hidden(to_compute(Q.hidden), counted, weight))[1]


def mask_hidden(hidden: Array, counted: Array | None, weight: Array | None) -> Array:
    """Zeros in the hidden states that do not count: NaN in them would reach the gradient of the classifier."""
    xp = namespace(hidden)
    if counted is not None:
        hidden = xp.where(counted[..., None], hidden, 0.0)
    if weight is not None:
        zero = weight == 0
        if weight.ndim == hidden.ndim:  # of Indicators: one for each score of a hidden state
            zero = xp.all(zero, axis=-1)
        idle = zero & ~xp.all(xp.isfinite(hidden), axis=-1)
        hidden = xp.where(idle[..., None], 0.0, hidden)
    return hidden


def projection_gradient(
    call: Call, Q: Projection, g: Array, at_truth: Array | None, by_norm: Array | None
) -> tuple[Array, Array, Array | None]:
    """By hidden, weight and bias: g·W, gᵀ·h and Σ g; ``at_truth`` is the gradient by the score that a margin made,
    ``by_norm`` that by ‖x‖."""
    xp = namespace(g)
    hidden = mask_hidden(to_compute(detached(Q.hidden)), call.counted, call.weight)
    weight = xp.astype(detached(Q.weight), g.dtype, copy=False)
    scores = call.scores
    sides = None
    x, w = hidden, weight
    if scores is not None and (scores.normalize is not None or at_truth is not None):
        sides = _sides(hidden, weight, scores)
        x, w = sides.x, sides.w
    d_hidden = xp.matmul(g, w)
    flat = xp.reshape(g, (-1, g.shape[-1]))
    d_weight = xp.matmul(xp.matrix_transpose(flat), xp.reshape(x, (-1, x.shape[-1])))
    if sides is not None and scores is not None:
        if scores.normalize in ("both", "hidden"):
            d_hidden = _through_norm(d_hidden, sides.x_unit, sides.x_norm)
        if scores.normalize in ("both", "weight"):
            d_weight = _through_norm(d_weight, sides.w_unit, sides.w_norm)
        if at_truth is not None:
            by_hidden, by_weight = _through_angle(call, sides, at_truth)
            d_hidden, d_weight = d_hidden + by_hidden, d_weight + by_weight
    if by_norm is not None:
        d_hidden = d_hidden + by_norm[..., None] * normalized(hidden)[0]
    d_bias = None if Q.bias is None else xp.astype(sum_classes(xp.matrix_transpose(flat)), Q.bias.dtype, copy=False)
    return xp.astype(d_hidden, Q.hidden.dtype, copy=False), xp.astype(d_weight, Q.weight.dtype, copy=False), d_bias


def _over(x: Array, norm: Array) -> Array:
    """x/norm of each vector, 0 for a norm of 0."""
    xp = namespace(x)
    return xp.where((norm > 0)[..., None], x / xp.where(norm > 0, norm, 1.0)[..., None], 0.0)


def _through_norm(g: Array, unit: Array, norm: Array) -> Array:
    """From the gradient by x/‖x‖ to that by x."""
    return _over(g - unit * sum_classes(g * unit, keepdims=True), norm)


def _through_angle(call: Call, sides: _Sides, g: Array) -> tuple[Array, Array]:
    """The gradient by hidden states and classifiers of Σ g·ρ·f(θ), ρ the product of the lengths that are kept."""
    found, scores, index = call.angles, call.scores, call.truth
    assert found is not None
    assert scores is not None
    assert index is not None
    assert scores.margin is not None
    assert not isinstance(scores.margin, Shift)
    xp = namespace(g)
    margin = scores.margin
    norm = found.norm if margin.needs_norm else None
    value, slope = margin.value(found.theta, norm), margin.derivative(found.theta, norm)
    w = look_up(sides.w_unit, index)
    w_norm = look_up(sides.w_norm, index)
    turn = g * found.length * slope
    by_x = _over(-turn[..., None] * normalized(w - found.cosine[..., None] * sides.x_unit)[0], sides.x_norm)
    by_w = _over(-turn[..., None] * normalized(sides.x_unit - found.cosine[..., None] * w)[0], w_norm)
    stretch = g * value
    if scores.normalize in (None, "weight"):
        rest = stretch if scores.normalize == "weight" else stretch * w_norm
        by_x = by_x + rest[..., None] * sides.x_unit
    if scores.normalize in (None, "hidden"):
        rest = stretch if scores.normalize == "hidden" else stretch * sides.x_norm
        by_w = by_w + rest[..., None] * w
    if norm is not None:
        by_x = by_x + (g * found.length * margin.by_norm(found.theta, norm))[..., None] * sides.x_unit
    flat = xp.reshape(by_w, (-1, by_w.shape[-1]))
    return by_x, sum_by_index(flat, xp.reshape(index, (-1,)), sides.w.shape[0])
