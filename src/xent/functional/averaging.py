"""Values of examples that are no cross-entropy, weighted and reduced as cross-entropies are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xent.core import algebra
from xent.core.arrays import Array, namespace, to_compute
from xent.core.predictions import Logits
from xent.core.reduction import Empty, Reduction
from xent.core.targets import Indicators
from xent.functional.prepare import prepare
from xent.functional.reducing import Reducer


def reduced(
    values: Array,
    *,
    counted: Array | None = None,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Σ w·v/D of values of any shape, each an example of its own. Arguments and errors as of ``cross_entropy``.

    ``counted`` says which of them are not ignored; None: all.
    """
    reducer = Reducer(reduction, denominator, empty)
    call = prepare(Indicators(namespace(values).zeros_like(values)), Logits(values), weight=weight)
    call = replace(call, counted=counted)
    with call.backend.quiet():
        found = {"loss": to_compute(call.q)}
        return reducer(call, algebra.row_values(found, None, (), call.weight, counted, algebra.plain))
