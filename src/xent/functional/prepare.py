"""The first half of every call: P and Q as a user wrote them, checked once, become a Call."""

from __future__ import annotations

from typing import Any

from xent.backends import Backend, find
from xent.core import checks, values
from xent.core.arrays import Array, classes_last, compute_dtype, device_name, device_of, dtype_name, library, namespace
from xent.core.predictions import Logits, LogProbabilities, Probabilities, Projection
from xent.core.scores import Scores
from xent.core.target_steps import TargetStep
from xent.core.targets import Distribution, Indicators, Labels
from xent.core.values import Inspector
from xent.errors import UndefinedPairError
from xent.functional.adjusting import adjusting
from xent.functional.call import P_, PREDICTIONS, Q_, TARGETS, Call
from xent.functional.projection import hidden_norm, projected_scores
from xent.functional.truth import binary_truth, counted_examples, retargeted, smoothing_of, soft_target, takes_part
from xent.functional.verdict import sound
from xent.functional.waiting import Pending, left_to_the_kernel, unread_elements, unread_rows
from xent.functional.weights import along, weigh_rows, weight_array
from xent.kernels.protocol import Family, HardTarget, Link, SoftTarget, Statistic, Target, Task

_LINKS: dict[type, tuple[str, Link]] = {
    Logits: ("scores", "logits"),
    LogProbabilities: ("log_probs", "log_probs"),
    Probabilities: ("probs", "probs"),
}


def prepare(
    P: Any,
    Q: Any,
    *,
    weight: Any = None,
    class_weight: Any = None,
    positive_weight: Any = None,
    scores: Scores | None = None,
    step: TargetStep | None = None,
    want: frozenset[Statistic] = frozenset({"loss"}),
    norm: bool = False,
    smooth: bool = True,
    waits: bool = False,
) -> Call:
    """Check P, Q and the weights, and bring them into the form that kernels take. ``waits``: what cannot be read may be
    left to the kernel; see ``Call.pending``."""
    checks.require_pair(P, Q, TARGETS, PREDICTIONS)
    if not isinstance(P, Indicators):
        checks.require_no_positive_weight(positive_weight)
    source, link, shape, axis = _shape_of(Q)
    truth = P.indices if isinstance(P, Labels) else P.values if isinstance(P, Indicators) else P.probs
    checks.require_one_library({"P": truth, "Q": source})
    rows = not isinstance(P, Indicators)
    _require_shapes(P, truth, shape, axis)
    backend, xp = find(source), namespace(source)
    if None in (*shape, *truth.shape) and not isinstance(Q, Projection):
        truth = xp.of_shape(truth, source, axis if isinstance(P, Labels) else None)
    reads = backend.reads(source, truth, weight, class_weight, positive_weight)
    examples = shape[:axis] + shape[axis + 1 :] if rows else shape

    w = weight_array(weight, source, "weight=", reads)
    if w is not None:
        checks.require_weight_shape(w, examples, "weight=", "example" if rows else "element")
    counted = counted_examples(P, truth)
    inspect = Inspector(reads, takes_part(counted, w, examples), axis if rows else None)

    target: Target | None = None
    t: Array | None = None
    pending: Pending | None = None
    if waits and not reads and step is None and not isinstance(P, Labels) and not isinstance(Q, Projection):
        task = _task(backend, source, "rows" if rows else "elements", link, SoftTarget(truth), want)
        waits = left_to_the_kernel(backend, task, truth)
    else:
        waits = False
    if isinstance(P, Labels):
        values.labels_in_range(truth, shape[axis], inspect)
        on, off = smoothing_of(P.smoothing if smooth else 0.0, shape[axis])
        target = HardTarget(truth, on, off)
    elif isinstance(P, Distribution):

        def settled(x: Array) -> SoftTarget:
            return soft_target(P, x, axis, source, backend, inspect, smooth)

        # A teacher's scores are no probabilities yet for those who read the target before the kernel.
        read = class_weight is not None or (scores is not None and scores.margin is not None)
        if waits and not (read and P.holds == "logits"):
            share = smoothing_of(P.smoothing if smooth else 0.0, shape[axis])
            target, pending = unread_rows(P, truth, axis, *share, settled)
        else:
            target = settled(classes_last(truth, axis))
    elif waits:
        t = truth
        pending = unread_elements(P, smooth, lambda x: binary_truth(P, x, source, inspect, smooth))
    else:
        t = binary_truth(P, truth, source, inspect, smooth)

    index, between, lengths = None, None, None
    if scores is not None:
        scores, index = adjusting(scores, P, Q, source, shape, axis, target, t, inspect)
    if isinstance(Q, Projection):
        with backend.quiet():
            q, between = projected_scores(Q, counted, w, scores, index)
            if norm:
                lengths = hidden_norm(Q, counted, w) if between is None else between.norm
    elif norm:
        raise UndefinedPairError("penalties=", "a Projection, whose hidden states have lengths", type(Q).__name__)
    else:
        q = source
    if rows:
        q = classes_last(q, axis)
    q, found_sound = _checked_prediction(q, link, inspect, rows)
    if step is not None:
        with backend.quiet():
            target, t = retargeted(step, target, t, q, link, backend, inspect.counted)
    if class_weight is not None:
        c = weight_array(class_weight, source, "class_weight=", reads)
        checks.require_vector(c, shape[axis] if shape else 1, "class_weight=")
        per_example = weigh_rows(c, target) if rows else along(c, axis, len(shape))
        if w is not None and pending is not None:
            # What an unread target holds in an example that does not count.
            per_example = xp.where(w == 0, 0.0, per_example)
        w = per_example if w is None else w * per_example
    if positive_weight is not None:
        positive_weight = weight_array(positive_weight, source, "positive_weight=", reads)
        if positive_weight.ndim:
            checks.require_vector(positive_weight, shape[axis] if shape else 1, "positive_weight=")
            positive_weight = along(positive_weight, axis, len(shape))
    task = _task(backend, q, "rows" if rows else "elements", link, target, want, found_sound)
    return Call(
        backend, xp, task, q, axis, target, t, counted, w, positive_weight, reads, scores, index, between, lengths,
        pending,
    )  # fmt: skip


def prepare_prediction(Q: Any, *, weight: Any, want: frozenset[Statistic]) -> Call:
    """The same for a measure of Q alone, whose classes are one softmax."""
    checks.require_prediction(Q, PREDICTIONS)
    source, link, shape, axis = _shape_of(Q)
    checks.require_class_axis(source, "Q")
    if not shape[axis]:
        checks.require_classes(shape[axis])
    backend, xp = find(source), namespace(source)
    reads = backend.reads(source, weight)
    examples = shape[:axis] + shape[axis + 1 :]
    w = weight_array(weight, source, "weight=", reads)
    if w is not None:
        checks.require_weight_shape(w, examples, "weight=", "example")
    inspect = Inspector(reads, takes_part(None, w, examples), axis)
    q = projected_scores(Q, None, w, None, None)[0] if isinstance(Q, Projection) else source
    q, found_sound = _checked_prediction(classes_last(q, axis), link, inspect, True)
    task = _task(backend, q, "rows", link, None, want, found_sound)
    return Call(backend, xp, task, q, axis, None, None, None, w, None, reads)


def prepare_truth(P: P_, *, axis: int, weight: Any) -> Call:
    """The same for a measure of P alone. ``q`` is P's own array, for its shape and type."""
    truth = P.indices if isinstance(P, Labels) else P.values if isinstance(P, Indicators) else P.probs
    backend, xp = find(truth), namespace(truth)
    reads = backend.reads(truth, weight)
    rows = not isinstance(P, Indicators)
    if isinstance(P, Distribution):
        axis = checks.require_axis(truth, axis if P.axis is None else P.axis, "Distribution")
        checks.require_same_axis(P.axis, axis, truth.ndim)
    shape = tuple(truth.shape)
    examples = shape[:axis] + shape[axis + 1 :] if isinstance(P, Distribution) else shape
    if None in examples:
        like = xp.moveaxis(truth, axis, -1)[..., 0] if isinstance(P, Distribution) else truth
        like = xp.zeros_like(like, dtype=compute_dtype(truth))
    else:
        like = xp.zeros(examples, dtype=compute_dtype(truth), device=device_of(truth))
    w = weight_array(weight, like, "weight=", reads)
    if w is not None:
        checks.require_weight_shape(w, examples, "weight=", "example" if rows else "element")
    counted = counted_examples(P, truth)
    inspect = Inspector(reads, takes_part(counted, w, examples), axis if isinstance(P, Distribution) else None)
    target: Target | None = None
    t: Array | None = None
    if isinstance(P, Labels):
        target = HardTarget(truth)
    elif isinstance(P, Distribution):
        if not shape[axis]:
            checks.require_classes(shape[axis])
        target = soft_target(P, classes_last(truth, axis), axis, truth, backend, inspect, True)
    else:
        t = binary_truth(P, truth, truth, inspect, True)
    task = _task(backend, like, "rows" if rows else "elements", "probs", target, frozenset())
    return Call(backend, xp, task, like, axis, target, t, counted, w, None, reads)


def held_by(Q: Q_) -> Array:
    """The array that Q holds; of a Projection the hidden states."""
    return _shape_of(Q)[0]


def _shape_of(Q: Q_) -> tuple[Array, Link, tuple[int, ...], int]:
    """The array that Q holds, its link, the shape of its scores and the class axis counted from 0."""
    if isinstance(Q, Projection):
        shape = (*Q.hidden.shape[:-1], Q.weight.shape[0])
        return Q.hidden, "logits", shape, len(shape) - 1
    name, link = _LINKS[type(Q)]
    x = getattr(Q, name)
    return x, link, tuple(x.shape), Q.axis % x.ndim if x.ndim else 0


def _require_shapes(P: P_, truth: Array, shape: tuple[int, ...], axis: int) -> None:
    if isinstance(P, Labels):
        checks.require_label_shape(truth, shape, axis)
        return
    checks.require_same_shape(truth, shape, type(P).__name__)
    if isinstance(P, Distribution):
        checks.require_classes(shape[axis])
        checks.require_same_axis(P.axis, axis, len(shape))


def _checked_prediction(q: Array, link: Link, inspect: Inspector, rows: bool) -> tuple[Array, bool]:
    """q, and whether each of its rows was found to be a distribution."""
    if link == "logits":
        return q, False
    if rows and sound(q, log=link == "log_probs", reads=inspect.reads):
        return q, True
    check = values.predicted_probabilities if link == "probs" else values.predicted_log_probabilities
    return check(q, inspect, rows=rows), False


def _task(
    backend: Backend,
    q: Array,
    family: Family,
    link: Link,
    target: Target | None,
    want: frozenset[Statistic],
    found_sound: bool = False,
) -> Task:
    kind = "none" if target is None else "hard" if isinstance(target, HardTarget) else "soft"
    if family == "elements":
        kind = "soft"
    return Task(
        family=family,
        link=link,
        target=kind,  # type: ignore[arg-type]
        library=library(q),
        device=device_name(q),
        dtype=dtype_name(q),
        shape=tuple(q.shape),
        want=want,
        traced=backend.traced(q),
        smoothed=isinstance(target, HardTarget) and bool(target.off),
        sound=found_sound,
    )
