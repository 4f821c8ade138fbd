"""A reduced cross-entropy of rows with its gradient in one pass: where each example's part in the result is known
before its scores are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from xent.core import algebra
from xent.core.arrays import Array, compute_dtype, device_of, number
from xent.core.penalties import Penalty
from xent.core.shaping import Shaping
from xent.functional.call import Call
from xent.functional.extras import extra_of
from xent.functional.reducing import Reducer
from xent.kernels.registry import choose

General: TypeAlias = Callable[[Call], Array]


def parts(call: Call, reducer: Reducer, *, each: bool = False) -> Array | None:
    """∂result/∂ℓ of each row: its weight over the denominator, 0 where it does not count.

    None where that is not known beforehand or not wanted: for elements, a mean over nothing, and, but for ``each``,
    where every example keeps its own loss.
    """
    if (reducer.reduction == "none" and not each) or not call.rows or call.target is None or call.link != "logits":
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


def total(
    call: Call,
    reducer: Reducer,
    losses: Array,
    lse: Array | None = None,
    shaping: Shaping | None = None,
    penalties: tuple[Penalty, ...] = (),
) -> Array:
    """The result, from the surprisal of each row, and its log-sum-exp where a penalty reads it."""
    found = {"loss": losses} if lse is None else {"loss": losses, "lse": lse}
    each = algebra.row_values(found, shaping, penalties, call.weight, call.counted, call.backend.apply)
    return reducer(call, each)


def fused_shaped(
    call: Call, reducer: Reducer, shaping: Shaping | None, penalties: tuple[Penalty, ...], general: General
) -> Array | None:
    """The same for losses that the pass knows. ``general`` makes the result in the usual way, from scores and target;
    it is called where more than a first derivative is wanted."""
    if reducer.reduction == "none" or call.target is None:
        return None
    if not call.backend.fuses(call.q, call.weight, reducer.denominator):
        return None
    found = extra_of(call, shaping, penalties)
    c = None if found is None else parts(call, reducer)
    if found is None or c is None:
        return None
    kernel, extra = found
    bare = replace(call, q=None, target=None)

    def result(losses: Array, lse: Array) -> Array:
        return total(bare, reducer, losses, lse, shaping, penalties)

    return call.backend.row_shaped_sum(
        kernel, call.q, call.target, c, extra, result, lambda q, t: general(replace(bare, q=q, target=t))
    )
