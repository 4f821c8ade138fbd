"""Elements, from PyTorch's tensors to the programs over them. Imported when the kernel first runs."""

from __future__ import annotations

from typing import Any

import torch

from xent.core.arrays import Array
from xent.kernels.gpu import bits
from xent.kernels.gpu.element_program import losses as loss_program
from xent.kernels.gpu.element_program import scaled as scaling_program
from xent.kernels.gpu.element_program import sides as side_program
from xent.kernels.gpu.launch import ELEMENTS, on_device_of, speaks_ptx

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
    _launch(q, t, None, positive_weight, 1.0, out, each=each)
    return each, out


def loss_gradient(q: Array, t: Array, positive_weight: Array | None, g: Array) -> Array:
    """See ``Kernel.element_loss_gradient``."""
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    _launch(q, t, g, positive_weight, 1.0, out)
    return out


def fused(q: Array, t: Array, weight: Array | None, positive_weight: Array | None, scale: float) -> tuple[Array, Array]:
    """See ``Kernel.element_fused``."""
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    wide = torch.float32 if q.device.type == "xpu" else torch.float64  # which some of Intel's devices have not
    sums = torch.empty(_grid(q)[0], dtype=wide, device=q.device)
    _launch(q, t, weight, positive_weight, scale, out, sums=sums)
    return sums.sum().to(torch.float32), out


def gradient_above(
    q: Array, t: Array, weight: Array | None, positive_weight: Array | None, scale: float, above: Array,
    found: Array | None,
) -> Array:  # fmt: skip
    """See ``Gpu.element_gradient_above``."""
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device) if found is None else found
    when = bits.TIMES if found is None else bits.UNLESS_ONE
    _launch(q, t, weight, positive_weight, scale, out, above=above, when=when)
    return out


def scaled_in_place(x: Array, above: Array) -> Array:
    """See ``Gpu.scaled_in_place``; x has no gaps."""
    with on_device_of(x):
        scaling_program[_grid(x)](x, above.detach(), x.numel(), B=ELEMENTS, PTX=speaks_ptx(x), num_warps=_WARPS)
    return x


def _launch(
    q: Array, t: Array, weight: Array | None, positive_weight: Array | None, scale: float, out: Array | None, *,
    each: Array | None = None, sums: Array | None = None, above: Array | None = None, when: int = bits.NOTHING,
) -> None:  # fmt: skip
    z = q.contiguous()
    (t, t_how), (w, w_how), (v, v_how) = (_operand(x, z) for x in (t, weight, positive_weight))
    with on_device_of(q):
        loss_program[_grid(z)](
            z, out, t, w, v, None if above is None else above.detach(), each, sums,
            z.numel(), z.shape[-1] if bits.CLASSES in (t_how, w_how, v_how) else 1, float(scale),
            T=t_how, W=w_how, V=v_how, ABOVE=when, B=ELEMENTS, PTX=speaks_ptx(q), num_warps=_WARPS,
        )  # fmt: skip


def _operand(x: Array | None, z: Array) -> tuple[Any, int]:
    """A tensor beside the scores, and how it lies."""
    if x is None:
        return None, bits.ABSENT
    if x.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        x = x.to(torch.uint8 if x.dtype is torch.bool else torch.float32)
    x = x.to(z.device)
    if x.numel() == 1:
        return x.contiguous(), bits.SAME
    if x.numel() == x.shape[-1] == z.shape[-1]:
        return x.contiguous(), bits.CLASSES
    return x.broadcast_to(z.shape).contiguous(), bits.EACH


def _grid(z: Array) -> tuple[int]:
    return (-(-z.numel() // ELEMENTS),)
