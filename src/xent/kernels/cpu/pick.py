"""Labels with probabilities, held as they are or as logarithms: one number of a row matters.

Two kernels: one for rows that were found to be distributions, which reads N of the N×K numbers; and one that has to
look for NaN in the others, since a row with NaN has no loss whichever class is true.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.arrays import FLOATING, HALF, Array, namespace, to_compute
from xent.kernels.cpu import _as_numpy, _Rows, _Target
from xent.kernels.protocol import HardTarget, Link, RowCoefficients, RowStatistics, Statistic, Target, Task

#: The bits of a NaN in float16 and in bfloat16.
_NAN_BITS = 0x7FFF


class Pick:
    """NumPy arrays and PyTorch tensors in memory, probabilities with their classes side by side."""

    def __init__(self, name: str, *, sound: bool) -> None:
        self.name = name
        self.sound = sound

    def refuses(self, task: Task) -> str | None:
        if task.library not in ("numpy", "torch") or task.device != "cpu":
            return f"it runs on arrays in memory, not {task.library} on {task.device}"
        if task.traced:
            return "the array is traced, by a compiler or a transform, and has no memory to read"
        if task.family != "rows" or task.link == "logits" or task.target != "hard":
            return "it takes labels with rows of probabilities"
        if task.smoothed:
            return "smoothed labels need every class of a row"
        if task.want != {"loss"}:
            return "it computes the loss alone"
        if not task.contiguous:
            return "the classes do not lie side by side in memory"
        if task.dtype not in FLOATING:
            return f"it takes floats, not {task.dtype}"
        if self.sound and not task.sound:
            return "not every row was found to be a distribution, and one may hold NaN"
        if not self.sound and task.dtype in HALF:
            return f"it looks for NaN in float32 and float64, not in {task.dtype}"
        return None

    def row_statistics(self, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]) -> RowStatistics:
        assert isinstance(target, HardTarget)
        rows = _Rows(q)
        x = self._picked(rows, _Target(target, rows).index)
        surprisal = -x if link == "log_probs" else -namespace(x).log(x)
        return RowStatistics(loss=surprisal if target.on == 1.0 else target.on * surprisal)

    def row_gradient(self, q: Array, target: Target | None, link: Link, coefficients: RowCoefficients) -> Array:
        from xent.kernels.cpu.picking import scatter
        from xent.kernels.cpu.threads import run

        assert isinstance(target, HardTarget)
        assert coefficients.h is None, "the entropy is refused"
        rows = _Rows(q)
        index = _Target(target, rows).index
        x = rows.vector(self._picked(rows, index))
        a, b = rows.vector(coefficients.a), rows.vector(coefficients.b)
        with np.errstate(all="ignore"):
            # b·(t/q), not t·(b/q): 1/q overflows where q is subnormal and t/q need not.
            slope = -b * (target.on if link == "log_probs" else target.on / x)
            slope[b == 0] = 0
            slope[np.isnan(x)] = np.nan
            slope[(a == 0) & (b == 0)] = 0
            cells = _as_numpy(rows.xp.astype(rows.back(slope), rows.dtype, copy=False)).view(rows.like.dtype)
        undefined, nan = np.isnan(slope), _nan(rows)
        out = np.empty((rows.count, rows.classes), rows.like.dtype)
        address = out.ctypes.data

        def work(begin: int, end: int) -> None:
            scatter(address, rows.classes, begin, end, index, cells, undefined, nan)

        run(rows.count, out.size, work)
        return rows.back(out.reshape((*rows.batch, rows.classes)), like_q=True)

    def element_statistics(self, q: Array, link: Link) -> tuple[Array, Array]:
        raise AssertionError("refused in refuses()")

    def element_gradient(self, q: Array, link: Link, a: Array, b: Array) -> Array:
        raise AssertionError("refused in refuses()")

    def _picked(self, rows: _Rows, index: Any) -> Array:
        """x[index] of each row, in the type of the arithmetic; NaN where the loss is not defined."""
        from xent.kernels.cpu import picking
        from xent.kernels.cpu.threads import run

        out = np.empty(rows.count, rows.like.dtype)
        pick, nan = picking.pick if self.sound else picking.pick_defined, _nan(rows)

        def work(begin: int, end: int) -> None:
            pick(rows.address, rows.stride, rows.classes, begin, end, index, nan, out)

        run(rows.count, rows.count if self.sound else rows.count * rows.classes // 4, work)
        return to_compute(rows.back(out.reshape(rows.batch), like_q=True))


def _nan(rows: _Rows) -> Any:
    """NaN as the rows store it: in 16 bits, the bits."""
    kind = rows.like.dtype.type
    return kind(_NAN_BITS if rows.like.dtype.kind in "ui" else np.nan)


picks = (Pick("cpu pick, sound rows", sound=True), Pick("cpu pick", sound=False))
