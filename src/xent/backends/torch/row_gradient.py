"""The kernel's gradient by q, as a function of q, the target and the row scalars that can itself be differentiated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from xent.backends.torch.surprisals import surprisals
from xent.backends.torch.transforms import batched, has_no_memory
from xent.core.arrays import Array, times, to_compute
from xent.kernels.coefficients import target_probs
from xent.kernels.composed import composed
from xent.kernels.protocol import HardTarget, Kernel, Link, RowCoefficients, SoftTarget, Statistic, Target


@dataclass(frozen=True)
class Spec:
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
        by = _Slopes.of(ctx)
        q, probs, log_probs, a, b, h = by.tensors
        need = ctx.needs_input_grad
        found: list[Array | None] = [None] * 8
        if need[0]:
            found[0] = by.curvature(g).to(q.dtype)
        if need[2] and b is not None:
            found[2] = (g * by.by_probs()).to(probs.dtype)
        if need[3] and b is not None:
            found[3] = (g * by.by_log_probs()).to(log_probs.dtype)
        for i, c, name in ((4, a, "a"), (5, b, "b"), (6, h, "h")):
            if need[i] and c is not None:
                found[i] = (g * by.by_scalar(name)).sum(-1).to(c.dtype)
        return tuple(found)


class _FullRowGradient(_RowGradient):
    @staticmethod
    def jvp(ctx: Any, dq: Any, _index: Any, dp: Any, dlp: Any, da: Any, db: Any, dh: Any, _spec: None) -> Array:
        by = _Slopes.of(ctx)
        tangent = torch.zeros_like(by.s) if dq is None else by.curvature(dq)
        if dp is not None:
            tangent = tangent + by.by_probs() * dp
        if dlp is not None:
            tangent = tangent + by.by_log_probs() * dlp
        for c, name in ((da, "a"), (db, "b"), (dh, "h")):
            if c is not None:
                tangent = tangent + by.by_scalar(name) * c[..., None]
        return tangent.to(by.tensors[0].dtype)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Array, int]:
        return _FullRowGradient.apply(*batched(info.batch_size, in_dims, arguments)), 0


class _Slopes:
    """The derivatives of G = a·p − b·t + h·∂H, in operations that PyTorch can differentiate again.

    With a, b and h fixed G is itself a gradient, so its Jacobian by q is symmetric: ``curvature`` serves backward and
    forward mode alike.
    """

    def __init__(self, tensors: tuple[Any, ...], spec: Spec) -> None:
        q, index, probs, log_probs, a, b, h = tensors
        self.tensors = (q, probs, log_probs, a, b, h)
        self.spec, self.link = spec, spec.link
        q = _without_dead_rows(q, spec.link, a, b, h)
        self.x = to_compute(q)
        self.s = surprisals(q, spec.link)
        self.p = self.x if spec.link == "probs" else torch.exp(-self.s)
        self.target = spec.target(index, probs, log_probs)

    @classmethod
    def of(cls, ctx: Any) -> _Slopes:
        return cls(ctx.saved_tensors, ctx.spec)

    def by_scalar(self, name: str) -> Array:
        """∂G/∂a, ∂G/∂b or ∂G/∂h."""
        if name == "a":
            return self.p if self.link == "logits" else torch.zeros_like(self.p)
        return self._minus_target() if name == "b" else self._entropy_slope()

    def by_probs(self) -> Array:
        """∂G/∂(probabilities of the target)."""
        b = self.tensors[4][..., None] * self.spec.on
        return -b.expand(self.x.shape) if self.link != "probs" else -b / self._divisor()

    def by_log_probs(self) -> Array:
        return times(torch.exp(to_compute(self.tensors[2])), self.by_probs())

    def curvature(self, v: Array) -> Array:
        """(∂G/∂q)·v."""
        _, _, _, a, b, h = self.tensors
        found = torch.zeros_like(self.x)
        p, s = self.p, self.s
        if self.link == "logits":
            ds = (p * v).sum(-1, keepdim=True) - v
            if a is not None:
                found = found - a[..., None] * p * ds
            if h is not None:
                entropy = times(p, s).sum(-1, keepdim=True)
                d_entropy = -(times(p, s) * ds).sum(-1, keepdim=True)
                found = found + h[..., None] * (p * (ds - d_entropy) - times(p, s - entropy) * ds)
        elif self.link == "log_probs":
            if h is not None:
                found = found + h[..., None] * times(p, s - 2) * v
        else:
            if b is not None and self.target is not None:
                found = found - b[..., None] * self._minus_target() / self._divisor() * v
            if h is not None:
                found = found - h[..., None] / p * v
        return found

    def _minus_target(self) -> Array:
        if self.target is None:
            return torch.zeros_like(self.x)
        t = _dense(self.target, self.x)
        return -t if self.link != "probs" else -t / self._divisor()

    def _divisor(self) -> Array:
        """q, and 1 where the target has no mass: there 0/0 is 0."""
        assert self.target is not None
        return torch.where(_dense(self.target, self.x) == 0, 1.0, self.x)

    def _entropy_slope(self) -> Array:
        """∂H(q)/∂(what Q holds)."""
        if self.link == "probs":
            return self.s - 1
        if self.link == "log_probs":
            return times(self.p, self.s - 1)
        return times(self.p, self.s - times(self.p, self.s).sum(-1, keepdim=True))


def _dense(target: Target, x: Array) -> Array:
    if not isinstance(target, HardTarget):
        return target_probs(target).to(x.dtype)
    hot = torch.arange(x.shape[-1], device=x.device) == target.index.to(torch.int64)[..., None]
    return torch.where(hot, target.on + target.off, torch.full_like(x, target.off))


def _without_dead_rows(q: Array, link: Link, *coefficients: Array | None) -> Array:
    """Zeros (for probabilities ones) in the rows that take no part and hold no distribution, so that NaN in an
    ignored row reaches no derivative. A row of weight zero that holds one keeps it: its weight has a derivative."""
    idle = torch.ones(q.shape[:-1], dtype=torch.bool, device=q.device)
    for c in coefficients:
        if c is not None:
            idle = idle & (c == 0)
    dead = idle & torch.isnan(surprisals(q, link)).any(-1)
    return torch.where(dead[..., None], 1.0 if link == "probs" else 0.0, q)
