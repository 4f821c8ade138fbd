"""Divergences over a part of the classes, the rest of which are taken as one or left out."""

from __future__ import annotations

from typing import Any, Literal

from xent.backends import find, on_arrays
from xent.core import checks
from xent.core.arrays import Array, as_array, classes_last, namespace, to_compute
from xent.core.predictions import Logits, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.targets import Distribution, Labels
from xent.core.values import Inspector
from xent.errors import KindError, OptionError, ShapeError
from xent.functional import kl_divergence
from xent.functional.tempering import require_teacher, squared, student_scores
from xent.functional.top_classes import as_computed, chosen, log_of_rest, teacher_values, with_rest
from xent.functional.truth import counted_examples, takes_part, weight_of_labels
from xent.functional.weights import weight_array
from xent.losses.catalogue import member


@member(
    "T²·KL over the teacher's k classes and the rest of its mass",
    gradient="T·(Q_T − P_T) by the student's scores, P_T the teacher with what rest= makes of its rest",
    source="What the choices do to a student: Anshumann, Zaidi, Kedia, Ahn, Kwon, Lee, Lee and Lee, Sparse Logit "
    "Sampling, 2025, arXiv 2503.16870",
    defaults={
        "rest": "renormalize: the k classes have all of the teacher's mass",
        "temperature": "1: no change",
        "rescale": "True: T², as of forward_kl (Hinton, Vinyals and Dean, 2015, section 2)",
    },
)
@on_arrays
def top_k(
    indices: Any,
    values: Any,
    Q: Logits | Projection,
    *,
    holds: Literal["log_probs", "scores"],
    rest: Literal["renormalize", "condition", "lump"] = "renormalize",
    temperature: float = 1.0,
    rescale: bool = True,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Forward divergence from a teacher of whom k classes are known.

    Parameters
    ----------
    indices : integer array (…, k)
        Classes, each once in a row.
    values : float array (…, k)
        What the teacher gave for them; a constant. −∞ is no mass.
    Q : Logits or Projection (…, V)
        The student.
    holds : "log_probs" or "scores"
        What the values are: log-probabilities among all V classes, or scores.
    rest : "renormalize", "condition" or "lump"
        The classes beside the k: the teacher has no mass there, its k share all of it; the same, and the student is
        compared on the k alone; the teacher's remaining mass is one class, as is the student's ("lump", for
        log-probabilities at T = 1: neither scores nor another temperature say how much it is).
    temperature, rescale, weight, reduction, denominator, empty
        As of ``forward_kl``. Rows of weight 0, such as padding, may hold any indices.

    Returns
    -------
    array
        A scalar, or for "none" one number a row.

    Raises
    ------
    LabelError, ProbabilityError
        An index outside the classes, or twice in a row; log-probabilities with more mass than 1. Where data cannot be
        read, loss and gradient are NaN.
    ShapeError, DtypeError, UndefinedPairError, OptionError
        Shapes that do not fit; a student without scores; "lump" where the rest is not known.

    Examples
    --------
    >>> import math, xent
    >>> Q = xent.Logits([[0.0, 0.0, 0.0, 0.0]])
    >>> top_k = xent.losses.distillation.top_k
    >>> round(float(top_k([[2]], [[math.log(0.25)]], Q, holds="log_probs", rest="lump")), 4)
    0.0
    >>> round(float(top_k([[2]], [[math.log(0.25)]], Q, holds="log_probs")), 4)
    1.3863
    """
    T = checks.require_positive(temperature, "temperature=")
    checks.require_choice(holds, ("log_probs", "scores"), "holds=")
    checks.require_choice(rest, ("renormalize", "condition", "lump"), "rest=")
    if rest == "lump" and (holds == "scores" or T != 1.0):
        raise OptionError(
            'rest="lump"',
            'holds="log_probs" and a temperature of 1: otherwise the rest of the mass is not known',
            f'holds="{holds}", temperature={T:g}',
        )
    x = student_scores(Q, T)
    index = as_array(indices, "indices")
    checks.require_integers(index, "indices")
    checks.require_one_library({"indices": index, "Q": x})
    if index.ndim != x.ndim or tuple(index.shape[:-1]) != tuple(x.shape[:-1]):
        raise ShapeError("indices", f"shape {(*x.shape[:-1], 'k')}", f"shape {tuple(index.shape)}")
    given = teacher_values(values, index, x, "values")
    reads = find(x).reads(x, index, given, weight)
    w = weight_array(weight, x, "weight=", reads)
    inspect = Inspector(reads, takes_part(None, w, tuple(x.shape[:-1])))
    x, index, classes = chosen(index, x, inspect, "indices")
    xp = namespace(x)
    scores = as_computed(given, x) / T
    student = xp.take_along_axis(x, index, axis=-1) if rest == "condition" else with_rest(x, index, classes)
    if student.shape[-1] > scores.shape[-1]:
        none = xp.full_like(scores[..., :1], -float("inf"))
        beside = log_of_rest(given, x, inspect, "values") if rest == "lump" else none
        scores = xp.concat([scores, beside], axis=-1)
    # Scores: a softmax takes off what rounding has put on the sum of log-probabilities.
    P = Distribution.from_logits(scores)
    return squared(T, rescale) * kl_divergence(
        P, Logits(student), weight=weight, reduction=reduction, denominator=denominator, empty=empty
    )


@member(
    "T²·(α·KL of the truth against the rest + β·KL among the other classes)",
    gradient="T·(α·∂ of the two-class divergence + β·(Q_T − P_T among the others))",
    source="Zhao, Cui, Song, Qiu and Liang, Decoupled Knowledge Distillation, 2022, arXiv 2203.08679",
    defaults={
        "alpha": "1, the authors' code",
        "beta": "8, the same",
        "temperature": "4, the same",
        "rescale": "True: T², the authors' code",
    },
)
@on_arrays
def decoupled(
    P: Labels,
    teacher: Distribution,
    Q: Logits | Projection,
    *,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
    rescale: bool = True,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Decoupled distillation: what the teacher says of the truth, and what of the other classes, with weights apart.

    KL(P_T‖Q_T) is the first with α = 1 and the second with β = 1 − P_T(y).

    Parameters
    ----------
    P : Labels
        The truth y, without smoothing.
    teacher : Distribution.from_logits (…, K)
    Q : Logits or Projection (…, K)
        The student.
    alpha, beta : float
        Of the truth against the rest, and of the other classes among themselves; 0 or more.
    temperature, rescale, weight, reduction, denominator, empty
        As of ``forward_kl``.

    Returns
    -------
    array
        A scalar, or for "none" one number a row.

    Raises
    ------
    KindError, UndefinedPairError, OptionError, LabelError
        As of ``forward_kl``; labels with smoothing or outside the classes; α or β < 0.
    """
    alpha, beta = checks.require_nonnegative(alpha, "alpha="), checks.require_nonnegative(beta, "beta=")
    T = checks.require_positive(temperature, "temperature=")
    require_teacher(teacher, "teacher")
    if not isinstance(P, Labels) or P.smoothing:
        raise KindError("P", "Labels without smoothing", type(P).__name__)
    if teacher.holds != "logits" or teacher.temperature != 1.0:
        raise OptionError("teacher", "Distribution.from_logits(scores)", f"one of {teacher.holds}")
    axis = (teacher.axis or 0) % teacher.probs.ndim
    z, x = classes_last(to_compute(teacher.probs), axis) / T, student_scores(Q, T)
    checks.require_same_shape(z, tuple(x.shape), "Distribution")
    checks.require_label_shape(P.indices, tuple(x.shape), x.ndim - 1)
    checks.require_one_library({"P": P.indices, "teacher": z, "Q": x})
    counting = weight_of_labels(P, weight, x)
    reads = find(x).reads(x, P.indices, weight)
    inspect = Inspector(reads, takes_part(counted_examples(P, P.indices), counting, tuple(x.shape[:-1])))
    x, index, truth = chosen(P.indices[..., None], x, inspect, "Labels(indices)")
    reduce: dict[str, Any] = {"reduction": reduction, "denominator": denominator, "empty": empty}
    xp = namespace(x)
    pairs = (
        (alpha, with_rest(z, index, truth), with_rest(x, index, truth)),
        (beta, xp.where(truth, -float("inf"), z), xp.where(truth, -float("inf"), x)),
    )
    found = [
        share * kl_divergence(Distribution.from_logits(t), Logits(s), weight=counting, **reduce)
        for share, t, s in pairs
        if share
    ]
    return squared(T, rescale) * sum(found[1:], found[0]) if found else 0.0 * xp.sum(x)
