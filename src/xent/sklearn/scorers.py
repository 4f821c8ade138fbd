"""Scorers, for ``scoring=`` of cross_val_score, GridSearchCV and their kin."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.metrics import get_scorer as _get_scorer
from sklearn.metrics import make_scorer

from xent.sklearn.brier import brier_score_loss
from xent.sklearn.likelihood import d2_log_loss_score, log_loss

neg_log_loss = make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
d2_log_loss = make_scorer(d2_log_loss_score, response_method="predict_proba")
neg_brier_score = make_scorer(brier_score_loss, greater_is_better=False, response_method="predict_proba")

#: By scikit-learn's names.
SCORERS = {"neg_log_loss": neg_log_loss, "d2_log_loss_score": d2_log_loss, "neg_brier_score": neg_brier_score}


def get_scorer(scoring: Any) -> Any:
    """The scorer of a name; ``sklearn.metrics.get_scorer``.

    Ours for "neg_log_loss", "d2_log_loss_score" and "neg_brier_score", and scikit-learn's for any other.

    Parameters
    ----------
    scoring : str or callable
        A callable is returned as it is.

    Returns
    -------
    scorer : callable (estimator, X, y, sample_weight=None) → float
        A copy of its own. Greater is better: losses come with a minus, in nats.

    Raises
    ------
    ValueError
        scikit-learn's, for a name that it does not know.

    References
    ----------
    scikit-learn, ``sklearn.metrics.get_scorer``.

    Examples
    --------
    >>> from xent.sklearn import get_scorer
    >>> get_scorer("neg_log_loss")
    make_scorer(log_loss, greater_is_better=False, response_method='predict_proba')
    """
    if isinstance(scoring, str) and scoring in SCORERS:
        return copy.deepcopy(SCORERS[scoring])
    return _get_scorer(scoring)
