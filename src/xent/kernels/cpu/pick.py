"""Labels with probabilities, held as they are or as logarithms: one number of a row matters.

Two kernels: one for rows that were found to be distributions, which reads N of the N×K numbers; and one that has to
look for NaN in the others, since a row with NaN has no loss whichever class is true.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.arrays import FLOATING, HALF, Array, namespace, to_compute
from xent.kernels.coefficients import row_coefficients
from xent.kernels.cpu.memory import as_numpy
from xent.kernels.cpu.row_arrays import Rows, RowTarget
from xent.kernels.protocol import HardTarget, Link, RowCoefficients, RowStatistics, Statistic, Target, Task

#: The bits of a NaN in float16 and in bfloat16.
_NAN_BITS = 0x7FFF


class Pick:
    """Arrays of NumPy, PyTorch and JAX in memory; those of JAX come as NumPy's."""

    def __init__(self, name: str, *, sound: bool) -> None:
        self.name = name
        self.sound = sound

    def refuses(self, task: Task) -> str | None:
        if task.library not in ("numpy", "torch", "jax", "tensorflow") or task.device != "cpu":
            return f"it runs on arrays in memory, not {task.library} on {task.device}"
        if task.traced:
            return "the array is traced, by a compiler or a transform, and has no memory to read"
        if task.family != "rows" or task.link == "logits" or task.target != "hard":
            return "it takes labels with rows of probabilities"
        if task.smoothed:
            return "smoothed labels need every class of a row"
        if task.want != {"loss"}:
            return "it computes the loss alone"
        if task.dtype not in FLOATING:
            return f"it takes floats, not {task.dtype}"
        if self.sound and not task.sound:
            return "not every row was found to be a distribution, and one may hold NaN"
        if not self.sound and task.dtype in HALF:
            return f"it looks for NaN in float32 and float64, not in {task.dtype}"
        return None

    def row_statistics(self, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]) -> RowStatistics:
        rows = Rows(q)
        return RowStatistics(loss=_loss(self._picked(rows, RowTarget(target, rows)), target, link))

    def row_gradient(self, q: Array, target: Target | None, link: Link, coefficients: RowCoefficients) -> Array:
        rows = Rows(q)
        t = RowTarget(target, rows)
        return _gradient(rows, t, self._picked(rows, t), link, coefficients)

    def row_fused(self, q: Array, target: Target, link: Link, c: Array) -> tuple[Array, Array]:
        rows = Rows(q)
        t = RowTarget(target, rows)
        x = self._picked(rows, t)
        loss = rows.xp.where(c == 0, 0.0, _loss(x, target, link))
        return loss, _gradient(rows, t, x, link, row_coefficients({"loss": c}, target, rows.classes))

    def element_statistics(self, q: Array, link: Link) -> tuple[Array, Array]:
        raise AssertionError("refused in refuses()")

    def element_gradient(self, q: Array, link: Link, a: Array, b: Array) -> Array:
        raise AssertionError("refused in refuses()")

    def element_losses(
        self, q: Array, link: Link, t: Array, positive_weight: Array | None, *, slopes: bool
    ) -> tuple[Array, Array | None]:
        raise AssertionError("refused in refuses()")

    def element_loss_gradient(self, q: Array, link: Link, t: Array, positive_weight: Array | None, g: Array) -> Array:
        raise AssertionError("refused in refuses()")

    def element_fused(
        self, q: Array, link: Link, t: Array, weight: Array | None, positive_weight: Array | None, scale: float
    ) -> tuple[Array, Array]:
        raise AssertionError("refused in refuses()")

    def _picked(self, rows: Rows, t: RowTarget) -> Array:
        """x[index] of each row, in the type of the arithmetic; NaN where the loss is not defined."""
        from xent.kernels.cpu import picking
        from xent.kernels.cpu.threads import run

        out = np.empty(rows.count, rows.like.dtype)
        pick, nan = picking.pick if self.sound else picking.pick_defined, _nan(rows)

        def work(begin: int, end: int) -> None:
            pick(rows.layout, rows.classes, begin, end, t.index, nan, out)

        run(rows.count, rows.count if self.sound else rows.count * rows.classes // 4, work)
        return to_compute(rows.back(out.reshape(rows.batch), like_q=True))


def _loss(x: Array, target: Target | None, link: Link) -> Array:
    assert isinstance(target, HardTarget)
    surprisal = -x if link == "log_probs" else -namespace(x).log(x)
    return surprisal if target.on == 1.0 else target.on * surprisal


def _gradient(rows: Rows, t: RowTarget, picked: Array, link: Link, coefficients: RowCoefficients) -> Array:
    """−b·t/q, or −b·t of logarithms, where t is ``on`` at the label and 0 elsewhere."""
    from xent.kernels.cpu.picking import scatter
    from xent.kernels.cpu.threads import run

    assert coefficients.h is None, "the entropy is refused"
    x, a, b = rows.vector(picked), rows.vector(coefficients.a), rows.vector(coefficients.b)
    with np.errstate(all="ignore"):
        # b·(t/q), not t·(b/q): 1/q overflows where q is subnormal and t/q need not.
        slope = -b * (t.on if link == "log_probs" else t.on / x)
        slope[b == 0] = 0
        slope[np.isnan(x)] = np.nan
        slope[(a == 0) & (b == 0)] = 0
        cells = as_numpy(rows.xp.astype(rows.back(slope), rows.dtype, copy=False)).view(rows.like.dtype)
    undefined, nan = np.isnan(slope), _nan(rows)
    out, layout = rows.new_gradient()

    def work(begin: int, end: int) -> None:
        scatter(layout, rows.classes, begin, end, t.index, cells, undefined, nan)

    run(rows.count, out.size, work)
    return rows.back(out, like_q=True)


def _nan(rows: Rows) -> Any:
    """NaN as the rows store it: in 16 bits, the bits."""
    kind = rows.like.dtype.type
    return kind(_NAN_BITS if rows.like.dtype.kind in "ui" else np.nan)


picks = (Pick("cpu pick, sound rows", sound=True), Pick("cpu pick", sound=False))
