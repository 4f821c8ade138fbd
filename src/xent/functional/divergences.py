"""Divergences on the same P and Q: Kullback–Leibler and Jensen–Shannon."""

from __future__ import annotations

from typing import Any

from xent.backends import on_arrays
from xent.core import algebra, checks
from xent.core.arrays import Array, sum_classes, times
from xent.core.reduction import Empty, Reduction
from xent.functional.call import P_, Q_
from xent.functional.information import log_mass, log_rest, log_truth
from xent.functional.prepare import prepare
from xent.functional.reducing import Reducer


@on_arrays
def kl_divergence(
    P: P_,
    Q: Q_,
    *,
    weight: Any = None,
    class_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Kullback–Leibler divergence KL(P‖Q) = Σ P (log P − log Q) = H(P, Q) − H(P) of each example, in nats.

    Zero where P is zero; infinite where P has mass and Q has none. For Indicators one two-outcome divergence an
    element. Its error is a few eps of H(P) + H(P, Q), of which it is the difference: where P and Q nearly agree that
    may leave it as far below zero.

    Arguments, shapes, dtypes and errors as of ``cross_entropy``.

    References
    ----------
    Kullback and Leibler, "On Information and Sufficiency", Annals of Mathematical Statistics 22, 1951.

    Examples
    --------
    >>> import xent
    >>> P, Q = xent.Distribution([1.0, 0.0, 0.0]), xent.Probabilities([0.7, 0.2, 0.1])
    >>> round(float(xent.kl_divergence(P, Q)), 4)
    0.3567
    """
    reducer = Reducer(reduction, denominator, empty)
    call = prepare(P, Q, weight=weight, class_weight=class_weight, want=frozenset({"divergence"}))
    with call.backend.quiet():
        if call.rows:
            found = {"loss": call.statistics()["divergence"]}
            divergence = algebra.row_values(found, None, (), call.weight, call.counted, algebra.plain)
        else:
            yes, no = call.cleaned().elements()
            t = call.t
            on_yes = times(t, log_mass(t) + yes)
            on_no = times(1 - t, log_rest(t) + no)
            divergence = algebra.row_values(
                {"loss": on_yes + on_no},
                None,
                (),
                call.weight,
                None,
                algebra.plain,
            )
        return reducer(call, divergence)


@on_arrays
def js_divergence(
    P: P_,
    Q: Q_,
    *,
    beta: float = 0.5,
    weight: Any = None,
    class_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Jensen–Shannon divergence ½ KL(P‖M) + ½ KL(Q‖M) with M = ½ (P + Q), in nats: symmetric, between 0 and ln 2.

    With weights: β KL(P‖M) + (1 − β) KL(Q‖M), M = βP + (1 − β)Q, between 0 and the entropy of (β, 1 − β). Divided by β
    it tends to KL(P‖Q) as β → 0, and divided by 1 − β to KL(Q‖P) as β → 1.

    Rounding may leave it outside by a few eps of 1 + H(P).

    Arguments, shapes, dtypes and errors as of ``cross_entropy``; ``beta`` is a number in [0, 1].

    References
    ----------
    Lin, "Divergence Measures Based on the Shannon Entropy", IEEE Transactions on Information Theory 37, 1991: with
    weights in section IV.

    Examples
    --------
    >>> import xent
    >>> P, Q = xent.Distribution([1.0, 0.0]), xent.Probabilities([0.0, 1.0])
    >>> round(float(xent.js_divergence(P, Q)), 4)
    0.6931
    """
    beta = checks.require_fraction(beta, "beta=")
    reducer = Reducer(reduction, denominator, empty)
    call = prepare(P, Q, weight=weight, class_weight=class_weight).cleaned()
    with call.backend.quiet():
        if call.rows:
            q, log_q = call.class_probabilities()
            terms = _to_mixture(call.class_truth(), log_truth(call), q, log_q, beta)
            found = {"loss": sum_classes(terms)}
        else:
            yes, no = call.elements()
            xp, t = call.xp, call.t
            found = {
                "loss": _to_mixture(t, None, xp.exp(-yes), -yes, beta)
                + _to_mixture(1 - t, None, xp.exp(-no), -no, beta)
            }
        divergence = algebra.row_values(found, None, (), call.weight, call.counted, algebra.plain)
        return reducer(call, divergence)


def _to_mixture(p: Array, log_p: Array | None, q: Array, log_q: Array, beta: float) -> Array:
    """β p log(p/m) + (1 − β) q log(q/m) of each class, m = βp + (1 − β)q."""
    log_m = log_mass(beta * p + (1.0 - beta) * q)
    of_p = times(beta * p, (log_mass(p) if log_p is None else log_p) - log_m)
    return of_p + times((1.0 - beta) * q, log_q - log_m)
