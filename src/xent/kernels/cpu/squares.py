"""Squared error of rows of probabilities against labels, without a one-hot array."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.arrays import HALF, Array, dtype_name, to_compute
from xent.kernels.cpu.row_arrays import Rows, RowTarget
from xent.kernels.protocol import HardTarget


def squared_errors(q: Array, index: Array) -> Any:
    """Σ_k (q_k − 1[k = index])² of each row of q (…, K), which lies in memory, in float64; NaN outside the classes."""
    from xent.kernels.cpu.squaring import squares
    from xent.kernels.cpu.threads import run

    rows = Rows(to_compute(q) if dtype_name(q) in HALF else q)
    labels = RowTarget(HardTarget(index), rows).index
    out = np.empty(rows.count, np.float64)

    def work(begin: int, end: int) -> None:
        squares(rows.layout, rows.like, rows.classes, begin, end, labels, out)

    run(rows.count, rows.count * rows.classes // 4, work)
    return out.reshape(rows.batch)
