"""Divergence, margins, squares and counts under Keras's names."""

from __future__ import annotations

from typing import Any

import keras

from xent.core.arrays import Array
from xent.keras.manners import dtype_of, function, prediction, same_rank, truth, widened


@function
def kl_divergence(y_true: Any, y_pred: Any) -> Array:
    """Kullback–Leibler divergence over the last axis; ``keras.losses.kl_divergence``.

    D = Σ_k t_k·log(t_k/p_k) of each row in nats, with both clipped to [1e-7, 1]; rows are not made to sum to one.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.kl_divergence([[0.5, 0.5]], [[0.25, 0.75]])[0]), 4)
    0.1438
    """
    ops, t, p, dtype = keras.ops, *_pair(y_true, y_pred)
    epsilon = keras.config.epsilon()
    t, p = ops.clip(t, epsilon, 1.0), ops.clip(p, epsilon, 1.0)
    return ops.cast(ops.sum(t * ops.log(t / p), axis=-1), dtype)


@function
def poisson(y_true: Any, y_pred: Any) -> Array:
    """Poisson loss, averaged over the last axis; ``keras.losses.poisson``.

    ℓ = λ − y·log(λ + 1e-7) of each element in nats, with λ = y_pred and without the constant log y!.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.poisson([[2.0]], [[1.5]])[0]), 4)
    0.6891
    """
    ops, t, rate, dtype = keras.ops, *_pair(y_true, y_pred)
    return ops.cast(ops.mean(rate - t * ops.log(rate + keras.config.epsilon()), axis=-1), dtype)


@function
def hinge(y_true: Any, y_pred: Any) -> Array:
    """Hinge loss, averaged over the last axis; ``keras.losses.hinge``.

    max(0, 1 − s·y_pred) of each element, with s = y_true in {−1, 1}. Where all of y_true is 0 or 1, s = 2·y_true − 1.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.hinge([[0.0, 1.0]], [[0.6, 0.4]])[0]), 4)
    1.1
    """
    ops, t, scores, dtype = keras.ops, *_pair(y_true, y_pred)
    binary = ops.all(ops.logical_or(ops.equal(t, 0), ops.equal(t, 1)))
    sign = ops.where(binary, 2.0 * t - 1.0, t)
    return ops.cast(ops.mean(ops.maximum(1.0 - sign * scores, 0.0), axis=-1), dtype)


@function
def categorical_hinge(y_true: Any, y_pred: Any) -> Array:
    """Margin between the true class and the best other, over the last axis; ``keras.losses.categorical_hinge``.

    max(0, 1 + max_k (1 − t_k)·z_k − Σ_k t_k·z_k) of each row, with z = y_pred.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.categorical_hinge([[0.0, 1.0]], [[0.6, 0.4]])[0]), 4)
    1.2
    """
    ops, t, scores, dtype = keras.ops, *_pair(y_true, y_pred)
    own = ops.sum(t * scores, axis=-1)
    other = ops.max((1.0 - t) * scores, axis=-1)
    return ops.cast(ops.maximum(other - own + 1.0, 0.0), dtype)


@function
def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    """(y_true − y_pred)², averaged over the last axis; ``keras.losses.mean_squared_error``.

    Examples
    --------
    >>> import xent.keras
    >>> float(xent.keras.mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]])[0])
    0.5
    """
    ops, t, y, dtype = keras.ops, *_pair(y_true, y_pred)
    t, y = same_rank(t, y)
    return ops.cast(ops.mean(ops.square(t - y), axis=-1), dtype)


def _pair(y_true: Any, y_pred: Any) -> tuple[Array, Array, str]:
    """(y_true, y_pred) in the type of the arithmetic, and the type of the result."""
    found = prediction(y_pred)
    return truth(y_true, found), widened(found), dtype_of(found)
