"""NumPy: nothing differentiates, so a backend is the kernel itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from xent.backends.unfused import Unfused
from xent.core.algebra import plain
from xent.core.arrays import Array
from xent.core.shaping import Shaping
from xent.kernels.composed import surprisals
from xent.kernels.protocol import Kernel, Link, Statistic, Target


class NumpyBackend(Unfused):
    """See ``xent.backends.protocol``."""

    name = "numpy"

    def reads(self, x: Array, *others: Any) -> bool:
        return True

    def traced(self, x: Array) -> bool:
        return False

    def quiet(self) -> AbstractContextManager[object]:
        return np.errstate(all="ignore")

    def kernel(self, kernel: Kernel) -> Kernel:
        return kernel

    def rows(
        self, kernel: Kernel, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]
    ) -> dict[str, Array]:
        found = kernel.row_statistics(q, target, link, want)
        return {name: getattr(found, name) for name in want}

    def fuses(self, q: Array, *others: Any) -> bool:
        return False

    def row_sum(
        self, kernel: Kernel, q: Array, target: Target, link: Link, c: Array, total: Callable[[Array], Array]
    ) -> Array | None:
        return None

    def elements(self, kernel: Kernel, q: Array, link: Link) -> tuple[Array, Array]:
        return kernel.element_statistics(q, link)

    def element_losses(self, kernel: Kernel, q: Array, link: Link, t: Array, positive_weight: Array | None) -> Array:
        return kernel.element_losses(q, link, t, positive_weight, slopes=False)[0]

    def surprisals(self, q: Array, link: Link) -> Array:
        return surprisals(q, link)

    def apply(self, shaping: Shaping, loss: Array) -> Array:
        return plain(shaping, loss)


backend = NumpyBackend()
