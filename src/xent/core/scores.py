"""S1: what a loss does to the scores before the softmax sees them, as data, in the one right order.

    z̃ = scale·f(c·tanh(z/c)) + offset, −∞ where a class is not allowed

The steps do not commute: normalise, softcap, margin at the truth, scale, offset, mask. Margins and offsets belong to
training; ``at_inference`` is what is left when a model is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from xent.core import checks, loss_values
from xent.core.arrays import Array, as_array, library
from xent.core.margins import Margin, Shift
from xent.core.values import Inspector
from xent.errors import KindError, OptionError


@dataclass(frozen=True, eq=False)
class Scores:
    """The steps from what a model gives to the scores of the softmax (of the sigmoid, for Indicators).

    Parameters
    ----------
    normalize : "both", "hidden", "weight" or "neither", optional
        For a Projection: what is divided by its Euclidean norm, so that scores are cosines ("both"). A vector of zeros
        stays zeros. A margin that is meant for cosines has to be told, if only "neither": ‖x‖·‖W_j‖·cos θ_j is meant.
    softcap : float, optional
        c > 0: scores become c·tanh(z/c).
    margin : Margin or Shift, optional
        At the score of the truth, which must be hard. A ``Margin`` reads scores as cosines where Q is Logits, and
        refuses others; a Projection keeps the lengths of what is not normalised as a factor.
    scale : number
        A factor > 0 of all scores: 1/temperature. A scalar of a framework is differentiated.
    offset : array (K,), optional
        Added to the scores: a log-prior (logit adjustment). −∞ is a class that cannot be.
    allowed : array (K,) or of Q's shape, bool, optional
        Classes that can be at all; the others have a score of −∞.

    Raises
    ------
    OptionError, KindError
        A number out of range; a margin that is none. What can be read only in a call is refused there.
    """

    normalize: Literal["both", "hidden", "weight", "neither"] | None = None
    softcap: float | None = None
    margin: Margin | Shift | None = None
    scale: Any = 1.0
    offset: Array | None = None
    allowed: Array | None = None

    def __post_init__(self) -> None:
        if self.normalize is not None:
            checks.require_choice(self.normalize, ("both", "hidden", "weight", "neither"), "Scores(normalize=)")
        if self.softcap is not None:
            object.__setattr__(self, "softcap", checks.require_positive(self.softcap, "Scores(softcap=)"))
        if self.margin is not None and not isinstance(self.margin, (Margin, Shift)):
            raise KindError("Scores(margin=)", "a margin such as Shift(0.35) or Angular()", repr(self.margin))
        if getattr(self.scale, "ndim", 0):
            raise OptionError("Scores(scale=)", "one number", f"an array of shape {tuple(self.scale.shape)}")
        if library(self.scale) == "numpy":
            object.__setattr__(self, "scale", checks.require_positive(self.scale, "Scores(scale=)"))
        for name in ("offset", "allowed"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, as_array(getattr(self, name), f"Scores({name}=)"))
        if self.offset is not None and library(self.offset) == "numpy":
            loss_values.finite(self.offset, "Scores(offset=)", Inspector(reads=True), masks=True)

    @property
    def reads_cosines(self) -> bool:
        """Whether scores have to be cosines already: the margin is meant for them, and nothing is normalised here."""
        return self.normalize is None and self.margin is not None and self.margin.cosines

    @property
    def idle(self) -> bool:
        """Whether nothing is done."""
        nothing = (self.normalize, self.softcap, self.margin, self.offset, self.allowed)
        return all(x is None for x in nothing) and isinstance(self.scale, float) and self.scale == 1.0

    def at_inference(self) -> Scores:
        """The same without margin and offset."""
        return replace(self, margin=None, offset=None)
