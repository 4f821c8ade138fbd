"""What a framework must say to be written in: its array operations, and its losses of rows and of elements."""

from __future__ import annotations

from dataclasses import dataclass

from xent.dialects.call import NoEqual
from xent.dialects.draft import Draft
from xent.dialects.meaning import Meaning
from xent.dialects.ops import Ops

HELD = {
    "Logits": "scores",
    "LogProbabilities": "log_probs",
    "Probabilities": "probs",
    "Rates": "rates",
    "LogRates": "log_rates",
}


@dataclass(frozen=True)
class Dialect:
    """A framework. ``native`` is tried first; else the parts are put together in ``compose``."""

    name: str
    title: str
    ops: Ops
    #: Whether its own helpers take any class axis, so that nothing is moved.
    any_axis: bool = False

    def refuses(self, m: Meaning) -> NoEqual | None:
        """Why nothing equal can be written here."""
        return None

    def native(self, m: Meaning, draft: Draft) -> str | None:
        """One call that does everything, or None."""
        return None

    def rows(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        """−Σ P log Q of each row, for labels or a distribution; x holds what ``m.q`` says."""
        raise NotImplementedError

    def elements(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        """−t log q − (1 − t) log(1 − q) of each element."""
        raise NotImplementedError

    def divergence(self, m: Meaning, draft: Draft, log_q: str, target: str) -> str:
        """KL of each row; as array operations where the framework has no helper."""
        terms = f"{target} * ({self.ops.log.format(target)} - {log_q})"
        return self.ops.row_sum.format(self.ops.where.format(f"{target} > 0", terms, "0.0"))
