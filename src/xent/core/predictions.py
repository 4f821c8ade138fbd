"""Q, the prediction, in the four ways in which it is written down."""

from __future__ import annotations

from dataclasses import dataclass, field

from xent.core import checks
from xent.core.arrays import Array, as_array, is_python


@dataclass(frozen=True, eq=False)
class Logits:
    """Scores, any real number: softmax for Labels and Distribution, sigmoid for Indicators, always in log space.

    log Q(k) = z_k − log Σ_j exp z_j, or for Indicators log Q(yes) = −log(1 + exp(−z)).

    Parameters
    ----------
    scores : float array
        float16, bfloat16, float32 or float64, any number of dimensions; −inf is a class that cannot be.
    axis : int
        The class axis.

    Raises
    ------
    DtypeError
        Scores that are not floats.
    AxisError
        An axis that the array does not have.
    """

    scores: Array
    axis: int = field(default=-1, kw_only=True)

    def __post_init__(self) -> None:
        _set(self, "scores", self.scores, self.axis, "Logits(scores)")


@dataclass(frozen=True, eq=False)
class LogProbabilities:
    """Log-probabilities: log q ≤ 0, Σ exp(log q) = 1 over the class axis (for Indicators: each on its own).

    Raises
    ------
    DtypeError, AxisError
        As for ``Logits``.
    ProbabilityError, NormalizationError
        When it meets P: a value above 0, or exponentials that do not sum to one, as raw scores do not.
    """

    log_probs: Array
    axis: int = field(default=-1, kw_only=True)

    def __post_init__(self) -> None:
        _set(self, "log_probs", self.log_probs, self.axis, "LogProbabilities(log_probs)")


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Probabilities: q in [0, 1], Σ q = 1 over the class axis (for Indicators: each on its own).

    Nothing is clipped: where the truth has q = 0 the cross-entropy is infinite.

    Raises
    ------
    DtypeError, AxisError
        As for ``Logits``.
    ProbabilityError, NormalizationError
        When it meets P: a value outside [0, 1], or a row that does not sum to one.
    """

    probs: Array
    axis: int = field(default=-1, kw_only=True)

    def __post_init__(self) -> None:
        _set(self, "probs", self.probs, self.axis, "Probabilities(probs)")


@dataclass(frozen=True, eq=False)
class Projection:
    """The last hidden state and the classifier: scores = hidden·weightᵀ + bias, classes last.

    Parameters
    ----------
    hidden : float array (…, H)
    weight : float array (K, H)
    bias : float array (K,), optional

    Notes
    -----
    Half precision is multiplied in float32. This version holds the scores in memory while the loss is computed.

    Raises
    ------
    ShapeError
        hidden and weight of different H; a bias that is not of shape (K,).
    """

    hidden: Array
    weight: Array
    bias: Array | None = None

    #: The class axis of the scores: always the last.
    axis: int = field(default=-1, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("hidden", "weight", "bias"):
            value = getattr(self, name)
            if value is not None:
                argument = f"Projection({name})"
                array = checks.require_floats(as_array(value, argument), argument, python=is_python(value))
                object.__setattr__(self, name, array)
        checks.require_projection(self.hidden, self.weight, self.bias)


def _set(prediction: object, name: str, value: Array, axis: int, argument: str) -> None:
    array = checks.require_floats(as_array(value, argument), argument, python=is_python(value))
    if array.ndim:
        checks.require_axis(array, axis, argument)
    object.__setattr__(prediction, name, array)
