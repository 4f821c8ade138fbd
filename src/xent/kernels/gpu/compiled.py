"""The GPU kernels, called from code that ``torch.compile`` makes."""

from __future__ import annotations

import sys

from xent.core.arrays import Array, captured
from xent.kernels.gpu import Gpu
from xent.kernels.protocol import (
    HardTarget,
    Link,
    RowCoefficients,
    RowStatistics,
    SoftTarget,
    Statistic,
    Target,
    Task,
)


class Compiled(Gpu):
    """Each function is one operator of the compiled graph; see ``xent.kernels.gpu.operators``."""

    name = "gpu, called by torch.compile"

    def refuses(self, task: Task) -> str | None:
        if task.library != "torch" or not task.traced or not captured():
            return "it is called from code that torch.compile makes"
        reason = self.elsewhere(task) or self.unable(task)
        if reason is not None or self.interpreted:
            return reason
        from xent.kernels.gpu.operators import failure

        found: str | None = failure(task.device)
        return found

    def row_statistics(self, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]) -> RowStatistics:
        names = sorted(want)
        found = _operators().row_statistics(q, *_parts(target), names)
        return RowStatistics(**dict(zip(names, found, strict=True)))

    def row_gradient(self, q: Array, target: Target | None, link: Link, coefficients: RowCoefficients) -> Array:
        return _operators().row_gradient(q, *_parts(target), coefficients.a, coefficients.b, coefficients.h)

    def element_statistics(self, q: Array, link: Link) -> tuple[Array, Array]:
        yes, no = _operators().element_statistics(q)
        return yes, no

    def element_gradient(self, q: Array, link: Link, a: Array, b: Array) -> Array:
        return _operators().element_gradient(q, a, b)


def _operators() -> Array:
    return sys.modules["torch"].ops.xent


def _parts(target: Target | None) -> tuple[Array | None, Array | None, Array | None, float, float]:
    if target is None:
        return None, None, None, 1.0, 0.0
    if isinstance(target, HardTarget):
        return target.index, None, None, float(target.on), float(target.off)
    assert isinstance(target, SoftTarget)
    return None, target.probs, target.log_probs, float(target.on), float(target.off)


compiled = Compiled()
