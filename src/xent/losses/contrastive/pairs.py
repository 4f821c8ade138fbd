"""One positive key for each query: InfoNCE, NT-Xent of two views, N-pairs."""

from __future__ import annotations

from typing import Any

from xent.backends import on_arrays
from xent.core.arrays import Array, compute_dtype, device_of, namespace, sum_classes, to_index
from xent.core.predictions import Logits, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.scores import Scores
from xent.core.targets import Distribution, Labels
from xent.errors import OptionError
from xent.functional import cross_entropy
from xent.functional.embeddings import (
    against,
    is_at,
    labels_of,
    number_beside,
    paired,
    positions,
    require_negatives,
)
from xent.losses.catalogue import member

#: The gradient of a cross-entropy of queries on keys.
ROWS = "(p − t)·k/τ by a direction q, (p − t)ᵀ·q/τ by the keys"


@member(
    "CE of the positive among the keys, scores ⟨q, k⟩/τ",
    gradient=ROWS,
    source="van den Oord, Li and Vinyals, Contrastive Predictive Coding, 2018, arXiv 1807.03748; He, Fan, Wu, Xie and "
    "Girshick, MoCo, 2019, arXiv 1911.05722",
    defaults={"temperature": ".07, MoCo's", "normalize": "True, MoCo's; the scores of 1807.03748 are bilinear"},
)
@on_arrays
def info_nce(
    queries: Any,
    keys: Any,
    *,
    positives: Any = None,
    negatives: Any = None,
    own: Any = None,
    temperature: Any = 0.07,
    normalize: bool = True,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """InfoNCE: −log (exp(⟨qᵢ, kᵢ⟩/τ) / Σⱼ exp(⟨qᵢ, kⱼ⟩/τ)), one positive against negatives in the batch or given.

    Parameters
    ----------
    queries : float array (N, D)
    keys : float array (K, D)
        Key i is the positive of query i, and every other key a negative. For a queue append it to the keys.
    positives : integer array (N,), optional
        The key that is the positive of each query instead: where keys were gathered.
    negatives : float array (M, D) or (N, M, D), optional
        The only negatives, for all queries or for each its own; the keys are then (N, D).
    own : integer array (N,), optional
        Where each query is itself among the keys, which is no candidate for it.
    temperature : number
        τ > 0.
    normalize : bool
        Whether embeddings are divided by their length, so that scores are cosines.

    Returns
    -------
    array
        A scalar, or for "none" one number a query.

    Raises
    ------
    ShapeError, DtypeError, OptionError, OneClassError
        Embeddings that are no rows of floats, or of two widths; τ ≤ 0; a single key.

    Examples
    --------
    >>> import xent
    >>> q = [[1.0, 0.0], [0.0, 1.0]]
    >>> round(float(xent.losses.contrastive.info_nce(q, q, temperature=0.5)), 4)
    0.1269
    """
    queries, keys = paired(queries, keys, ("queries", "keys"), rows=negatives is not None)
    scale = 1.0 / number_beside(temperature, queries, "temperature=")
    if negatives is None:
        P = Labels(positions(positives, queries, keys, "positives="))
        allowed = None if own is None else ~is_at(labels_of(own, queries, "own="), keys)
        Q: Logits | Projection = Projection(queries, keys)
        scores = Scores(normalize="both" if normalize else None, scale=scale, allowed=allowed)
    else:
        if positives is not None or own is not None:
            raise OptionError(
                "positives= and own=", "None beside negatives=", "both", "Key i belongs to query i there."
            )
        P = Labels(0 * positions(None, queries, keys, "negatives="))
        Q = Logits(against(queries, keys, require_negatives(negatives, queries, "negatives="), normalize=normalize))
        scores = Scores(scale=scale)
    return cross_entropy(P, Q, scores=scores, weight=weight, reduction=reduction, denominator=denominator, empty=empty)


@member(
    "CE of the other view among all 2N − 1 others, scores cos/τ",
    gradient=ROWS,
    source="Chen, Kornblith, Norouzi and Hinton, SimCLR, 2020, arXiv 2002.05709",
    defaults={"temperature": ".5, lightly's; .1 in the paper for ImageNet, .07 in optax and PyTorch Metric Learning"},
)
@on_arrays
def nt_xent(
    first: Any,
    second: Any,
    *,
    temperature: Any = 0.5,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """NT-Xent (SimCLR) of two views of N examples: each of the 2N embeddings has to find its other view.

    It is ``info_nce(z, z, positives=…, own=…)`` of both views z; over processes write that, with all z as keys.

    Parameters
    ----------
    first, second : float arrays (N, D)
        Row i of both is the same example.
    temperature : number
        τ > 0.
    weight : number or array (2N,), optional
        Of the first views, then of the second.

    Returns
    -------
    array
        A scalar, or for "none" 2N numbers, those of the first views before those of the second.

    Raises
    ------
    ShapeError, DtypeError, OptionError
        As of ``info_nce``.

    Examples
    --------
    >>> import xent
    >>> same = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]
    >>> round(float(xent.losses.contrastive.nt_xent(same, same)), 4)  # log 5
    1.6094
    """
    first, second = paired(first, second, ("first", "second"), rows=True)
    xp, n = namespace(first), first.shape[0]
    both = xp.concat([first, second], axis=0)
    at = to_index(xp.arange(2 * n, device=device_of(both)))
    other = xp.where(at < n, at + n, at - n)
    return info_nce(
        both,
        both,
        positives=other,
        own=at,
        temperature=temperature,
        weight=weight,
        reduction=reduction,
        denominator=denominator,
        empty=empty,
    )


@member(
    "CE of the positive among all positives, scores ⟨a, p⟩",
    gradient="(p − t)·p by an anchor",
    source="Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, 2016",
)
@on_arrays
def n_pairs(
    anchors: Any,
    positives: Any,
    labels: Any = None,
    *,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """N-pairs: log(1 + Σ_{j ≠ i} exp(⟨aᵢ, pⱼ⟩ − ⟨aᵢ, pᵢ⟩)), of embeddings that are not normalised.

    The paper's penalty on their lengths is left to the caller.

    Parameters
    ----------
    anchors, positives : float arrays (N, D)
        Row i of both belong together.
    labels : integer array (N,), optional
        Rows of one label belong together too: the target is uniform on them, as in TensorFlow Addons.

    Returns
    -------
    array
        A scalar, or for "none" one number an anchor.

    Raises
    ------
    ShapeError, DtypeError, OneClassError
        As of ``info_nce``.

    Examples
    --------
    >>> import xent
    >>> x = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]
    >>> round(float(xent.losses.contrastive.n_pairs(x, x)), 4)
    0.2539
    """
    anchors, positives = paired(anchors, positives, ("anchors", "positives"), rows=True)
    P: Labels | Distribution = Labels(positions(None, anchors, positives, "labels"))
    if labels is not None:
        y = labels_of(labels, anchors, "labels")
        xp = namespace(anchors)
        same = xp.astype(y[:, None] == y[None, :], compute_dtype(anchors))
        P = Distribution(same / sum_classes(same, keepdims=True))
    return cross_entropy(
        P, Projection(anchors, positives), weight=weight, reduction=reduction, denominator=denominator, empty=empty
    )
