"""Divergences between the whole distributions of teacher and student, and the labels beside them."""

from __future__ import annotations

from typing import Any

from xent.backends import on_arrays
from xent.core import checks
from xent.core.arrays import Array
from xent.core.reduction import Empty, Reduction
from xent.core.targets import Distribution, Labels
from xent.errors import KindError, OptionError
from xent.functional import cross_entropy, js_divergence, kl_divergence
from xent.functional.call import P_, PREDICTIONS, Q_
from xent.functional.prepare import held_by
from xent.functional.tempering import exchanged, require_teacher, squared, tempered
from xent.functional.truth import weight_of_labels
from xent.losses.catalogue import member

_HINTON = "Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015, arXiv 1503.02531"


@member(
    "T²·KL(P_T‖Q_T), P_T = softmax(teacher/T), Q_T = softmax(student/T)",
    gradient="T·(Q_T − P_T) by the student's scores",
    source=_HINTON,
    defaults={"temperature": "1: no change", "rescale": "True: T², the paper's, section 2"},
)
@on_arrays
def forward_kl(
    P: Distribution,
    Q: Q_,
    *,
    temperature: float = 1.0,
    rescale: bool = True,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Teacher‖student: the student has to put mass wherever the teacher does.

    Parameters
    ----------
    P : Distribution (…, K)
        The teacher.
    Q : Logits or Projection (…, K)
        The student; without a temperature also LogProbabilities or Probabilities.
    temperature : float
        T > 0.
    rescale : bool
        Whether the divergence is multiplied by T², so that the size of its gradient does not depend on T.
    weight, reduction, denominator, empty
        As of ``cross_entropy``.

    Returns
    -------
    array
        A scalar, or for "none" one number a row.

    Raises
    ------
    KindError, UndefinedPairError, OptionError
        P is no Distribution; a temperature for what are no scores; T ≤ 0.

    Examples
    --------
    >>> import xent
    >>> P, Q = xent.Distribution.from_logits([2.0, 0.0]), xent.Logits([0.0, 0.0])
    >>> round(float(xent.losses.distillation.forward_kl(P, Q, temperature=2.0)), 4)
    0.4438
    """
    T = checks.require_positive(temperature, "temperature=")
    P, Q = tempered(P, Q, T)
    return squared(T, rescale) * kl_divergence(
        P, Q, weight=weight, reduction=reduction, denominator=denominator, empty=empty
    )


@member(
    "T²·KL(Q_T‖P_T)",
    gradient="T·Q_T·(log Q_T − log P_T − KL) by the student's scores",
    source="Gu, Dong, Wei and Huang, MiniLLM, 2023, arXiv 2306.08543",
    defaults={"temperature": "1: no change", "rescale": "True: T²"},
)
@on_arrays
def reverse_kl(
    P: Distribution,
    Q: Q_,
    *,
    temperature: float = 1.0,
    rescale: bool = True,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Student‖teacher: the student must not put mass where the teacher does not, and may leave out some of its modes.

    Infinite where the teacher has no mass and the student has. Arguments as of ``forward_kl``. Scores of the student
    that are NaN, in a row that counts, are refused where data can be read: it stands in the place of P.

    Raises
    ------
    KindError, UndefinedPairError, OptionError, ProbabilityError
        As of ``forward_kl``; a teacher with smoothing.
    """
    T = checks.require_positive(temperature, "temperature=")
    student, teacher = exchanged(*tempered(P, Q, T))
    return squared(T, rescale) * kl_divergence(
        student, teacher, weight=weight, reduction=reduction, denominator=denominator, empty=empty
    )


@member(
    "T²·(β·KL(P_T‖M) + (1 − β)·KL(Q_T‖M)), M = β·P_T + (1 − β)·Q_T",
    gradient="T·(1 − β)·Q_T·(log (Q_T/M) − KL(Q_T‖M)) by the student's scores",
    source="Agarwal et al., On-Policy Distillation of Language Models (GKD), 2023, arXiv 2306.13649",
    defaults={"beta": ".5: Jensen–Shannon itself", "temperature": "1: no change", "rescale": "True: T²"},
)
@on_arrays
def jensen_shannon(
    P: Distribution,
    Q: Q_,
    *,
    beta: float = 0.5,
    temperature: float = 1.0,
    rescale: bool = True,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Generalised Jensen–Shannon divergence: bounded, between the forward and the reverse divergence.

    ``beta`` is the share of the teacher in M. At 0 and 1 it is zero for all P and Q, and refused; the limits of its
    quotients by β and 1 − β are ``forward_kl`` and ``reverse_kl``. Other arguments as of ``forward_kl``.

    Raises
    ------
    KindError, UndefinedPairError, OptionError
        As of ``forward_kl``; β outside (0, 1).
    """
    T = checks.require_positive(temperature, "temperature=")
    beta = checks.require_fraction(beta, "beta=")
    if not 0.0 < beta < 1.0:
        raise OptionError(
            "beta=", "a number between 0 and 1", f"{beta:g}", f"Write {'reverse' if beta else 'forward'}_kl(P, Q)."
        )
    P, Q = tempered(P, Q, T)
    return squared(T, rescale) * js_divergence(
        P, Q, beta=beta, weight=weight, reduction=reduction, denominator=denominator, empty=empty
    )


@member(
    "α·T²·KL(teacher_T‖Q_T) + (1 − α)·CE(P, Q)",
    gradient="α·T·(Q_T − teacher_T) + (1 − α)·(q − t) by the student's scores",
    source=_HINTON,
    defaults={"rescale": "True: T², the paper's, section 2"},
)
@on_arrays
def hard_and_soft(
    P: P_,
    teacher: Distribution,
    Q: Q_,
    *,
    alpha: float,
    temperature: float,
    rescale: bool = True,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Knowledge distillation: a teacher beside the labels. There is no universal α or T, so both are asked for.

    Parameters
    ----------
    P : Labels or Distribution
        The labels. Examples that they ignore do not count in either term.
    teacher : Distribution (…, K)
    Q : Logits or Projection (…, K)
        The student.
    alpha : float
        α in [0, 1], the share of the teacher.
    temperature : float
        T > 0, of the teacher's term; the labels' is at 1.
    rescale, weight, reduction, denominator, empty
        As of ``forward_kl``.

    Returns
    -------
    array
        A scalar, or for "none" one number a row.

    Raises
    ------
    KindError, UndefinedPairError, OptionError
        As of ``forward_kl``; α outside [0, 1].
    """
    alpha = checks.require_fraction(alpha, "alpha=")
    if not isinstance(P, (Labels, Distribution)):
        raise KindError("P", "Labels or Distribution, beside a teacher of one softmax", type(P).__name__)
    require_teacher(teacher, "teacher")
    checks.require_prediction(Q, PREDICTIONS)
    counting = weight_of_labels(P, weight, held_by(Q))
    reduce: dict[str, Any] = {"reduction": reduction, "denominator": denominator, "empty": empty}
    # A share of 0 takes no part, however large the other term: 0·∞ = 0.
    soft = forward_kl(teacher, Q, temperature=temperature, rescale=rescale, weight=counting, **reduce) if alpha else 0.0
    hard = cross_entropy(P, Q, weight=weight, **reduce) if alpha < 1.0 else 0.0
    return alpha * soft + (1.0 - alpha) * hard if alpha and alpha < 1.0 else (soft if alpha else hard)
