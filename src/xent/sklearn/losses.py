"""The loss of each example, clipped as scikit-learn clips, and its (weighted) mean or sum."""

from __future__ import annotations

import math

import numpy as np

from xent.core.arrays import dtype_name
from xent.kernels.cpu.squares import squared_errors
from xent.kernels.protocol import HardTarget, Task
from xent.kernels.registry import choose
from xent.sklearn.labels import Vector
from xent.sklearn.reading import Case, Forecast, Truth


def log_losses(forecast: Forecast, truth: Truth) -> Vector:
    """−Σ_k t_k log q_k of each example, with q clipped to [ε, 1 − ε] in its own type: no loss exceeds −log ε."""
    probs = forecast.probs
    with np.errstate(divide="ignore"):
        if truth.indicator is not None:
            return _multilabel_losses(forecast, truth.indicator)
        assert truth.index is not None
        if probs.ndim == 1:
            losses = -np.log(_wide(np.where(truth.index == 1, probs, probs.dtype.type(1) - probs)))
        else:
            losses = _picked_losses(probs, truth.index)
    # Of the one number of a row that counts: −log is monotone, so that the loss may be clipped in its place.
    return _clipped(losses, probs)


def _picked_losses(probs: Vector, index: Vector) -> Vector:
    """−log q of the true class, of which the kernel reads nothing else."""
    task = Task(
        family="rows",
        link="probs",
        target="hard",
        library="numpy",
        device="cpu",
        dtype=dtype_name(probs),
        shape=probs.shape,
        sound=True,  # without NaN, which is what the kernel asks
    )
    found = choose(task).row_statistics(probs, HardTarget(index), "probs", frozenset({"loss"}))
    assert found.loss is not None
    return np.asarray(found.loss)


def _multilabel_losses(forecast: Forecast, indicator: Vector) -> Vector:
    """Of the outcomes that came, of which a row may have none or many."""
    row, column = np.nonzero(indicator)
    probs = two_columns(forecast.probs)
    each = _clipped(-np.log(_wide(probs[row, column])), probs) * indicator[row, column]
    return np.bincount(row, weights=each, minlength=len(indicator))


def null_losses(truth: Truth, weight: Vector | None) -> float:
    """The sum of the losses of the forecast that is the share of each class, in every row the same."""
    if truth.indicator is not None:
        each = truth.indicator if weight is None else truth.indicator * weight[:, None]
        came = each.sum(axis=0, dtype=np.float64)
    else:
        assert truth.index is not None
        came = np.bincount(truth.index, weights=weight, minlength=len(truth.classes)).astype(np.float64)
    epsilon = float(np.finfo(np.float64).eps)
    share = np.clip(came / (truth.count if weight is None else weight.sum()), epsilon, 1 - epsilon)
    return -float(came @ np.log(share))


def squares(case: Case) -> Vector:
    """Σ_k (t_k − q_k)² of each example, in float64."""
    probs, truth = case.forecast.probs, case.truth
    if truth.indicator is not None:
        difference = truth.indicator - _wide(two_columns(probs))
        return np.asarray(np.square(difference, out=difference).sum(axis=1, dtype=np.float64))
    assert truth.index is not None
    if probs.ndim == 1:
        return binary_squares(probs, truth.index == 1)
    return np.asarray(squared_errors(probs, truth.index))


def binary_squares(probs: Vector, came: Vector) -> Vector:
    """The same of two classes, of which q is the second one's probability: 2·(t − q)²."""
    return np.asarray(2.0 * np.square(came - probs.astype(np.float64, copy=False)))


def total(losses: Vector, weight: Vector | None) -> float:
    """Σ w·ℓ in float64."""
    if weight is None:
        return float(losses.sum(dtype=np.float64))
    return float(weight @ losses.astype(np.float64, copy=False))


def mean(losses: Vector, weight: Vector | None) -> float:
    """Σ w·ℓ / Σ w."""
    return total(losses, weight) / (len(losses) if weight is None else float(weight.sum()))


def two_columns(probs: Vector) -> Vector:
    """Those of both classes, where only the second one's are given."""
    return np.stack((1 - probs, probs), axis=1) if probs.ndim == 1 else probs


def _clipped(losses: Vector, probs: Vector) -> Vector:
    """−log of a probability in [ε, 1 − ε], where ε is of the type of probs."""
    epsilon = float(np.finfo(probs.dtype).eps)
    return np.clip(losses, -math.log1p(-epsilon), -math.log(epsilon), out=losses)


def _wide(x: Vector) -> Vector:
    """In the type of the arithmetic: half precision in float32."""
    return x.astype(np.float32) if x.dtype == np.float16 else x
