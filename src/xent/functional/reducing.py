"""reduction=, denominator= and empty= of a public function, checked once and applied once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xent.core import checks
from xent.core.arrays import Array, device_of, scalar_beside
from xent.core.reduction import EMPTIES, REDUCTIONS, Empty, Reduction, divisor_of, reduce
from xent.functional.call import Call


@dataclass(frozen=True)
class Reducer:
    """How the values of examples become the result of a call."""

    reduction: Reduction
    denominator: Any
    empty: Empty

    def __post_init__(self) -> None:
        checks.require_choice(self.reduction, REDUCTIONS, "reduction=")
        checks.require_choice(self.empty, EMPTIES, "empty=")
        object.__setattr__(self, "denominator", checks.require_denominator(self.denominator, self.reduction))

    def __call__(self, call: Call, each: Array) -> Array:
        """The (weighted) values of the examples, reduced."""
        if self.denominator is not None and not isinstance(self.denominator, float):
            checks.require_one_library({"denominator=": self.denominator, "Q": each})
        return reduce(
            each,
            call.weight,
            call.counted,
            reduction=self.reduction,
            denominator=self.denominator,
            empty=self.empty,
            reads=self._reads(call, each),
        )

    def scale(self, call: Call, each: Array) -> Array:
        """The derivative of the result by the value of an example: 1, or 1/D; 0 for a mean over nothing."""
        xp = call.xp
        if self.reduction != "mean":
            return xp.ones((), dtype=each.dtype, device=device_of(each))
        found = divisor_of(each, call.weight, call.counted, self.denominator, reads=self._reads(call, each))
        divisor = scalar_beside(found, each)
        return xp.where(divisor == 0, 0.0, 1.0 / xp.where(divisor == 0, 1.0, divisor))

    def _reads(self, call: Call, each: Array) -> bool:
        # Not q: a call whose result is made together with its gradient holds none.
        return call.reads and call.backend.reads(each, self.denominator)
