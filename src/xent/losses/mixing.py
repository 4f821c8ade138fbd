"""Two truths an example: what mixup and CutMix train with."""

from __future__ import annotations

from typing import Any

from xent.backends import find, on_arrays
from xent.core import checks
from xent.core.arrays import Array
from xent.core.predictions import Logits, LogProbabilities, Probabilities, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.targets import Labels
from xent.functional import cross_entropy
from xent.functional.adjusting import beside
from xent.functional.averaging import reduced
from xent.functional.truth import weight_of_labels
from xent.functional.weights import alive, weight_array
from xent.losses.catalogue import member

__all__ = ["mixup"]


@member(
    "λ·CE(y_a) + (1 − λ)·CE(y_b) = CE(λ·t_a + (1 − λ)·t_b)",
    gradient="p − λ·t_a − (1 − λ)·t_b",
    source="Zhang, Cisse, Dauphin and Lopez-Paz, mixup, 2017, arXiv 1710.09412; Yun, Han, Oh, Chun, Choe and Yoo, "
    "CutMix, 2019, arXiv 1905.04899",
    places="S2",
)
@on_arrays
def mixup(
    P: Labels,
    other: Labels,
    Q: Logits | LogProbabilities | Probabilities | Projection,
    share: Any,
    *,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """The cross-entropy of images that were mixed of two, without a row of probabilities for each.

    λ is how much of an image is of label y_a: drawn from a Beta distribution for mixup, the share of the area for
    CutMix. Labels may be smoothed. For losses with φ, which is not linear, give the mixed ``Distribution`` to them.

    Parameters
    ----------
    P, other : Labels
        y_a and y_b. An example of which either is ignored does not count.
    Q : Logits, LogProbabilities, Probabilities or Projection
        Of the mixed examples.
    share : number or array
        λ in [0, 1]; one for all or one an example.
    weight, reduction, denominator, empty
        As of ``cross_entropy``.

    Raises
    ------
    KindError, ShapeError, LabelError
        As of ``cross_entropy``.
    WeightError
        λ outside [0, 1]; where it cannot be read the loss is NaN.

    Examples
    --------
    >>> import xent
    >>> a, b, Q = xent.Labels([0]), xent.Labels([2]), xent.Logits([[2.0, 0.5, -1.0]])
    >>> round(float(xent.losses.mixing.mixup(a, b, Q, 0.7)), 4)
    1.1413
    """
    kinds = (Logits, LogProbabilities, Probabilities, Projection)
    for labels in (P, other):
        checks.require_pair(labels, Q, (Labels,), kinds)
    # The zeros of each label's loss say in which framework and type the results are.
    like = next(getattr(Q, name) for name in ("scores", "log_probs", "probs", "hidden") if hasattr(Q, name))
    reads = find(like).reads(like)
    if not isinstance(share, (int, float)):
        share = beside(share, like, "mixup(share)")
    parts = [weight_array(part, like, "mixup(share)", reads) for part in (share, 1.0 - share)]
    w = weight_of_labels(other, weight_of_labels(P, weight, like), like)
    w = weight_array(w, like, "weight=", reads)
    each = [cross_entropy(labels, Q, weight=alive(w), reduction="none") for labels in (P, other)]
    mixed = sum(part * value for part, value in zip(parts, each, strict=True))
    return reduced(mixed, weight=w, reduction=reduction, denominator=denominator, empty=empty)
