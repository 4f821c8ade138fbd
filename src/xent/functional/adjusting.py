"""S1 beside P and Q: checked, and its arrays in the form that they act in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xent.backends import find
from xent.core import checks, loss_values
from xent.core.arrays import (
    Array,
    classes_last,
    compute_dtype,
    constant,
    describe,
    detached,
    dtype_name,
    library,
    namespace,
    number,
    pick,
)
from xent.core.constants import kept_constant
from xent.core.margins import Margin, Shift
from xent.core.predictions import Logits, Projection
from xent.core.scores import Scores
from xent.core.values import Inspector, hard_rows
from xent.errors import OptionError, ShapeError, SoftTargetError, UndefinedPairError
from xent.functional.scoring import capped, possible
from xent.kernels.coefficients import target_probs
from xent.kernels.extra import inside
from xent.kernels.protocol import HardTarget, Target


def adjusting(
    scores: Scores,
    P: Any,
    Q: Any,
    source: Array,
    shape: tuple[int, ...],
    axis: int,
    target: Target | None,
    t: Array | None,
    inspect: Inspector,
) -> tuple[Scores, Array | None]:
    """S1 for classes that are last (for Indicators: as Q has them), and the truth of each row for a margin."""
    if not isinstance(Q, (Logits, Projection)):
        raise UndefinedPairError("scores=", "Logits or Projection: only scores can be changed", type(Q).__name__)
    if scores.normalize is not None and not isinstance(Q, Projection):
        raise UndefinedPairError(
            "Scores(normalize=)",
            "a Projection, whose hidden states and classifiers have lengths",
            type(Q).__name__,
            "Give cosines as Logits, without normalize=.",
        )
    if isinstance(Q, Projection) and Q.bias is not None and (scores.normalize or _angular(scores)):
        raise UndefinedPairError("scores=", "a Projection without a bias: a cosine has none", "Projection(bias=)")
    if isinstance(scores.margin, Margin):
        _require_lengths(scores, scores.margin, Q)
    require_cosines(scores, Q)
    classes = shape[axis] if shape else 1
    rows = t is None
    at = len(shape) - 1 if rows else axis
    made: dict[str, Any] = {}
    if scores.normalize == "neither":
        made["normalize"] = None
    if scores.offset is not None:
        where = ("Scores(offset=)", "logit_adjustment(counts) makes it of one count for each class of Q.")
        made["offset"] = _vector(scores.offset, source, classes, where, at, len(shape), masks=True)
    if scores.allowed is not None:
        made["allowed"] = _allowed(scores.allowed, source, shape, axis, rows)
    if not isinstance(scores.scale, float):
        checks.require_one_library({"Scores(scale=)": scores.scale, "Q": source})
        made["scale"] = _positive(scores.scale)
    if scores.margin is None:
        return replace(scores, **made), None
    if not rows:
        raise UndefinedPairError(
            "Scores(margin=)", "Labels, or one-hot rows in Distribution: a margin has one truth a row", "Indicators"
        )
    if isinstance(scores.margin, Shift) and not isinstance(scores.margin.margin, float):
        where = ("Shift(margin)", "ldam(counts) makes it of one count for each class of Q.")
        vector = _vector(scores.margin.margin, source, classes, where, 0, 1)
        made["margin"] = replace(scores.margin, margin=vector)
    scores, index = replace(scores, **made), _index(P, target, classes, inspect)
    if isinstance(Q, Logits) and isinstance(scores.margin, Margin):
        _inspect_cosines(scores, scores.margin, classes_last(source, axis), index, inspect)
    return scores, index


def require_cosines(scores: Scores, Q: Any) -> None:
    """A Projection has the lengths that a margin for cosines does not want, unless it is said what becomes of them."""
    if isinstance(Q, Projection) and scores.reads_cosines:
        raise UndefinedPairError(
            "Q",
            "cosines: the margin is meant for them",
            "a Projection, whose scores are ‖x‖·‖W‖·cos θ",
            'Write normalize=True where the loss is made (Scores(normalize="both", …)), or use a MarginHead; '
            'Scores(normalize="neither", …) if the lengths are meant.',
        )


def _inspect_cosines(scores: Scores, margin: Margin, x: Array, index: Array, inspect: Inspector) -> None:
    """The scores that a margin reads are cosines: that of the truth, or all where it changes all."""
    if not inspect.reads:
        return
    x = possible(detached(x), scores)
    if margin.changes_others:
        loss_values.cosines(capped(x, scores), inspect, "every class")
    loss_values.cosines(capped(pick(x, index), scores), inspect, "the truth")


def _require_lengths(scores: Scores, margin: Margin, Q: Any) -> None:
    """A margin that reads lengths, or changes every cosine, has them."""
    name = type(margin).__name__
    if margin.needs_norm and not isinstance(Q, Projection):
        raise UndefinedPairError(
            "Scores(margin=)",
            f"a Projection: {name} reads the length of the hidden state",
            type(Q).__name__,
        )
    if margin.changes_others and isinstance(Q, Projection) and scores.normalize != "both":
        raise UndefinedPairError(
            "Scores(margin=)",
            f"cosines: {name} changes those of the other classes too",
            f"a Projection with normalize={scores.normalize!r}",
            'Write Scores(normalize="both", …).',
        )


def _angular(scores: Scores) -> bool:
    return scores.margin is not None and not isinstance(scores.margin, Shift)


def _index(P: Any, target: Target | None, classes: int, inspect: Inspector) -> Array:
    """The truth of each row; 0 for labels that are outside the classes, whose loss is NaN or does not count."""
    if isinstance(target, HardTarget):
        return inside(target.index, classes)
    assert target is not None

    def error() -> SoftTargetError:
        return SoftTargetError(
            "Scores(margin=)",
            "hard targets: Labels, or one-hot rows without smoothing",
            f"soft ones in {type(P).__name__}",
        )

    if P.smoothing:
        raise error()
    probs = hard_rows(target_probs(target), inspect, error, rows=True)
    return namespace(probs).argmax(probs, axis=-1)


def _vector(
    value: Any, like: Array, classes: int, where: tuple[str, str], axis: int, ndim: int, *, masks: bool = False
) -> Array:
    """A vector over classes beside Q, in the type of its arithmetic. ``where``: the argument, and what to write."""
    from xent.functional.weights import along

    argument, instead = where
    known = library(value) == "numpy"  # checked when the record was made
    value = beside(value, like, argument)
    checks.require_vector(value, classes, argument, "number", instead)
    if not known:
        value = loss_values.finite(value, argument, Inspector(find(value).reads(value)), masks=masks)
    return along(value, axis, ndim)


def _positive(scale: Array) -> Array:
    """A scale that is an array of a framework."""
    good = (scale > 0) & namespace(scale).isfinite(scale)

    def error(at: tuple[int, ...]) -> OptionError:
        return OptionError("Scores(scale=)", "a positive, finite number", f"{number(scale):g}")

    return Inspector(find(scale).reads(scale)).settle(scale, ~good, error)


def beside(value: Any, like: Array, argument: str) -> Array:
    """An array beside another, in the type of its arithmetic. NumPy's goes to every framework: it is what a loss was
    made with."""
    if library(value) == "numpy" and library(like) != "numpy":
        return kept_constant(value, like, compute_dtype(like))
    checks.require_one_library({argument: value, "Q": like})
    return namespace(like).astype(value, compute_dtype(like), copy=False)


def _allowed(value: Array, like: Array, shape: tuple[int, ...], axis: int, rows: bool) -> Array:
    """The classes that can be, classes last for rows."""
    from xent.functional.weights import along

    if library(value) == "numpy" and library(like) != "numpy":
        value = constant(value, like)
    if dtype_name(value) != "bool":
        raise ShapeError("Scores(allowed=)", "booleans", describe(value))
    checks.require_one_library({"Scores(allowed=)": value, "Q": like})
    if value.ndim == 1 and (not shape or value.shape[0] == shape[axis]):
        return along(value, len(shape) - 1 if rows else axis, len(shape))
    if tuple(value.shape) != tuple(shape):
        raise ShapeError("Scores(allowed=)", f"shape ({shape[axis]},) or {tuple(shape)}", describe(value))
    return classes_last(value, axis) if rows else value
