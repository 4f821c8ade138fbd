"""Information measures on the same P and Q: entropy, perplexity, self-information, mutual information."""

from __future__ import annotations

import math
from typing import Any

from xent.backends import find, on_arrays
from xent.core import algebra, checks, values
from xent.core.arrays import Array, as_array, is_python, log1p, namespace, sum_classes, times, to_compute
from xent.core.reduction import Empty, Reduction
from xent.core.targets import Distribution, Labels
from xent.core.values import Inspector
from xent.errors import OptionError, ShapeError, UndefinedPairError
from xent.functional.call import P_, Q_, TARGETS, Call
from xent.functional.prepare import prepare, prepare_prediction, prepare_truth
from xent.functional.reducing import Reducer
from xent.kernels.protocol import HardTarget, SoftTarget


def bits(x: Any) -> Any:
    """Nats to bits: x / ln 2.

    Examples
    --------
    >>> import math, xent
    >>> xent.bits(math.log(2.0))
    1.0
    """
    return x / math.log(2.0)


@on_arrays
def entropy(
    P_or_Q: P_ | Q_,
    *,
    axis: int = -1,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Entropy H(P) = −Σ P log P of each example, in nats.

    Of a target, or of a prediction (scores are a softmax). Labels without smoothing have entropy 0. Indicators have one
    two-outcome entropy an element.

    Parameters
    ----------
    P_or_Q : Distribution, Labels, Indicators, Logits, LogProbabilities, Probabilities or Projection
    axis : int
        The class axis of a Distribution, which has none of its own; a prediction brings its axis.
    weight, reduction, denominator, empty
        As of ``cross_entropy``.

    Raises
    ------
    UndefinedPairError
        Labels with smoothing: their entropy depends on the number of classes, which labels do not know.

    References
    ----------
    Shannon, "A Mathematical Theory of Communication", Bell System Technical Journal 27, 1948.

    Examples
    --------
    >>> import xent
    >>> round(float(xent.entropy(xent.Distribution([0.25, 0.25, 0.25, 0.25]))), 4)
    1.3863
    """
    reducer = Reducer(reduction, denominator, empty)
    if isinstance(P_or_Q, Labels) and P_or_Q.smoothing:
        raise UndefinedPairError(
            "P_or_Q",
            "labels without smoothing",
            f"Labels(smoothing={P_or_Q.smoothing})",
            "Its entropy depends on the number of classes: write Distribution(one_hot, smoothing=…).",
        )
    if axis != -1 and not (isinstance(P_or_Q, Distribution) and P_or_Q.axis is None):
        what = type(P_or_Q).__name__
        raise OptionError(
            "axis=",
            "none, but for a Distribution of probabilities",
            f"{axis!r} for {what}",
            "Labels and Indicators have no class axis; others bring their own, as in Logits(z, axis=…).",
        )
    if not isinstance(P_or_Q, TARGETS):
        call = prepare_prediction(P_or_Q, weight=weight, want=frozenset({"entropy"}))
        with call.backend.quiet():
            found = {"loss": call.statistics()["entropy"]}
            each = algebra.row_values(found, None, (), call.weight, None, algebra.plain)
            return reducer(call, each)
    call = prepare_truth(P_or_Q, axis=axis, weight=weight)
    with call.backend.quiet():
        if isinstance(call.target, HardTarget):
            raw = namespace(call.q).zeros_like(call.q)
        elif call.target is not None:
            p, log_p = call.class_truth(), log_truth(call)
            raw = -sum_classes(times(p, log_mass(p) if log_p is None else log_p))
        else:
            t = call.t
            raw = -(times(t, log_mass(t)) + times(1 - t, log_rest(t)))
        each = algebra.row_values({"loss": raw}, None, (), call.weight, call.counted, algebra.plain)
        return reducer(call, each)


@on_arrays
def perplexity(
    P: P_,
    Q: Q_,
    *,
    weight: Any = None,
    class_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Perplexity exp(H(P, Q)): exp of the mean cross-entropy, never a mean of exponentials.

    ``reduction="none"`` gives exp(ℓ) of each example. The perplexity of a text is
    exp(Σ nll / Σ tokens): give all its tokens, or the sums, at once.

    Arguments, shapes, dtypes and errors as of ``cross_entropy``; ``reduction="sum"`` is refused.

    References
    ----------
    Jelinek, Mercer, Bahl and Baker, "Perplexity: a measure of the difficulty of speech recognition tasks", 1977.

    Examples
    --------
    >>> import xent
    >>> round(float(xent.perplexity(xent.Labels([0, 1]), xent.Probabilities([[0.5, 0.5], [0.5, 0.5]]))), 4)
    2.0
    """
    if reduction == "sum":
        raise OptionError("reduction=", '"mean" or "none"', "'sum'", "Perplexities do not add; cross-entropies do.")
    for name, value in (("weight=", weight), ("class_weight=", class_weight)):
        if reduction == "none" and value is not None:
            raise OptionError(name, 'None where reduction is "none"', "weights", "A perplexity alone has no weight.")
    reducer = Reducer(reduction, denominator, empty)
    call = prepare(P, Q, weight=weight, class_weight=class_weight)
    with call.backend.quiet():
        xp = call.xp
        if call.rows:
            each = algebra.row_values(call.statistics(), None, (), call.weight, call.counted, algebra.plain)
        else:
            yes, no = call.elements()
            each = algebra.element_values(yes, no, call.t, None, None, call.weight, None, algebra.plain)
        return xp.exp(reducer(call, each))


@on_arrays
def self_information(probs: Any) -> Array:
    """Self-information (surprisal) I(x) = −log P(x), elementwise, in nats; infinite at probability zero.

    Parameters
    ----------
    probs : float array of any shape, in [0, 1]

    Raises
    ------
    DtypeError, ProbabilityError
        Not floats; a value outside [0, 1].

    Examples
    --------
    >>> import xent
    >>> float(xent.bits(xent.self_information(0.125)))
    3.0
    """
    x, reads, quiet = _probability_array(probs, "self_information(probs)")
    x = values.predicted_probabilities(x, Inspector(reads), rows=False, name="self_information(probs)", hint="")
    with quiet:
        return -namespace(x).log(to_compute(x))


@on_arrays
def mutual_information(joint: Any) -> Array:
    """Mutual information I(X; Y) = Σ p(x, y) log (p(x, y) / (p(x) p(y))), in nats.

    Parameters
    ----------
    joint : float array (…, X, Y)
        Joint probabilities, in [0, 1], with sum 1 over the last two axes.

    Returns
    -------
    array (…)

    Raises
    ------
    DtypeError, ShapeError, ProbabilityError, NormalizationError

    Examples
    --------
    >>> import xent
    >>> round(float(xent.mutual_information([[0.5, 0.0], [0.0, 0.5]])), 4)
    0.6931
    """
    x, reads, quiet = _probability_array(joint, "mutual_information(joint)")
    if x.ndim < 2:
        raise ShapeError("mutual_information(joint)", "shape (…, X, Y)", f"shape {tuple(x.shape)}")
    xp = namespace(x)
    shape = tuple(x.shape)
    if None in shape[-2:]:
        checks.require_classes(None)
    flat = xp.reshape(x, (*shape[:-2], shape[-2] * shape[-1]))
    flat = values.predicted_probabilities(flat, Inspector(reads), rows=True, name="mutual_information(joint)", hint="")
    x = to_compute(xp.reshape(flat, shape))
    with quiet:
        log_x = log_mass(xp.sum(x, axis=-1, keepdims=True))
        log_y = log_mass(xp.sum(x, axis=-2, keepdims=True))
        return xp.sum(times(x, log_mass(x) - log_x - log_y), axis=(-2, -1))


def _probability_array(value: Any, argument: str) -> tuple[Array, bool, Any]:
    x = checks.require_floats(as_array(value, argument), argument, python=is_python(value))
    backend = find(x)
    return x, backend.reads(x), backend.quiet()


def log_mass(p: Array) -> Array:
    """log p, and 0 at p = 0: only p log p is asked for there. Its derivative is taken as 0 too."""
    xp = namespace(p)
    return xp.log(xp.where(p == 0, 1.0, p))


def log_rest(p: Array) -> Array:
    """log(1 − p), and 0 at p = 1."""
    xp = namespace(p)
    return log1p(-xp.where(p == 1, 0.0, p))


def log_truth(call: Call) -> Array | None:
    """log P where P came in log space and is not smoothed."""
    target = call.target
    exact = isinstance(target, SoftTarget) and target.on == 1.0 and target.off == 0.0
    return target.log_probs if exact and isinstance(target, SoftTarget) else None
