"""What a margin is told of the batches so far, from the hidden states and classifiers of one more."""

from __future__ import annotations

from typing import Any

from xent.backends import find, on_arrays
from xent.core import checks
from xent.core.arrays import (
    Array,
    beside,
    detached,
    look_up,
    namespace,
    pick,
    sum_classes,
    to_compute,
)
from xent.core.loss_values import cosines
from xent.core.predictions import Logits, Projection
from xent.core.targets import Labels
from xent.core.values import Inspector
from xent.errors import KindError
from xent.functional.projection import hidden_norm, mask_hidden
from xent.functional.scoring import normalized
from xent.functional.truth import counted_examples
from xent.kernels.extra import inside


@on_arrays
def updated_lengths(P: Labels, Q: Projection, mean: Any, std: Any, rate: float) -> tuple[Array, Array]:
    """(1 − rate)·old + rate·new of the mean and the standard deviation (over n − 1) of ‖x‖.

    Over the examples that count. A mean of none, and a deviation of fewer than two, stay what they were; so does what
    a batch makes infinite, or NaN: a scaler of gradients skips such steps, and a state would keep it.
    """
    if not isinstance(Q, Projection):
        raise KindError("Q", "a Projection, whose hidden states have lengths", type(Q).__name__)
    counted = _counted(P)
    norm = detached(hidden_norm(Q, counted, None))
    n, average = _average(norm, counted)
    square = _total((norm - average) ** 2, counted)
    xp = namespace(norm)
    spread = xp.sqrt(square / xp.where(n > 1, n - 1.0, 1.0))
    return _moved(mean, average, n > 0, rate), _moved(std, spread, n > 1, rate)


@on_arrays
def updated_cosine(P: Labels, Q: Logits | Projection, t: Any, rate: float) -> Array:
    """(1 − rate)·t + rate·(mean of cos θ at the truth), over the examples that count; t where none does."""
    counted = _counted(P)
    cosine = detached(_cosine(P, Q, counted))
    n, average = _average(cosine, counted)
    return _moved(t, average, n > 0, rate)


def _counted(P: Labels) -> Array | None:
    if not isinstance(P, Labels):
        raise KindError("P", "Labels", type(P).__name__)
    return counted_examples(P, P.indices)


def _cosine(P: Labels, Q: Logits | Projection, counted: Array | None) -> Array:
    if isinstance(Q, Projection):
        hidden = mask_hidden(to_compute(detached(Q.hidden)), counted, None)
        x, _ = normalized(hidden)
        truth = look_up(detached(Q.weight), inside(P.indices, Q.weight.shape[0]))
        w, _ = normalized(namespace(x).astype(truth, x.dtype, copy=False))
        return sum_classes(x * w)
    if not isinstance(Q, Logits):
        raise KindError("Q", "a Projection, or cosines in Logits", type(Q).__name__)
    checks.require_label_shape(P.indices, tuple(Q.scores.shape), Q.axis % Q.scores.ndim)
    scores = namespace(Q.scores).moveaxis(Q.scores, Q.axis, -1)
    found = pick(scores, inside(P.indices, scores.shape[-1]))
    cosines(found, Inspector(find(found).reads(found, P.indices), counted), "the truth")
    return to_compute(found)


def _total(x: Array, counted: Array | None) -> Array:
    xp = namespace(x)
    return xp.sum(x if counted is None else xp.where(counted, x, 0.0))


def _average(x: Array, counted: Array | None) -> tuple[Array, Array]:
    """How many count, and their mean; 0 of none."""
    xp = namespace(x)
    n = _total(xp.ones_like(x), counted)
    return n, _total(x, counted) / xp.where(n > 0, n, 1.0)


def _moved(old: Any, new: Array, known: Array, rate: float) -> Array:
    xp = namespace(new)
    old = beside(checks.require_scalar(old, "the state so far"), new)
    return xp.where(known & xp.isfinite(new), rate * new + (1.0 - rate) * old, old)
