"""S1 in array operations: the scores that a loss makes of a prediction, and the way back.

Every operation is one that a framework can differentiate; what it would differentiate to NaN goes through
``Backend.apply``, or is written so that it does not. ``pull_back`` is the same derivative, for where nothing
differentiates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xent.backends import Backend
from xent.core.arrays import Array, detached, look_up, namespace, pick, sum_classes, times, to_compute
from xent.core.margins import Angular, Margin, Shift
from xent.core.scores import Scores
from xent.kernels.composed import one_hot

#: The smallest sin θ that divides the derivative of an angle by its cosine: there θ is 1e-4 in float32.
_SINE = 1e-4


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


@dataclass(frozen=True)
class _OfCosine:
    """f(arccos c) with its derivative by c, as ``Backend.apply`` takes it.

    The derivative of an angle by its cosine, −1/sin θ, has no bound at θ = 0 and π; here sin θ is not taken for less
    than 1e-4. The bounded derivative is that by a hidden state: a Projection has it.
    """

    margin: Margin

    def theta(self, c: Array) -> Array:
        xp = namespace(c)
        return xp.acos(xp.where(c > 1.0, 1.0, xp.where(c < -1.0, -1.0, c)))

    def value(self, c: Array) -> Array:
        return self.margin.value(self.theta(c), None)

    def derivative(self, c: Array) -> Array:
        xp = namespace(c)
        theta = self.theta(c)
        sine = xp.sin(theta)
        return -self.margin.derivative(theta, None) / xp.where(sine > _SINE, sine, _SINE)


def normalized(x: Array) -> tuple[Array, Array]:
    """(x/‖x‖, ‖x‖) along the last axis; a vector of zeros stays zeros, and has a derivative of 0."""
    xp = namespace(x)
    square = sum_classes(x * x, keepdims=True)
    positive = square > 0
    norm = xp.where(positive, xp.sqrt(xp.where(positive, square, 1.0)), 0.0)
    return xp.where(positive, x / xp.where(positive, norm, 1.0), 0.0), norm[..., 0]


def angles(x: Array, w: Array, norm: Array, lengths: Array, scores: Scores, index: Array) -> Angles:
    """x and w are unit vectors, w those of every class; ``lengths`` are ‖w‖ of every class."""
    xp = namespace(x)
    truth = look_up(w, index)
    cosine = sum_classes(x * truth)
    _, sine = normalized(truth - cosine[..., None] * x)
    length: Array | float = 1.0
    if scores.normalize in (None, "weight"):
        length = norm
    if scores.normalize in (None, "hidden"):
        length = length * look_up(lengths, index)
    return Angles(xp.atan2(sine, cosine), cosine, sine, length, norm)


def scored(x: Array, scores: Scores, index: Array | None, found: Angles | None, backend: Backend) -> Array:
    """z̃ of scores (…, K). ``index`` is the truth of each row where there is a margin."""
    xp = namespace(x)
    if scores.softcap is not None:
        x = scores.softcap * xp.tanh(x / scores.softcap)
    if scores.margin is not None and index is not None:
        truth = pick(x, index)
        if isinstance(scores.margin, Margin) and scores.margin.changes_others:
            x = scores.margin.others(x, _angle(truth, scores.margin, found))
        x = _put(x, index, at_truth(truth, scores.margin, index, found, backend))
    if not isinstance(scores.scale, float) or scores.scale != 1.0:
        x = x * scores.scale
    if scores.offset is not None:
        x = x + scores.offset
    return x if scores.allowed is None else xp.where(scores.allowed, x, -float("inf"))


def at_truth(z: Array, margin: Margin | Shift, index: Array, found: Angles | None, backend: Backend) -> Array:
    """The score that takes the place of the truth's, z."""
    if isinstance(margin, Shift):
        return z - _shift(margin, index)
    if found is None:
        applied: Any = _OfCosine(margin)
        return backend.apply(applied, z)
    value = margin.value(found.theta, found.norm if margin.needs_norm else None)
    if isinstance(margin, Angular) and margin.grad == "straight-through":
        value = found.cosine + detached(value - found.cosine)
    return found.length * value


def _angle(z: Array, margin: Margin, found: Angles | None) -> Array:
    """θ at the truth, whose cosine is z, as a constant."""
    return detached(found.theta) if found is not None else _OfCosine(margin).theta(detached(z))


def slope_at_truth(z: Array, margin: Margin) -> Array:
    """The derivative of that by z, a cosine."""
    return _OfCosine(margin).derivative(z)


def _shift(margin: Shift, index: Array) -> Any:
    return look_up(margin.margin, index) if getattr(margin.margin, "ndim", 0) else margin.margin


def _put(x: Array, index: Array, values: Array) -> Array:
    """x with the values at the index of each row."""
    xp = namespace(x)
    return xp.where(one_hot(index, x, xp), values[..., None], x)


def pull_back(
    g: Array, x: Array, scores: Scores, index: Array | None, found: Angles | None
) -> tuple[Array, Array | None]:
    """From the gradient by z̃ to that by the scores x, and to that by the truth's own new score.

    Where the margin acted on angles the truth's entry of the first is 0, and the second is what flows to the margin.
    """
    xp = namespace(g)
    if not isinstance(scores.scale, float) or scores.scale != 1.0:
        g = g * scores.scale
    at_truth = None
    capped = x if scores.softcap is None else scores.softcap * xp.tanh(to_compute(x) / scores.softcap)
    if scores.margin is not None and index is not None and not isinstance(scores.margin, Shift):
        at_truth = pick(g, index)
        truth = to_compute(pick(capped, index))
        slope = slope_at_truth(truth, scores.margin) if found is None else 0.0
        if scores.margin.changes_others:
            g = times(g, scores.margin.others_derivative(to_compute(capped), _angle(truth, scores.margin, found)))
        g = _put(g, index, xp.astype(at_truth * slope, g.dtype, copy=False))
    if scores.softcap is not None:
        g = g * (1.0 - (capped / scores.softcap) ** 2)
    return g, at_truth
