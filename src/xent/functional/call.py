"""The first half of every call: P and Q as a user wrote them become what a kernel takes, checked once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from xent.backends import Backend, find
from xent.core import checks, values
from xent.core.arrays import (
    Array,
    as_array,
    compute_dtype,
    dtype_name,
    is_python,
    library,
    namespace,
    to_compute,
)
from xent.core.predictions import Logits, LogProbabilities, Probabilities, Projection
from xent.core.targets import Distribution, Indicators, Labels
from xent.core.values import Inspector
from xent.kernels.coefficients import target_probs
from xent.kernels.composed import dense_target
from xent.kernels.protocol import Family, HardTarget, Link, SoftTarget, Statistic, Target, Task
from xent.kernels.registry import choose

P_: TypeAlias = Labels | Distribution | Indicators
Q_: TypeAlias = Logits | LogProbabilities | Probabilities | Projection

TARGETS = (Labels, Distribution, Indicators)
PREDICTIONS = (Logits, LogProbabilities, Probabilities, Projection)

_LINKS: dict[type, tuple[str, Link]] = {
    Logits: ("scores", "logits"),
    LogProbabilities: ("log_probs", "log_probs"),
    Probabilities: ("probs", "probs"),
}


@dataclass(frozen=True, eq=False)
class Call:
    """A call that has been checked. For rows q has its class axis last; for elements it is as the user gave it."""

    backend: Backend
    xp: Any
    task: Task
    q: Array
    axis: int
    #: The target of rows, or None; t of elements, or None.
    target: Target | None
    t: Array
    counted: Array | None
    weight: Array | None
    positive_weight: Array | None
    reads: bool

    @property
    def rows(self) -> bool:
        return self.task.family == "rows"

    @property
    def link(self) -> Link:
        return self.task.link

    @property
    def classes(self) -> int:
        return int(self.q.shape[-1])

    def statistics(self) -> dict[str, Array]:
        """The row statistics that the task asks for, differentiable."""
        return self.backend.rows(choose(self.task), self.q, self.target, self.link, self.task.want)

    def cleaned(self) -> Call:
        """The call with zeros for the scores of examples that do not count, so that NaN in them goes nowhere.

        For measures that are composed of array operations; kernels keep such rows apart by themselves.
        """
        dead = None if self.counted is None else ~self.counted
        if self.weight is not None:
            finite = self.xp.isfinite(self.q)
            void = (self.weight == 0) & ~(self.xp.all(finite, axis=-1) if self.rows else finite)
            dead = void if dead is None else dead | void
        if dead is None:
            return self
        return replace(self, q=self.xp.where(dead[..., None] if self.rows else dead, 0.0, self.q))

    def class_probabilities(self) -> tuple[Array, Array]:
        """q and log q of every class, differentiable; log q is 0 where q = 0 was given."""
        if self.link == "probs":
            q = to_compute(self.q)
            return q, self.xp.log(self.xp.where(q == 0, 1.0, q))
        log_q = -self.backend.surprisals(self.q, self.link)
        return self.xp.exp(log_q), log_q

    def class_truth(self) -> Array:
        """t of every class; of an ignored label, that of class 0."""
        assert self.target is not None
        target = self.target
        if isinstance(target, HardTarget) and self.counted is not None:
            target = replace(target, index=self.xp.where(self.counted, target.index, 0))
        return dense_target(target, to_compute(self.q))

    def elements(self) -> tuple[Array, Array]:
        """(−log q, −log(1 − q)), differentiable."""
        return self.backend.elements(choose(self.task), self.q, self.link)


def prepare(
    P: Any,
    Q: Any,
    *,
    weight: Any = None,
    class_weight: Any = None,
    positive_weight: Any = None,
    want: frozenset[Statistic] = frozenset({"loss"}),
    smooth: bool = True,
) -> Call:
    """Check P, Q and the weights, and bring them into the form that kernels take."""
    checks.require_pair(P, Q, TARGETS, PREDICTIONS)
    if positive_weight is not None and not isinstance(P, Indicators):
        checks.require_options(
            {"positive_weight": positive_weight},
            frozenset(),
            "It weighs the yes side of Indicators; write class_weight=.",
        )
    source, link, shape, axis = _shape_of(Q)
    truth = P.indices if isinstance(P, Labels) else P.values if isinstance(P, Indicators) else P.probs
    checks.require_one_library({"P": truth, "Q": source})
    rows = not isinstance(P, Indicators)
    _require_shapes(P, truth, shape, axis)
    backend, xp = find(source), namespace(source)
    reads = backend.reads(source)
    examples = shape[:axis] + shape[axis + 1 :] if rows else shape

    w = _option(weight, source, "weight=", reads)
    if w is not None:
        checks.require_weight_shape(w, examples, "weight=", "example" if rows else "element")
    counted = _counted(P, truth)
    inspect = Inspector(reads, _takes_part(counted, w, examples), axis if rows else None)

    target: Target | None = None
    t: Array | None = None
    if isinstance(P, Labels):
        values.labels_in_range(truth, shape[axis], inspect)
        on, off = _smoothing(P.smoothing if smooth else 0.0, shape[axis])
        target = HardTarget(truth, on, off)
    elif isinstance(P, Distribution):
        target = _soft_target(P, truth, axis, source, backend, inspect, smooth)
    else:
        t = _binary_truth(P, truth, source, inspect, smooth)

    q = _scores(Q, counted, w) if isinstance(Q, Projection) else source
    if rows:
        q = xp.moveaxis(q, axis, -1)
    q = _checked_prediction(q, link, inspect, rows)
    if class_weight is not None:
        c = _option(class_weight, source, "class_weight=", reads)
        checks.require_vector(c, shape[axis] if shape else 1, "class_weight=")
        per_example = _weigh_rows(c, target) if rows else _along(c, axis, len(shape))
        w = per_example if w is None else w * per_example
    if positive_weight is not None:
        positive_weight = _option(positive_weight, source, "positive_weight=", reads)
        if positive_weight.ndim:
            checks.require_vector(positive_weight, shape[axis] if shape else 1, "positive_weight=")
            positive_weight = _along(positive_weight, axis, len(shape))
    task = _task(q, "rows" if rows else "elements", link, target, want)
    return Call(backend, xp, task, q, axis, target, t, counted, w, positive_weight, reads)


def prepare_prediction(Q: Any, *, weight: Any, want: frozenset[Statistic]) -> Call:
    """The same for a measure of Q alone, whose classes are one softmax."""
    checks.require_prediction(Q, PREDICTIONS)
    source, link, shape, axis = _shape_of(Q)
    checks.require_class_axis(source, "Q")
    if shape[axis] == 0:
        checks.require_classes(0)
    backend, xp = find(source), namespace(source)
    reads = backend.reads(source)
    examples = shape[:axis] + shape[axis + 1 :]
    w = _option(weight, source, "weight=", reads)
    if w is not None:
        checks.require_weight_shape(w, examples, "weight=", "example")
    inspect = Inspector(reads, _takes_part(None, w, examples), axis)
    q = _scores(Q, None, w) if isinstance(Q, Projection) else source
    q = _checked_prediction(xp.moveaxis(q, axis, -1), link, inspect, True)
    task = _task(q, "rows", link, None, want)
    return Call(backend, xp, task, q, axis, None, None, None, w, None, reads)


def prepare_truth(P: P_, *, axis: int, weight: Any) -> Call:
    """The same for a measure of P alone. ``q`` is P's own array, for its shape and type."""
    truth = P.indices if isinstance(P, Labels) else P.values if isinstance(P, Indicators) else P.probs
    backend, xp = find(truth), namespace(truth)
    reads = backend.reads(truth)
    rows = not isinstance(P, Indicators)
    if isinstance(P, Distribution):
        axis = checks.require_axis(truth, axis if P.axis is None else P.axis, "Distribution")
        checks.require_same_axis(P.axis, axis, truth.ndim)
    shape = tuple(truth.shape)
    examples = shape[:axis] + shape[axis + 1 :] if isinstance(P, Distribution) else shape
    like = xp.zeros(examples, dtype=compute_dtype(truth), device=truth.device)
    w = _option(weight, like, "weight=", reads)
    if w is not None:
        checks.require_weight_shape(w, examples, "weight=", "example" if rows else "element")
    counted = _counted(P, truth)
    inspect = Inspector(reads, _takes_part(counted, w, examples), axis if isinstance(P, Distribution) else None)
    target: Target | None = None
    t: Array | None = None
    if isinstance(P, Labels):
        target = HardTarget(truth)
    elif isinstance(P, Distribution):
        if shape[axis] == 0:
            checks.require_classes(0)
        target = _soft_target(P, truth, axis, truth, backend, inspect, True)
    else:
        t = _binary_truth(P, truth, truth, inspect, True)
    task = _task(like, "rows" if rows else "elements", "probs", target, frozenset())
    return Call(backend, xp, task, like, axis, target, t, counted, w, None, reads)


def _binary_truth(P: Indicators, truth: Array, like: Array, inspect: Inspector, smooth: bool) -> Array:
    t = _probabilities(values.probabilities_of_p(truth, "Indicators(values)", inspect), like)
    return t * (1.0 - P.smoothing) + P.smoothing / 2.0 if smooth and P.smoothing else t


def probabilities_of(
    P: Distribution, like: Array, axis: int, backend: Backend, inspect: Inspector
) -> tuple[Array | None, Array | None]:
    """(probabilities, None) or (None, log-probabilities) of P, checked, classes last."""
    xp = namespace(P.probs)
    x = xp.moveaxis(P.probs, axis, -1)
    if P.holds == "probs":
        hint = "If these are scores write Distribution.from_logits(…). If the class axis is another one, tell Q: axis=."
        x = values.probabilities_of_p(x, "Distribution(probs)", inspect)
        x = values.normalized(x, "Distribution(probs)", inspect, hint=hint)
        return _probabilities(x, like), None
    if P.holds == "logits":
        x = to_compute(x)
        x = -backend.surprisals(x if P.temperature == 1.0 else x / P.temperature, "logits")
        return None, _probabilities(values.defined(x, "Distribution.from_logits(scores)", inspect), like)
    x = values.predicted_log_probabilities(x, inspect, rows=True, name="Distribution.from_log_probs(log_probs)")
    return None, _probabilities(values.defined(x, "Distribution.from_log_probs(log_probs)", inspect), like)


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


def _counted(P: P_, truth: Array) -> Array | None:
    """Which examples are not ignored, compared in the labels' own type; None: all."""
    if not isinstance(P, Labels) or P.ignore is None:
        return None
    xp = namespace(truth)
    limits = xp.iinfo(truth.dtype)
    if limits.min <= P.ignore <= limits.max:
        return truth != xp.asarray(P.ignore, dtype=truth.dtype, device=truth.device)
    return None  # a value that the type cannot hold marks nothing


def _takes_part(counted: Array | None, weight: Array | None, examples: tuple[int, ...]) -> Array | None:
    """Examples whose values are checked: not ignored, and not of weight zero."""
    if weight is None:
        return counted
    part = namespace(weight).broadcast_to(weight != 0, examples)
    return part if counted is None else part & counted


def _smoothing(epsilon: float, classes: int) -> tuple[float, float]:
    return (1.0 - epsilon, epsilon / classes) if epsilon else (1.0, 0.0)


def _soft_target(
    P: Distribution,
    truth: Array,
    axis: int,
    source: Array,
    backend: Backend,
    inspect: Inspector,
    smooth: bool,
) -> SoftTarget:
    probs, log_probs = probabilities_of(P, source, axis, backend, inspect)
    on, off = _smoothing(P.smoothing if smooth else 0.0, truth.shape[axis])
    return SoftTarget(probs, on, off, log_probs)


def _probabilities(x: Array, like: Array) -> Array:
    """x in the type that Q is computed in."""
    return namespace(x).astype(x, compute_dtype(like), copy=False)


def _checked_prediction(q: Array, link: Link, inspect: Inspector, rows: bool) -> Array:
    if link == "probs":
        return values.predicted_probabilities(q, inspect, rows=rows)
    if link == "log_probs":
        return values.predicted_log_probabilities(q, inspect, rows=rows)
    return q


def _option(value: Any, like: Array, argument: str, reads: bool) -> Array | None:
    """A weight as an array beside Q, checked."""
    if value is None:
        return None
    xp = namespace(like)
    if is_python(value):
        array = xp.asarray(as_array(value, argument).tolist(), dtype=compute_dtype(like), device=like.device)
    else:
        array = as_array(value, argument)
        checks.require_numbers(array, argument)
        checks.require_one_library({argument: array, "Q": like})
        array = xp.astype(array, compute_dtype(like), copy=False)
    return values.weights(array, argument, Inspector(reads))


def _weigh_rows(c: Array, target: Target | None) -> Array:
    """Σ_k c_k t_k of each row: c[y] for labels."""
    xp = namespace(c)
    if isinstance(target, HardTarget):
        index = xp.astype(target.index, xp.int64, copy=False)
        safe = xp.where((index >= 0) & (index < c.shape[0]), index, 0)
        picked = c[safe]
        return picked if target.on == 1.0 else target.on * picked + target.off * xp.sum(c)
    assert target is not None
    return xp.sum(target_probs(target) * c, axis=-1)


def _along(vector: Array, axis: int, ndim: int) -> Array:
    """A vector over classes, to broadcast against an array whose class axis is ``axis``."""
    return vector if ndim <= 1 else vector.reshape([-1 if i == axis else 1 for i in range(ndim)])


def _scores(Q: Projection, counted: Array | None, weight: Array | None) -> Array:
    """hidden·weightᵀ + bias, in the type of the arithmetic."""
    xp = namespace(Q.hidden)
    hidden = mask_hidden(to_compute(Q.hidden), counted, weight)
    dtype = hidden.dtype
    scores = xp.matmul(hidden, xp.astype(Q.weight, dtype, copy=False).T)
    return scores if Q.bias is None else scores + xp.astype(Q.bias, dtype, copy=False)


def mask_hidden(hidden: Array, counted: Array | None, weight: Array | None) -> Array:
    """Zeros in the hidden states that do not count: NaN in them would reach the gradient of the classifier."""
    xp = namespace(hidden)
    if counted is not None:
        hidden = xp.where(counted[..., None], hidden, 0.0)
    if weight is not None:
        idle = (weight == 0) & ~xp.all(xp.isfinite(hidden), axis=-1)
        hidden = xp.where(idle[..., None], 0.0, hidden)
    return hidden


def _task(q: Array, family: Family, link: Link, target: Target | None, want: frozenset[Statistic]) -> Task:
    kind = "none" if target is None else "hard" if isinstance(target, HardTarget) else "soft"
    if family == "elements":
        kind = "soft"
    return Task(
        family=family,
        link=link,
        target=kind,  # type: ignore[arg-type]
        library=library(q),
        device=str(getattr(q, "device", "cpu")),
        dtype=dtype_name(q),
        shape=tuple(q.shape),
        contiguous=_contiguous(q),
        want=want,
    )


def _contiguous(q: Array) -> bool:
    """Whether classes lie side by side in memory."""
    if q.ndim == 0 or q.shape[-1] <= 1:
        return True
    if library(q) == "torch":
        return bool(q.stride()[-1] == 1)
    return bool(q.strides[-1] == q.itemsize)
