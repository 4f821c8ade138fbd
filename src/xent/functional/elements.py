"""Cross-entropy of Indicators in one pass over their scores, where a kernel makes all of a loss there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from xent.core.arrays import Array, compute_dtype, device_of, dtype_name, library, scalar_beside
from xent.core.asymmetric_shaping import ShiftedFocal
from xent.core.shaping import Form, Shaping
from xent.functional.call import Call
from xent.functional.reducing import Reducer
from xent.kernels.element_loss import ElementLoss, known
from xent.kernels.gpu import gpu
from xent.kernels.registry import choose


def fused_elements(
    call: Call, reducer: Reducer, shaping: Shaping | None, general: Callable[[Call], Array]
) -> Array | None:
    """The result; None where it is another loss than the kernel knows, or another derivative is wanted."""
    loss = element_loss(call, shaping)
    if loss is None or getattr(reducer.denominator, "requires_grad", False):
        return None
    bare = replace(call, q=None)

    def again(q: Array) -> Array:
        return general(replace(bare, q=q))

    if reducer.reduction == "none":
        like = call.xp.zeros((), dtype=compute_dtype(call.q), device=device_of(call.q))
        return call.backend.each_element(gpu, call.q, loss, dtype_name(like), again)
    whole = _as_one_example(call)
    scale = reducer.scale(whole, whole.weight)
    return call.backend.element_sum(gpu, call.q, loss, scale, lambda total: reducer(whole, total), again)


def element_loss(call: Call, shaping: Shaping | None) -> ElementLoss | None:
    """The loss as a kernel takes it."""
    if call.rows or call.link != "logits" or call.scores is not None or library(call.q) != "torch" or call.task.traced:
        return None
    yes: Form | None = Form()
    no, margin = yes, 0.0
    if shaping is not None:
        # Of a soft target "surprisal" is a function of both sides at once.
        yes, no = (None, None) if shaping.soft == "surprisal" else (shaping.form, shaping.no.form)
        if yes is not None and isinstance(shaping.no, ShiftedFocal):
            no, margin = Form(gamma=shaping.no.gamma), shaping.no.margin
    if not known(yes) or not known(no) or choose(call.task) is not gpu:
        return None
    assert yes is not None, "known"
    assert no is not None, "known"
    on, off, within = 1.0, 0.0, None
    if call.pending is not None:
        on, off, within = call.pending.on, call.pending.off, call.pending.within
    return ElementLoss(call.t, call.weight, call.positive_weight, on, off, within, yes, no, margin)


def elements_and_gradient(call: Call, reducer: Reducer, shaping: Shaping | None) -> tuple[Array, Array] | None:
    """The result and its gradient by the scores, for "none" that of the sum, of a call without a graph."""
    loss = element_loss(call, shaping)
    if loss is None:
        return None
    if reducer.reduction == "none":
        one = call.xp.ones((), dtype=compute_dtype(call.q), device=device_of(call.q))
        each = gpu.element_each(call.q, loss, dtype_name(one))
        return each, gpu.element_each_gradient(call.q, loss, one)
    whole = _as_one_example(call)
    total, gradient = gpu.element_total(call.q, loss, reducer.scale(whole, whole.weight), slopes=True)
    assert gradient is not None, "it was asked for"
    return reducer(whole, total), gradient


def _as_one_example(call: Call) -> Call:
    """A call whose denominator is that of all elements: their weights, summed without an array of their size."""
    count = math.prod(map(int, call.q.shape))
    like = call.xp.zeros((), dtype=compute_dtype(call.q), device=device_of(call.q))
    if call.weight is None:
        weight = scalar_beside(float(count), like)
    else:
        weight = call.xp.sum(call.weight) * (count / math.prod(map(int, call.weight.shape)))
    return replace(call, q=None, t=None, target=None, weight=weight, pending=None)
