"""Losses over a sample of the classes, for more classes than can be scored at every step.

From the scores of what was drawn the logarithm of its expected count in a sample is taken off (“log Q correction”), so
that a class which is drawn often is not pushed down for it. Such losses are for training: they are not −log q.
"""

from __future__ import annotations

from typing import Any

from xent.backends import find, on_arrays
from xent.core import checks
from xent.core.arrays import Array, as_array, namespace, sum_classes, to_compute
from xent.core.predictions import Logits
from xent.core.reduction import Empty, Reduction
from xent.core.targets import Distribution, Indicators, Labels
from xent.core.values import Inspector
from xent.errors import ProbabilityError
from xent.functional import cross_entropy
from xent.functional.averaging import reduced
from xent.losses.candidates import accidental_hits, at_least, sampled_scores
from xent.losses.catalogue import member
from xent.losses.in_batch import in_batch_scores, in_batch_softmax

__all__ = [
    "accidental_hits",
    "importance_weights",
    "in_batch_scores",
    "in_batch_softmax",
    "nce",
    "sampled_scores",
    "sampled_softmax",
]


@member(
    "CE(s/τ − log E[count]) over the true classes and S sampled ones; accidental hits at −∞",
    gradient="(p − t)/τ on the columns that were drawn",
    source="Jean, Cho, Memisevic and Bengio, On Using Very Large Target Vocabulary for Neural Machine Translation, "
    "2014, arXiv 1412.2007; Bengio and Senécal, Adaptive Importance Sampling, 2008",
    defaults={"temperature": "1", "least": "None; 1e-6 TensorFlow Recommenders"},
)
@on_arrays
def sampled_softmax(
    true: Any,
    sampled: Any,
    *,
    log_counts_true: Any = None,
    log_counts_sampled: Any = None,
    hits: Any = None,
    temperature: Any = 1.0,
    least: float | None = None,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Sampled softmax: cross-entropy over the true classes, 1/T on each, and a sample of the others.

    With every class drawn once it is the full softmax. The arguments up to ``least`` are those of ``sampled_scores``,
    which gives the same as a prediction, for ``xent.value_and_grad``. The rest are those of ``cross_entropy``.

    Examples
    --------
    >>> import xent
    >>> true, sampled = [[2.0], [1.0]], [[0.5, -1.0], [0.0, 1.0]]
    >>> round(float(xent.losses.sampled.sampled_softmax(true, sampled)), 4)
    0.5517
    """
    Q = sampled_scores(
        true,
        sampled,
        log_counts_true=log_counts_true,
        log_counts_sampled=log_counts_sampled,
        hits=hits,
        temperature=temperature,
        least=least,
    )
    T = as_array(true, "sampled_softmax(true)").shape[-1]
    options: dict[str, Any] = {"weight": weight, "reduction": reduction, "denominator": denominator, "empty": empty}
    if T > 1:
        return cross_entropy(Distribution(_truth(Q, T)), Q, **options)
    xp = namespace(Q.scores)
    return cross_entropy(Labels(xp.zeros_like(Q.scores[..., 0], dtype=xp.int32)), Q, **options)


@member(
    "Σ over T true and S sampled classes of BCE(t, s − log E[count]), t = 1/T on the true ones",
    gradient="(σ − t)/τ of each",
    source="Gutmann and Hyvärinen, Noise-Contrastive Estimation, AISTATS 2010; Mnih and Teh, 2012, arXiv 1206.6426",
    defaults={"hits": "None: accidental hits are kept, as in TensorFlow", "temperature": "1"},
)
@on_arrays
def nce(
    true: Any,
    sampled: Any,
    *,
    log_counts_true: Any = None,
    log_counts_sampled: Any = None,
    hits: Any = None,
    temperature: Any = 1.0,
    least: float | None = None,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Noise-contrastive estimation: was a class drawn from the data, or from the noise.

    One number an example, the sum over its T + S classes. With ``hits`` accidental hits take no part (“sampled
    logistic”). The arguments up to ``least`` are those of ``sampled_scores``, the rest those of ``cross_entropy``.

    Examples
    --------
    >>> import xent
    >>> round(float(xent.losses.sampled.nce([[0.0]], [[0.0, 0.0]])), 4)
    2.0794
    """
    Q = sampled_scores(
        true,
        sampled,
        log_counts_true=log_counts_true,
        log_counts_sampled=log_counts_sampled,
        hits=hits,
        temperature=temperature,
        least=least,
    )
    t = _truth(Q, as_array(true, "nce(true)").shape[-1])
    each = sum_classes(cross_entropy(Indicators(t), Q, reduction="none"))
    return reduced(each, weight=weight, reduction=reduction, denominator=denominator, empty=empty)


@member(
    "w = 1/q, for weight=",
    gradient="w·(p − t)",
    source="Horvitz and Thompson, A Generalization of Sampling Without Replacement, 1952",
    places="S3",
)
def importance_weights(probabilities: Any, *, least: float | None = None) -> Array:
    """1/q of each example: with q the probability that it was drawn, weighted sums are those of the whole in the mean.

    Parameters
    ----------
    probabilities : array
        q > 0 of each example.
    least : float, optional
        Probabilities below it are taken for it, which bounds the weights at 1/least.

    Raises
    ------
    ProbabilityError
        A q that is not above 0 (with ``least`` below 0), or NaN. Where data cannot be read, its weight is NaN.

    Examples
    --------
    >>> import xent
    >>> xent.losses.sampled.importance_weights([0.5, 0.1])
    array([ 2., 10.])
    """
    q = as_array(probabilities, "importance_weights(probabilities)")
    checks.require_numbers(q, "importance_weights(probabilities)")
    bad = ~(q > 0) if least is None else ~(q >= 0)

    def error(at: tuple[int, ...]) -> ProbabilityError:
        return ProbabilityError(
            "importance_weights(probabilities)",
            "probabilities above 0",
            f"{float(q[at]):g} at position {at}",
            "What can never be drawn is in no sample; least= bounds the weights of what is rare.",
        )

    q = Inspector(find(q).reads(q)).settle(to_compute(q), bad, error)
    return 1.0 / at_least(q, least, "importance_weights(least=)")


def _truth(Q: Logits, true: int) -> Array:
    """1/T on each of the T true classes, which come first."""
    x = Q.scores
    xp = namespace(x)
    return xp.concat((xp.ones_like(x[..., :true]) / true, xp.zeros_like(x[..., true:])), axis=-1)
