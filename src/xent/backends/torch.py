"""PyTorch: kernels as autograd functions.

Each backward is the kernel's own gradient, and is itself such a function whose backward is written in PyTorch's
operations; so a second derivative exists too.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from xent.core.arrays import Array, to_compute
from xent.core.shaping import Shaping
from xent.kernels import composed
from xent.kernels.coefficients import row_coefficients, target_probs
from xent.kernels.protocol import (
    HardTarget,
    Kernel,
    Link,
    RowCoefficients,
    SoftTarget,
    Statistic,
    Target,
)


@dataclass(frozen=True)
class _Spec:
    """What a row function knows besides its tensors."""

    kernel: Kernel
    link: Link
    want: tuple[Statistic, ...]
    on: float
    off: float

    def target(self, index: Array | None, probs: Array | None, log_probs: Array | None) -> Target | None:
        if index is not None:
            return HardTarget(index, self.on, self.off)
        if probs is None and log_probs is None:
            return None
        return SoftTarget(probs, self.on, self.off, log_probs)


def _times(mass: Array, value: Array) -> Array:
    """mass·value, with 0·∞ = 0 for the value and for both derivatives."""
    void = (mass == 0) & torch.isinf(value)
    return mass * torch.where(void, 0.0, value)


class _Surprisals(torch.autograd.Function):
    """−log softmax."""

    @staticmethod
    def forward(q: Array) -> Array:
        return composed.surprisals(q, "logits")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
        ctx.save_for_backward(output)
        ctx.dtype = inputs[0].dtype

    @staticmethod
    def backward(ctx: Any, g: Array) -> Array:
        (s,) = ctx.saved_tensors
        return (torch.exp(-s) * g.sum(-1, keepdim=True) - g).to(ctx.dtype)


def _surprisals(q: Array, link: Link) -> Array:
    if link == "logits":
        return _Surprisals.apply(q)
    x = to_compute(q)
    return -x if link == "log_probs" else -torch.log(x)


class _Rows(torch.autograd.Function):
    """Row statistics; differentiable in q and in the probabilities, or log-probabilities, of a soft target."""

    @staticmethod
    def forward(q: Array, index: Any, probs: Any, log_probs: Any, spec: _Spec) -> tuple[Array, ...]:
        target = spec.target(index, probs, log_probs)
        found = spec.kernel.row_statistics(q, target, spec.link, frozenset(spec.want))
        return tuple(getattr(found, name) for name in spec.want)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Array, ...]) -> None:
        *tensors, ctx.spec = inputs
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(x for name, x in zip(ctx.spec.want, output, strict=True) if name == "argmax"))

    @staticmethod
    def backward(ctx: Any, *grads: Array | None) -> tuple[Array | None, ...]:
        q, index, probs, log_probs = ctx.saved_tensors
        spec: _Spec = ctx.spec
        by = dict(zip(spec.want, grads, strict=True))
        target = spec.target(index, probs, log_probs)
        c = row_coefficients(by, target, q.shape[-1])
        dq = dp = dlp = None
        if ctx.needs_input_grad[0] and not (c.a is None and c.b is None and c.h is None):
            dq = _RowGradient.apply(q, index, probs, log_probs, c.a, c.b, c.h, spec)
        if by.get("score_sum") is not None:
            dq = (0 if dq is None else dq) + by["score_sum"][..., None].expand(q.shape).to(q.dtype)  # type: ignore[index]
        if isinstance(target, SoftTarget) and (ctx.needs_input_grad[2] or ctx.needs_input_grad[3]):
            dt = _target_slope(q, target, spec, by)
            if log_probs is not None:
                dlp = (_times(torch.exp(to_compute(log_probs)), dt)).to(log_probs.dtype)
            elif probs is not None and probs.is_floating_point():
                dp = dt.to(probs.dtype)
        return dq, None, dp, dlp, None


def _target_slope(q: Array, target: SoftTarget, spec: _Spec, by: dict[Statistic, Array | None]) -> Array:
    """∂/∂p of ℓ = Σ t·s, and of the divergence Σ t (log t + s), with t = on·p + off and s = −log q.

    A class outside both supports (t = 0, s = ∞) takes no part: its derivative is 0. So is that of t log t at t = 0,
    which is infinite, and which every parametrisation of t multiplies by 0.
    """
    t = target_probs(target).to(to_compute(q).dtype)
    s = _surprisals(q, spec.link)
    loss, divergence = by.get("loss"), by.get("divergence")
    void = (t == 0) & torch.isinf(s)
    for upstream in (loss, divergence):
        if upstream is not None:
            # A row that does not count (ignored, or of weight 0) has a slope of 0, whatever its scores hold.
            void = void | ((upstream == 0)[..., None] & ~torch.isfinite(s))
    s = torch.where(void, 0.0, s)
    slope = torch.zeros_like(s)
    if loss is not None:
        slope = slope + loss[..., None] * s
    if divergence is not None:
        own = torch.where(t == 0, 0.0, torch.log(torch.where(t == 0, 1.0, t)) + 1)
        slope = slope + divergence[..., None] * (own + s)
    return slope * spec.on


class _RowGradient(torch.autograd.Function):
    """The kernel's gradient by q, as a function of q, t and the row scalars."""

    @staticmethod
    def forward(q: Array, index: Any, probs: Any, log_probs: Any, a: Any, b: Any, h: Any, spec: _Spec) -> Array:
        target = spec.target(index, probs, log_probs)
        return spec.kernel.row_gradient(q, target, spec.link, RowCoefficients(a, b, h))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
        *tensors, ctx.spec = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, g: Array) -> tuple[Array | None, ...]:
        spec: _Spec = ctx.spec

        def formula(q: Array, index: Any, probs: Any, log_probs: Any, a: Any, b: Any, h: Any) -> Array:
            target = spec.target(index, probs, log_probs)
            return _row_gradient_formula(q, target, spec.link, a, b, h)

        return (*_differentiate(formula, ctx.saved_tensors, ctx.needs_input_grad, g), None)


def _row_gradient_formula(q: Array, target: Target | None, link: Link, a: Any, b: Any, h: Any) -> Array:
    """What ``Kernel.row_gradient`` computes, in operations that PyTorch can differentiate."""
    idle = None
    for c in (a, b, h):
        if c is not None:
            idle = c == 0 if idle is None else idle & (c == 0)
    if idle is not None:
        # A row that does not count stays out of second derivatives too, where its scores define no probabilities.
        undefined = torch.isnan(_surprisals(q.detach(), link)).any(-1)
        q = torch.where((idle & undefined)[..., None], 0.5, q)
    x = to_compute(q)
    gradient = torch.zeros_like(x)
    s = _surprisals(q, link)
    if a is not None and link == "logits":
        gradient = gradient + a[..., None] * torch.exp(-s)
    if b is not None and target is not None:
        if isinstance(target, HardTarget):
            hot = torch.arange(x.shape[-1], device=x.device) == target.index.to(torch.int64)[..., None]
            t = torch.where(hot, target.on + target.off, torch.full_like(x, target.off))
        else:
            t = target_probs(target).to(x.dtype)
        gradient = gradient - b[..., None] * (t if link != "probs" else t / torch.where(t == 0, 1.0, x))
    if h is not None:
        p = torch.exp(-s)
        if link == "logits":
            slope = _times(p, s - _times(p, s).sum(-1, keepdim=True))
        else:
            slope = _times(p, s - 1) if link == "log_probs" else s - 1
        gradient = gradient + h[..., None] * slope
    return gradient.to(q.dtype)


class _Elements(torch.autograd.Function):
    """(−log q, −log(1 − q)) of each element."""

    @staticmethod
    def forward(q: Array, kernel: Kernel, link: Link) -> tuple[Array, Array]:
        return kernel.element_statistics(q, link)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Array, Array]) -> None:
        q, ctx.kernel, ctx.link = inputs
        ctx.save_for_backward(q)

    @staticmethod
    def backward(ctx: Any, d_yes: Array, d_no: Array) -> tuple[Array, None, None]:
        (q,) = ctx.saved_tensors
        return _ElementGradient.apply(q, d_no, d_yes, ctx.kernel, ctx.link), None, None


class _ElementGradient(torch.autograd.Function):
    @staticmethod
    def forward(q: Array, a: Array, b: Array, kernel: Kernel, link: Link) -> Array:
        return kernel.element_gradient(q, link, a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
        q, a, b, _, ctx.link = inputs
        ctx.save_for_backward(q, a, b)

    @staticmethod
    def backward(ctx: Any, g: Array) -> tuple[Array | None, ...]:
        link: Link = ctx.link

        def formula(q: Array, a: Array, b: Array) -> Array:
            x = to_compute(torch.where((a == 0) & (b == 0) & torch.isnan(q), 0.5, q))
            if link == "logits":
                value = a * torch.sigmoid(x) - b * torch.sigmoid(-x)
            elif link == "log_probs":
                value = _times(a, torch.exp(x) / -torch.expm1(x)) - b
            else:
                value = _times(a, 1 / (1 - x)) - _times(b, 1 / x)
            return value.to(q.dtype)

        return (*_differentiate(formula, ctx.saved_tensors, ctx.needs_input_grad, g), None, None)


class _Shape(torch.autograd.Function):
    """φ with the φ′ that it states: what autograd would make of φ is NaN at its edges."""

    @staticmethod
    def forward(loss: Array, shaping: Shaping) -> Array:
        return shaping.value(loss)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
        loss, ctx.shaping = inputs
        ctx.save_for_backward(loss)

    @staticmethod
    def backward(ctx: Any, g: Array) -> tuple[Array, None]:
        (loss,) = ctx.saved_tensors
        return g * ctx.shaping.derivative(loss), None


def _differentiate(formula: Any, tensors: tuple[Any, ...], needed: tuple[bool, ...], g: Array) -> list[Array | None]:
    """Derivatives of formula(*tensors) against g, themselves differentiable where a graph is being made."""
    again = torch.is_grad_enabled()
    picked = [i for i, x in enumerate(tensors) if x is not None and needed[i]]
    with torch.enable_grad():
        inputs = list(tensors)
        if not again:
            for i in picked:
                inputs[i] = tensors[i].detach().requires_grad_()
        value = formula(*inputs)
        found = torch.autograd.grad(value, [inputs[i] for i in picked], g, create_graph=again, allow_unused=True)
    result: list[Array | None] = [None] * len(tensors)
    for i, x in zip(picked, found, strict=True):
        result[i] = x
    return result


class TorchBackend:
    """See ``xent.backends.protocol``."""

    name = "torch"

    def reads(self, x: Array) -> bool:
        return x.device.type == "cpu" and not torch.compiler.is_compiling()

    def traced(self, x: Array) -> bool:
        if torch.compiler.is_compiling() or x.device.type == "meta":
            return True
        plain = type(x) is torch.Tensor or type(x) is torch.nn.Parameter
        return not plain or torch._C._functorch.is_functorch_wrapped_tensor(x)

    def quiet(self) -> AbstractContextManager[object]:
        return nullcontext()

    def rows(
        self, kernel: Kernel, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]
    ) -> dict[str, Array]:
        index = target.index if isinstance(target, HardTarget) else None
        probs, log_probs = (target.probs, target.log_probs) if isinstance(target, SoftTarget) else (None, None)
        on, off = (target.on, target.off) if target is not None else (1.0, 0.0)
        names = tuple(sorted(want))
        found = _Rows.apply(q, index, probs, log_probs, _Spec(kernel, link, names, on, off))
        return dict(zip(names, found, strict=True))

    def elements(self, kernel: Kernel, q: Array, link: Link) -> tuple[Array, Array]:
        yes, no = _Elements.apply(q, kernel, link)
        return yes, no

    def surprisals(self, q: Array, link: Link) -> Array:
        return _surprisals(q, link)

    def apply(self, shaping: Shaping, loss: Array) -> Array:
        return _Shape.apply(loss, shaping)


backend = TorchBackend()
