"""P, the truth, in the three ways in which it is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from xent.core import checks
from xent.core.arrays import Array, as_array, is_python


@dataclass(frozen=True, eq=False)
class Labels:
    """The index of the one true class of each example ("sparse", "hard", "class index").

    P(k) = (1 − ε)·1[k = index] + ε/K, with ε the smoothing and K the number of classes of Q.

    Parameters
    ----------
    indices : integer array
        Q's shape without its class axis; values 0 … K − 1, or ``ignore``.
    ignore : int, optional
        A value that marks examples which do not count: their loss and their gradient are exactly zero.
    smoothing : float
        ε in [0, 1]. It acts on P before weights act.

    Raises
    ------
    DtypeError
        The indices are not integers. Probabilities go into ``Distribution`` or ``Indicators``.
    OptionError
        ``smoothing`` outside [0, 1], or an ``ignore`` that is not an integer.

    Examples
    --------
    >>> import xent
    >>> P = xent.Labels([0, 2, -1], ignore=-1)
    >>> Q = xent.Probabilities([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4]])
    >>> xent.cross_entropy(P, Q, reduction="none").round(4)
    array([0.3567, 0.9163, 0.    ])
    """

    indices: Array
    ignore: int | None = field(default=None, kw_only=True)
    smoothing: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        indices = as_array(self.indices, "Labels(indices)")
        checks.require_integers(indices, "Labels(indices)")
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "ignore", checks.require_ignore(self.ignore))
        object.__setattr__(self, "smoothing", checks.require_fraction(self.smoothing, "Labels(smoothing=)"))


@dataclass(frozen=True, eq=False)
class Distribution:
    """A probability for each class ("categorical", "soft", "one-hot").

    P = (1 − ε)·probs + ε/K. The class axis is that of Q.

    Parameters
    ----------
    probs : array
        Of Q's shape: floats, or integers and booleans for one-hot rows; in [0, 1], with sum 1 over the class axis.
    smoothing : float
        ε in [0, 1].

    Raises
    ------
    ProbabilityError, NormalizationError
        When it meets Q: a value outside [0, 1] or NaN; a row that does not sum to one. Nothing is repaired.

    See Also
    --------
    Distribution.from_logits, Distribution.from_log_probs : the same P, held in log space.

    Examples
    --------
    >>> import xent
    >>> P = xent.Distribution([0.0, 1.0, 0.0])
    >>> round(float(xent.cross_entropy(P, xent.Probabilities([0.2, 0.7, 0.1]))), 4)
    0.3567
    """

    probs: Array
    smoothing: float = field(default=0.0, kw_only=True)
    #: "probs", "logits" or "log_probs": how the array in ``probs`` is to be read.
    holds: str = field(default="probs", init=False, repr=False)
    #: The class axis where P was built from scores; None: that of Q.
    axis: int | None = field(default=None, init=False, repr=False)
    temperature: Any = field(default=1.0, init=False, repr=False)

    def __post_init__(self) -> None:
        probs = as_array(self.probs, "Distribution(probs)")
        checks.require_numbers(probs, "Distribution(probs)")
        checks.require_class_axis(probs, "Distribution(probs)")
        object.__setattr__(self, "probs", probs)
        object.__setattr__(self, "smoothing", checks.require_fraction(self.smoothing, "Distribution(smoothing=)"))

    @classmethod
    def from_logits(cls, scores: Any, *, axis: int = -1, temperature: Any = 1.0) -> Distribution:
        """P = softmax(scores / temperature), held in log space: a teacher.

        A score of −inf is a class without mass; it takes no part. In PyTorch P is differentiable in the scores.

        Raises
        ------
        DtypeError, AxisError, OptionError
            Scores that are not floats; an axis that is not there; a temperature that is not positive and finite.
        """
        return cls._in_log_space(scores, "logits", axis, checks.require_positive(temperature, "temperature"))

    @classmethod
    def from_log_probs(cls, log_probs: Any, *, axis: int = -1) -> Distribution:
        """P = exp(log_probs), held in log space. log_probs ≤ 0, with exponentials that sum to one; −inf is no mass."""
        return cls._in_log_space(log_probs, "log_probs", axis, 1.0)

    @classmethod
    def _in_log_space(cls, values: Any, holds: str, axis: int, temperature: Any) -> Distribution:
        argument = f"Distribution.from_{holds}"
        array = checks.require_floats(as_array(values, argument), argument, python=is_python(values))
        checks.require_axis(array, axis, argument)
        self = cls(array)
        object.__setattr__(self, "holds", holds)
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "temperature", temperature)
        return self


@dataclass(frozen=True, eq=False)
class Indicators:
    """Independent yes/no outcomes ("binary", "multi-label"). Every element is an example of its own.

    P(yes) = (1 − ε)·values + ε/2.

    Parameters
    ----------
    values : array
        Of Q's shape: booleans, integers 0 and 1, or floats in [0, 1].
    smoothing : float
        ε in [0, 1].

    Raises
    ------
    ProbabilityError
        When it meets Q: a value outside [0, 1] or NaN.

    Examples
    --------
    >>> import xent
    >>> P = xent.Indicators([1, 1, 0])
    >>> round(float(xent.cross_entropy(P, xent.Probabilities([0.8, 0.9, 0.1]), reduction="sum")), 4)
    0.4339
    """

    values: Array
    smoothing: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        values = as_array(self.values, "Indicators(values)")
        checks.require_numbers(values, "Indicators(values)")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "smoothing", checks.require_fraction(self.smoothing, "Indicators(smoothing=)"))
