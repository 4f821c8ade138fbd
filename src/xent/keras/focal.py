"""Focal losses under Keras's names."""

from __future__ import annotations

from typing import Any

import keras

from xent.core import algebra
from xent.core.arrays import Array
from xent.keras.crossentropy import smoothed, spread, surprisals, warn_of_one_class
from xent.keras.manners import axis_of, dtype_of, function, prediction, require_same_shape, truth, widened
from xent.keras.probabilities import clipped, normalised, probabilities


@function
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Focal binary cross-entropy, averaged over an axis; ``keras.losses.binary_focal_crossentropy``.

    L = w·u^γ·ℓ of each element, with ℓ its binary cross-entropy, u = t·(1 − p) + (1 − t)·p how far p is from the truth,
    and w = α·t + (1 − α)·(1 − t) where ``apply_class_balancing``, else 1.

    Parameters
    ----------
    y_true, y_pred, from_logits, label_smoothing, axis
        As of ``binary_crossentropy``. Of scores neither ℓ nor u is clipped.
    apply_class_balancing : bool
    alpha : float
        α.
    gamma : float
        γ.

    Returns
    -------
    tensor of y_pred's shape without ``axis``
        In nats, of y_pred's dtype.

    Raises
    ------
    ShapeError, ProbabilityError
        As of ``binary_crossentropy``.

    References
    ----------
    Lin, Goyal, Girshick, He and Dollár, "Focal Loss for Dense Object Detection", 2017 (arXiv 1708.02002).

    Examples
    --------
    >>> import xent.keras
    >>> loss = xent.keras.binary_focal_crossentropy([[0.0, 1.0]], [[0.6, 0.4]])
    >>> round(float(loss[0]), 4)
    0.3299
    """
    ops, name = keras.ops, "binary_focal_crossentropy"
    y_pred = prediction(y_pred)
    t = smoothed(truth(y_true, y_pred), label_smoothing)
    require_same_shape(t, y_pred, name)
    yes, no = surprisals(y_pred, from_logits, name)
    value = algebra.element_values(yes, no, t, None, None, None, None, algebra.plain)
    if gamma:
        # 1 − p from its own surprisal, not by subtraction: p → 1 keeps its digits.
        p, rest = (ops.exp(-yes), ops.exp(-no)) if from_logits else (widened(y_pred), 1.0 - widened(y_pred))
        value = value * _power(t * rest + (1.0 - t) * p, gamma)
    if apply_class_balancing:
        value = value * (t * alpha + (1.0 - t) * (1.0 - alpha))
    return ops.cast(ops.mean(value, axis=axis_of(axis, y_pred, name)), dtype_of(y_pred))


def _power(u: Array, gamma: float) -> Array:
    """u^γ, whose derivative is 0 at u = 0, where that of a γ below 1 is infinite and meets a loss of 0."""
    ops = keras.ops
    none = u == 0
    return ops.where(none, ops.zeros_like(u), ops.power(ops.where(none, ops.ones_like(u), u), gamma))


@function
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Focal cross-entropy against class probabilities; ``keras.losses.categorical_focal_crossentropy``.

    L = −Σ_k α_k·(1 − p_k)^γ·t_k·log p_k of each row, with p = softmax(y_pred) or y_pred over its sum, clipped to
    [1e-7, 1 − 1e-7] in both cases, as on every backend of Keras.

    Parameters
    ----------
    y_true, y_pred, from_logits, label_smoothing, axis
        As of ``categorical_crossentropy``.
    alpha : float, or one for each class
        α; more than one runs along the last axis.
    gamma : float
        γ.

    Returns
    -------
    tensor of y_pred's shape without ``axis``
        In nats, of y_pred's dtype.

    Raises
    ------
    ShapeError, ProbabilityError
        As of ``categorical_crossentropy``.

    References
    ----------
    Lin, Goyal, Girshick, He and Dollár, "Focal Loss for Dense Object Detection", 2017 (arXiv 1708.02002).

    Examples
    --------
    >>> import xent.keras
    >>> loss = xent.keras.categorical_focal_crossentropy([[0.0, 0.0, 1.0]], [[0.1, 0.85, 0.05]])
    >>> round(float(loss[0]), 4)
    0.6759
    """
    ops, name = keras.ops, "categorical_focal_crossentropy"
    y_pred = prediction(y_pred)
    at, t = axis_of(axis, y_pred, name), truth(y_true, y_pred)
    require_same_shape(t, y_pred, name)
    warn_of_one_class(y_pred, at, name)
    p = ops.softmax(widened(y_pred), axis=at) if from_logits else normalised(probabilities(y_pred, name), at)
    p = clipped(p)
    value = -spread(t, label_smoothing, at) * ops.log(p) * ops.power(1.0 - p, gamma)
    value = ops.multiply(value, ops.convert_to_tensor(alpha, dtype=dtype_of(p)))
    return ops.cast(ops.sum(value, axis=at), dtype_of(y_pred))
