"""−log q of every class."""

from __future__ import annotations

from typing import Any

import torch

from xent.backends.torch.transforms import batched
from xent.core.arrays import Array, to_compute
from xent.kernels import composed
from xent.kernels.protocol import Link


def surprisals(q: Array, link: Link) -> Array:
    """−log q of each class (…, K); differentiable in q."""
    if link == "logits":
        if torch.compiler.is_compiling():
            return _Surprisals.apply(q)
        return _FullSurprisals.apply(q)
    x = to_compute(q)
    return -x if link == "log_probs" else -torch.log(x)


class _Surprisals(torch.autograd.Function):
    """s = −log softmax(z); ∂s = ⟨p, ∂z⟩ − ∂z."""

    @staticmethod
    def forward(q: Array) -> Array:
        return composed.surprisals(q, "logits")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)
        ctx.dtype = inputs[0].dtype

    @staticmethod
    def backward(ctx: Any, g: Array) -> Array:
        (s,) = ctx.saved_tensors
        return (torch.exp(-s) * g.sum(-1, keepdim=True) - g).to(ctx.dtype)


class _FullSurprisals(_Surprisals):
    @staticmethod
    def jvp(ctx: Any, dq: Array) -> Array:
        (s,) = ctx.saved_tensors
        return (torch.exp(-s) * dq).sum(-1, keepdim=True) - dq.to(s.dtype)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Array, int]:
        return _FullSurprisals.apply(*batched(info.batch_size, in_dims, arguments)), 0
