"""Projection: the scores that a hidden state and a classifier stand for, and the way back."""

from __future__ import annotations

from xent.core.arrays import Array, detached, namespace, sum_classes, to_compute
from xent.core.predictions import Projection
from xent.functional.call import Call


def projected_scores(Q: Projection, counted: Array | None, weight: Array | None) -> Array:
    """hidden·weightᵀ + bias, in the type of the arithmetic."""
    xp = namespace(Q.hidden)
    hidden = mask_hidden(to_compute(Q.hidden), counted, weight)
    dtype = hidden.dtype
    scores = xp.matmul(hidden, xp.matrix_transpose(xp.astype(Q.weight, dtype, copy=False)))
    return scores if Q.bias is None else scores + xp.astype(Q.bias, dtype, copy=False)


def mask_hidden(hidden: Array, counted: Array | None, weight: Array | None) -> Array:
    """Zeros in the hidden states that do not count: NaN in them would reach the gradient of the classifier."""
    xp = namespace(hidden)
    if counted is not None:
        hidden = xp.where(counted[..., None], hidden, 0.0)
    if weight is not None:
        idle = (weight == 0) & ~xp.all(xp.isfinite(hidden), axis=-1)
        hidden = xp.where(idle[..., None], 0.0, hidden)
    return hidden


def projection_gradient(call: Call, Q: Projection, g: Array) -> tuple[Array, Array, Array | None]:
    """By hidden, weight and bias: g·W, gᵀ·h and Σ g."""
    xp = namespace(g)
    hidden = to_compute(detached(Q.hidden))
    by_row = call.weight if call.rows else None
    hidden = mask_hidden(hidden, call.counted, by_row)
    weight = xp.astype(detached(Q.weight), g.dtype, copy=False)
    flat, rows = xp.reshape(g, (-1, g.shape[-1])), xp.reshape(hidden, (-1, hidden.shape[-1]))
    d_hidden = xp.astype(xp.matmul(g, weight), Q.hidden.dtype, copy=False)
    d_weight = xp.astype(xp.matmul(xp.matrix_transpose(flat), rows), Q.weight.dtype, copy=False)
    d_bias = None if Q.bias is None else xp.astype(sum_classes(xp.matrix_transpose(flat)), Q.bias.dtype, copy=False)
    return d_hidden, d_weight, d_bias
