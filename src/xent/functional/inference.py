"""The scores of a model in use, and those that the softmax sees while it is trained."""

from __future__ import annotations

from xent.backends import find, on_arrays
from xent.core.arrays import Array, classes_at, classes_last, to_compute
from xent.core.predictions import Logits, Projection
from xent.core.scores import Scores
from xent.core.values import Inspector
from xent.errors import UndefinedPairError
from xent.functional.adjusting import adjusting, require_cosines
from xent.functional.call import P_
from xent.functional.prepare import prepare
from xent.functional.projection import projected_scores
from xent.functional.scoring import scored


def at_inference(scores: Scores | None, Q: Logits | Projection) -> Logits:
    """Q's scores after what of S1 stays when a model is used: normalisation, softcap, scale and mask."""
    if not isinstance(Q, (Logits, Projection)):
        raise UndefinedPairError("at_inference(Q)", "Logits or Projection", type(Q).__name__)
    if scores is None and isinstance(Q, Logits):
        return Q
    source: Array = Q.hidden if isinstance(Q, Projection) else Q.scores
    shape = (*Q.hidden.shape[:-1], Q.weight.shape[0]) if isinstance(Q, Projection) else tuple(source.shape)
    axis = Q.axis % len(shape) if shape else 0
    if scores is not None:
        require_cosines(scores, Q)
    kept = Scores() if scores is None else scores.at_inference()
    kept, _ = adjusting(kept, None, Q, source, shape, axis, None, None, Inspector(reads=False))
    x = projected_scores(Q, None, None, kept, None)[0] if isinstance(Q, Projection) else source
    found = scored(classes_last(x, axis) if shape else x, kept, None, None, find(source))
    return Logits(classes_at(found, axis) if shape else found, axis=axis)


def in_training(scores: Scores | None, P: P_, Q: Logits | Projection) -> Logits:
    """Q's scores after all of S1, with the margin at P's truth."""
    if not isinstance(Q, (Logits, Projection)):
        raise UndefinedPairError("in_training(Q)", "Logits or Projection", type(Q).__name__)
    axis = Q.axis % (Q.hidden.ndim if isinstance(Q, Projection) else max(Q.scores.ndim, 1))
    return Logits(_scored(P, Q, scores=scores), axis=axis)


@on_arrays
def _scored(P: P_, Q: Logits | Projection, *, scores: Scores | None) -> Array:
    call = prepare(P, Q, scores=None if scores is None or scores.idle else scores)
    with call.backend.quiet():
        found = to_compute(call.scored().q)
    return classes_at(found, call.axis) if call.rows else found
