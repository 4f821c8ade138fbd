"""Row statistics, for Labels and Distribution; differentiable in q and in a soft target."""

from __future__ import annotations

from typing import Any

import torch

from xent.backends.slopes import target_slope
from xent.backends.torch.lean import dense
from xent.backends.torch.row_gradient import row_gradient
from xent.backends.torch.spec import Spec
from xent.backends.torch.surprisals import surprisals
from xent.backends.torch.transforms import batched
from xent.core.arrays import Array, times, to_compute
from xent.kernels.coefficients import row_coefficients
from xent.kernels.extra import Extra
from xent.kernels.gpu import gpu
from xent.kernels.protocol import SoftTarget


def rows(q: Array, index: Any, probs: Any, log_probs: Any, spec: Spec) -> tuple[Array, ...]:
    """The statistics that the spec wants, in its order."""
    if torch.compiler.is_compiling():
        found: tuple[Array, ...] = _Rows.apply(q, index, probs, log_probs, spec)
    else:
        found = _FullRows.apply(q, index, probs, log_probs, spec)
    return found


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(q: Array, index: Any, probs: Any, log_probs: Any, spec: Spec) -> tuple[Array, ...]:
        target = spec.target(index, probs, log_probs)
        found = spec.kernel.row_statistics(q, target, spec.link, frozenset(spec.want))
        return tuple(getattr(found, name) for name in spec.want)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Array, ...]) -> None:
        *tensors, ctx.spec = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(x for name, x in zip(ctx.spec.want, output, strict=True) if name == "argmax"))

    @staticmethod
    def backward(ctx: Any, *grads: Array | None) -> tuple[Array | None, ...]:
        q, index, probs, log_probs = ctx.saved_tensors
        spec: Spec = ctx.spec
        by = dict(zip(spec.want, grads, strict=True))
        target = spec.target(index, probs, log_probs)
        dq = dp = dlp = None
        slopes = [g for name, g in by.items() if g is not None and name != "score_sum"]
        if ctx.needs_input_grad[0] and slopes:
            if spec.kernel is gpu and not torch.is_grad_enabled() and dense(*slopes, hooked=True):
                # The mass of a soft target is made in the same pass.
                dq = gpu.row_slopes_gradient(q, target, by, Extra())
            else:
                dq = row_gradient(q, index, probs, log_probs, row_coefficients(by, target, q.shape[-1]), spec)
        if by.get("score_sum") is not None:
            dq = (0 if dq is None else dq) + by["score_sum"][..., None].expand(q.shape).to(q.dtype)  # type: ignore[index]
        if isinstance(target, SoftTarget) and (ctx.needs_input_grad[2] or ctx.needs_input_grad[3]):
            dt = target_slope(surprisals(q, spec.link), target, by.get("loss"), by.get("divergence"))
            if log_probs is not None:
                dlp = (times(torch.exp(to_compute(log_probs)), dt)).to(log_probs.dtype)
            elif probs is not None and probs.is_floating_point():
                dp = dt.to(probs.dtype)
        return dq, None, dp, dlp, None


class _FullRows(_Rows):
    @staticmethod
    def jvp(ctx: Any, dq: Any, _index: Any, dp: Any, dlp: Any, _spec: None) -> tuple[Array | None, ...]:
        q, index, probs, log_probs = ctx.saved_tensors
        spec: Spec = ctx.spec
        target = spec.target(index, probs, log_probs)
        # In the type of the arithmetic, so that the slopes of half precision are not rounded before they are summed.
        x = to_compute(q)
        found: list[Array | None] = []
        for name in spec.want:
            if name == "argmax":
                found.append(None)
                continue
            one = torch.ones(q.shape[:-1], dtype=x.dtype, device=x.device)
            tangent = torch.zeros_like(one)
            if dq is not None and name == "score_sum":
                tangent = tangent + dq.to(x.dtype).sum(-1)
            elif dq is not None:
                c = row_coefficients({name: one}, target, q.shape[-1])
                tangent = tangent + (row_gradient(x, index, probs, log_probs, c, spec) * dq).sum(-1)
            if isinstance(target, SoftTarget) and not (dp is None and dlp is None):
                loss, divergence = (one if name == of else None for of in ("loss", "divergence"))
                slope = target_slope(surprisals(q, spec.link), target, loss, divergence)
                along = dp if dlp is None else times(torch.exp(to_compute(log_probs)), dlp)
                tangent = tangent + (slope * along).sum(-1)
            found.append(tangent)
        return tuple(found)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[tuple[Array, ...], tuple[int, ...]]:
        found = _FullRows.apply(*batched(info.batch_size, in_dims, arguments))
        return found, (0,) * len(found)
