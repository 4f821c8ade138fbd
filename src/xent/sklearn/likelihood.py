"""scikit-learn's ``log_loss`` and ``d2_log_loss_score``."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import d2_log_loss_score as _d2_log_loss_score
from sklearn.metrics import log_loss as _log_loss

from xent.sklearn.losses import log_losses, mean, null_losses, total
from xent.sklearn.manners import Proba
from xent.sklearn.reading import read_case, read_forecast


def log_loss(
    y_true: Any,
    y_proba: Any = None,
    *,
    normalize: bool = True,
    sample_weight: Any = None,
    labels: Any = None,
    y_pred: Any = "deprecated",
) -> float:
    """Cross-entropy of labels against predicted probabilities; ``sklearn.metrics.log_loss``.

    Σ_i w_i ℓ_i / Σ_i w_i in nats, with ℓ_i = −Σ_k t_ik log q_ik, where q is clipped to [ε, 1 − ε] and ε is the machine
    epsilon of its type, so that a loss is at most −log ε: 36.04 in float64, 15.94 in float32.
    ``xent.cross_entropy(Labels(y), Probabilities(q))`` clips nothing.

    Parameters
    ----------
    y_true : array-like (n,) of labels, or (n, K) of zeros and ones
        Labels are integers, booleans, whole floats or strings.
    y_proba : array-like (n, K), or (n,) or (n, 1): the probability of the greater of two labels
        The columns are the labels in their sorted order. float16, float32 or float64.
    normalize : bool
        False: the sum Σ w_i ℓ_i.
    sample_weight : array-like (n,), optional
        w.
    labels : array-like (K,), optional
        Every label there is, where y_true may lack one.
    y_pred : array-like
        The name of y_proba before scikit-learn 1.9.

    Returns
    -------
    float
        The mean is summed in float64.

    Raises
    ------
    ValueError, TypeError, ZeroDivisionError
        What scikit-learn raises, in its words; so are its warnings.

    References
    ----------
    scikit-learn, ``sklearn.metrics.log_loss``.

    Examples
    --------
    >>> from xent.sklearn import log_loss
    >>> round(log_loss(["ham", "spam", "ham"], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), 4)
    0.2798
    """
    given = Proba(y_proba, y_pred)
    taken = isinstance(normalize, (bool, np.bool_))
    case = read_case(y_true, read_forecast(given.value), sample_weight, labels) if taken else None
    if case is None:
        return given.hand_over(_log_loss, y_true, normalize=normalize, sample_weight=sample_weight, labels=labels)
    given.let_warn(_log_loss)
    return (mean if normalize else total)(log_losses(case.forecast, case.truth), case.weight)


def d2_log_loss_score(
    y_true: Any, y_proba: Any = None, *, sample_weight: Any = None, labels: Any = None, y_pred: Any = "deprecated"
) -> float:
    """The share of the log loss that a forecast explains; ``sklearn.metrics.d2_log_loss_score``.

    1 − Σ w_i ℓ_i / Σ w_i ℓ⁰_i, where ℓ is as of ``log_loss`` and ℓ⁰ is that of the forecast that gives every example
    the (weighted) share of each class in y_true. 1 is perfect, 0 is no better than those shares; it may be negative.

    Parameters are those of ``log_loss``.

    Returns
    -------
    float
        NaN, with scikit-learn's warning, for fewer than two examples.

    Raises
    ------
    ValueError, TypeError, ZeroDivisionError
        What scikit-learn raises, in its words; so are its warnings.

    References
    ----------
    scikit-learn, ``sklearn.metrics.d2_log_loss_score``.

    Examples
    --------
    >>> from xent.sklearn import d2_log_loss_score
    >>> round(d2_log_loss_score(["ham", "spam", "ham"], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), 4)
    0.5605
    """
    given = Proba(y_proba, y_pred)
    case = read_case(y_true, read_forecast(given.value), sample_weight, labels)
    if case is None or case.truth.count < 2:
        return given.hand_over(_d2_log_loss_score, y_true, sample_weight=sample_weight, labels=labels)
    given.let_warn(_d2_log_loss_score)
    explained = total(log_losses(case.forecast, case.truth), case.weight)
    return 1.0 - explained / null_losses(case.truth, case.weight)
