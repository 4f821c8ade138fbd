"""What a function of rows knows besides its arrays."""

from __future__ import annotations

from dataclasses import dataclass

from xent.core.arrays import Array
from xent.kernels.protocol import HardTarget, Link, SoftTarget, Statistic, Target


@dataclass(frozen=True)
class Spec:
    """The statistics that are wanted of Q, and t = on·p + off, whose p is an array."""

    link: Link
    want: tuple[Statistic, ...]
    on: float = 1.0
    off: float = 0.0

    def target(self, index: Array | None, probs: Array | None, log_probs: Array | None) -> Target | None:
        if index is not None:
            return HardTarget(index, self.on, self.off)
        if probs is None and log_probs is None:
            return None
        return SoftTarget(probs, self.on, self.off, log_probs)
