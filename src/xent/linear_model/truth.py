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
from xent.errors import KindError, OptionError, ShapeError, WeightError
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
        raise ValueError(f"fit(y): expected at least two classes, got 1 class: {encoder.classes_[0]!r}.")
    return Truth(values, encoder.classes_)


def _typed(P: Labels | Distribution | Indicators, count: int) -> Truth:
    """A typed target, checked as a loss checks it: against scores of its shape."""
    if isinstance(P, Labels):
        indices = np.asarray(P.indices)
        known = indices if P.ignore is None else indices[indices != P.ignore]
        columns = max(2, int(known.max(initial=0)) + 1)
    else:
        columns = np.shape(P.probs if isinstance(P, Distribution) else P.values)[-1]
    call = prepare(P, Logits(np.zeros((count, columns))))
    if call.q.shape != (count, columns):
        raise ShapeError("fit(y)", f"a truth for each of {count} examples", str(call.q.shape))
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
