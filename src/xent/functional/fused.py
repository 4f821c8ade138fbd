"""A reduced cross-entropy of rows with its gradient in one pass: where each example's part in the result is known
before its scores are read."""

from __future__ import annotations

from xent.core import algebra
from xent.core.arrays import Array, compute_dtype, device_of, number
from xent.functional.call import Call
from xent.functional.reducing import Reducer
from xent.kernels.registry import choose


def parts(call: Call, reducer: Reducer) -> Array | None:
    """∂result/∂ℓ of each row: its weight over the denominator, 0 where it does not count.

    None where that is not known beforehand or not wanted: for elements, a mean over nothing, and where every example
    keeps its own loss.
    """
    if reducer.reduction == "none" or not call.rows or call.target is None or call.link != "logits":
        return None
    xp = call.xp
    dtype = compute_dtype(call.q)
    if None in tuple(call.q.shape):
        one = xp.ones_like(call.q[..., 0], dtype=dtype)
    else:
        one = xp.ones(call.q.shape[:-1], dtype=dtype, device=device_of(call.q))
    scale = reducer.scale(call, one)
    if call.reads and number(scale) == 0.0:
        return None
    part = one * scale if call.weight is None else call.weight * scale
    return part if call.counted is None else xp.where(call.counted, part, 0.0)


def fused_sum(call: Call, reducer: Reducer) -> Array | None:
    """The reduced loss, whose gradient is made with it; None where a backend has no use for that."""
    if not call.backend.fuses(call.q, call.weight, reducer.denominator):
        return None
    c = parts(call, reducer)
    if c is None or call.target is None:
        return None
    return call.backend.row_sum(
        choose(call.task), call.q, call.target, call.link, c, lambda losses: total(call, reducer, losses)
    )


def total(call: Call, reducer: Reducer, losses: Array) -> Array:
    """The result, from the loss of each row."""
    each = algebra.row_values({"loss": losses}, None, (), call.weight, call.counted, call.backend.apply)
    return reducer(call, each)
