"""P as a kernel takes it: which examples count, and t of each."""

from __future__ import annotations

from typing import Any

from xent.backends import Backend, find
from xent.core import values
from xent.core.arrays import (
    Array,
    compute_dtype,
    detached,
    namespace,
    scalar_beside,
    to_compute,
)
from xent.core.target_steps import Smoothing, TargetStep
from xent.core.targets import Distribution, Indicators, Labels
from xent.core.values import Inspector
from xent.errors import UndefinedPairError
from xent.functional.call import P_
from xent.functional.verdict import sound
from xent.functional.weights import weight_array
from xent.kernels.composed import composed, dense_target
from xent.kernels.protocol import HardTarget, Link, SoftTarget, Target


def counted_examples(P: P_, truth: Array) -> Array | None:
    """Which examples are not ignored, compared in the labels' own type; None: all."""
    if not isinstance(P, Labels) or P.ignore is None:
        return None
    xp = namespace(truth)
    limits = xp.iinfo(truth.dtype)
    if limits.min <= P.ignore <= limits.max:
        return truth != scalar_beside(P.ignore, truth)
    return None  # a value that the type cannot hold marks nothing


def takes_part(counted: Array | None, weight: Array | None, examples: tuple[int, ...]) -> Array | None:
    """Examples whose values are checked: not ignored, and not of weight zero."""
    if weight is None:
        return counted
    part = weight != 0
    if None not in examples:
        part = namespace(weight).broadcast_to(part, examples)
    return part if counted is None else part & counted


def smoothing_of(epsilon: float, classes: int) -> tuple[float, float]:
    return (1.0 - epsilon, epsilon / classes) if epsilon else (1.0, 0.0)


def soft_target(
    P: Distribution,
    truth: Array,
    axis: int,
    source: Array,
    backend: Backend,
    inspect: Inspector,
    smooth: bool,
) -> SoftTarget:
    """``truth`` has its classes last."""
    probs, log_probs = probabilities_of(P, truth, source, backend, inspect)
    on, off = smoothing_of(P.smoothing if smooth else 0.0, truth.shape[-1])
    return SoftTarget(probs, on, off, log_probs)


def _without_padding(x: Array, counted: Array) -> Array:
    """Zeros in the rows of a teacher that do not count and hold NaN, so that it reaches neither value nor gradient."""
    xp = namespace(x)
    dead = ~counted & xp.any(xp.isnan(x), axis=-1)
    return xp.where(dead[..., None], 0.0, x)


def _probabilities(x: Array, like: Array) -> Array:
    """x in the type that Q is computed in."""
    return namespace(x).astype(x, compute_dtype(like), copy=False)


def binary_truth(P: Indicators, truth: Array, like: Array, inspect: Inspector, smooth: bool) -> Array:
    t = _probabilities(values.probabilities_of_p(truth, "Indicators(values)", inspect), like)
    return t * (1.0 - P.smoothing) + P.smoothing / 2.0 if smooth and P.smoothing else t


def probabilities_of(
    P: Distribution, x: Array, like: Array, backend: Backend, inspect: Inspector
) -> tuple[Array | None, Array | None]:
    """(probabilities, None) or (None, log-probabilities) of P, checked, from what it holds, classes last."""
    if P.holds != "probs" and inspect.counted is not None:
        x = _without_padding(x, inspect.counted)
    if P.holds == "probs":
        hint = "If these are scores write Distribution.from_logits(…). If the class axis is another one, tell Q: axis=."
        if not sound(x, log=False, reads=inspect.reads):
            x = values.probabilities_of_p(x, "Distribution(probs)", inspect)
            x = values.normalized(x, "Distribution(probs)", inspect, hint=hint)
        return _probabilities(x, like), None
    if P.holds == "logits":
        x = to_compute(x)
        x = -backend.surprisals(x if P.temperature == 1.0 else x / P.temperature, "logits")
        return None, _probabilities(values.defined(x, "Distribution.from_logits(scores)", inspect), like)
    if not sound(x, log=True, reads=inspect.reads):
        x = values.predicted_log_probabilities(x, inspect, rows=True, name="Distribution.from_log_probs(log_probs)")
        x = values.defined(x, "Distribution.from_log_probs(log_probs)", inspect)
    return None, _probabilities(x, like)


def retargeted(
    step: TargetStep,
    target: Target | None,
    t: Array | None,
    q: Array,
    link: Link,
    backend: Backend,
    counted: Array | None,
) -> tuple[Target | None, Array | None]:
    """The target of rows, or the t of elements, that a loss makes of it.

    Of examples that do not count, ``counted``, it is a number too: NaN would reach their gradient.
    """
    if isinstance(target, HardTarget) and isinstance(step, Smoothing) and step.allowed is None:
        # Without a number for each class, and of the scores the shape alone.
        classes = q.shape[-1]
        share = step.epsilon / classes if step.formula == "uniform" else step.epsilon / (classes - 1)
        keep = 1.0 - share * classes
        return HardTarget(target.index, keep * target.on, keep * target.off + share), None
    x = to_compute(detached(q))
    xp = namespace(x)
    if target is None:
        assert t is not None
        if not step.takes_elements:
            raise UndefinedPairError("target=", "Labels or Distribution: its classes are those of a row", "Indicators")
        both = xp.stack((1.0 - t, t), axis=-1)
        return None, _defined(step(both, lambda: _binary(x, link))[..., 1], counted)
    made = step(dense_target(target, x), lambda: xp.exp(-backend.surprisals(x, link)))
    return SoftTarget(_defined(made, None if counted is None else counted[..., None])), None


def _defined(t: Array, counted: Array | None) -> Array:
    """t with zeros for NaN in what does not count."""
    xp = namespace(t)
    return t if counted is None else xp.where(counted | ~xp.isnan(t), t, 0.0)


def _binary(x: Array, link: Link) -> Array:
    """(1 − q, q) of elements."""
    xp = namespace(x)
    yes, no = composed.element_statistics(x, link)
    return xp.stack((xp.exp(-no), xp.exp(-yes)), axis=-1)


def weight_of_labels(P: Labels | Distribution, weight: Any, like: Array) -> Any:
    """A weight that is 0 for the labels which are ignored, for terms that have no labels of their own."""
    counted = counted_examples(P, P.indices) if isinstance(P, Labels) else None
    if counted is None:
        return weight
    xp = namespace(counted)
    mask = xp.astype(counted, compute_dtype(like))
    if weight is None:
        return mask
    w = weight_array(weight, like, "weight=", find(like).reads(like, weight))
    return xp.where(counted, w, xp.zeros_like(mask))
