"""Elements, from PyTorch's tensors to the programs over them. Imported when the kernel first runs."""

from __future__ import annotations

from typing import Any

import torch

from xent.core.arrays import Array
from xent.kernels.element_loss import ElementLoss
from xent.kernels.gpu import bits
from xent.kernels.gpu.element_program import losses as loss_program
from xent.kernels.gpu.element_program import scaled as scaling_program
from xent.kernels.gpu.element_program import sides as side_program
from xent.kernels.gpu.launch import ELEMENTS, element_warps, on_device_of, speaks_ptx

_WARPS = 4


def statistics(q: Array) -> tuple[Array, Array]:
    """See ``Kernel.element_statistics``."""
    z = q.contiguous()
    yes, no = (torch.empty(q.shape, dtype=torch.float32, device=q.device) for _ in range(2))
    with on_device_of(q):
        side_program[_grid(z)](
            z, None, None, None, yes, no, z.numel(), GRADIENT=False, B=ELEMENTS, PTX=speaks_ptx(q), num_warps=_WARPS
        )  # fmt: skip
    return yes, no


def gradient(q: Array, a: Array, b: Array) -> Array:
    """See ``Kernel.element_gradient``."""
    z = q.contiguous()
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    a, b = (x.to(torch.float32).broadcast_to(q.shape).contiguous() for x in (a, b))
    with on_device_of(q):
        side_program[_grid(z)](
            z, out, a, b, None, None, z.numel(), GRADIENT=True, B=ELEMENTS, PTX=speaks_ptx(q), num_warps=_WARPS
        )
    return out


def losses(q: Array, t: Array, positive_weight: Array | None, slopes: bool) -> tuple[Array, Array | None]:
    """See ``Kernel.element_losses``."""
    each = torch.empty(q.shape, dtype=torch.float32, device=q.device)
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device) if slopes else None
    _launch(q, ElementLoss(t, None, positive_weight), 1.0, out, each=each)
    return each, out


def each_loss(q: Array, loss: ElementLoss, dtype: torch.dtype) -> Array:
    """See ``ElementKernel.element_each``."""
    each = torch.empty(q.shape, dtype=dtype, device=q.device)
    _launch(q, loss, 1.0, None, each=each)
    return each


def each_gradient(q: Array, loss: ElementLoss, g: Array) -> Array:
    """See ``ElementKernel.element_each_gradient``."""
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    _launch(q, loss, 1.0, out, g=g.detach())
    return out


def total(q: Array, loss: ElementLoss, scale: Array | float, slopes: bool) -> tuple[Array, Array | None]:
    """See ``ElementKernel.element_total``."""
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device) if slopes else None
    wide = torch.float32 if q.device.type == "xpu" else torch.float64  # which some of Intel's devices have not
    sums = torch.empty(_grid(q)[0], dtype=wide, device=q.device)
    _launch(q, loss, scale, out, sums=sums)
    return sums.sum().to(torch.float32), out


def gradient_above(q: Array, loss: ElementLoss, scale: Array | float, above: Array, found: Array | None) -> Array:
    """See ``Gpu.element_gradient_above``."""
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device) if found is None else found
    when = bits.TIMES if found is None else bits.UNLESS_ONE
    _launch(q, loss, scale, out, above=above.detach(), when=when)
    return out


def scaled_in_place(x: Array, above: Array) -> Array:
    """See ``Gpu.scaled_in_place``; x has no gaps."""
    with on_device_of(x):
        scaling_program[_grid(x)](x, above.detach(), x.numel(), B=ELEMENTS, PTX=speaks_ptx(x), num_warps=_WARPS)
    return x


def _launch(
    q: Array, loss: ElementLoss, scale: Array | float, out: Array | None, *, g: Array | None = None,
    each: Array | None = None, sums: Array | None = None, above: Array | None = None, when: int = bits.NOTHING,
) -> None:  # fmt: skip
    z = q.contiguous()
    operands = [_operand(x, z) for x in (loss.given, loss.weight, loss.positive_weight, g)]
    (t, t_how), (w, w_how), (v, v_how), (g, g_how) = operands
    within, yes, no = loss.within, loss.yes, loss.no
    check = bits.UNCHECKED if within is None else bits.ZERO_OR_ONE if within.hard else bits.PROBABILITIES
    factor, beside = (float(scale), None) if isinstance(scale, (int, float)) else (1.0, scale.detach())
    forms = (yes.factor, yes.epsilon, yes.gamma, no.factor, no.epsilon, no.gamma, loss.no_margin)
    by_rows = any(how in (bits.CLASSES, bits.ROWS) for _, how in operands)
    shaped = bits.SHIFTED if loss.no_margin else bits.FORMS if loss.shaped else bits.UNSHAPED
    with on_device_of(q):
        loss_program[_grid(z)](
            z, out, t, w, v, g, beside, above, each, sums,
            z.numel(), z.shape[-1] if by_rows else 1, factor, float(loss.on), float(loss.off),
            *(float(x) for x in forms),
            T=t_how, W=w_how, V=v_how, G=g_how, CHECK=check, SHAPED=shaped,
            ABOVE=when, B=ELEMENTS, PTX=speaks_ptx(q), num_warps=element_warps(shaped),
        )  # fmt: skip


def _operand(x: Array | None, z: Array) -> tuple[Any, int]:
    """A tensor beside the scores, and how it lies: what is broadcast, or was expanded before, is read where it is."""
    if x is None:
        return None, bits.ABSENT
    if x.dtype is torch.bool:
        x = x.view(torch.uint8)
    elif x.dtype is torch.float64 or x.is_complex():
        x = x.to(torch.float32)
    x = x.to(z.device)
    if x.numel() == 1:
        return x.reshape(1), bits.SAME
    x = x.broadcast_to(z.shape)
    front = [stride for length, stride in zip(x.shape[:-1], x.stride(), strict=False) if length > 1]
    first = (0,) * (z.dim() - 1)
    if not any(front):
        return (x[first][:1], bits.SAME) if x.stride(-1) == 0 else (x[first].contiguous(), bits.CLASSES)
    if x.stride(-1) == 0:
        return x[..., 0].contiguous(), bits.ROWS
    return x.contiguous(), bits.EACH


def _grid(z: Array) -> tuple[int]:
    return (-(-z.numel() // ELEMENTS),)
