"""The kernel's gradient by q, as a function of q, the target and the row scalars that can itself be differentiated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from xent.backends.slopes import Slopes
from xent.backends.torch.spec import Spec
from xent.backends.torch.surprisals import surprisals
from xent.backends.torch.transforms import batched, has_no_memory
from xent.core.arrays import Array
from xent.kernels.composed import composed
from xent.kernels.protocol import RowCoefficients


def row_gradient(q: Array, index: Any, probs: Any, log_probs: Any, c: RowCoefficients, spec: Spec) -> Array:
    """``Kernel.row_gradient``; differentiable in q, a soft target and a, b, h."""
    if torch.compiler.is_compiling():
        return _RowGradient.apply(q, index, probs, log_probs, c.a, c.b, c.h, spec)
    if any(x is not None and has_no_memory(x) for x in (q, c.a, c.b, c.h)):
        # A transform of the backward alone: the kernel was chosen when the scores were still an array.
        spec = replace(spec, kernel=composed)
    return _FullRowGradient.apply(q, index, probs, log_probs, c.a, c.b, c.h, spec)


class _RowGradient(torch.autograd.Function):
    @staticmethod
    def forward(q: Array, index: Any, probs: Any, log_probs: Any, a: Any, b: Any, h: Any, spec: Spec) -> Array:
        target = spec.target(index, probs, log_probs)
        return spec.kernel.row_gradient(q, target, spec.link, RowCoefficients(a, b, h))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
        *tensors, ctx.spec = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, g: Array | None) -> tuple[Array | None, ...]:
        if g is None:
            return (None,) * 8
        q, _, probs, log_probs, a, b, h = ctx.saved_tensors
        by = _slopes(ctx)
        need = ctx.needs_input_grad
        found: list[Array | None] = [None] * 8
        if need[0]:
            found[0] = by.curvature(g).to(q.dtype)
        if need[2] and b is not None:
            found[2] = (g * by.by_probs()).to(probs.dtype)
        if need[3] and b is not None:
            found[3] = (g * by.by_log_probs(log_probs)).to(log_probs.dtype)
        for i, c, name in ((4, a, "a"), (5, b, "b"), (6, h, "h")):
            if need[i] and c is not None:
                found[i] = (g * by.by_scalar(name)).sum(-1).to(c.dtype)
        return tuple(found)


class _FullRowGradient(_RowGradient):
    @staticmethod
    def jvp(ctx: Any, dq: Any, _index: Any, dp: Any, dlp: Any, da: Any, db: Any, dh: Any, _spec: None) -> Array:
        q, _, _, log_probs, *_ = ctx.saved_tensors
        by = _slopes(ctx)
        tangent = torch.zeros_like(by.s) if dq is None else by.curvature(dq)
        if dp is not None:
            tangent = tangent + by.by_probs() * dp
        if dlp is not None:
            tangent = tangent + by.by_log_probs(log_probs) * dlp
        for c, name in ((da, "a"), (db, "b"), (dh, "h")):
            if c is not None:
                tangent = tangent + by.by_scalar(name) * c[..., None]
        return tangent.to(q.dtype)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Array, int]:
        return _FullRowGradient.apply(*batched(info.batch_size, in_dims, arguments)), 0


def _slopes(ctx: Any) -> Slopes:
    q, index, probs, log_probs, a, b, h = ctx.saved_tensors
    target = ctx.spec.target(index, probs, log_probs)
    return Slopes(q, target, ctx.spec.link, RowCoefficients(a, b, h), surprisals)
