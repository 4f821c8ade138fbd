"""A prediction through a noisy channel: q·T in log space."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.backends import find
from xent.core.arrays import classes_at, classes_last, constant, namespace, to_compute
from xent.core.predictions import Logits, LogProbabilities, Projection
from xent.errors import ShapeError
from xent.functional.partition import log_sum_exp
from xent.functional.projection import projected_scores


def mixed_log_probabilities(Q: Logits | Projection, transition: np.ndarray[Any, Any]) -> LogProbabilities:
    """log Σ_i q_i·T(i, j) of each class j, differentiable in Q.

    With T stochastic, Σ_i q_i·T(i, j) is a sum of terms that are not negative: nothing cancels. The largest q is taken
    out first, so that it does not vanish beside classes from which j cannot come.
    """
    x = projected_scores(Q, None, None, None, None)[0] if isinstance(Q, Projection) else to_compute(Q.scores)
    axis = Q.axis % x.ndim
    x = classes_last(x, axis)
    if x.shape[-1] != len(transition):
        raise ShapeError("transition", f"shape ({x.shape[-1]}, {x.shape[-1]})", repr(transition.shape))
    xp, backend = namespace(x), find(x)
    with np.errstate(divide="ignore"):
        log_t = np.log(transition)
    columns = []
    with backend.quiet():
        log_q = -backend.surprisals(x, "logits")
        for j in range(len(transition)):
            term = log_q + constant(log_t[:, j], x, x.dtype)
            columns.append(log_sum_exp(term, xp.ones_like(term, dtype=xp.bool)))
    found = xp.stack(columns, axis=-1)
    # A sum of rounded terms may leave a hair above 1.
    found = xp.where(found > 0, 0.0, found)
    return LogProbabilities(classes_at(found, axis), axis=axis)
