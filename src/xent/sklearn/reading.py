"""scikit-learn's three arguments as what is computed with: probabilities, truth, weights. Or None: not taken here.

Nothing is refused in words of our own. What is not taken goes to scikit-learn's own function, which raises, or answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.metrics import log_loss
from sklearn.utils import check_array
from sklearn.utils.multiclass import type_of_target

from xent.core.arrays import library
from xent.kernels.cpu.verdict import all_distributions
from xent.sklearn.labels import Vector, coded, vector

_FLOATS = (np.float64, np.float32, np.float16)


@dataclass(frozen=True, eq=False)
class Truth:
    """``index``, the true class of each example; or ``indicator`` (n, K), zeros and ones, of several outcomes each."""

    classes: Vector
    index: Vector | None = None
    indicator: Vector | None = None

    @property
    def count(self) -> int:
        rows = self.indicator if self.index is None else self.index
        assert rows is not None, "one of the two"
        return len(rows)


@dataclass(frozen=True, eq=False)
class Forecast:
    """``probs`` (n, K), or (n,) those of the second of two classes; in [0, 1], without NaN.

    ``stray`` is the row whose sum is furthest from 1, if that is further than rounding explains.
    """

    probs: Vector
    stray: int | None = None

    @property
    def classes(self) -> int:
        return 2 if self.probs.ndim == 1 else int(self.probs.shape[1])


@dataclass(frozen=True, eq=False)
class Case:
    """What a call of several classes comes down to."""

    forecast: Forecast
    truth: Truth
    weight: Vector | None


def read_case(y_true: Any, forecast: Forecast | None, sample_weight: Any, labels: Any) -> Case | None:
    """A call whose columns are classes; warns as scikit-learn does."""
    if forecast is None:
        return None
    truth = _read_truth(y_true, labels)
    if truth is None or not len(truth.classes) == forecast.classes >= 2:
        return None
    if truth.count != len(forecast.probs):
        return None
    weight = read_weight(sample_weight, truth.count)
    if weight is None and sample_weight is not None:
        return None
    _let_warn(forecast, truth, labels)
    return Case(forecast, truth, weight)


def read_forecast(y_proba: Any) -> Forecast | None:
    """Probabilities that are numbers in [0, 1]."""
    if not _on_cpu(y_proba):
        return None
    probs = _in_memory(y_proba)
    if not (isinstance(probs, np.ndarray) and probs.dtype in _FLOATS and probs.dtype.isnative):
        if not _array_like(probs):
            return None
        try:
            probs = check_array(probs, ensure_2d=False, dtype=list(_FLOATS))
        except (ValueError, TypeError):  # scikit-learn's own function says so again
            return None
    probs = np.asarray(probs)  # no subclass, which may read "*" as another product
    if not probs.size or probs.ndim not in (1, 2):
        return None
    if probs.ndim == 2 and probs.shape[1] == 1:
        probs = probs[:, 0]
    # What rounding explains of a sum, for scikit-learn: √ε of the type.
    tolerance = math.sqrt(float(np.finfo(probs.dtype).eps)) + 1e-8
    if probs.ndim == 2 and all_distributions(probs, log=False, highest=1.0, tolerance=tolerance):
        return Forecast(probs)
    if not (probs.min() >= 0 and probs.max() <= 1):  # nor with NaN
        return None
    if probs.ndim == 1:
        return Forecast(probs)
    off = np.abs(probs.sum(axis=1) - probs.dtype.type(1))
    furthest = int(off.argmax())
    return Forecast(probs, furthest if float(off[furthest]) > tolerance else None)


def read_weight(sample_weight: Any, count: int) -> Vector | None:
    """One finite number an example."""
    if sample_weight is None:
        return None
    given = vector(_in_memory(sample_weight))
    if given is None or given.shape != (count,) or np.ndim(sample_weight) != 1 or given.dtype.kind not in "biuf":
        return None
    weight = given.astype(np.float64, copy=False)
    return weight if bool(np.isfinite(weight).all()) and float(weight.sum()) != 0.0 else None


def read_labels(y_true: Any) -> Vector | None:
    """A vector of labels."""
    return vector(_in_memory(y_true))


def _read_truth(y_true: Any, labels: Any) -> Truth | None:
    given = _in_memory(y_true)
    one = vector(given)
    if one is None:
        return _read_indicator(given) if labels is None else None
    declared = None if labels is None else vector(_in_memory(labels))
    if labels is not None and (declared is None or np.ndim(labels) != 1):
        return None
    found = coded(one, declared)
    if found is None or not found.complete or (declared is not None and len(declared) != len(found.classes)):
        return None
    return Truth(found.classes, index=found.index)


def _read_indicator(y_true: Any) -> Truth | None:
    if not _array_like(y_true):
        return None
    try:
        if type_of_target(y_true) != "multilabel-indicator":
            return None
        # As whole numbers, which is what scikit-learn makes of them.
        indicator = np.asarray(y_true).astype(np.int64)
    except (ValueError, TypeError):
        return None
    return Truth(np.arange(indicator.shape[1]), indicator=indicator) if indicator.ndim == 2 else None


def _let_warn(forecast: Forecast, truth: Truth, labels: Any) -> None:
    """Show scikit-learn two rows of what it would warn of: the words and the rules are those of its version."""
    ordered = labels is None or _ordered(vector(_in_memory(labels)), truth.classes)
    if forecast.stray is None and ordered:
        return
    row = forecast.stray or 0
    if truth.indicator is not None:
        y, names = truth.indicator[[row, row]], None
    else:
        # Two classes, since labels have to be those of a classification.
        y, names = truth.classes[[0, 1]], truth.classes if ordered else labels
    log_loss(y, forecast.probs[[row, row]], labels=names)


def _ordered(declared: Vector | None, classes: Vector) -> bool:
    return declared is not None and declared.shape == classes.shape and bool((declared == classes).all())


def _array_like(values: Any) -> bool:
    return not isinstance(values, str) and (
        isinstance(values, Sequence) or hasattr(values, "__array__") or hasattr(values, "shape")
    )


def _on_cpu(values: Any) -> bool:
    """Not an array that scikit-learn would compute with where it lies: on an accelerator, or in another namespace."""
    if isinstance(values, np.ndarray) or not get_config()["array_api_dispatch"]:
        return True
    if library(values) == "torch":
        return bool(values.device.type == "cpu")
    return not hasattr(values, "__array_namespace__")


def _in_memory(values: Any) -> Any:
    """A tensor in memory as a NumPy array over the same numbers, where scikit-learn was told to take tensors."""
    if library(values) != "torch" or not get_config()["array_api_dispatch"]:
        return values
    return values.detach().cpu().numpy()
