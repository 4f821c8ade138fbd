"""φ with the φ′ that it states: what autograd would make of φ is NaN at its edges."""

from __future__ import annotations

from typing import Any

import torch

from xent.backends.torch.transforms import batched
from xent.core.arrays import Array
from xent.core.shaping import Shaping


def shape(loss: Array, shaping: Shaping) -> Array:
    """φ(ℓ)."""
    if torch.compiler.is_compiling():
        return _Shape.apply(loss, shaping)
    return _FullShape.apply(loss, shaping)


class _Shape(torch.autograd.Function):
    @staticmethod
    def forward(loss: Array, shaping: Shaping) -> Array:
        found = shaping.value(loss)
        # PyTorch refuses an argument that is handed back as it is, and saved.
        return loss.view_as(loss) if found is loss else found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
        loss, ctx.shaping = inputs
        ctx.save_for_backward(loss)
        ctx.save_for_forward(loss)

    @staticmethod
    def backward(ctx: Any, g: Array) -> tuple[Array, None]:
        (loss,) = ctx.saved_tensors
        return g * ctx.shaping.derivative(loss), None


class _FullShape(_Shape):
    @staticmethod
    def jvp(ctx: Any, d_loss: Array, _: None) -> Array:
        (loss,) = ctx.saved_tensors
        derivative: Array = ctx.shaping.derivative(loss)
        return d_loss * derivative

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Array, int]:
        return _FullShape.apply(*batched(info.batch_size, in_dims, arguments)), 0
