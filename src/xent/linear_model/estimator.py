"""Softmax and logistic regression as scikit-learn estimators."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from threadpoolctl import threadpool_limits

from xent.core import checks
from xent.errors import DataError, OptionError, WeightError
from xent.linear_model.certificate import duality_gap, newton_decrement
from xent.linear_model.choice import head_for, solver_for
from xent.linear_model.examples import Examples
from xent.linear_model.heads import SigmoidCrossEntropy, SoftmaxCrossEntropy
from xent.linear_model.objective import Objective
from xent.linear_model.predictor import LinearPredictor, features_of
from xent.linear_model.proximal import proximal
from xent.linear_model.scaling import VARIES, ConstantFeatureWarning, scaling_of
from xent.linear_model.separation import Separation, SeparationWarning, separation
from xent.linear_model.smoothing import Point, point_of, solved
from xent.linear_model.solvers import Optimum, Told, Trace
from xent.linear_model.truth import Truth, truth_of, weights_of
from xent.losses.loss import Loss

Matrix = Any

#: The inverse of less is hardly a number.
_LEAST_C = 1e-300


class SoftmaxRegression(LinearPredictor):
    """A linear model of class probabilities, q = softmax(X·Wᵀ + b), by maximum likelihood.

    Minimises (1/s)·(Σ w_i·L(P_i, q_i) + R(W)/C), R(W) = (1 − ρ)/2·‖W‖² + ρ·‖W‖₁, with s = Σ w_i and ρ = ``l1_ratio``:
    of three classes or more scikit-learn's ``LogisticRegression`` has the same optimum. Of two, for which that has one
    row of coefficients, ``LogisticRegression`` here has, and this model the one of 2·C. With the cross-entropy as L and
    C = ∞ it is maximum likelihood. The intercept b is not penalised.

    X is read as it is, and the model is found in coordinates in which its features have one scale and do not go
    together, so that badly scaled ones do no harm. The result is the optimum for X itself.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty, C > 0; ``numpy.inf`` is none.
    l1_ratio : float
        ρ, from 0 to 1. Above 0 some coefficients are 0 exactly.
    loss : "cross-entropy", "squared-error", "hinge" or a Loss of ``xent.losses``
        L. The squared error is that of the probabilities, Σ_k (P(k) − q(k))², of one column (t − q)², which is not
        convex in W. Hinge is Crammer and Singer's, and that of Cortes and Vapnik for one column. It has kinks: what
        solvers are given is T times the cross-entropy of scores with a margin over T, at temperatures T that fall to
        10⁻⁴ (10⁻³ in float32), where it is above the hinge by at most T·log K, of one column T·log 2. What a Loss does
        to scores when a model is used (scale, softcap, mask) it does to those of this one.
    solver : "auto", "lbfgs", "newton-cg", "gradient-descent" or "proximal"
        "auto": quasi-Newton, of many examples on a share of them, and then Newton's method, or gradient descent for a
        loss without a second derivative here; where ``l1_ratio`` is not 0 the proximal gradient, which alone can.
    fit_intercept : bool
    class_weight : dict, "balanced" or None
        As in scikit-learn; an example of a soft target weighs Σ_k c_k·P(k).
    tol : float
        The largest entry of the gradient that is taken for zero, in the solver's coordinates; with ``l1_ratio``, of the
        violation of the condition for an optimum.
    max_iter : int
        Steps at most.
    warm_start : bool
        Start from the last ``fit``.

    Attributes
    ----------
    classes_ : array (K,)
    coef_ : array (K, D)
        W, in the dtype of X. Its rows sum to zero where L does not see a constant in all classes and ``l1_ratio`` is 0.
    intercept_ : array (K,)
        b.
    objective_ : float
        The objective at the end, in nats.
    gradient_norm_ : float
        The largest entry of its gradient there, in the solver's coordinates; with ``l1_ratio`` the largest violation.
    converged_ : bool
        Whether that is at most ``tol``.
    separable_ : "complete", "quasi-complete" or None
        Whether the likelihood has no maximum. Asked of the cross-entropy with C = ∞; otherwise None.
    n_iter_ : int
        Steps of the solver, those on a share of the examples included, so far as this fit took them: of ``xent train``
        those on all of an earlier training that it went on from, too.
    n_passes_ : float
        Passes over the examples.
    trace_ : tuple of Trace
        Passes, objective and gradient after each step on all examples, and none of those on a share, so that it may be
        shorter than ``n_iter_``; of hinge the smooth objective.

    Warns
    -----
    ConvergenceWarning
        The gradient is larger than ``tol`` at the end.
    ConstantFeatureWarning
        A feature varies by so little beside its mean that it is taken for constant.
    SeparationWarning
        The likelihood has no maximum.

    Raises
    ------
    OptionError, KindError, ShapeError
        Options that make no sense, or not together; a truth of the wrong kind.
    WeightError
        A class weight that is negative, infinite or NaN; weights whose sum is infinite.
    DataError
        A feature whose squares float64 does not hold.
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

    #: Of a hinge whose steps were used up: the temperature at which the next ``fit`` goes on.
    _temperature: float = 0.0

    def __init__(
        self,
        C: float = 1.0,
        *,
        l1_ratio: float = 0.0,
        loss: Any = "cross-entropy",
        solver: str = "auto",
        fit_intercept: bool = True,
        class_weight: Any = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
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
        X = features_of(self, X, reset=True)
        truth, weight = self._counted(X, y, sample_weight)
        with threadpool_limits(1, user_api="blas"):
            self._fit(Examples(X), truth, weight)
        return self

    def _counted(self, X: Matrix, y: Any, sample_weight: Any) -> tuple[Truth, Matrix]:
        """The truth, and the weight of each example."""
        truth = truth_of(y, X.shape[0])
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True, copy=True)
        return truth, weights_of(truth, weight, self.class_weight)

    def _fit(
        self,
        examples: Examples,
        truth: Truth,
        weight: Matrix,
        told: Callable[[Trace, Point], None] | None = None,
        start: Point | None = None,
    ) -> None:
        """``told`` hears of every step, with where it came to; ``start``: where to begin."""
        self._independent = truth.independent
        self._scores_of_loss = self.loss.scores if isinstance(self.loss, Loss) else None
        objective = self._objective(examples, truth, weight)
        start = self._start(objective, truth) if start is None else start
        found, self._temperature = self._solve(
            objective, start, None if told is None else lambda trace, v: told(trace, point_of(objective, v))
        )
        W, b = objective.weights(found.v)
        if objective.head.shift_free:
            # A constant in all classes is not seen. The squares of W are least without one; its absolute values are
            # least as they are.
            W, b = W if objective.sparsity else W - W.mean(axis=0), b - b.mean()
        self.classes_ = truth.classes
        self.coef_, self.intercept_ = W.astype(examples.dtype), b.astype(examples.dtype)
        self.objective_, self.gradient_norm_, self.converged_ = found.value, found.gradient, found.converged
        self.n_iter_, self.n_passes_, self.trace_ = found.steps, objective.passes, found.trace
        self.separable_ = self._separable(objective, found)
        self._tell(found, objective.scaling.hidden)

    def _objective(self, examples: Examples, truth: Truth, weight: Matrix) -> Objective:
        with np.errstate(over="ignore"):
            total = float(weight.sum())
        if not total > 0.0:
            raise ValueError("fit(sample_weight): expected an example that counts, got weights that are all zero.")
        if not math.isfinite(total):
            raise WeightError("fit(sample_weight)", "weights with a sum below 1.8e+308", "larger ones", "Divide them.")
        C = checks.require_positive_or_infinite(self.C, "C=")
        if not C * total > _LEAST_C:
            raise OptionError("C=", f"C times the sum of the weights above {_LEAST_C:g}", repr(self.C))
        ratio = checks.require_fraction(self.l1_ratio, "l1_ratio=")
        penalty, sparsity = (1.0 - ratio) / (C * total), ratio / (C * total)
        head = head_for(self.loss, truth, weight / total, single=self._single)
        full = solver_for(self.solver, head, sparsity) is not proximal
        scaling = scaling_of(examples, head.weight, bool(self.fit_intercept), penalty, head.stiffness, full=full)
        return Objective(examples, head, scaling, penalty, sparsity)

    def _start(self, objective: Objective, truth: Truth) -> Point | None:
        shape = (objective.columns, objective.features)
        known = self.warm_start and getattr(self, "coef_", np.empty(0)).shape == shape
        if known and np.array_equal(self.classes_, truth.classes):
            return Point(self.coef_, self.intercept_, self._temperature)
        return None

    def _solve(self, objective: Objective, start: Point | None, told: Told | None) -> tuple[Optimum, float]:
        tol, steps = checks.require_positive(self.tol, "tol="), checks.require_count(self.max_iter, "max_iter=")
        solver = solver_for(self.solver, objective.head, objective.sparsity)
        begin, temperature = np.zeros(objective.size), 0.0
        if start is not None:
            begin, temperature = objective.start(start.W, start.b), start.temperature
        return solved(solver, objective, begin, tol, steps, told, temperature)

    def _separable(self, objective: Objective, found: Optimum) -> Separation | None:
        likelihood = isinstance(objective.head, (SoftmaxCrossEntropy, SigmoidCrossEntropy))
        if not likelihood or objective.penalty or objective.sparsity:
            return None
        return separation(objective, found.v, converged=found.converged)

    def _tell(self, found: Optimum, hidden: tuple[int, ...]) -> None:
        """Warnings to the caller of ``fit``."""
        if hidden:
            few = ", ".join(map(str, hidden[:5])) + (", …" if len(hidden) > 5 else "")
            warnings.warn(
                f"Features that vary by less than {VARIES:.2g} of their mean, number {few} counted from 0, are taken "
                "for constant and have coefficients of 0: float64 holds hardly more of them than rounding. Take their "
                "mean off before.",
                ConstantFeatureWarning,
                stacklevel=4,
            )
        reached = f"The gradient is {found.gradient:.3g} after {found.steps} steps, tol={self.tol:g}"
        if self.separable_ is not None:
            warnings.warn(
                f"The classes are separated ({self.separable_}): larger coefficients raise the likelihood for ever, "
                f"and it has no maximum. {reached}, where the solver stopped. Write a finite C, such as C=1.0.",
                SeparationWarning,
                stacklevel=4,
            )
        elif not found.converged:
            warnings.warn(f"{reached}: {found.message}", ConvergenceWarning, stacklevel=4)

    def duality_gap(self, X: Matrix, y: Any, sample_weight: Any = None) -> float:
        """An upper bound of how far the objective is above the least there is: a certificate, in nats.

        The bound is that of Fenchel's duality, computed in float64 at ``coef_`` and ``intercept_``. Arguments as of
        ``fit``, with the data that it was given.

        Raises
        ------
        OptionError
            C = ∞, or another loss than the cross-entropy.
        """
        objective = self._certified(X, y, sample_weight, "duality_gap")
        if not objective.penalty and not objective.sparsity:
            raise OptionError("duality_gap, C=", "a finite C", repr(self.C), "Without a penalty: newton_decrement.")
        return duality_gap(objective, self.coef_.astype(np.float64), self.intercept_.astype(np.float64))

    def newton_decrement(self, X: Matrix, y: Any, sample_weight: Any = None) -> float:
        """½·gᵀ·H⁻¹·g: how much lower the objective is where a parabola through it is least. Near the optimum that is
        the distance to it; it is no bound. Arguments as of ``duality_gap``.

        Raises
        ------
        OptionError
            A penalty that is not smooth, or another loss than the cross-entropy.
        """
        objective = self._certified(X, y, sample_weight, "newton_decrement")
        if objective.sparsity:
            raise OptionError("newton_decrement, l1_ratio=", "0", repr(self.l1_ratio), "There is duality_gap.")
        with threadpool_limits(1, user_api="blas"):
            return newton_decrement(objective, objective.start(self.coef_, self.intercept_))

    def _certified(self, X: Matrix, y: Any, sample_weight: Any, name: str) -> Objective:
        """The objective of the data ``fit`` was given, in float64."""
        check_is_fitted(self)
        X = features_of(self, X, reset=False, dtype=np.float64)
        truth, weight = self._counted(X, y, sample_weight)
        if not np.array_equal(truth.classes, self.classes_):
            raise DataError(f"{name}(y)", f"the classes of fit, {self.classes_}", str(truth.classes))
        objective = self._objective(Examples(X), truth, weight)
        if not isinstance(objective.head, (SoftmaxCrossEntropy, SigmoidCrossEntropy)):
            raise OptionError(f"{name}, loss=", '"cross-entropy"', repr(self.loss))
        return objective

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
