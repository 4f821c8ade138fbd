"""A loss as data: what it does at each of the four places, over the one cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xent.core import checks
from xent.core.arrays import Array, as_array, is_python
from xent.core.penalties import Penalty
from xent.core.predictions import Logits, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.scores import Scores
from xent.core.shaping import Shaping
from xent.core.target_steps import TargetStep
from xent.core.targets import Distribution, Labels
from xent.errors import UndefinedPairError
from xent.functional import cross_entropy, value_and_grad
from xent.functional.adjusting import beside
from xent.functional.call import P_, Q_
from xent.functional.inference import at_inference, in_training


@dataclass(frozen=True, eq=False)
class Loss:
    """L = factor·Σ w·(φ(ℓ) + R)/D with ℓ the cross-entropy of a target t′ and scores z̃.

    Call it with P and Q as ``cross_entropy``; it takes what that takes, on every framework. Nothing in it is trained,
    and it keeps nothing between calls. It may hold arrays, so a loss equals itself alone: compare ``name`` and
    ``parameters`` where losses of the catalogue are to be told apart.

    Parameters
    ----------
    scores : Scores, optional
        S1, what happens to the scores: softcap, margin, scale, offset, mask.
    target : TargetStep, optional
        S2, what is made of the truth.
    shaping : Shaping, optional
        S3, φ.
    penalties : sequence of Penalty
        S4, R.
    class_weight, positive_weight : array, optional
        As of ``cross_entropy``; one that is given in a call multiplies.
    factor : float
        A factor of the result.
    name : str
        How ``describe`` finds it in the catalogue; empty for one of your own.
    parameters : mapping
        What it was made with, for ``describe``.
    changed : tuple of str
        Which parts ``but`` changed since then.

    Examples
    --------
    >>> import xent
    >>> loss = xent.losses.Loss(shaping=xent.Focal(2.0), penalties=[xent.ZLoss(1e-4)])
    >>> round(float(loss(xent.Labels([0]), xent.Logits([[2.0, 0.0]]))), 4)
    0.0023
    """

    scores: Scores | None = None
    target: TargetStep | None = None
    shaping: Shaping | None = None
    penalties: tuple[Penalty, ...] = ()
    class_weight: Any = None
    positive_weight: Any = None
    factor: float = 1.0
    name: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    changed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "penalties", tuple(self.penalties))

    def __call__(
        self,
        P: P_,
        Q: Q_,
        *,
        weight: Any = None,
        class_weight: Any = None,
        positive_weight: Any = None,
        reduction: Reduction = "mean",
        denominator: Any = None,
        empty: Empty = "nan",
    ) -> Array:
        """The loss, in nats where φ is the identity. Arguments, shapes and errors as of ``cross_entropy``."""
        value = cross_entropy(
            P,
            Q,
            weight=weight,
            class_weight=_both(self.class_weight, class_weight, Q, "class_weight="),
            positive_weight=self._positive_weight(P, Q, positive_weight),
            scores=self.scores,
            target=self.target,
            shaping=self.shaping,
            penalties=self.penalties,
            reduction=reduction,
            denominator=denominator,
            empty=empty,
        )
        return value if self.factor == 1.0 else value * self.factor

    def value_and_grad(
        self,
        P: P_,
        Q: Q_,
        *,
        weight: Any = None,
        class_weight: Any = None,
        positive_weight: Any = None,
        reduction: Reduction = "mean",
        denominator: Any = None,
        empty: Empty = "nan",
    ) -> tuple[Array, Any]:
        """The loss, and its gradient by the array that Q holds, as of ``value_and_grad``."""
        value, gradient = value_and_grad(
            P,
            Q,
            weight=weight,
            class_weight=_both(self.class_weight, class_weight, Q, "class_weight="),
            positive_weight=self._positive_weight(P, Q, positive_weight),
            scores=self.scores,
            target=self.target,
            shaping=self.shaping,
            penalties=self.penalties,
            reduction=reduction,
            denominator=denominator,
            empty=empty,
        )
        if self.factor == 1.0:
            return value, gradient
        if isinstance(gradient, tuple):
            return value * self.factor, tuple(None if g is None else g * self.factor for g in gradient)
        return value * self.factor, gradient * self.factor

    def at_inference(self, Q: Logits | Projection) -> Logits:
        """The scores that a model has when it is used: with scale, softcap and mask, without margin and offset."""
        return at_inference(self.scores, Q)

    def in_training(self, P: P_, Q: Logits | Projection) -> Logits:
        """The scores that the softmax sees while a model is trained: with margin and offset too."""
        return in_training(self.scores, P, Q)

    def _positive_weight(self, P: P_, Q: Q_, given: Any) -> Any:
        """The loss's own weight of the yes side, times that of a call."""
        if self.positive_weight is not None and isinstance(P, (Labels, Distribution)):
            made = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items() if value is not None)
            raise UndefinedPairError(
                "P",
                "Indicators, whose yes side this loss weighs",
                f"{type(P).__name__}, for {self.name or 'Loss'}({made or 'positive_weight='})",
                "For classes of a softmax make the loss without that weight (focal: without alpha=), and write "
                "class_weight= in the call.",
            )
        return _both(self.positive_weight, given, Q, "positive_weight=")

    def but(self, **changes: Any) -> Loss:
        """The same loss with some of its parts changed."""
        return replace(self, changed=tuple(dict.fromkeys((*self.changed, *changes))), **changes)


def _both(mine: Any, given: Any, Q: Any, argument: str) -> Any:
    """The loss's own weights, as an array beside what Q holds, times those of a call."""
    held = [getattr(Q, name) for name in ("scores", "log_probs", "probs", "hidden") if hasattr(Q, name)]
    if mine is None or not held:
        return given
    own = beside(as_array(mine, argument), held[0], argument)
    if given is None:
        return own
    array = as_array(given, argument)
    if not is_python(given):
        checks.require_one_library({argument: array, "Q": held[0]})
    return own * beside(array, held[0], argument)
