"""Adaptive softmax: the frequent classes and the clusters of the others are one softmax, each cluster another.

    −log q_y = CE(y, head) for a frequent class        CE(its cluster, head) + CE(y, tail of the cluster) for another

Classes are counted from the most frequent: those of the head first, then those of each tail.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from xent.backends import find
from xent.core.arrays import (
    Array,
    classes_at,
    classes_last,
    look_up,
    namespace,
    sum_by_index,
    to_compute,
)
from xent.core.predictions import Logits, LogProbabilities, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.targets import Labels
from xent.errors import ShapeError
from xent.functional import cross_entropy
from xent.functional.averaging import reduced
from xent.functional.projection import projected_scores
from xent.losses.catalogue import member
from xent.losses.hard_labels import hard_labels, require_scores

__all__ = ["adaptive_log_probabilities", "adaptive_softmax"]


@member(
    "CE(y or its cluster, head) + CE(y, tail of its cluster)",
    gradient="p − t of the head, and of the one tail that holds the label",
    source="Grave, Joulin, Cissé, Grangier and Jégou, Efficient softmax approximation for GPUs, 2016, arXiv 1609.04309",
)
def adaptive_softmax(
    P: Labels,
    head: Logits | Projection,
    *,
    tails: Sequence[Logits | Projection],
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Adaptive softmax: −log q of each label, a sum of one or two cross-entropies.

    Parameters
    ----------
    P : Labels
        Without smoothing. With C classes in the head, and K_i in tail i, the classes of tail 0 are C … C + K_0 − 1.
    head : Logits (…, C + n) or Projection
        Scores of C frequent classes and then of the n clusters.
    tails : sequence of n Logits (…, K_i) or Projections
        Scores of the classes of each cluster, for every example; those of examples in other clusters are not read. Of a
        Projection they are not computed either, where the labels can be read. Its hidden states may be others than the
        head's, such as smaller ones.
    weight, reduction, denominator, empty
        As of ``cross_entropy``.

    Raises
    ------
    UndefinedPairError
        P that is not Labels, or is smoothed; a prediction that holds no scores.
    ShapeError
        A head without a frequent class; tails of another number of examples.

    Examples
    --------
    >>> import xent
    >>> head, tails = xent.Logits([[0.0, 0.0, 0.0]] * 2), [xent.Logits([[0.0, 0.0]] * 2)]
    >>> xent.losses.adaptive.adaptive_softmax(xent.Labels([0, 3]), head, tails=tails, reduction="none").round(4)
    array([1.0986, 1.7918])
    """
    starts = _starts(head, tails)
    labels = hard_labels(P, head, starts[-1], weight, "adaptive_softmax(P)")
    index, asked, w = labels.index, labels.asked, labels.weight
    xp = namespace(index)
    # The place of a label in the head: its own, or that of its cluster; outside of the head where it is outside of all.
    place = index
    for i, start in enumerate(starts):
        place = xp.where(index >= start, xp.full_like(index, starts[0] + i), place)
    each = _entropies(place, head, _read(asked, head, w))
    for start, end, tail in zip(starts, starts[1:], tails, strict=False):
        _require_examples(tail, index)
        if end - start > 1:
            here = _read(asked & (index >= start) & (index < end), tail, w)
            each = each + _tail(index - start, tail, here, labels.reads)
    return reduced(each, counted=labels.counted, weight=w, reduction=reduction, denominator=denominator, empty=empty)


def adaptive_log_probabilities(head: Logits | Projection, *, tails: Sequence[Logits | Projection]) -> LogProbabilities:
    """log q of all classes, from the head and every tail; differentiable. Classes are at the head's axis."""
    starts = _starts(head, tails)
    found, axis = _log_q(head)
    xp = namespace(found)
    parts = [found[..., : starts[0]]]
    for i, tail in enumerate(tails):
        cluster = found[..., starts[0] + i : starts[0] + i + 1]
        parts.append(cluster + _log_q(tail)[0] if starts[i + 1] - starts[i] > 1 else cluster)
    return LogProbabilities(classes_at(xp.concat(parts, axis=-1), axis), axis=axis)


def _starts(head: Logits | Projection, tails: Sequence[Logits | Projection]) -> list[int]:
    """The first class of each tail, and K."""
    for Q in (head, *tails):
        require_scores(Q)
    frequent = _size(head) - len(tails)
    if frequent < 1:
        raise ShapeError(
            "head", f"scores of a frequent class at least, and of {len(tails)} clusters", f"{_size(head)} scores"
        )
    return list(accumulate((_size(tail) for tail in tails), initial=frequent))


def _size(Q: Logits | Projection) -> int:
    return int(Q.weight.shape[0] if isinstance(Q, Projection) else Q.scores.shape[Q.axis])


def _require_examples(tail: Logits | Projection, index: Array) -> None:
    shape = list(tail.hidden.shape if isinstance(tail, Projection) else tail.scores.shape)
    del shape[tail.axis]
    if len(shape) != index.ndim or not all(a is None or a == b for a, b in zip(shape, index.shape, strict=True)):
        raise ShapeError("tails", f"scores for every example, {tuple(index.shape)}", f"those of {tuple(shape)}")


def _read(here: Array, Q: Logits | Projection, weight: Array | None) -> Array:
    """The examples whose scores are read: not those of weight 0 that are not finite."""
    if weight is None:
        return here
    xp = namespace(here)
    x = Q.hidden if isinstance(Q, Projection) else classes_last(Q.scores, Q.axis % Q.scores.ndim)
    return here & ~((weight == 0) & ~xp.all(xp.isfinite(x), axis=-1))


def _entropies(index: Array, Q: Logits | Projection, here: Array) -> Array:
    """−log q of the examples that are here, and 0 of others, whose index and scores are not read."""
    xp = namespace(index)
    return cross_entropy(Labels(xp.where(here, index, xp.zeros_like(index))), Q, weight=here, reduction="none")


def _tail(index: Array, Q: Logits | Projection, here: Array, reads: bool) -> Array:
    """The same; a Projection is only multiplied for the examples that are here, where one can look which."""
    if not reads or isinstance(Q, Logits):
        return _entropies(index, Q, here)
    xp = namespace(index)
    (rows,) = xp.nonzero(xp.reshape(here, (-1,)))
    hidden = look_up(xp.reshape(Q.hidden, (-1, Q.hidden.shape[-1])), rows)
    found = cross_entropy(
        Labels(look_up(xp.reshape(index, (-1,)), rows)), Projection(hidden, Q.weight, Q.bias), reduction="none"
    )
    size = 1
    for length in here.shape:
        size *= int(length)
    return xp.reshape(sum_by_index(found, rows, size), tuple(here.shape))


def _log_q(Q: Logits | Projection) -> tuple[Array, int]:
    """log q with classes last, and where Q has them."""
    if isinstance(Q, Projection):
        x = projected_scores(Q, None, None, None, None)[0]
        axis = x.ndim - 1
    else:
        x, axis = to_compute(Q.scores), Q.axis % Q.scores.ndim
    return -find(x).surprisals(classes_last(x, axis), "logits"), axis
