"""Losses that are a sum of decisions on the way to a label: what they are given, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xent.backends import find
from xent.core import checks
from xent.core.arrays import Array, namespace, to_index
from xent.core.predictions import Logits, Projection
from xent.core.targets import Labels
from xent.core.values import Inspector, labels_in_range
from xent.errors import UndefinedPairError
from xent.functional.call import PREDICTIONS, TARGETS
from xent.functional.truth import counted_examples, takes_part
from xent.functional.weights import weight_array


@dataclass(frozen=True, eq=False)
class HardLabels:
    """Labels without smoothing beside scores."""

    index: Array
    #: Whether a label is one of the classes.
    inside: Array
    #: Which examples are not ignored; None: all.
    counted: Array | None
    weight: Array | None
    reads: bool

    @property
    def asked(self) -> Array:
        """The examples whose label is looked up: not ignored, nor out of range where a weight of 0 excuses that."""
        xp = namespace(self.index)
        found = xp.ones_like(self.index, dtype=xp.bool) if self.counted is None else self.counted
        return found if self.weight is None else found & (self.inside | (self.weight != 0))


def hard_labels(P: Any, Q: Any, classes: int, weight: Any, argument: str) -> HardLabels:
    """P, of the shape of Q's scores without their class axis, and the weights of its examples."""
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
    examples = tuple(P.indices.shape)
    reads = find(source).reads(source, P.indices, weight)
    w = weight_array(weight, source, "weight=", reads)
    if w is not None:
        checks.require_weight_shape(w, examples, "weight=", "example")
    counted = counted_examples(P, P.indices)
    labels_in_range(P.indices, classes, Inspector(reads, takes_part(counted, w, examples)))
    index = to_index(P.indices)
    return HardLabels(index, (index >= 0) & (index < classes), counted, w, reads)


def require_scores(Q: Any) -> None:
    """Logits or a Projection."""
    if not isinstance(Q, (Logits, Projection)):
        raise UndefinedPairError("Q", "Logits or Projection: scores", type(Q).__name__, "Give the scores themselves.")
