"""The reduction of losses that are composed of several calls: one value an example in."""

from __future__ import annotations

from typing import Any

from xent.backends import find
from xent.core import algebra, checks
from xent.core.arrays import Array
from xent.core.reduction import reduce
from xent.functional.reducing import Reducer
from xent.functional.weights import weight_array


def reduce_examples(each: Array, counted: Array | None, weight: Any, reducer: Reducer) -> Array:
    """The values of examples, weighted and reduced; exactly 0 where one does not count."""
    backend = find(each)
    reads = backend.reads(each, counted, weight, reducer.denominator)
    w = weight_array(weight, each, "weight=", reads)
    if w is not None:
        checks.require_weight_shape(w, tuple(each.shape), "weight=", "example")
    if reducer.denominator is not None and not isinstance(reducer.denominator, float):
        checks.require_one_library({"denominator=": reducer.denominator, "Q": each})
    with backend.quiet():
        return reduce(
            algebra.row_values({"loss": each}, None, (), w, counted, algebra.plain),
            w,
            counted,
            reduction=reducer.reduction,
            denominator=reducer.denominator,
            empty=reducer.empty,
            reads=reads,
        )
