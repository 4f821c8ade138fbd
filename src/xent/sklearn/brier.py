"""scikit-learn's ``brier_score_loss``."""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal

import numpy as np
from sklearn.metrics import brier_score_loss as _brier_score_loss

from xent.sklearn.labels import Vector, coded
from xent.sklearn.losses import binary_squares, mean, squares
from xent.sklearn.reading import Forecast, read_case, read_forecast, read_labels, read_weight


def brier_score_loss(
    y_true: Any,
    y_proba: Any,
    *,
    sample_weight: Any = None,
    pos_label: Any = None,
    labels: Any = None,
    scale_by_half: bool | Literal["auto"] = "auto",
) -> float:
    """Squared error of predicted probabilities; ``sklearn.metrics.brier_score_loss``.

    s·Σ_i w_i Σ_k (t_ik − q_ik)² / Σ_i w_i, with s = ½ where ``scale_by_half`` is True, or "auto" and there are two
    classes; otherwise 1. No unit.

    Parameters
    ----------
    y_true : array-like (n,) of labels, or (n, K) of zeros and ones
    y_proba : array-like (n, K); or (n,) or (n, 1): the probability of ``pos_label``
    sample_weight : array-like (n,), optional
        w.
    pos_label : number, bool or str, optional
        The label that a single column is the probability of. By default 1 for labels in {0, 1} or {−1, 1}, else the
        greater one; strings need it.
    labels : array-like (K,), optional
        Every label there is, for K columns.
    scale_by_half : bool or "auto"

    Returns
    -------
    float
        Computed and summed in float64.

    Raises
    ------
    ValueError, TypeError, ZeroDivisionError
        What scikit-learn raises, in its words; so are its warnings.

    References
    ----------
    scikit-learn, ``sklearn.metrics.brier_score_loss``.

    Examples
    --------
    >>> from xent.sklearn import brier_score_loss
    >>> round(brier_score_loss([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3]), 4)
    0.0375
    """
    forecast = read_forecast(y_proba) if _known(scale_by_half) and _is_label(pos_label) else None
    found = None if forecast is None else _unscaled(y_true, forecast, sample_weight, pos_label, labels)
    if forecast is None or found is None:
        options = {"pos_label": pos_label, "labels": labels, "scale_by_half": scale_by_half}
        return float(_brier_score_loss(y_true, y_proba, sample_weight=sample_weight, **options))
    halved = forecast.classes < 3 if isinstance(scale_by_half, str) else scale_by_half
    return 0.5 * found if halved else found


def _unscaled(y_true: Any, forecast: Forecast, sample_weight: Any, pos_label: Any, labels: Any) -> float | None:
    """Every column counted; None where scikit-learn is to judge."""
    if forecast.probs.ndim == 1:
        return _of_one_column(y_true, forecast, sample_weight, pos_label, labels)
    case = read_case(y_true, forecast, sample_weight, labels)
    return None if case is None else mean(squares(case), case.weight)


def _of_one_column(y_true: Any, forecast: Forecast, sample_weight: Any, pos_label: Any, labels: Any) -> float | None:
    given = read_labels(y_true)
    if given is None or given.shape != forecast.probs.shape or labels is not None:
        return None
    weight = read_weight(sample_weight, len(given))
    if weight is None and sample_weight is not None:
        return None
    came = _came(given, pos_label)
    return None if came is None else mean(binary_squares(forecast.probs, came), weight)


def _came(labels: Vector, pos_label: Any) -> Vector | None:
    """Where the label is the one that is forecast."""
    found = coded(labels)
    if found is None or len(found.classes) > 2:
        return None
    classes = found.classes.tolist()
    text = isinstance(classes[0], str)
    if pos_label is None:
        if text:
            return None
        pos_label = 1 if set(classes) in ({0, 1}, {-1, 1}, {0}, {-1}, {1}) else classes[-1]
    elif isinstance(pos_label, str) is not text:
        return None
    if pos_label not in classes:
        return np.zeros(len(labels), bool)
    return np.asarray(found.index == classes.index(pos_label))


def _is_label(pos_label: Any) -> bool:
    return pos_label is None or isinstance(pos_label, (Real, str, bool, np.bool_))


def _known(scale_by_half: Any) -> bool:
    return isinstance(scale_by_half, (bool, np.bool_)) or (isinstance(scale_by_half, str) and scale_by_half == "auto")
