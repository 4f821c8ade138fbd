"""Log-sum-exp over a set of each row's scores, and the log-odds of two such sets."""

from __future__ import annotations

from xent.backends import find
from xent.core.arrays import Array, namespace
from xent.core.predictions import Logits
from xent.functional.prepare import prepare_prediction


def log_sum_exp(x: Array, member: Array) -> Array:
    """log Σ e^x over the members of each row (last axis); −∞, with a derivative of 0, where that is an empty sum."""
    xp = namespace(x)
    filled = xp.any(member & (x != -float("inf")), axis=-1)
    inside = xp.where(filled[..., None], xp.where(member, x, -float("inf")), 0.0)
    call = prepare_prediction(Logits(inside), weight=None, want=frozenset({"lse"}))
    with call.backend.quiet():
        return xp.where(filled, call.statistics()["lse"], -float("inf"))


def log_odds(x: Array, these: Array, others: Array) -> Array:
    """log (Σ e^x over these / Σ e^x over others): the score whose sigmoid is the softmax's mass of a set.

    +∞ where there are no others, −∞ where there are none of these.
    """
    above, below = log_sum_exp(x, these), log_sum_exp(x, others)
    xp = namespace(x)
    with find(x).quiet():
        odds = above - below
    nothing = (above == -float("inf")) & (below == -float("inf"))
    return xp.where(nothing, -float("inf"), odds)
