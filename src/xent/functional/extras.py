"""Which losses the one fused pass of a kernel takes besides the cross-entropy itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xent.core.arrays import Array, library
from xent.core.margins import Margin, Shift
from xent.core.penalties import Penalty, ZLoss
from xent.core.scores import Scores
from xent.core.shaping import Form, Shaping
from xent.functional.call import Call
from xent.kernels.cpu import cpu
from xent.kernels.extra import Extra, ShapingKernel, Teacher
from xent.kernels.gpu import gpu
from xent.kernels.protocol import HardTarget, SoftTarget, Target
from xent.kernels.registry import choose

_SHAPING: tuple[ShapingKernel, ...] = (cpu, gpu)


def extra_of(call: Call, shaping: Shaping | None, penalties: Sequence[Penalty]) -> tuple[ShapingKernel, Extra] | None:
    """The kernel, and what the loss adds to its fused pass; None where it is another function of the row than the pass
    knows."""
    if not call.rows or call.link != "logits" or library(call.q) not in ("numpy", "torch") or call.task.traced:
        return None
    form = Form() if shaping is None else shaping.form
    if form is None or any(type(penalty) is not ZLoss for penalty in penalties):
        return None
    hard = isinstance(call.target, HardTarget)
    if shaping is not None and shaping.soft == "per-class" and not (hard and not call.target.off):  # type: ignore[union-attr]
        return None
    scores = call.scores
    if scores is not None and not _simple(scores, hard, call):
        return None
    chosen = choose(call.task)
    kernel = next((each for each in _SHAPING if each is chosen), None)
    z_loss = sum(penalty.coefficient for penalty in penalties if isinstance(penalty, ZLoss))
    if kernel is None or (call.pending is not None and kernel is not gpu):
        return None
    if scores is not None and scores.softcap is not None and (scores.margin is not None or not kernel.caps):
        return None
    within, teacher = None, None
    if call.pending is not None:
        within = call.pending.within
        if call.pending.factor is not None and isinstance(call.target, SoftTarget):
            made = gpu.row_adjusted_statistics(
                call.target.log_probs, None, frozenset({"lse"}), Extra(scale=call.pending.factor)
            )
            teacher = Teacher(call.pending.factor, made.lse)
    if scores is None:
        return kernel, Extra(form, z_loss, within=within, teacher=teacher)
    return kernel, Extra(
        form, z_loss, scores.scale, scores.offset, scores.margin, scores.softcap, within=within, teacher=teacher
    )


def adjusted_statistics(call: Call) -> dict[str, Array] | None:
    """The row statistics of scores that the loss changes, or of a target that nobody has looked at, without an array of
    their size; None where nothing is changed, or no kernel does that."""
    if call.scores is None and call.pending is None:
        return None
    found = extra_of(call, None, ())
    if found is None or found[0] is not gpu or call.target is None:
        return None
    bare = replace(call, q=None, target=None)

    def general(q: Array, target: Target) -> dict[str, Array]:
        return replace(bare, q=q, target=target).settled().scored().statistics()

    made = call.backend.adjusted_rows(gpu, call.q, call.target, call.task.want, found[1], general)
    return made if made is None or call.norm is None else {**made, "norm": call.norm}


def _simple(scores: Scores, hard: bool, call: Call) -> bool:
    """Whether what is done to the scores is a cap, a factor, a number for each class and one for each truth, all
    fixed."""
    if scores.allowed is not None or not isinstance(scores.scale, float):
        return False
    if call.angles is not None or (scores.margin is not None and not hard):
        return False
    if isinstance(scores.margin, Margin) and scores.margin.changes_others:
        return False
    fixed: tuple[Array | None, ...] = (scores.offset,)
    if isinstance(scores.margin, Shift):
        fixed = (*fixed, scores.margin.margin)
    return not any(getattr(x, "requires_grad", False) for x in fixed)
