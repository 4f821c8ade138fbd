"""Losses to compare cross-entropy with, on the same P and Q: squared error, hinge, classification error."""

from __future__ import annotations

from typing import Any

from xent.backends import on_arrays
from xent.core import algebra
from xent.core.arrays import Array, device_of, namespace, sum_classes, to_compute, to_index
from xent.core.reduction import Empty, Reduction
from xent.errors import UndefinedPairError
from xent.functional.call import P_, Q_, Call
from xent.functional.prepare import prepare
from xent.functional.reducing import Reducer


@on_arrays
def squared_error(
    P: P_,
    Q: Q_,
    *,
    weight: Any = None,
    class_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Squared error of the probabilities, Σ_k (P(k) − Q(k))²: the Brier score.

    For Indicators (t − q)² an element. Scores go through softmax or sigmoid first, so the gradient by a single score is
    2(q − t)q(1 − q), which vanishes where the model is confidently wrong; that of cross-entropy is q − t.

    Arguments, shapes, dtypes and errors as of ``cross_entropy``.

    References
    ----------
    Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950.

    Examples
    --------
    >>> import xent
    >>> float(xent.squared_error(xent.Indicators(1), xent.Probabilities(0.5)))
    0.25
    """
    reducer = Reducer(reduction, denominator, empty)
    call = prepare(P, Q, weight=weight, class_weight=class_weight).cleaned()
    with call.backend.quiet():
        xp = call.xp
        if call.rows:
            q, _ = call.class_probabilities()
            raw = sum_classes((q - call.class_truth()) ** 2)
        else:
            q = to_compute(call.q) if call.link == "probs" else xp.exp(-call.elements()[0])
            raw = (q - call.t) ** 2
        return reducer(call, _weighted(call, raw))


@on_arrays
def hinge(
    P: P_,
    Q: Q_,
    *,
    weight: Any = None,
    class_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Hinge loss of scores: max_j (z_j + 1[j ≠ y]) − z_y; for Indicators max(0, 1 − (2t − 1)z) an element.

    For a Distribution, and for smoothing, the expectation over P.

    Arguments, shapes and dtypes as of ``cross_entropy``.

    Raises
    ------
    UndefinedPairError
        Q holds probabilities: a margin is one of scores.

    References
    ----------
    Crammer and Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines", JMLR 2, 2001.

    Examples
    --------
    >>> import xent
    >>> float(xent.hinge(xent.Labels(0), xent.Logits([1.5, 1.0, -2.0])))
    0.5
    """
    reducer = Reducer(reduction, denominator, empty)
    call = prepare(P, Q, weight=weight, class_weight=class_weight).cleaned()
    if call.link != "logits":
        raise UndefinedPairError(
            "Q",
            "Logits or Projection: a margin is one of scores",
            type(Q).__name__,
            "Give the scores themselves.",
        )
    with call.backend.quiet():
        z = to_compute(call.q)
        if call.rows:
            found = _row_hinge(z, call.class_truth())
        else:
            found = call.t * _positive(1 - z) + (1 - call.t) * _positive(1 + z)
        return reducer(call, _weighted(call, found))


@on_arrays
def classification_error(
    P: P_,
    Q: Q_,
    *,
    weight: Any = None,
    class_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Share of examples whose most probable class is not the true one: errors / total.

    For a Distribution the probability 1 − P(argmax Q) that the predicted class is wrong; for Indicators "yes" is
    predicted where q > ½. The first of equal classes is predicted. Smoothing is left out: it is a means of training,
    and an error is one of the labels themselves. Nothing is differentiated.

    Arguments, shapes, dtypes and errors as of ``cross_entropy``. NaN scores of an example that counts give NaN.

    Examples
    --------
    >>> import xent
    >>> float(xent.classification_error(xent.Labels([0, 1]), xent.Logits([[2.0, 1.0], [2.0, 1.0]])))
    0.5
    """
    reducer = Reducer(reduction, denominator, empty)
    call = prepare(P, Q, weight=weight, class_weight=class_weight, smooth=False).cleaned()
    with call.backend.quiet():
        xp, q = call.xp, to_compute(call.q)
        if call.rows:
            best = xp.argmax(q, axis=-1, keepdims=True)
            raw = 1 - xp.take_along_axis(call.class_truth(), best, axis=-1)[..., 0]
            undefined = xp.any(xp.isnan(q), axis=-1)
            if call.link == "logits":
                certain = xp.sum(to_index(q == float("inf")), axis=-1)
                undefined = undefined | (certain > 1) | xp.all(q == -float("inf"), axis=-1)
        else:
            threshold = {"logits": 0.0, "probs": 0.5, "log_probs": -0.6931471805599453}[call.link]
            raw = xp.where(q > threshold, 1 - call.t, call.t)
            undefined = xp.isnan(q)
        return reducer(call, _weighted(call, xp.where(undefined, float("nan"), raw)))


def _row_hinge(z: Array, t: Array) -> Array:
    """Σ_k t_k·(max_j (z_j + 1[j ≠ k]) − z_k); the rival of k is the best other class."""
    xp = namespace(z)
    at_best = xp.arange(z.shape[-1], device=device_of(z)) == xp.argmax(z, axis=-1, keepdims=True)
    best = xp.max(z, axis=-1, keepdims=True)
    second = xp.max(xp.where(at_best, -float("inf"), z), axis=-1, keepdims=True)
    rival = xp.where(at_best, second, best)
    margin = _positive(1 + rival - z)
    return sum_classes(t * xp.where((t == 0) & xp.isinf(margin), 0.0, margin))


def _positive(x: Array) -> Array:
    """max(x, 0), with NaN kept."""
    xp = namespace(x)
    return xp.where(x <= 0, 0.0, x)


def _weighted(call: Call, raw: Array) -> Array:
    return algebra.row_values({"loss": raw}, None, (), call.weight, call.counted, algebra.plain)
