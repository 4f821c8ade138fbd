"""Of what models and data there are standard errors: by maximum likelihood, at the maximum, where there is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import xlogy
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight, check_is_fitted

from xent.errors import DataError, KindError, OptionError, ShapeError
from xent.linear_model.estimator import SoftmaxRegression
from xent.linear_model.examples import Examples
from xent.linear_model.information import Maximum
from xent.linear_model.predictor import features_of
from xent.linear_model.scaling import Scaling
from xent.linear_model.truth import Truth, truth_of

Matrix = Any

#: A model further than so many standard errors from the maximum was not fitted to these data.
_NEAR = 1.0


def require_maximum_likelihood(model: Any) -> None:
    """Refuse a model whose coefficients are not those of maximum likelihood."""
    if not isinstance(model, SoftmaxRegression):
        raise KindError("Inference(model)", "a SoftmaxRegression or LogisticRegression", type(model).__name__)
    check_is_fitted(model)
    if model.loss != "cross-entropy":
        raise OptionError(
            "Inference(model)", 'loss="cross-entropy", the log-likelihood', f"loss={model.loss!r}", "Fit it by that."
        )
    if not math.isinf(model.C):
        raise OptionError(
            "Inference(model)",
            "a model without a penalty",
            f"C={model.C!r}",
            "A penalty pulls the coefficients towards 0, so that these standard errors and tests do not hold for them. "
            "Write C=numpy.inf and fit again.",
        )
    if model.class_weight is not None:
        raise OptionError(
            "Inference(model)",
            "class_weight=None",
            repr(model.class_weight),
            "With class weights it is not the likelihood of these data that is largest. Fit without them.",
        )


def read(model: SoftmaxRegression, X: Matrix, y: Any, sample_weight: Any) -> tuple[Examples, Truth, Matrix]:
    """The examples that count, as ``fit`` reads them."""
    X = features_of(model, X, reset=False)
    truth = truth_of(y, X.shape[0])
    if truth.independent != model._independent or not np.array_equal(truth.classes, model.classes_):
        raise DataError(
            "Inference(y)",
            f"the classes of the model, {_listed(model.classes_)}",
            _listed(truth.classes),
            "Give the X and y that it was fitted to.",
        )
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    counts = weight > 0 if truth.counted is None else (weight > 0) & truth.counted
    if not counts.any():
        raise ValueError("Inference(sample_weight): expected an example that counts, got weights that are all zero.")
    if not counts.all():
        X, weight = X[counts], weight[counts]
        truth = Truth(truth.values[counts], truth.classes, truth.independent)
    return Examples(X), truth, weight


def _listed(classes: Matrix) -> str:
    shown = ", ".join(str(k) for k in classes[:8])
    return f"{shown} and {len(classes) - 8} more" if len(classes) > 8 else shown


def terms_of(model: SoftmaxRegression, given: Sequence[str] | None) -> list[str]:
    """The names of the coefficients of one equation."""
    if given is None:
        names = [str(name) for name in _check_feature_names_in(model, None)]
    else:
        names = [str(name) for name in given]
        if len(names) != model.n_features_in_:
            raise ShapeError("feature_names=", f"{model.n_features_in_} names", f"{len(names)}")
    return ["intercept", *names] if model.fit_intercept else names


def equations_of(model: SoftmaxRegression, base: Any) -> tuple[Any, list[int]]:
    """(the base class, the indices of the others)."""
    classes = model.classes_
    if model._independent:
        if base is not None:
            raise OptionError("base=", "None for Indicators: each column is yes against no", repr(base))
        return None, list(range(len(classes)))
    if base is None:
        base = classes[0]
    found = np.flatnonzero(classes == base)
    if len(found) != 1:
        raise OptionError("base=", f"a class of the model, {_listed(classes)}", repr(base))
    return base, [k for k in range(len(classes)) if k != found[0]]


def null_log_likelihood(truth: Truth, weight: Matrix, intercept: bool) -> float:
    """The log-likelihood of the model without features.

    Raises
    ------
    DataError
        A class that never is, or a column that always is: its intercept has no maximum.
    """
    n, K = float(weight.sum()), len(truth.classes)
    mass = np.bincount(truth.values, weight, K) if truth.values.ndim == 1 else weight @ truth.values
    rest = weight @ (1.0 - truth.values) if truth.independent else np.ones(K)
    if not (mass.all() and rest.all()):
        k = int(np.flatnonzero((mass == 0) | (rest == 0))[0])
        raise DataError(
            "Inference(y)",
            "examples for and against every class, for which alone the likelihood has a maximum",
            f"{'none' if mass[k] == 0 else 'nothing but examples'} of {truth.classes[k]}",
            "Leave it out.",
        )
    if not intercept:
        return -n * (K * math.log(2.0) if truth.independent else math.log(K))
    found = xlogy(mass, mass / n).sum()
    return float(found + (xlogy(rest, rest / n).sum() if truth.independent else 0.0))


def require_maximum(found: Maximum, scaling: Scaling, features: list[str]) -> None:
    """Refuse a model that is not at the maximum of the likelihood, and data for which there is none."""
    if found.distance > _NEAR:
        raise DataError(
            "Inference(model, X, y)",
            f"a model within {_NEAR:g} standard error of the maximum of the likelihood of these data",
            f"one at {found.distance:.3g}",
            "Give the X, y and sample_weight that it was fitted to, or fit with a smaller tol and a larger max_iter.",
        )
    if found.ascent is not None:
        slopes, _ = scaling.weights(found.ascent[:, : len(features)], np.zeros(len(found.ascent)))
        # By the standard deviation of each feature, the length of a column of T⁻¹.
        reach = np.abs(slopes).max(axis=0) * np.linalg.norm(np.linalg.inv(scaling.T), axis=0)
        leading = [features[j] for j in np.argsort(-reach)[:3] if reach[j] > 0.1 * reach.max()]
        raise DataError(
            "Inference(X, y)",
            "data for which the likelihood has a maximum",
            f"classes that can be separated, by {', '.join(map(repr, leading))} above all",
            "The likelihood rises without end as these coefficients grow, so that they have no standard error. "
            "Leave the features out, join classes, or fit with a penalty (a finite C) and without these statistics.",
        )
