"""Classes with several classifiers each."""

from __future__ import annotations

from xent.core.arrays import classes_at, classes_last, namespace, to_compute
from xent.core.predictions import Logits, Projection
from xent.core.scores import Scores
from xent.errors import OptionError
from xent.functional.projection import projected_scores


def best_centre(Q: Logits | Projection, centres: int, normalize: bool) -> Logits:
    """The largest of the scores of each class's centres."""
    normalize = normalize and isinstance(Q, Projection)
    if isinstance(Q, Projection):
        x = projected_scores(Q, None, None, Scores(normalize="both") if normalize else None, None)[0]
    else:
        x = to_compute(Q.scores)
    axis = Q.axis % x.ndim
    x = classes_last(x, axis)
    if centres < 1 or x.shape[-1] % centres:
        raise OptionError(
            "sub_center(centres)", f"a number that divides {x.shape[-1]}, the number of classifiers", repr(centres)
        )
    xp = namespace(x)
    apart = xp.reshape(x, (*x.shape[:-1], x.shape[-1] // centres, centres))
    found = xp.max(apart, axis=-1)
    if normalize:
        # Products may be made in less than float32 (TF32), whose rounding leaves cosines farther outside.
        found = xp.where(found > 1.0, 1.0, xp.where(found < -1.0, -1.0, found))
    return Logits(classes_at(found, axis), axis=axis)
