"""Rows of scores, from PyTorch's tensors to the program over rows.

Imported when the kernel first runs, since it imports Triton.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from xent.core.arrays import Array
from xent.core.loss_values import room_of_cosines
from xent.core.margins import OfCosine, Shift, shift_of
from xent.core.shaping import Form
from xent.kernels.extra import Extra, Within, inside
from xent.kernels.gpu import bits
from xent.kernels.gpu.launch import aligned, cut_of, on_device_of, speaks_ptx
from xent.kernels.gpu.row_program import rows as program
from xent.kernels.layout import compact_strides, layout_of
from xent.kernels.protocol import HardTarget, RowCoefficients, RowStatistics, SoftTarget, Statistic, Target

_BITS = {
    "loss": bits.LOSS, "lse": bits.LSE, "entropy": bits.ENTROPY, "argmax": bits.ARGMAX, "score_sum": bits.SCORE_SUM,
}  # fmt: skip
_PLAIN, _FORM = Extra(), Form()


def statistics(q: Array, target: Target | None, want: frozenset[Statistic], extra: Extra = _PLAIN) -> RowStatistics:
    """See ``Kernel.row_statistics``."""
    launch = _Launch(q, target, extra)
    return RowStatistics(**launch(sum(_BITS[name] for name in want)))


def gradient(q: Array, target: Target | None, coefficients: RowCoefficients) -> Array:
    """See ``Kernel.row_gradient``."""
    launch = _Launch(q, target)
    entropy = coefficients.h is not None
    scalars = [launch.vector(c) for c in (coefficients.a, coefficients.b)]
    if entropy:
        scalars.append(launch.vector(coefficients.h))
    out = launch.new_gradient()
    launch(bits.ENTROPY * entropy, bits.MIXED_ENTROPY if entropy else bits.MIXED, scalars, out, silent=True)
    return out


def slopes_gradient(
    q: Array, target: Target | None, slopes: Mapping[Any, Array | None], extra: Extra = _PLAIN
) -> Array:
    """See ``Gpu.row_slopes_gradient``. Σt is made in the same pass."""
    launch = _Launch(q, target, extra)
    entropy = slopes.get("entropy") is not None
    scalars = [launch.vector(slopes.get(name)) for name in ("lse", "loss", "entropy")[: 2 + entropy]]
    out = launch.new_gradient()
    gradient = bits.MIXED_ENTROPY if entropy else bits.MIXED
    launch(bits.ENTROPY * entropy, gradient, scalars, out, silent=True, own_mass=True)
    return out


def shaped(
    q: Array, target: Target, c: Array, extra: Extra = _PLAIN, out: Array | None = None, above: Array | None = None
) -> tuple[Array, Array | None, Array]:
    """(ℓ, lse where there is a z-loss, the gradient by q of Σ c·(φ(ℓ) + λ·lse²)), in one pass.

    ``out``: where the gradient goes, which may be q itself. ``above``: a number on the device that multiplies it; where
    that is 1 and ``out`` is given, nothing is done at all: the gradient is there already.
    """
    launch = _Launch(q, target, extra)
    ready = out is not None and above is not None
    out = launch.new_gradient() if out is None else out
    want = bits.LOSS | bits.LSE
    when = bits.UNLESS_ONE if ready else bits.TIMES
    found = launch(want, bits.FUSED, [launch.vector(c)], out, above, when, silent=above is not None)
    return found.get("loss"), found.get("lse"), out


class _Launch:
    """A program over the rows of q, whose arguments are collected first."""

    def __init__(self, q: Array, target: Target | None, extra: Extra = _PLAIN) -> None:
        self.batch, self.classes = q.shape[:-1], q.shape[-1]
        self.q, self.layout = _walkable(q)
        self.count = q.numel() // self.classes
        self.index, self.probs, self.kind, self.p_layout = None, None, bits.NONE, (1, 0, 1, 0)
        self.on, self.off = (1.0, 0.0) if target is None else (target.on, target.off)
        if isinstance(target, HardTarget):
            self.index = target.index.to(torch.int64).reshape(-1).contiguous()
            self.kind = bits.SMOOTHED if target.off else bits.HARD
            if extra.class_weight is not None:
                self.kind = bits.LABELLED
        elif target is not None:
            self._read_probabilities(target)
        self.extra, self.adjusts = extra, 0
        self.offset = self.replaced = self.truth_slope = None
        if extra.changes_scores:
            self._adjust()
        self.weights = None if extra.class_weight is None else self._of_classes(extra.class_weight)
        self.shift, self.p_factor = None, 1.0
        if extra.teacher is not None:
            self.shift, self.p_factor = self.vector(extra.teacher.lse), float(extra.teacher.factor)
        self.within = extra.within or Within()
        self.check = bits.UNCHECKED
        if extra.within is not None and isinstance(target, SoftTarget) and (extra.teacher is None or self.within.hard):
            self.check = bits.ZERO_OR_ONE if extra.within.hard else bits.PROBABILITIES

    def new_gradient(self) -> Array:
        """A tensor of the rows' shape and order of axes, without gaps."""
        return like(self.q)

    def vector(self, c: Array | None) -> Array:
        """A coefficient of each row."""
        if c is None:
            return torch.zeros(self.count, dtype=torch.float32, device=self.q.device)
        return c.to(torch.float32).broadcast_to(self.batch).reshape(-1).contiguous()

    def __call__(
        self, want: int, gradient: int = bits.WITHOUT, scalars: Any = (), out: Array | None = None,
        above: Array | None = None, when: int = bits.NOTHING, silent: bool = False, own_mass: bool = False,
    ) -> dict[str, Array]:  # fmt: skip
        """The statistics by name, of the shape of the batch; ``silent``: none of them is kept."""
        new = {
            name: torch.empty(self.count, dtype=_TYPES.get(name, torch.float32), device=self.q.device)
            for name, bit in _BITS.items()
            if want & bit and not silent
        }
        a, b, h = (*scalars, None, None, None)[:3]
        out_layout = (1, 0, 1, 0) if out is None else _layout_of(out)
        assert out_layout is not None, "a new tensor without gaps, or one that was walkable"
        form = self.extra.form
        heavy = self.kind >= bits.SOFT or bool(want & bits.ENTROPY) or self.adjusts > bits.FACTOR
        cut = cut_of(self.classes, heavy)
        grid = (-(-self.count // cut.rows),)
        layouts = (self.layout, out_layout, self.p_layout)
        steps = [step for layout in layouts for step in layout[1::2]]
        flat = all(leap == 0 and (step == 0 or plane >= self.count) for _, step, plane, leap in layouts)
        if flat:
            # Of no use, and not to be compiled for.
            layouts = tuple((stride, step, 1, leap) for stride, step, _, leap in layouts)  # type: ignore[assignment]
        with on_device_of(self.q):
            program[grid](
                self.q, out, self.index, self.probs, a, b, h, self.replaced, self.truth_slope, self.offset,
                self.weights, self.shift, None if above is None else above.detach(),
                *(new.get(name) for name in ("loss", "lse", "entropy", "score_sum", "argmax")),
                self.count, self.classes, *(x for layout in layouts for x in layout),
                float(self.on), float(self.off), float(self.extra.scale), float(self.extra.cap or 1.0),
                float(self.extra.z_loss), form.factor, form.epsilon, form.q, form.gamma, form.limit,
                self.within.highest, self.within.tolerance, self.p_factor,
                WANT=want, TARGET=self.kind, CHECK=self.check, GRADIENT=gradient, OWN_MASS=own_mass,
                ADJUSTS=self.adjusts, ABOVE=when if above is not None else bits.NOTHING, SHAPED=form != _FORM,
                HELD=cut.held, R=cut.rows, B=cut.classes, ALIGNED=aligned(self.classes, *steps),
                FLAT=flat, PTX=speaks_ptx(self.q), num_warps=cut.warps,
            )  # fmt: skip
        return {name: x.reshape(self.batch) for name, x in new.items()}

    def _read_probabilities(self, target: SoftTarget) -> None:
        logs = target.log_probs is not None
        given = target.log_probs if logs else target.probs
        assert given is not None
        if given.dtype not in (torch.float32, torch.float16, torch.bfloat16):
            given = given.to(torch.float32)
        self.probs, self.p_layout = _walkable(given.broadcast_to(self.q.shape))
        self.kind = bits.LOGS if logs else bits.SOFT

    def _of_classes(self, x: Array) -> Array:
        return x.detach().to(self.q.device, torch.float32).contiguous()

    def _adjust(self) -> None:
        extra = self.extra
        if extra.scale != 1.0:
            self.adjusts |= bits.FACTOR
        if extra.cap is not None:
            self.adjusts |= bits.CAP
        if extra.offset is not None:
            self.adjusts |= bits.OFFSET
            self.offset = self._of_classes(extra.offset)
        if extra.margin is not None:
            self.adjusts |= bits.TRUTH
            # One number a row: of no weight beside the pass.
            index = inside(self.index, self.classes)
            score = torch.take_along_dim(self.q.detach(), index.reshape(*self.batch, 1), -1)
            score = score.reshape(-1).to(torch.float32)
            if isinstance(extra.margin, Shift):
                self.replaced = (score - shift_of(extra.margin, index)).to(torch.float32).contiguous()
                self.truth_slope = torch.ones_like(self.replaced)
            else:
                value, slope = OfCosine(extra.margin, room_of_cosines(self.q)).both(score)
                self.replaced, self.truth_slope = value.contiguous(), slope.contiguous()


def like(q: Array) -> Array:
    """A new tensor of q's shape and order of axes, without gaps; in the usual order where q has to be copied."""
    strides = compact_strides(q.shape, q.stride(), 1) if _layout_of(q) is not None else None
    return q.new_empty(q.shape) if strides is None else q.new_empty_strided(q.shape, strides)


_TYPES = {"argmax": torch.int64}


def _walkable(x: Array) -> tuple[Array, tuple[int, int, int, int]]:
    """A tensor (…, K) and where its rows lie; a copy where they follow no rule of two steps."""
    layout = _layout_of(x)
    if layout is None:
        x = x.contiguous()
        layout = _layout_of(x)
        assert layout is not None, "a contiguous tensor"
    return x, layout


def _layout_of(x: Array) -> tuple[int, int, int, int] | None:
    """(stride, step, plane, leap) in numbers; see ``xent.kernels.layout``."""
    found = layout_of(0, x.shape, x.stride(), 1)
    return None if found is None else found[1:]
