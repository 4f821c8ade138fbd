"""Losses that are a sum of decisions on the way to a label: what they can be given."""

from __future__ import annotations

from typing import Any

from xent.core import checks
from xent.core.arrays import Array
from xent.core.predictions import Logits, Projection
from xent.core.targets import Labels
from xent.errors import UndefinedPairError
from xent.functional.call import PREDICTIONS, TARGETS


def require_hard_labels(P: Any, Q: Any, classes: int, argument: str) -> Array:
    """Labels without smoothing beside scores, whose shape without the class axis they have. Gives Q's first array."""
    checks.require_pair(P, Q, TARGETS, PREDICTIONS)
    if not isinstance(P, Labels) or P.smoothing:
        got = type(P).__name__ if not isinstance(P, Labels) else f"Labels(smoothing={P.smoothing})"
        raise UndefinedPairError(argument, "Labels without smoothing: a soft target would need every path", got)
    require_scores(Q)
    source = Q.hidden if isinstance(Q, Projection) else Q.scores
    checks.require_one_library({"P": P.indices, "Q": source})
    shape, axis = list(source.shape), -1 if isinstance(Q, Projection) else Q.axis
    shape[axis] = classes
    checks.require_label_shape(P.indices, tuple(shape), axis % len(shape))
    return source


def require_scores(Q: Any) -> None:
    if not isinstance(Q, (Logits, Projection)):
        raise UndefinedPairError("Q", "Logits or Projection: scores", type(Q).__name__, "Give the scores themselves.")
