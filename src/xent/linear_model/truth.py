"""What ``fit`` is given as the truth: class names a row, or a typed target, as what the heads take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import assert_all_finite
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from xent.core.predictions import Logits
from xent.core.targets import Distribution, Indicators, Labels
from xent.errors import KindError, LabelError, OptionError, ProbabilityError, ShapeError, WeightError
from xent.functional.prepare import prepare
from xent.kernels.coefficients import target_probs
from xent.kernels.protocol import HardTarget

Matrix = Any


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth of all examples: ``values`` is a class index a row (N,), or numbers (N, K)."""

    values: Matrix
    classes: Matrix
    #: Whether every column is a yes or no of its own, and not one class among all.
    independent: bool = False
    #: Which examples count; None: all.
    counted: Matrix | None = None


def truth_of(y: Any, count: int) -> Truth:
    """The truth of ``count`` examples.

    Raises
    ------
    KindError, ShapeError and what ``cross_entropy`` raises for such a target
    ValueError
        Of an array: what scikit-learn's classifiers refuse, and fewer than two classes.
    """
    if isinstance(y, (Labels, Distribution, Indicators)):
        return _typed(y, count)
    shape = np.asarray(y).shape
    if len(shape) == 2 and shape[1] != 1:
        raise KindError(
            "fit(y)",
            "one class an example, or a typed target",
            f"an array of shape {shape}",
            "Write xent.Indicators(y) where each column is a yes or no, xent.Distribution(y) for probabilities.",
        )
    y = column_or_1d(y, warn=True)
    if len(y) != count:
        raise ValueError(f"fit(y): expected a class for each of {count} examples, got {len(y)}.")
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    encoder = LabelEncoder()
    values = encoder.fit_transform(y).astype(np.int64)
    if len(encoder.classes_) < 2:
        raise ValueError(f"fit(y): expected at least two classes, got 1 class: {encoder.classes_.tolist()[0]!r}.")
    return Truth(values, encoder.classes_)


def expected_of(
    P: Labels | Distribution | Indicators, count: int, classes: Matrix, *, independent: bool
) -> tuple[Matrix, Matrix | None]:
    """(What a model that is always right would predict, which examples count; None: all).

    Raises
    ------
    KindError
        A Distribution, which names no class; Indicators where the model is of one class a row, and the other way round.
    ShapeError, LabelError, ProbabilityError
        Of other rows or classes than the model's; an indicator between 0 and 1.
    """
    if isinstance(P, Distribution):
        raise KindError(
            "score(y)",
            "one class an example, Labels or Indicators",
            "a Distribution",
            "Write xent.Labels(probs.argmax(axis=1)), or for soft targets as they are "
            "xent.cross_entropy(P, xent.LogProbabilities(model.predict_log_proba(X))).",
        )
    if isinstance(P, Indicators) != independent:
        expected = "Indicators, as the model was fitted to" if independent else "one class an example, or Labels"
        raise KindError("score(y)", expected, type(P).__name__)
    # Smoothing is of losses: the classes are those that are written.
    plain = Labels(P.indices, ignore=P.ignore) if isinstance(P, Labels) else Indicators(P.values)
    truth = _typed(plain, count, "score(y)")
    if not independent:
        if len(truth.classes) > len(classes):
            raise LabelError(
                "score(y)", f"indices 0 … {len(classes) - 1} of the model's classes", str(len(truth.classes) - 1)
            )
        return classes[truth.values], truth.counted
    if truth.values.shape[1] != len(classes):
        raise ShapeError("score(y)", f"Indicators of {len(classes)} columns", f"{truth.values.shape[1]}")
    if not np.isin(truth.values, (0.0, 1.0)).all():
        raise ProbabilityError(
            "score(y)", "0 or 1 in every column", "a value between", "Write Indicators(values > 0.5)."
        )
    return truth.values.astype(np.int64), truth.counted


def _typed(P: Labels | Distribution | Indicators, count: int, argument: str = "fit(y)") -> Truth:
    """A typed target, checked as a loss checks it: against scores of its shape."""
    if isinstance(P, Labels):
        indices = np.asarray(P.indices)
        known = indices if P.ignore is None else indices[indices != P.ignore]
        columns = max(2, int(known.max(initial=0)) + 1)
    else:
        columns = _columns(P, argument)
    call = prepare(P, Logits(np.zeros((count, columns))))
    if call.q.shape != (count, columns):
        raise ShapeError(argument, f"a truth for each of {count} examples", str(call.q.shape))
    classes = np.arange(columns)
    if not call.rows:
        return Truth(np.asarray(call.t, np.float64), classes, independent=True)
    target = call.target
    assert target is not None
    if isinstance(target, HardTarget) and not target.off:
        index = np.where(True if call.counted is None else call.counted, target.index, 0)
        return Truth(index.astype(np.int64), classes, counted=call.counted)
    values = np.asarray(call.class_truth() if isinstance(target, HardTarget) else target_probs(target), np.float64)
    return Truth(values, classes, counted=call.counted)


def _columns(P: Distribution | Indicators, argument: str) -> int:
    shape = np.shape(P.probs if isinstance(P, Distribution) else P.values)
    if len(shape) == 2:
        return int(shape[1])
    hint = ""
    if isinstance(P, Indicators) and len(shape) == 1:
        hint = "For two classes write the array itself, or xent.Labels; for one column xent.Indicators(y[:, None])."
    raise ShapeError(argument, f"{type(P).__name__} with a row for each example (N, K)", str(shape), hint)


def weights_of(truth: Truth, weight: Matrix, class_weight: Any) -> Matrix:
    """The weight of each example, that of its class included; 0 of one that does not count.

    Raises
    ------
    OptionError
        Class weights of independent yes and no, or that are neither a dict nor "balanced".
    WeightError
        A class weight that is negative, infinite or NaN.
    ValueError
        A dict with a class that is not there.
    """
    if truth.counted is not None:
        weight = np.where(truth.counted, weight, 0.0)
    if class_weight is None:
        return weight
    if truth.independent:
        raise OptionError("class_weight=", "None for Indicators", repr(class_weight))
    hard = truth.values.ndim == 1
    if isinstance(class_weight, dict):
        each = compute_class_weight(class_weight, classes=truth.classes, y=truth.classes)
        for name, found in zip(truth.classes.tolist(), each.tolist(), strict=True):
            if not 0.0 <= found < math.inf:
                raise WeightError("class_weight=", "weights that are finite and 0 or more", f"{found} for {name!r}")
    elif class_weight == "balanced":
        mass = np.bincount(truth.values, weight, len(truth.classes)) if hard else weight @ truth.values
        each = mass.sum() / (len(mass) * np.where(mass > 0.0, mass, np.inf))
    else:
        raise OptionError("class_weight=", 'a dict, "balanced" or None', repr(class_weight))
    # What is too large to be added is refused with the sum.
    with np.errstate(over="ignore"):
        return weight * (each[truth.values] if hard else truth.values @ each)
