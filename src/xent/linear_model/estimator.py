"""Softmax and logistic regression as scikit-learn estimators."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from xent.core import checks
from xent.errors import OptionError
from xent.linear_model.choice import SOLVERS, head_for
from xent.linear_model.examples import Examples
from xent.linear_model.heads import Head
from xent.linear_model.objective import Objective
from xent.linear_model.scaling import Scaling, scaling_of
from xent.linear_model.solvers import Optimum, Told, Trace
from xent.linear_model.truth import Truth, truth_of

Matrix = Any


class SoftmaxRegression(ClassifierMixin, BaseEstimator):
    """A linear model of class probabilities, q = softmax(X·Wᵀ + b), by maximum likelihood.

    Minimises (1/s)·Σ w_i·L(P_i, q_i) + ‖W‖²/(2·C·s), s = Σ w_i: scikit-learn's ``LogisticRegression`` has the same
    optimum. With the cross-entropy as L and C = ∞ it is maximum likelihood. The intercept b is not penalised.

    X is read as it is, and the model is found in coordinates in which its features have one scale and do not go
    together, so that badly scaled ones do no harm. The result is the optimum for X itself.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty, C > 0; ``numpy.inf`` is none.
    loss : "cross-entropy", "squared-error", "hinge" or a Loss of ``xent.losses``
        L. The squared error is that of the probabilities, Σ_k (P(k) − q(k))², which is not convex in W; hinge is
        Crammer and Singer's.
    solver : "auto", "lbfgs", "newton-cg" or "gradient-descent"
        "auto": quasi-Newton on a share of the examples where there are many, then on all, then Newton's method.
    fit_intercept : bool
    class_weight : dict, "balanced" or None
        As in scikit-learn; an example of a soft target weighs Σ_k c_k·P(k).
    tol : float
        The largest entry of the gradient that is taken for zero, in the solver's coordinates.
    max_iter : int
        Steps at most.
    warm_start : bool
        Start from the last ``fit``.

    Attributes
    ----------
    classes_ : array (K,)
    coef_ : array (K, D)
        W, in the dtype of X; its rows sum to zero.
    intercept_ : array (K,)
        b.
    objective_ : float
        The objective at the end, in nats.
    gradient_norm_ : float
        The largest entry of its gradient there, in the solver's coordinates.
    converged_ : bool
        Whether that is at most ``tol``.
    n_iter_ : int
        Steps of the solver.
    n_passes_ : float
        Passes over the examples.
    trace_ : tuple of Trace
        Passes, objective and gradient after each step.

    Raises
    ------
    OptionError, KindError, ShapeError
        Options that make no sense, or not together; a truth of the wrong kind.
    ValueError
        What scikit-learn's estimators refuse.

    References
    ----------
    Cox, "The Regression Analysis of Binary Sequences", Journal of the Royal Statistical Society B 20, 1958; Böhning,
    "Multinomial Logistic Regression Algorithm", Annals of the Institute of Statistical Mathematics 44, 1992.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xent.linear_model import SoftmaxRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxRegression().fit(X, y)
    >>> round(model.score(X, y), 4)
    0.9733
    """

    #: One column of scores for two classes, and not one a class.
    _single: ClassVar[bool] = False

    def __init__(
        self,
        C: float = 1.0,
        *,
        loss: Any = "cross-entropy",
        solver: str = "auto",
        fit_intercept: bool = True,
        class_weight: Any = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.C = C
        self.loss = loss
        self.solver = solver
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def fit(self, X: Matrix, y: Any, sample_weight: Any = None) -> SoftmaxRegression:
        """Find W and b.

        Parameters
        ----------
        X : array or sparse matrix (N, D)
            float32 stays float32; everything else becomes float64.
        y : array (N,), Labels, Distribution or Indicators
            Class names of any kind that can be sorted; or a typed truth: soft targets as a Distribution, independent
            yes or no as Indicators.
        sample_weight : array (N,), optional
        """
        X = validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], order="C", accept_large_sparse=False
        )
        truth = truth_of(y, X.shape[0])
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True, copy=True)
        with threadpool_limits(1, user_api="blas"):
            self._fit(Examples(X), truth, self._weights(truth, weight))
        return self

    def _fit(
        self,
        examples: Examples,
        truth: Truth,
        weight: Matrix,
        told: Callable[[Trace, Matrix, Matrix], None] | None = None,
        start: tuple[Matrix, Matrix] | None = None,
    ) -> None:
        """``told`` hears of every step, with W and b; ``start``: W and b to begin with."""
        total = float(weight.sum())
        if not total > 0.0:
            raise ValueError("fit(sample_weight): expected an example that counts, got weights that are all zero.")
        self._independent = truth.independent
        head = head_for(self.loss, truth, weight / total, single=self._single)
        objective = self._objective(examples, head, total)
        begin = self._start(objective, truth) if start is None else objective.start(*start)
        found = self._solve(
            objective, begin, None if told is None else lambda trace, v: told(trace, *objective.weights(v))
        )
        W, b = objective.weights(found.v)
        if not self._independent and not self._single:
            # A softmax does not see a constant in all classes, and the penalty is least without one.
            W, b = W - W.mean(axis=0), b - b.mean()
        self.classes_ = truth.classes
        self.coef_, self.intercept_ = W.astype(examples.dtype), b.astype(examples.dtype)
        self.objective_, self.gradient_norm_, self.converged_ = found.value, found.gradient, found.converged
        self.n_iter_, self.n_passes_, self.trace_ = found.steps, objective.passes, found.trace

    def _objective(self, examples: Examples, head: Head, total: float) -> Objective:
        C = checks.require_positive(self.C, "C=") if not math.isinf(self.C) else math.inf
        penalty = 1.0 / (C * total)
        return Objective(examples, head, self._scaling(examples, head, penalty), penalty)

    def _scaling(self, examples: Examples, head: Head, penalty: float) -> Scaling:
        return scaling_of(examples, head.weight, bool(self.fit_intercept), penalty, head.stiffness)

    def _start(self, objective: Objective, truth: Truth) -> Matrix:
        shape = (objective.columns, objective.features)
        known = self.warm_start and getattr(self, "coef_", np.empty(0)).shape == shape
        if known and np.array_equal(self.classes_, truth.classes):
            return objective.start(self.coef_, self.intercept_)
        return np.zeros(objective.size)

    def _solve(self, objective: Objective, start: Matrix, told: Told | None = None) -> Optimum:
        checks.require_choice(self.solver, tuple(SOLVERS), "solver=")
        tol, steps = checks.require_positive(self.tol, "tol="), checks.require_count(self.max_iter, "max_iter=")
        if self.solver == "newton-cg" and not objective.head.has_curvature:
            raise OptionError("solver=", '"auto" or "lbfgs" for this loss', '"newton-cg"', "It has no curvature here.")
        found = SOLVERS[self.solver](objective, start, tol, steps, told)
        if not found.converged:
            warnings.warn(
                f"The gradient is {found.gradient:.3g} after {found.steps} steps, tol={tol:g}: {found.message}",
                ConvergenceWarning,
                stacklevel=4,
            )
        return found

    def _weights(self, truth: Truth, weight: Matrix) -> Matrix:
        """The weight of each example, that of its class included."""
        if truth.counted is not None:
            weight = np.where(truth.counted, weight, 0.0)
        if self.class_weight is None:
            return weight
        if truth.independent:
            raise OptionError("class_weight=", "None for Indicators", repr(self.class_weight))
        if truth.values.ndim == 1:
            names = truth.classes[truth.values]
            return weight * compute_class_weight(self.class_weight, classes=truth.classes, y=names)[truth.values]
        if self.class_weight == "balanced":
            mass = (truth.values * weight[:, None]).sum(axis=0)
            each = mass.sum() / (len(mass) * np.where(mass > 0, mass, np.inf))
        else:
            each = np.array([self.class_weight.get(k, 1.0) for k in truth.classes], np.float64)
        return weight * (truth.values @ each)

    def _scores(self, X: Matrix) -> Matrix:
        check_is_fitted(self)
        X = validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], order="C", reset=False,
            accept_large_sparse=False,
        )  # fmt: skip
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def decision_function(self, X: Matrix) -> Matrix:
        """The scores X·Wᵀ + b (N, K); of two classes the second's less the first's (N,)."""
        z = self._scores(X)
        if self._single:
            return z[:, 0]
        return z[:, 1] - z[:, 0] if len(self.classes_) == 2 and not self._independent else z

    def predict_log_proba(self, X: Matrix) -> Matrix:
        """log q of every class (N, K), exact where q is 0 or 1 in floating point; of Indicators log of each yes."""
        z = self._scores(X)
        if self._independent:
            return -np.logaddexp(0.0, -z)
        if self._single:
            z = np.concatenate([np.zeros_like(z), z], axis=1)
        peak = z.max(axis=1, keepdims=True)
        return z - peak - np.log(np.exp(z - peak).sum(axis=1, keepdims=True))

    def predict_proba(self, X: Matrix) -> Matrix:
        """q of every class (N, K); of Indicators the probability of each yes."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Matrix) -> Matrix:
        """The most likely class of each row; of Indicators 0 and 1 (N, K)."""
        z = self._scores(X)
        if self._independent:
            return (z > 0).astype(np.int64)
        return self.classes_[(z[:, 0] > 0).astype(np.intp) if self._single else z.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LogisticRegression(SoftmaxRegression):
    """A linear model of two classes, q = σ(X·wᵀ + b), by maximum likelihood: see ``SoftmaxRegression``.

    One row of coefficients, those of the second class of ``classes_``. With the same C the penalty is that of
    scikit-learn's ``LogisticRegression`` of two classes.
    """

    _single = True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
