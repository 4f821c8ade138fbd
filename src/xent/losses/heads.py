"""What the modules of every framework that own classifiers have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xent.core.adaptive_margins import AdaFace, CurricularFace
from xent.core.arrays import Array
from xent.core.margins import Margin
from xent.core.predictions import Logits, Projection
from xent.core.scores import Scores
from xent.core.targets import Labels
from xent.errors import KindError, OptionError
from xent.functional.projection import mask_hidden
from xent.functional.truth import counted_examples
from xent.losses.catalogue import ENTRIES
from xent.losses.loss import Loss
from xent.losses.margins import sub_center


def of_cosines(loss: Loss, centres: int) -> tuple[Loss, bool]:
    """The loss for what a head gives it, and whether several centres are compared by their cosines.

    Hidden states and classifiers are normalised for a loss that has to be given cosines, see ``Scores.reads_cosines``.
    With several centres it is given the best scores, as Logits.
    """
    if not isinstance(loss, Loss):
        raise KindError("loss", "a Loss such as xent.losses.margins.arcface()", repr(loss)[:80])
    scores = Scores() if loss.scores is None else loss.scores
    if scores.reads_cosines:
        scores = replace(scores, normalize="both")
    if centres > 1:
        if isinstance(scores.margin, Margin) and scores.margin.needs_norm:
            raise OptionError("centres=", "1: this margin reads the lengths of hidden states", str(centres))
        if any("norm" in penalty.needs for penalty in loss.penalties):
            raise OptionError("centres=", "1: a penalty reads the lengths of hidden states", str(centres))
        if isinstance(scores.margin, Margin) and scores.normalize != "both":
            raise OptionError("centres=", "1: this margin keeps lengths, which the best score has not", str(centres))
        if scores.normalize in ("hidden", "weight"):
            raise OptionError("centres=", "1: one side alone is normalised", str(centres))
        return loss.but(scores=replace(scores, normalize=None)), scores.normalize == "both"
    return loss.but(scores=scores), scores.normalize == "both"


def prediction(hidden: Array, weight: Array, centres: int, cosines: bool, P: Labels | None) -> Logits | Projection:
    """What a head gives its loss: with several centres the best of each class."""
    if centres == 1:
        return Projection(hidden, weight)
    if P is not None:
        # Of a Projection the loss does this itself.
        hidden = mask_hidden(hidden, counted_examples(P, P.indices), None)
    return sub_center(Projection(hidden, weight), centres, normalize=cosines)


def recipe(loss: Loss) -> dict[str, Any]:
    """The name of a loss of the catalogue and what it was made with, as plain numbers and words.

    Raises
    ------
    OptionError
        A loss of your own, one that was changed after it was made, or one that holds arrays.
    """
    found = {"name": loss.name, "parameters": dict(loss.parameters)}
    plain = all(value is None or isinstance(value, (bool, int, float, str)) for value in loss.parameters.values())
    if loss.name not in ENTRIES or not plain or repr(made(found)) != repr(loss):
        raise OptionError(
            "loss",
            "to save it, a loss as a function of xent.losses made it, from numbers",
            loss.name or "a loss of your own",
            "Save the weights alone, and make the layer again.",
        )
    return found


def made(found: dict[str, Any]) -> Loss:
    """The loss of a recipe."""
    loss: Loss = ENTRIES[found["name"]].make(**found["parameters"])
    return loss


def with_margin(loss: Loss, **state: Any) -> Loss:
    """The loss with its margin in another state."""
    assert loss.scores is not None
    assert isinstance(loss.scores.margin, (AdaFace, CurricularFace))
    return loss.but(scores=replace(loss.scores, margin=replace(loss.scores.margin, **state)))
