"""v·t·(−log q) + (1 − t)·(−log(1 − q)) of each element; reverse mode keeps what was given."""

from __future__ import annotations

from typing import Any

import torch

from xent.backends.torch.elements import elements, gradient
from xent.backends.torch.lean import reachable
from xent.core import algebra
from xent.core.arrays import Array, to_compute
from xent.kernels.protocol import Kernel, Link


def element_losses(q: Array, t: Array, positive_weight: Array | None, kernel: Kernel, link: Link) -> Array:
    """The losses; differentiable in all."""
    others = (t,) if positive_weight is None else (t, positive_weight)
    if torch.compiler.is_compiling() or not reachable(kernel, q, *others) or any(x.requires_grad for x in others):
        yes, no = elements(q, kernel, link)
        return algebra.element_values(yes, no, t, positive_weight, None, None, None, algebra.plain)
    found: Array = _Losses.apply(q, t, positive_weight, kernel, link)
    return found


class _Losses(torch.autograd.Function):
    # In the style in which forward has the context: for plain tensors alone.
    @staticmethod
    def forward(ctx: Any, q: Array, t: Array, v: Array | None, kernel: Kernel, link: Link) -> Array:
        ctx.save_for_backward(q, t, v)
        ctx.kernel, ctx.link = kernel, link
        return kernel.element_losses(q, link, t, v, slopes=False)[0]

    @staticmethod
    def backward(ctx: Any, g: Array) -> tuple[Array | None, ...]:
        q, t, v = ctx.saved_tensors
        if not torch.is_grad_enabled() and reachable(ctx.kernel, g):
            found = ctx.kernel.element_loss_gradient(q, ctx.link, t, v, g)
        else:
            x = to_compute(q)
            no, yes = (1 - t).expand(x.shape), (t if v is None else t * v).expand(x.shape)
            found = gradient(q, g * no, g * yes, ctx.kernel, ctx.link)
        return found, None, None, None, None
