"""In-batch sampled softmax: the items of the other examples of a batch are the sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core import checks
from xent.core.arrays import Array, as_array, device_of, library, look_up, namespace, to_compute, to_index
from xent.core.predictions import Logits, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.scores import Scores
from xent.core.targets import Labels
from xent.errors import OptionError, ShapeError, UndefinedPairError
from xent.functional import cross_entropy
from xent.losses.candidates import at_least, beside, temperature_of
from xent.losses.catalogue import member


def in_batch_scores(
    P: Labels,
    *,
    items: Any = None,
    probabilities: Any = None,
    temperature: Any = 1.0,
    least: float | None = None,
) -> Scores:
    """S1 of a batch whose own items are the classes: s/τ − log q of each column, −∞ for accidental hits.

    Parameters
    ----------
    P : Labels (N,)
        The column of each row's own item: 0 … N − 1 where row i belongs to item i.
    items : integer array (M,), optional
        The item of each column. Another column of a row's own item is a hit, and takes no part.
    probabilities : array (M,), optional
        How likely each column's item is to be in a batch. A constant factor does not matter.
    temperature : number
        τ > 0. A scalar of a framework is differentiated.
    least : float, optional
        Probabilities below it are taken for it; 1e-6 in TensorFlow Recommenders.

    Raises
    ------
    UndefinedPairError, ShapeError, OptionError
        P that is not Labels; ``items`` that are not a vector; a probability, τ or ``least`` not positive.
    """
    where = "in_batch_scores"
    if not isinstance(P, Labels):
        raise UndefinedPairError("P", "Labels, the column of each row's own item", type(P).__name__)
    scale = 1.0 / temperature_of(temperature, f"{where}(temperature=)")
    offset = None
    if probabilities is not None:
        q = as_array(probabilities, f"{where}(probabilities=)")
        checks.require_numbers(q, f"{where}(probabilities=)")
        xp = namespace(q)
        q = at_least(to_compute(q), least, f"{where}(least=)")
        if library(q) == "numpy" and not bool(np.all((q > 0) & np.isfinite(q))):
            raise OptionError(
                f"{where}(probabilities=)", "positive, finite numbers", f"{float(q.min())}", "See least=."
            )
        offset = -xp.log(q)
    return Scores(scale=scale, offset=offset, allowed=None if items is None else _no_hits(P, items, where))


@member(
    "CE(s/τ − log q_j) over the items of the batch; accidental hits at −∞",
    gradient="(p − t)/τ",
    source="Yi et al., Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations, RecSys 2019",
    places="S1",
    defaults={"temperature": "1", "least": "None; 1e-6 TensorFlow Recommenders"},
)
def in_batch_softmax(
    P: Labels,
    Q: Logits | Projection,
    *,
    items: Any = None,
    probabilities: Any = None,
    temperature: Any = 1.0,
    least: float | None = None,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """In-batch sampled softmax, for retrieval with two towers: the items of the other examples are the sample.

    Q holds scores (N, M), or is ``Projection(queries, items)``. The arguments up to ``least`` are those of
    ``in_batch_scores``, whose result ``xent.value_and_grad(P, Q, scores=…)`` takes too; the rest are those of
    ``cross_entropy``.

    Examples
    --------
    >>> import xent
    >>> P, Q = xent.Labels([0, 1]), xent.Logits([[2.0, 0.0], [0.0, 2.0]])
    >>> round(float(xent.losses.sampled.in_batch_softmax(P, Q, items=[7, 9], temperature=0.5)), 4)
    0.0181
    """
    scores = in_batch_scores(P, items=items, probabilities=probabilities, temperature=temperature, least=least)
    return cross_entropy(P, Q, scores=scores, weight=weight, reduction=reduction, denominator=denominator, empty=empty)


def _no_hits(P: Labels, items: Any, where: str) -> Array:
    """Where a column is a row's own, or another item than the row's."""
    items = beside(items, P.indices, f"{where}(items=)")
    checks.require_integers(items, f"{where}(items=)")
    if items.ndim != 1 or P.indices.ndim != 1:
        raise ShapeError(
            f"{where}(P, items=)",
            "vectors, one column a row and one item a column",
            f"shapes {tuple(P.indices.shape)} and {tuple(items.shape)}",
        )
    xp = namespace(items)
    index, items = to_index(P.indices), to_index(items)
    columns = items.shape[0]
    # Labels outside the columns are found by the call; here they only must not be looked up.
    own = look_up(items, xp.where((index >= 0) & (index < columns), index, xp.zeros_like(index)))
    at_own = xp.arange(columns, device=device_of(items)) == index[:, None]
    return at_own | (items[None, :] != own[:, None])
