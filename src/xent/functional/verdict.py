"""Whether the values of a call can be passed without a closer look."""

from __future__ import annotations

from xent.core.arrays import Array
from xent.core.values import highest_of, tolerance_of
from xent.kernels.cpu.verdict import all_distributions


def sound(x: Array, *, log: bool, reads: bool) -> bool:
    """Whether each row (last axis) of probabilities, or log-probabilities, was found to be a distribution.

    One compiled pass over the data. After a "no" the checks of ``core.values`` look, and raise what there is to raise:
    NaN and examples that do not count are theirs to judge.
    """
    return reads and all_distributions(x, log=log, highest=highest_of(x, log=log), tolerance=tolerance_of(x, log=log))
