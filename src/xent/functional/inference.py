"""The scores of a model in use."""

from __future__ import annotations

from xent.backends import find
from xent.core.arrays import Array, classes_at, classes_last, to_compute
from xent.core.predictions import Logits, Projection
from xent.core.scores import Scores
from xent.core.values import Inspector
from xent.errors import UndefinedPairError
from xent.functional.adjusting import adjusting
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
    kept = Scores() if scores is None else scores.at_inference()
    kept, _ = adjusting(kept, None, Q, source, shape, axis, None, None, Inspector(reads=False))
    x = projected_scores(Q, None, None, kept, None)[0] if isinstance(Q, Projection) else to_compute(source)
    found = scored(classes_last(x, axis) if shape else x, kept, None, None, find(source))
    return Logits(classes_at(found, axis) if shape else found, axis=axis)
