"""S1 in array operations: the scores that a loss makes of a prediction, and the way back.

Every operation is one that a framework can differentiate; what it would differentiate to NaN goes through
``Backend.apply``, or is written so that it does not. ``pull_back`` is the same derivative, for where nothing
differentiates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xent.backends import Backend
from xent.core.arrays import Array, detached, look_up, namespace, pick, sum_classes, to_compute
from xent.core.loss_values import room_of_cosines
from xent.core.margins import Angular, Margin, OfCosine, Shift, shift_of
from xent.core.scores import Scores
from xent.kernels.composed import one_hot

#: Largest entries of a vector between which float32 holds its square.
_SHORT, _LONG = 2.0**-50, 2.0**50


@dataclass(frozen=True, eq=False)
class Angles:
    """Between each hidden state and the classifier of its truth."""

    theta: Array
    #: cos θ and sin θ, the latter from the difference of the two directions, so that it is exact near 0.
    cosine: Array
    sine: Array
    #: The product of the lengths that were not divided by.
    length: Array | float
    #: ‖x‖.
    norm: Array


def normalized(x: Array) -> tuple[Array, Array]:
    """(x/‖x‖, ‖x‖) along the last axis; a vector of zeros stays zeros, and has a derivative of 0."""
    xp = namespace(x)
    # Very long and very short ones are brought to a length of about 1 first, whose square neither overflows nor is 0.
    peak = detached(xp.max(xp.abs(x), axis=-1, keepdims=True))
    usual = ((peak > _SHORT) & (peak < _LONG)) | (peak == 0) | ~xp.isfinite(peak)
    unit = xp.where(usual, 1.0, peak)
    x = x / unit
    square = sum_classes(x * x, keepdims=True)
    positive = square > 0
    norm = xp.where(positive, xp.sqrt(xp.where(positive, square, 1.0)), 0.0)
    # x/1 would have a derivative of 1 at a vector of zeros.
    return xp.where(square == 0, 0.0, x) / xp.where(positive, norm, 1.0), (norm * unit)[..., 0]


def angles(x: Array, w: Array, norm: Array, lengths: Array, scores: Scores, index: Array) -> Angles:
    """x and w are unit vectors, w those of every class; ``lengths`` are ‖w‖ of every class."""
    xp = namespace(x)
    truth = look_up(w, index)
    cosine = sum_classes(x * truth)
    _, sine = normalized(truth - cosine[..., None] * x)
    # A classifier of zeros is at right angles to all, as a hidden state of zeros is: atan2(0, 0) has no derivative.
    sine = xp.where((sine == 0) & (cosine == 0), 1.0, sine)
    length: Array | float = 1.0
    if scores.normalize in (None, "weight"):
        length = norm
    if scores.normalize in (None, "hidden"):
        length = length * look_up(lengths, index)
    return Angles(xp.atan2(sine, cosine), cosine, sine, length, norm)


def scored(x: Array, scores: Scores, index: Array | None, found: Angles | None, backend: Backend) -> Array:
    """z̃ of scores (…, K), in the type of the arithmetic. ``index`` is the truth of each row where there is a margin."""
    xp = namespace(x)
    room = room_of_cosines(x)
    x = capped(possible(to_compute(x), scores), scores)
    if scores.margin is not None and index is not None:
        truth = pick(x, index)
        if isinstance(scores.margin, Margin) and scores.margin.changes_others:
            if found is None:
                # What is no cosine becomes NaN by a product, which its derivative is then too.
                x = x * xp.where((xp.abs(x) > 1.0 + room) & (x != -float("inf")), float("nan"), xp.ones_like(x))
            x = scores.margin.others(x, _angle(truth, scores.margin, found, room))
        x = _put(x, index, at_truth(truth, scores.margin, index, found, backend, room))
    if not isinstance(scores.scale, float):
        # The derivative by the scale of a score of −∞ is 0·∞, which is 0.
        infinite = xp.isinf(x)
        x = xp.where(infinite, x, xp.where(infinite, 0.0, x) * scores.scale)
    elif scores.scale != 1.0:
        x = x * scores.scale
    if scores.offset is not None:
        x = x + scores.offset
    return x if scores.allowed is None else xp.where(scores.allowed, x, -float("inf"))


def possible(x: Array, scores: Scores) -> Array:
    """x with 0 for a class that cannot be: what it holds has no part in any derivative."""
    return x if scores.allowed is None else namespace(x).where(scores.allowed, x, 0.0)


def capped(x: Array, scores: Scores) -> Array:
    """c·tanh(x/c)."""
    return x if scores.softcap is None else scores.softcap * namespace(x).tanh(x / scores.softcap)


def at_truth(
    z: Array, margin: Margin | Shift, index: Array, found: Angles | None, backend: Backend, room: float
) -> Array:
    """The score that takes the place of the truth's, z."""
    if isinstance(margin, Shift):
        return z - shift_of(margin, index)
    if found is None:
        applied: Any = OfCosine(margin, room)
        return backend.apply(applied, z)
    value = margin.value(found.theta, found.norm if margin.needs_norm else None)
    if isinstance(margin, Angular) and margin.grad == "straight-through":
        value = found.cosine + detached(value - found.cosine)
    return found.length * value


def _angle(z: Array, margin: Margin, found: Angles | None, room: float) -> Array:
    """θ at the truth, whose cosine is z, as a constant."""
    return detached(found.theta) if found is not None else OfCosine(margin, room).theta(detached(z))


def _put(x: Array, index: Array, values: Array) -> Array:
    """x with the values at the index of each row."""
    xp = namespace(x)
    return xp.where(one_hot(index, x, xp), values[..., None], x)


def pull_back(
    g: Array, x: Array, scores: Scores, index: Array | None, found: Angles | None
) -> tuple[Array, Array | None]:
    """From the gradient by z̃ to that by the scores x, and to that by the truth's own new score.

    Where the margin acted on angles the truth's entry of the first is 0, and the second is what flows to the margin.
    What is 0 stays 0, whatever a row that does not count holds.
    """
    xp = namespace(g)
    if scores.allowed is not None:
        g = xp.where(scores.allowed, g, 0.0)
    if not isinstance(scores.scale, float) or scores.scale != 1.0:
        g = g * scores.scale
    at_truth = None
    before = x if scores.softcap is None else capped(to_compute(x), scores)
    if scores.margin is not None and index is not None and not isinstance(scores.margin, Shift):
        at_truth = pick(g, index)
        truth, room = to_compute(pick(before, index)), room_of_cosines(x)
        slope = OfCosine(scores.margin, room).derivative(truth) if found is None else xp.zeros_like(at_truth)
        if scores.margin.changes_others:
            others = scores.margin.others_derivative(to_compute(before), _angle(truth, scores.margin, found, room))
            g = xp.where(g == 0, 0.0, g * others)
        g = _put(g, index, xp.astype(xp.where(at_truth == 0, 0.0, at_truth * slope), g.dtype, copy=False))
    if scores.softcap is not None:
        g = xp.where(g == 0, 0.0, g * (1.0 - (before / scores.softcap) ** 2))
    return g, at_truth
