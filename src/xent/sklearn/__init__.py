"""scikit-learn's log loss, D² and Brier score under scikit-learn's names, without the dense one-hot array.

Signatures, values, errors and warnings are those of ``sklearn.metrics``; every difference is in the guide
("scikit-learn"). ``neg_log_loss``, ``d2_log_loss`` and ``neg_brier_score`` are scorers, for ``scoring=``.
"""

from xent.sklearn.brier import brier_score_loss
from xent.sklearn.likelihood import d2_log_loss_score, log_loss
from xent.sklearn.scorers import d2_log_loss, get_scorer, neg_brier_score, neg_log_loss

__all__ = [
    "brier_score_loss",
    "d2_log_loss",
    "d2_log_loss_score",
    "get_scorer",
    "log_loss",
    "neg_brier_score",
    "neg_log_loss",
]
