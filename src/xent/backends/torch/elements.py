"""(−log q, −log(1 − q)) of each element, for Indicators."""

from __future__ import annotations

from typing import Any

import torch

from xent.backends.slopes import ElementSlopes, without_dead_elements
from xent.backends.torch.transforms import batched, has_no_memory
from xent.core.arrays import Array, to_compute
from xent.kernels.composed import composed
from xent.kernels.protocol import Kernel, Link


def elements(q: Array, kernel: Kernel, link: Link) -> tuple[Array, Array]:
    """(−log q, −log(1 − q)); differentiable in q."""
    if torch.compiler.is_compiling():
        yes, no = _Elements.apply(q, kernel, link)
    else:
        yes, no = _FullElements.apply(q, kernel, link)
    return yes, no


def gradient(q: Array, a: Array, b: Array, kernel: Kernel, link: Link) -> Array:
    """a·∂(−log(1 − q)) + b·∂(−log q); differentiable in q, a and b."""
    if torch.compiler.is_compiling():
        return _Gradient.apply(q, a, b, kernel, link)
    if any(has_no_memory(x) for x in (q, a, b)):
        # A transform of the backward alone: the kernel was chosen when q was still an array.
        kernel = composed
    return _FullGradient.apply(q, a, b, kernel, link)


class _Elements(torch.autograd.Function):
    @staticmethod
    def forward(q: Array, kernel: Kernel, link: Link) -> tuple[Array, Array]:
        return kernel.element_statistics(q, link)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Array, Array]) -> None:
        q, ctx.kernel, ctx.link = inputs
        ctx.save_for_backward(q)
        ctx.save_for_forward(q)

    @staticmethod
    def backward(ctx: Any, d_yes: Array, d_no: Array) -> tuple[Array, None, None]:
        (q,) = ctx.saved_tensors
        return gradient(q, d_no, d_yes, ctx.kernel, ctx.link), None, None


class _FullElements(_Elements):
    @staticmethod
    def jvp(ctx: Any, dq: Array, _kernel: None, _link: None) -> tuple[Array, Array]:
        (q,) = ctx.saved_tensors
        # In the type of the arithmetic, so that the slopes of half precision are not rounded before they are used.
        x = to_compute(q)
        one, zero = torch.ones_like(x), torch.zeros_like(x)
        d_yes = gradient(x, zero, one, ctx.kernel, ctx.link) * dq
        return d_yes, gradient(x, one, zero, ctx.kernel, ctx.link) * dq

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *arguments: Any
    ) -> tuple[tuple[Array, Array], tuple[int, int]]:
        return _FullElements.apply(*batched(info.batch_size, in_dims, arguments)), (0, 0)


class _Gradient(torch.autograd.Function):
    @staticmethod
    def forward(q: Array, a: Array, b: Array, kernel: Kernel, link: Link) -> Array:
        return kernel.element_gradient(q, link, a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
        q, a, b, _, ctx.link = inputs
        ctx.save_for_backward(q, a, b)
        ctx.save_for_forward(q, a, b)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, g: Array | None) -> tuple[Array | None, ...]:
        if g is None:
            return (None,) * 5
        q, a, b = ctx.saved_tensors
        slopes = ElementSlopes(to_compute(without_dead_elements(q, a, b)), ctx.link, torch.sigmoid)
        return (g * slopes.curvature(a, b)).to(q.dtype), g * slopes.no, g * slopes.yes, None, None


class _FullGradient(_Gradient):
    @staticmethod
    def jvp(ctx: Any, dq: Any, da: Any, db: Any, _kernel: None, _link: None) -> Array:
        q, a, b = ctx.saved_tensors
        slopes = ElementSlopes(to_compute(without_dead_elements(q, a, b)), ctx.link, torch.sigmoid)
        tangent = torch.zeros_like(slopes.yes)
        for v, slope in ((da, slopes.no), (db, slopes.yes)):
            if v is not None:
                tangent = tangent + v * slope
        if dq is not None:
            tangent = tangent + slopes.curvature(a, b) * dq
        return tangent.to(q.dtype)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Array, int]:
        return _FullGradient.apply(*batched(info.batch_size, in_dims, arguments)), 0
