"""A teacher and a student at one temperature, and each in the other's place."""

from __future__ import annotations

from typing import Any

from xent.core import checks
from xent.core.arrays import Array, classes_last, compute_dtype, namespace, to_compute
from xent.core.predictions import Logits, LogProbabilities, Probabilities, Projection
from xent.core.targets import Distribution
from xent.errors import KindError, OptionError, UndefinedPairError
from xent.functional.call import PREDICTIONS, Q_
from xent.functional.projection import projected_scores


def require_teacher(P: Any, argument: str = "P") -> None:
    if not isinstance(P, Distribution):
        raise KindError(
            argument,
            "the teacher, as a Distribution",
            type(P).__name__,
            "Write Distribution.from_logits(scores), or xent.cross_entropy for labels.",
        )


def tempered(P: Distribution, Q: Q_, temperature: float) -> tuple[Distribution, Q_]:
    """softmax(scores/T) of teacher and student."""
    require_teacher(P)
    checks.require_prediction(Q, PREDICTIONS)
    if temperature == 1.0:
        return P, Q
    if P.holds != "logits" or P.temperature != 1.0:
        got = "a temperature of its own" if P.holds == "logits" else f"{'log-' * (P.holds != 'probs')}probabilities"
        raise UndefinedPairError(
            "P",
            "the teacher's scores, Distribution.from_logits(…): a temperature divides scores",
            got,
            "Logarithms of probabilities are scores too.",
        )
    return Distribution.from_logits(P.probs, axis=_axis(P), temperature=temperature), _student_at(Q, temperature)


def _student_at(Q: Q_, temperature: float) -> Q_:
    if isinstance(Q, Projection):
        # Still one, so that hidden states of examples that do not count stay out of the gradient of the classifier.
        xp = namespace(Q.hidden)
        bias = None if Q.bias is None else xp.astype(Q.bias, compute_dtype(Q.hidden), copy=False) / temperature
        return Projection(to_compute(Q.hidden) / temperature, Q.weight, bias)
    if not isinstance(Q, Logits):
        raise UndefinedPairError(
            "Q",
            "the student's scores, Logits or Projection: a temperature divides scores",
            type(Q).__name__,
            "Logarithms of probabilities are scores too.",
        )
    return Logits(to_compute(Q.scores) / temperature, axis=Q.axis)


def exchanged(P: Distribution, Q: Q_) -> tuple[Distribution, Q_]:
    """The student as the truth, and the teacher as the prediction."""
    if P.smoothing:
        raise OptionError("P", "a teacher without smoothing: here it is the prediction", f"smoothing={P.smoothing:g}")
    if isinstance(Q, Projection):
        truth = Distribution.from_logits(projected_scores(Q, None, None, None, None)[0])
    elif isinstance(Q, Logits):
        truth = Distribution.from_logits(Q.scores, axis=Q.axis)
    elif isinstance(Q, LogProbabilities):
        truth = Distribution.from_log_probs(Q.log_probs, axis=Q.axis)
    else:
        truth = Distribution(Q.probs)
    axis = Q.axis if P.axis is None else _axis(P)
    if P.holds == "logits":
        x = P.probs if P.temperature == 1.0 else to_compute(P.probs) / P.temperature
        return truth, Logits(x, axis=axis)
    return truth, LogProbabilities(P.probs, axis=axis) if P.holds == "log_probs" else Probabilities(P.probs, axis=axis)


def student_scores(Q: Any, temperature: float) -> Array:
    """scores/T, classes last, in the type of the arithmetic."""
    if not isinstance(Q, (Logits, Projection)):
        raise UndefinedPairError(
            "Q", "Logits or Projection", type(Q).__name__, "Logarithms of probabilities are scores too: Logits(log_q)."
        )
    if isinstance(Q, Projection):
        return projected_scores(Q, None, None, None, None)[0] / temperature
    checks.require_class_axis(Q.scores, "Q")
    return classes_last(to_compute(Q.scores), Q.axis % Q.scores.ndim) / temperature


def squared(temperature: float, rescale: bool) -> float:
    """T², or 1."""
    return temperature**2 if rescale else 1.0


def _axis(P: Distribution) -> int:
    return -1 if P.axis is None else P.axis
