"""An argument that has two names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def renamed(theirs: Callable[..., Any], y_true: Any, y_proba: Any, y_pred: Any) -> Any:
    """y_proba, which was y_pred before scikit-learn 1.9. The installed version says what it thinks of the old name."""
    if isinstance(y_pred, str) and y_pred == "deprecated":
        return y_proba
    if y_proba is not None:
        theirs(y_true, y_proba, y_pred=y_pred)  # both: it raises
    # Two examples of two labels, of which it can say nothing else.
    theirs([0, 1], y_pred=[0.25, 0.75])
    return y_pred
