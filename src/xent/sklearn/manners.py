"""An argument that has two names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Proba:
    """y_proba, which was y_pred before scikit-learn 1.9."""

    y_proba: Any
    y_pred: Any

    @property
    def renamed(self) -> bool:
        """Whether the old name was used."""
        return not (isinstance(self.y_pred, str) and self.y_pred == "deprecated")

    @property
    def value(self) -> Any:
        """The argument; None where both names were used, or neither."""
        if self.renamed:
            return self.y_pred if self.y_proba is None else None
        return self.y_proba

    def hand_over(self, theirs: Callable[..., float], y_true: Any, **options: Any) -> float:
        """scikit-learn's own function on the call as it was made."""
        if not self.renamed:
            return float(theirs(y_true, self.y_proba, **options))
        named = {} if self.y_proba is None else {"y_proba": self.y_proba}
        return float(theirs(y_true, **named, y_pred=self.y_pred, **options))

    def let_warn(self, theirs: Callable[..., float]) -> None:
        """The installed version says what it thinks of the old name, on two examples of which it can say no more."""
        if self.renamed:
            theirs([0, 1], y_pred=[0.25, 0.75])
