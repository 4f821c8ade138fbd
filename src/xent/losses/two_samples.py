"""What the losses of two samples, real and fake, share: the answers yes and no, and the two terms."""

from __future__ import annotations

from typing import Any

from xent.core import checks
from xent.core.arrays import Array, namespace
from xent.core.predictions import Logits
from xent.core.targets import Indicators


def yes(scores: Any, smoothing: float = 0.0) -> tuple[Indicators, Logits]:
    Q = Logits(scores)
    return Indicators(namespace(Q.scores).ones_like(Q.scores), smoothing=smoothing), Q


def no(scores: Any) -> tuple[Indicators, Logits]:
    Q = Logits(scores)
    return Indicators(namespace(Q.scores).zeros_like(Q.scores)), Q


def together(of_real: Array, of_fake: Array, reduction: str, factor: float = 1.0) -> Any:
    """Both terms: their sum, or for "none" the pair of them."""
    checks.require_one_library({"real": of_real, "fake": of_fake})
    if reduction == "none":
        return of_real * factor, of_fake * factor
    return (of_real + of_fake) * factor
