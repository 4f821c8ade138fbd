"""Several positive keys for a query: by label, or by a mask."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from xent.backends import on_arrays
from xent.core import checks
from xent.core.arrays import Array, namespace, sum_classes
from xent.core.predictions import Logits, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.scores import Scores
from xent.core.targets import Distribution, Indicators
from xent.functional import cross_entropy
from xent.functional.averaging import reduced
from xent.functional.embeddings import (
    by_label,
    counting,
    mask_of,
    number_beside,
    paired,
    similarities,
    weights_of,
)
from xent.functional.partition import log_odds, log_sum_exp
from xent.losses.catalogue import member
from xent.losses.contrastive.pairs import ROWS

Alone: TypeAlias = Literal["skip", "zero"]


@member(
    "−log (e^{s_ij}/(e^{s_ij} + Σ_{k: y_k ≠ y_i} e^{s_ik})) of each positive pair, s = cos/τ",
    gradient="by s_ij and by the lse of the negatives ∓σ(lse − s_ij)",
    source="Chen, Kornblith, Norouzi and Hinton, SimCLR, 2020, arXiv 2002.05709, over labels as optax's ntxent and "
    "PyTorch Metric Learning's NTXentLoss have it",
    defaults={"temperature": ".07, optax and PyTorch Metric Learning"},
)
@on_arrays
def nt_xent_by_label(
    queries: Any,
    labels: Any,
    *,
    keys: Any = None,
    key_labels: Any = None,
    own: Any = None,
    temperature: Any = 0.07,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """NT-Xent over labels: the mean over positive pairs (i, j), each against the negatives of i alone.

    Parameters
    ----------
    queries : float array (N, D)
    labels : integer array (N,)
        Two of one label are a positive pair, two of different labels a negative one.
    keys, key_labels, own : arrays (K, D), (K,) and (N,), optional
        What the queries are compared with; by default the queries themselves. ``own`` is where each query is itself
        among the keys; without it none is.
    temperature : number
        τ > 0.
    weight : number or array (N,), optional
        Of all pairs of a query.

    Returns
    -------
    array
        A scalar, or for "none" (N, K) with 0 where there is no positive pair.

    Raises
    ------
    ShapeError, DtypeError, OptionError
        As of ``info_nce``; keys without labels.
    """
    queries, keys, positive, negative = by_label(queries, labels, keys, key_labels, own)
    scale = 1.0 / number_beside(temperature, queries, "temperature=")
    s = similarities(queries, keys, scale, normalize=True)
    xp = namespace(s)
    below = log_sum_exp(s, negative)
    w = weights_of(weight, queries)
    mass = xp.astype(positive, s.dtype)
    return cross_entropy(
        Indicators(xp.ones_like(s)),
        Logits(s - below[..., None]),
        weight=mass if w is None else mass * w[..., None],
        reduction=reduction,
        denominator=denominator,
        empty=empty,
    )


@member(
    "out: CE(t), t uniform on the positives; in: lse(s) − lse(s over positives) + log |positives|; s = cos/τ",
    gradient=f"out: {ROWS}; in: (p − p over positives)·k/τ",
    source="Khosla, Teterwak, Wang, Sarna, Tian, Isola, Maschinot, Liu and Krishnan, Supervised Contrastive Learning, "
    "2020, arXiv 2004.11362, equations 2 and 3",
    defaults={
        "form": "out, the paper's choice",
        "temperature": ".1, the paper's and PyTorch Metric Learning's; .07 in the authors' code",
        "base_temperature": "None: no factor; .07 in the authors' code, where the loss is multiplied by τ/.07",
        "without_positives": "skip, as PyTorch Metric Learning; the authors' code takes a loss of 0 into the mean",
    },
)
@on_arrays
def sup_con(
    queries: Any,
    labels: Any,
    *,
    form: Literal["out", "in"] = "out",
    keys: Any = None,
    key_labels: Any = None,
    own: Any = None,
    temperature: Any = 0.1,
    base_temperature: float | None = None,
    without_positives: Alone = "skip",
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Supervised contrastive loss: the keys of a query's label against all others, itself left out.

    out: −1/n·Σ_{j ∈ Pᵢ} log softmax(sᵢ)_j. in: −log (1/n·Σ_{j ∈ Pᵢ} softmax(sᵢ)_j), which is never larger; n = #Pᵢ.

    Parameters
    ----------
    queries, labels, keys, key_labels, own, temperature
        As of ``nt_xent_by_label``.
    form : "out" or "in"
        Whether the mean over positives stands outside of the logarithm.
    base_temperature : float, optional
        Multiplies the loss by τ/base.
    without_positives : "skip" or "zero"
        A query whose label no key has: it does not count, or counts as a loss of 0 in the mean.

    Returns
    -------
    array
        A scalar, or for "none" one number a query.

    Raises
    ------
    ShapeError, DtypeError, OptionError, OneClassError
        As of ``nt_xent_by_label``; another form.

    Examples
    --------
    >>> import xent
    >>> z = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]
    >>> round(float(xent.losses.contrastive.sup_con(z, [0, 0, 1, 1])), 4)  # log 3
    1.0986
    """
    checks.require_choice(form, ("out", "in"), "form=")
    queries, keys, positive, negative = by_label(queries, labels, keys, key_labels, own)
    tau = number_beside(temperature, queries, "temperature=")
    w, denominator = counting(positive, without_positives, weights_of(weight, queries), queries, reduction, denominator)
    reduce = {"reduction": reduction, "denominator": denominator, "empty": empty}
    xp = namespace(w)
    count = sum_classes(xp.astype(positive, w.dtype))
    count = xp.where(count > 0, count, 1.0)
    if form == "out":
        P = Distribution(xp.astype(positive, w.dtype) / count[..., None])
        scores = Scores(normalize="both", scale=1.0 / tau, allowed=positive | negative)
        loss = cross_entropy(P, Projection(queries, keys), scores=scores, weight=w, **reduce)
    else:
        odds = log_odds(similarities(queries, keys, 1.0 / tau, normalize=True), positive, negative)
        each = cross_entropy(Indicators(xp.ones_like(odds)), Logits(odds), reduction="none")
        loss = reduced(each + xp.log(count), weight=w, **reduce)
    if base_temperature is None:
        return loss
    return loss * (tau / checks.require_positive(base_temperature, "base_temperature="))


@member(
    "lse(s) − lse(s over positives)",
    gradient="(p − p over positives)·k by a query",
    source="Miech, Alayrac, Smaira, Laptev, Sivic and Zisserman, MIL-NCE, 2019, arXiv 1912.06430",
    defaults={
        "temperature": "1, the paper has none",
        "normalize": "False, the paper's",
        "without_positives": "skip: a choice of this library; in the paper every query has positives",
    },
)
@on_arrays
def mil_nce(
    queries: Any,
    keys: Any,
    positive: Any,
    *,
    negative: Any = None,
    temperature: Any = 1.0,
    normalize: bool = False,
    without_positives: Alone = "skip",
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """MIL-NCE: −log (Σ_{j ∈ Pᵢ} exp(sᵢⱼ) / Σ_{j ∈ Pᵢ ∪ Nᵢ} exp(sᵢⱼ)), several keys of which any may be the right one.

    Parameters
    ----------
    queries : float array (N, D)
    keys : float array (K, D)
    positive : bool array (N, K)
        Which keys are candidates for the truth of each query.
    negative : bool array (N, K), optional
        What they stand against; by default all other keys.
    temperature, normalize
        As of ``info_nce``.
    without_positives : "skip" or "zero"
        A query without positives: it does not count, or counts as a loss of 0 in the mean.

    Returns
    -------
    array
        A scalar, or for "none" one number a query.

    Raises
    ------
    ShapeError, DtypeError, OptionError
        As of ``info_nce``; masks that are not booleans of shape (N, K).
    """
    queries, keys = paired(queries, keys, ("queries", "keys"))
    positive = mask_of(positive, queries, keys, "positive")
    negative = ~positive if negative is None else mask_of(negative, queries, keys, "negative=") & ~positive
    scale = 1.0 / number_beside(temperature, queries, "temperature=")
    odds = log_odds(similarities(queries, keys, scale, normalize=normalize), positive, negative)
    w, denominator = counting(positive, without_positives, weights_of(weight, queries), queries, reduction, denominator)
    P = Indicators(namespace(odds).ones_like(odds))
    return cross_entropy(P, Logits(odds), weight=w, reduction=reduction, denominator=denominator, empty=empty)
