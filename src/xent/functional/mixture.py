"""A prediction through a noisy channel: q·T in log space."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.backends import find
from xent.core import loss_values
from xent.core.arrays import (
    Array,
    captured,
    classes_at,
    classes_last,
    constant,
    detached,
    dtype_name,
    library,
    look_up,
    namespace,
    to_compute,
)
from xent.core.predictions import Logits, LogProbabilities, Projection
from xent.errors import ShapeError
from xent.functional.partition import log_sum_exp
from xent.functional.projection import projected_scores

#: Terms that lie no further apart than e to this can be added without one that is lost.
_BAND = {"float32": 60.0, "float64": 600.0}


def mixed_log_probabilities(Q: Logits | Projection, transition: Any, argument: str) -> LogProbabilities:
    """log Σ_i q_i·T(i, j) of each class j, differentiable in Q: one matrix product.

    With T stochastic, Σ_i q_i·T(i, j) is a sum of terms that are not negative: nothing cancels. The largest q from
    which j can come is taken out first, so that it does not vanish beside classes from which j cannot come.
    """
    x = projected_scores(Q, None, None, None, None)[0] if isinstance(Q, Projection) else to_compute(Q.scores)
    axis = Q.axis % x.ndim
    x = classes_last(x, axis)
    xp, backend = namespace(x), find(x)
    T = _unread(transition) if captured() else loss_values.transition(transition, argument)
    if T.shape != (x.shape[-1], x.shape[-1]):
        raise ShapeError(argument, f"shape ({x.shape[-1]}, {x.shape[-1]})", repr(tuple(T.shape)))
    with backend.quiet():
        log_q = -backend.surprisals(x, "logits")
        if captured():
            found = _of_unknown(log_q, T)
        else:
            found = _in_one(log_q, T) if backend.reads(log_q) else None
            found = _in_bands(log_q, T) if found is None else found
    # A sum of rounded terms may leave a hair above 1.
    found = xp.where(found > 0, 0.0, found)
    return LogProbabilities(classes_at(found, axis), axis=axis)


def _unread(transition: Any) -> Array:
    return transition if library(transition) == "torch" else np.asarray(transition)


def _product(log_q: Array, T: Array) -> Array:
    """log Σ_i q_i·T(i, j), the largest q taken out."""
    xp = namespace(log_q)
    top = detached(xp.max(log_q, axis=-1, keepdims=True))
    top = xp.where(top == -float("inf"), 0.0, top)
    total = xp.matmul(xp.exp(log_q - top), T)
    none = total == 0
    return xp.where(none, -float("inf"), xp.log(xp.where(none, 1.0, total))) + top


def _in_one(log_q: Array, T: np.ndarray[Any, Any]) -> Array | None:
    """For all classes at once; None where the largest q of a row hides others, from which alone a class can come."""
    xp = namespace(log_q)
    found = _product(log_q, constant(T, log_q, log_q.dtype))
    top = xp.max(detached(log_q), axis=-1, keepdims=True)
    least = constant(np.where(T.any(axis=0), -_BAND[dtype_name(log_q)], -np.inf), log_q, log_q.dtype)
    return found if bool(xp.all(detached(found) - top >= least)) else None


def _in_bands(log_q: Array, T: np.ndarray[Any, Any]) -> Array:
    """Classes that can come from the same ones together, and entries of T of like size together."""
    xp = namespace(log_q)
    width = _BAND[dtype_name(log_q)]
    with np.errstate(divide="ignore"):
        band = np.where(T > 0, np.floor(-np.log(T) / width), -1.0)
    each = []
    for b in np.unique(band[band >= 0]):
        part = np.where(band == b, T, 0.0)
        each.append(_by_support(log_q, part * np.exp(b * width)) - float(b * width))
    if len(each) == 1:
        return each[0]
    stacked = xp.stack(each, axis=-1)
    return log_sum_exp(stacked, xp.ones_like(stacked, dtype=xp.bool))


def _by_support(log_q: Array, T: np.ndarray[Any, Any]) -> Array:
    """One product for all columns of T that are 0 in the same rows, of the classes where they are not."""
    columns: dict[bytes, list[int]] = {}
    for j, support in enumerate((T > 0).T):
        columns.setdefault(support.tobytes(), []).append(j)
    first = namespace(log_q).moveaxis(log_q, -1, 0)
    pieces = []
    for found in columns.values():
        rows = np.flatnonzero(T[:, found[0]])
        # Of a class that nothing comes from any row will do: the product is 0.
        rows = rows if len(rows) else np.zeros(1, int)
        part = log_q if len(rows) == len(T) else classes_last(look_up(first, constant(rows, log_q)), 0)
        pieces.append(_product(part, constant(T[np.ix_(rows, np.asarray(found))], log_q, log_q.dtype)))
    if len(pieces) == 1:
        return pieces[0]
    xp = namespace(log_q)
    order = np.argsort(np.concatenate(list(columns.values())))
    together = xp.moveaxis(xp.concat(pieces, axis=-1), -1, 0)
    return classes_last(look_up(together, constant(order, log_q)), 0)


def _of_unknown(log_q: Array, transition: Array) -> Array:
    """Where ``torch.compile`` reads the code, the entries of T are not known: every term of every class, which its
    compiler adds without an array of them. What is no transition becomes NaN."""
    xp = namespace(log_q)
    T = transition if library(transition) == "torch" else constant(transition, log_q)
    T = xp.astype(T, xp.float64, copy=False)
    valid = xp.all(T >= 0) & xp.all(xp.abs(xp.sum(T, axis=-1) - 1.0) <= 1.1e-5)
    log_t = xp.astype(xp.log(T), log_q.dtype, copy=False)
    terms = log_q[..., None, :] + xp.matrix_transpose(log_t)
    found = log_sum_exp(terms, xp.ones_like(terms, dtype=xp.bool))
    return xp.where(valid, found, float("nan"))
