"""What a fit by maximum likelihood says of its coefficients: standard errors, intervals and tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from threadpoolctl import threadpool_limits

from xent.core import checks
from xent.errors import DataError, KindError, OptionError, ShapeError
from xent.linear_model import summary
from xent.linear_model.admission import (
    equations_of,
    null_log_likelihood,
    read,
    require_maximum,
    require_maximum_likelihood,
    terms_of,
)
from xent.linear_model.choice import head_for
from xent.linear_model.estimator import SoftmaxRegression
from xent.linear_model.examples import Examples
from xent.linear_model.hypotheses import ChiSquareTest, chi_square, rows_of
from xent.linear_model.independence import uncorrelated
from xent.linear_model.information import Likelihood
from xent.linear_model.truth import Truth

Matrix = Any


class Inference:
    """Standard errors, intervals and tests of a softmax or logistic regression by maximum likelihood.

    With ℓ(β) = −Σ w_i·CE(P_i, q_i) the log-likelihood in nats and I = −∂²ℓ/∂β² the observed information at its maximum,
    the estimate is asymptotically normal with covariance I⁻¹; robust: I⁻¹·(Σ w_i·s_i·s_iᵀ)·I⁻¹, s_i the score of
    example i, which holds where the model is not the true one. β of a softmax are the log-odds of each class against
    ``base``, W_k − W_base; of Indicators those of each column's yes. Coefficients are the model's, taken to the maximum
    in float64 by Newton's method.

    Parameters
    ----------
    model : SoftmaxRegression or LogisticRegression
        Fitted to these data by the cross-entropy with C = ∞ and no class weights.
    X, y
        As ``fit`` was given them.
    sample_weight : array (N,), optional
        Frequencies: an example of weight 3 counts as three examples, in N too.
    base : a class of ``classes_``, optional
        By default the first.
    robust : bool
        Covariance by White's sandwich, without a factor for small samples (HC0). Of soft targets (Distribution) it is
        the one that holds.
    feature_names : D strings, optional
        By default the names of the columns that the model was fitted to; x0, x1 … where there were none.

    Attributes
    ----------
    equations : list of str (M,)
        The classes but for the base, or the columns of Indicators: K − 1 or K.
    terms : list of str (T,)
        "intercept", where the model has one, and the features.
    coefficients, standard_errors, z, p_values : array (M, T)
        z = coefficient/standard error; p two-sided, by the normal distribution.
    covariance : array (M·T, M·T)
        Of the coefficients by rows.
    n : float
        Σ w.
    log_likelihood, null_log_likelihood : float
        In nats. The null model has the intercepts alone; without an intercept it has nothing, and all classes are
        equally likely.
    df_model, df_residual : int, float
        Coefficients but for intercepts; n less all coefficients.
    aic, bic : float
        2p − 2ℓ and p·ln n − 2ℓ, p the number of coefficients.
    pseudo_r2 : float
        McFadden's, 1 − ℓ/ℓ₀.
    likelihood_ratio : ChiSquareTest
        2(ℓ − ℓ₀): whether the features say anything.

    Raises
    ------
    OptionError
        The model has a penalty, class weights or another loss; options that do not exist.
    DataError
        Not the data of the fit; a feature that is a linear function of others; data that can be separated, for which
        the likelihood has no maximum.
    KindError, ShapeError and ValueError
        What ``fit`` refuses.

    References
    ----------
    McFadden, "Conditional Logit Analysis of Qualitative Choice Behavior", in Frontiers in Econometrics, 1974; White,
    "Maximum Likelihood Estimation of Misspecified Models", Econometrica 50, 1982.

    Examples
    --------
    >>> import numpy as np
    >>> from xent.linear_model import Inference, LogisticRegression
    >>> X, y = np.array([[0.0], [1.0]]), np.array(["no", "yes"])
    >>> X, y, counts = X[[0, 0, 1, 1]], y[[0, 1, 0, 1]], [30, 10, 15, 45]
    >>> model = LogisticRegression(C=np.inf).fit(X, y, counts)
    >>> found = Inference(model, X, y, counts)
    >>> print(f"{found.coefficients[0, 1]:.4f} ± {found.standard_errors[0, 1]:.4f}")  # ln 9, √(1/30+1/10+1/15+1/45)
    2.1972 ± 0.4714
    """

    def __init__(
        self,
        model: SoftmaxRegression,
        X: Matrix,
        y: Any,
        sample_weight: Any = None,
        *,
        base: Any = None,
        robust: bool = False,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        require_maximum_likelihood(model)
        examples, truth, weight = read(model, X, y, sample_weight)
        self.terms = terms_of(model, feature_names)
        self.base, self._free = equations_of(model, base)
        self.equations = [str(model.classes_[k]) for k in self._free]
        self.robust = bool(robust)
        self.n = float(weight.sum())
        self.null_log_likelihood = null_log_likelihood(truth, weight, bool(model.fit_intercept))
        with threadpool_limits(1, user_api="blas"):
            self._estimate(model, examples, truth, weight)
        self.df_model = len(self.equations) * (len(self.terms) - bool(model.fit_intercept))
        self.df_residual = self.n - self.coefficients.size

    def _estimate(self, model: SoftmaxRegression, examples: Examples, truth: Truth, weight: Matrix) -> None:
        intercept = bool(model.fit_intercept)
        features = self.terms[intercept:]
        scaling = uncorrelated(examples, weight, intercept, features)
        # One column of scores for two classes is a softmax whose first class has none.
        head = head_for("cross-entropy", truth, weight, single=False)
        W, b = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
        if len(W) < head.columns:
            W, b = np.vstack([np.zeros_like(W), W]), np.append(0.0, b)
        likelihood = Likelihood(examples, head, scaling, self._free)
        found = likelihood.maximum(likelihood.start(W, b))
        A = likelihood.to_features()
        require_maximum(found, scaling, features)
        inner = found.covariance
        if self.robust:
            inner = inner @ likelihood.spread(found.point.theta) @ inner
        count, terms = found.point.theta.shape
        pairs = A @ inner.reshape(count, terms, count, terms).transpose(0, 2, 1, 3) @ A.T
        self.covariance = pairs.transpose(0, 2, 1, 3).reshape(count * terms, count * terms)
        self.coefficients = found.point.theta @ A.T
        self.log_likelihood = found.point.log_likelihood

    @property
    def standard_errors(self) -> Matrix:
        return np.sqrt(np.diag(self.covariance)).reshape(self.coefficients.shape)

    @property
    def z(self) -> Matrix:
        return self.coefficients / self.standard_errors

    @property
    def p_values(self) -> Matrix:
        return 2.0 * ndtr(-np.abs(self.z))

    @property
    def aic(self) -> float:
        return float(2.0 * (self.coefficients.size - self.log_likelihood))

    @property
    def bic(self) -> float:
        return float(self.coefficients.size * math.log(self.n) - 2.0 * self.log_likelihood)

    @property
    def pseudo_r2(self) -> float:
        return 1.0 - self.log_likelihood / self.null_log_likelihood

    @property
    def likelihood_ratio(self) -> ChiSquareTest:
        return chi_square(2.0 * (self.log_likelihood - self.null_log_likelihood), self.df_model)

    def confidence_intervals(self, level: float = 0.95) -> Matrix:
        """coefficient ± z·standard error (M, T, 2), z the normal quantile of (1 + level)/2; 0 < level < 1."""
        level = checks.require_positive(level, "level=")
        if level >= 1.0:
            raise OptionError("level=", "a share below 1, as 0.95", repr(level))
        half = float(ndtri(0.5 + level / 2.0)) * self.standard_errors
        return np.stack([self.coefficients - half, self.coefficients + half], axis=-1)

    def wald(self, hypothesis: Any, value: Any = 0.0) -> ChiSquareTest:
        """Wald's test that R·β = r: (Rβ − r)ᵀ(R·V·Rᵀ)⁻¹(Rβ − r), χ² with as many degrees of freedom as R has rows.

        Parameters
        ----------
        hypothesis : str, list of str, or array (M·T,) or (J, M·T)
            R, with the coefficients by rows; or the names of terms whose coefficients are all ``value``.
        value : float or array (J,)
            r.

        Raises
        ------
        OptionError, ShapeError
            A term that is not there; rows that depend on each other; NaN or infinity.
        """
        R = rows_of(hypothesis, self.terms, len(self.equations))
        r = np.asarray(value, np.float64)
        if r.shape not in ((), (len(R),)):
            raise ShapeError("wald(value)", f"a number, or shape ({len(R)},)", str(r.shape))
        for name, numbers in (("hypothesis", R), ("value", r)):
            if not np.isfinite(numbers).all():
                raise OptionError(f"wald({name})", "finite numbers", "NaN or infinity")
        # In standard errors, and rows of length 1: what depends on what is no question of units.
        error = np.sqrt(np.diag(self.covariance))
        scaled = R * error
        length = np.linalg.norm(scaled, axis=1)
        scaled = scaled / np.where(length > 0, length, 1.0)[:, None]
        if np.linalg.matrix_rank(scaled) < len(R):
            raise OptionError("wald(hypothesis)", "rows that do not depend on each other", f"{len(R)} that do")
        gap = (R @ self.coefficients.reshape(-1) - r) / length
        correlation = self.covariance / np.outer(error, error)
        return chi_square(float(gap @ np.linalg.solve(scaled @ correlation @ scaled.T, gap)), len(R))

    def likelihood_ratio_test(self, smaller: Inference) -> ChiSquareTest:
        """2(ℓ − ℓ′) against a model that is this one with some coefficients held at 0 or alike, on the same data.

        That the one is nested in the other, and the data the same, is for the caller to know; what can be seen is
        checked.

        Raises
        ------
        KindError, DataError
            Another number of examples or other classes, no fewer coefficients, or a higher likelihood.
        """
        if not isinstance(smaller, Inference):
            raise KindError("likelihood_ratio_test(smaller)", "an Inference", type(smaller).__name__)
        mine, other = (sorted([*i.equations, str(i.base)]) for i in (self, smaller))
        df = self.coefficients.size - smaller.coefficients.size
        gain = self.log_likelihood - smaller.log_likelihood
        told = "a model nested in this one, of the same data"
        if mine != other or not math.isclose(self.n, smaller.n, rel_tol=1e-12):
            got = f"one of {smaller.n:g} examples of {', '.join(other)}"
            raise DataError("likelihood_ratio_test(smaller)", told, got)
        if df <= 0:
            raise DataError(
                "likelihood_ratio_test(smaller)",
                told,
                f"{smaller.coefficients.size} coefficients against {self.coefficients.size} here",
                "Write larger.likelihood_ratio_test(smaller).",
            )
        if gain < -1e-9 * abs(self.log_likelihood):
            raise DataError("likelihood_ratio_test(smaller)", told, f"one that is more likely, by {-gain:.4g} nats")
        return chi_square(max(2.0 * gain, 0.0), df)

    def summary(self, level: float = 0.95) -> str:
        """The figures as a table in text."""
        return summary.as_text(self, level)

    def _repr_html_(self) -> str:
        return summary.as_html(self, 0.95)
