"""Standard errors and tests against formulas, 50 digits, and fits that were published."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from linear_likelihood import Oracle, exact_logit, mp
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning

from xent import Distribution, Indicators
from xent.linear_model import Inference, LogisticRegression, SoftmaxRegression

PUBLISHED = json.loads(Path(__file__).with_name("published_mlogit.json").read_text(encoding="utf-8"))
RNG = np.random.default_rng(6)
N, D = 120, 3
X = RNG.normal(size=(N, D)) * [1.0, 30.0, 0.02] + [0.0, 100.0, 5.0]
WEIGHT = RNG.integers(0, 4, N).astype(np.float64)
SOFT = RNG.dirichlet(np.ones(4), N)
Z = np.column_stack([np.ones(N), X])


def labels(K: int) -> Any:
    chosen = np.argmax(RNG.gumbel(size=(N, K)) + (X - X.mean(0)) / X.std(0) @ RNG.normal(size=(D, K)), axis=1)
    chosen[:K] = np.arange(K)
    return chosen


Y2, Y4 = labels(2), labels(4)
YES = np.column_stack([labels(2), labels(2), labels(2)])


def softmax_fit(X: Any, y: Any, weight: Any = None, **options: Any) -> SoftmaxRegression:
    return SoftmaxRegression(np.inf, **options).fit(X, y, weight)


def printed(value: Any, text: Any, relative: float = 0.0) -> None:
    """Raise unless ``value`` is ``text`` to its last digit, or as near as ``relative``."""
    if isinstance(text, list):
        assert len(value) == len(text)
        for v, t in zip(value, text, strict=True):
            printed(v, t, relative)
        return
    mantissa, _, exponent = text.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    assert abs(float(value) - float(text)) <= max(0.5 * unit, relative * abs(float(text))), (float(value), text)


@pytest.mark.parametrize("name", ["anes96", "spector"])
def test_a_published_fit_to_its_printed_digits(name: str) -> None:
    import statsmodels.datasets

    told = PUBLISHED[name]
    data = getattr(statsmodels.datasets, name).load_pandas()
    # Stata keeps variables in single precision unless told otherwise: in double precision the fits are others from the
    # seventh or eighth digit on.
    x, y = data.exog.astype(np.float32).astype(np.float64), data.endog.astype(int)
    found = Inference((SoftmaxRegression if name == "anes96" else LogisticRegression)(np.inf).fit(x, y), x, y)
    # Stata puts the constant last.
    assert [*found.terms[1:], found.terms[0]] == told["terms"]
    order = np.r_[1 : len(found.terms), 0]
    # More digits are printed than the iterations that Stata made give.
    relative = {"anes96": 5e-9, "spector": 6e-12}[name]
    for key in ("coefficients", "standard_errors", "z", "p_values", "confidence_intervals"):
        value = getattr(found, key)
        printed((value() if callable(value) else value)[:, order], told[key], relative)
    if "covariance" in told:
        printed(found.covariance[np.ix_(order, order)], told["covariance"], relative)
        beta, errors = exact_logit(np.column_stack([np.ones(len(x)), x]), y)
        np.testing.assert_allclose(found.coefficients[0], beta, rtol=1e-13)
        np.testing.assert_allclose(found.standard_errors[0], errors, rtol=1e-13)
    for key in ("log_likelihood", "null_log_likelihood", "pseudo_r2", "aic", "bic"):
        printed(getattr(found, key), told[key])
    printed(found.likelihood_ratio.statistic, told["likelihood_ratio"])
    printed(found.likelihood_ratio.p_value, told["likelihood_ratio_p"])
    assert (found.n, found.df_model, found.df_residual) == (told["n"], told["df_model"], told["df_residual"])


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("name", ["anes96", "spector"])
def test_the_figures_are_those_of_statsmodels(name: str, robust: bool) -> None:
    import statsmodels.api

    data = getattr(statsmodels.api.datasets, name).load_pandas()
    many = name == "anes96"
    model = (SoftmaxRegression if many else LogisticRegression)(np.inf).fit(data.exog, data.endog)
    found = Inference(model, data.exog, data.endog, robust=robust)
    design = statsmodels.api.add_constant(data.exog)
    cls = statsmodels.api.MNLogit if many else statsmodels.api.Logit
    theirs = cls(data.endog, design).fit(cov_type="HC0" if robust else "nonrobust", disp=False, tol=1e-14)
    np.testing.assert_allclose(found.coefficients.ravel(), np.asarray(theirs.params).T.ravel(), rtol=1e-9)
    unit = np.outer(found.standard_errors, found.standard_errors)
    np.testing.assert_allclose(found.covariance / unit, np.asarray(theirs.cov_params()) / unit, atol=1e-9)
    assert found.log_likelihood == pytest.approx(theirs.llf, rel=1e-12)
    assert found.bic == pytest.approx(theirs.bic, rel=1e-12)


CASES = {
    "softmax": (SoftmaxRegression, Y4, np.eye(4)[Y4], {}),
    "weights": (SoftmaxRegression, Y4, np.eye(4)[Y4], {"weight": WEIGHT}),
    "soft": (SoftmaxRegression, Distribution(SOFT), SOFT, {}),
    "no intercept": (SoftmaxRegression, Y4, np.eye(4)[Y4], {"intercept": False}),
    "two": (SoftmaxRegression, Y2, np.eye(2)[Y2], {}),
    "logistic": (LogisticRegression, Y2, np.eye(2)[Y2], {"weight": WEIGHT}),
    "logistic soft": (LogisticRegression, Distribution(SOFT[:, :2] / SOFT[:, :2].sum(1, keepdims=True)), None, {}),
    "indicators": (SoftmaxRegression, Indicators(YES), YES, {"weight": WEIGHT}),
}


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("case", CASES)
def test_against_the_formulas(case: str, kind: str) -> None:
    cls, y, truth, options = CASES[case]
    truth = np.asarray(y.probs) if truth is None else truth
    weight, intercept = options.get("weight"), options.get("intercept", True)
    x = csr_matrix(X) if kind == "sparse" else X
    oracle = Oracle(Z if intercept else X, truth, weight, sigmoids=case == "indicators")
    model = cls(np.inf, fit_intercept=intercept).fit(x, y, weight)
    found = Inference(model, x, y, weight)
    np.testing.assert_allclose(found.coefficients, oracle.beta, rtol=1e-8)
    errors = np.sqrt(np.diag(oracle.covariance))
    unit = np.outer(errors, errors)
    np.testing.assert_allclose(found.covariance / unit, oracle.covariance / unit, atol=1e-7)
    assert found.log_likelihood == pytest.approx(oracle.value(oracle.beta), rel=1e-12)
    robust = Inference(model, x, y, weight, robust=True)
    assert robust.log_likelihood == found.log_likelihood
    np.testing.assert_allclose(robust.covariance / unit, oracle.robust() / unit, atol=1e-6)
    n, p = (N if weight is None else weight.sum()), oracle.beta.size
    assert found.aic == pytest.approx(2 * p - 2 * found.log_likelihood, rel=1e-14)
    assert found.bic == pytest.approx(p * np.log(n) - 2 * found.log_likelihood, rel=1e-14)
    assert found.df_model == len(oracle.beta) * D
    assert found.df_residual == n - p


@pytest.mark.parametrize("case", ["weights", "soft", "no intercept", "indicators"])
def test_the_null_model(case: str) -> None:
    cls, y, truth, options = CASES[case]
    weight, intercept = options.get("weight"), options.get("intercept", True)
    sigmoids = case == "indicators"
    design = np.ones((N, 1))
    expected = (oracle := Oracle(design, truth, weight, sigmoids)).value(oracle.beta) if intercept else -N * np.log(4)
    found = Inference(cls(np.inf, fit_intercept=intercept).fit(X, y, weight), X, y, weight)
    assert found.null_log_likelihood == pytest.approx(expected, rel=1e-12)
    assert found.pseudo_r2 == pytest.approx(1 - found.log_likelihood / expected, rel=1e-10)
    ratio = found.likelihood_ratio
    assert ratio.statistic == pytest.approx(2 * (found.log_likelihood - expected), rel=1e-10)
    tail = mp.gammainc(mp.mpf(ratio.df) / 2, mp.mpf(ratio.statistic) / 2, regularized=True)
    assert ratio.p_value == pytest.approx(float(tail), rel=1e-10)


def test_a_weight_is_so_many_examples() -> None:
    # More rows than a block has.
    times = 150 * WEIGHT.astype(int)
    many, y = np.repeat(X, times, axis=0), np.repeat(Y4, times)
    for robust in (False, True):
        one = Inference(softmax_fit(X, Y4, times), X, Y4, times, robust=robust)
        other = Inference(softmax_fit(many, y), many, y, robust=robust)
        np.testing.assert_allclose(one.coefficients, other.coefficients, rtol=1e-9)
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-7, atol=1e-9)
        assert one.bic == pytest.approx(other.bic, rel=1e-12)
        assert one.df_residual == other.df_residual == times.sum() - 12


def test_the_base_changes_what_is_told_and_not_what_is_found() -> None:
    names = np.array(["ant", "bee", "cow", "doe"])[Y4]
    model = softmax_fit(X, names)
    first, other = Inference(model, X, names), Inference(model, X, names, base="cow")
    assert (first.base, first.equations) == ("ant", ["bee", "cow", "doe"])
    assert (other.base, other.equations) == ("cow", ["ant", "bee", "doe"])
    assert other.log_likelihood == pytest.approx(first.log_likelihood, rel=1e-13)
    # β against cow from β against ant: the same map of the covariance.
    change = np.kron(np.array([[0, -1, 0], [1, -1, 0], [0, -1, 1]]), np.eye(4))
    np.testing.assert_allclose(other.coefficients.ravel(), change @ first.coefficients.ravel(), rtol=1e-8)
    np.testing.assert_allclose(other.covariance, change @ first.covariance @ change.T, rtol=1e-6, atol=1e-9)
    binary = LogisticRegression(np.inf).fit(X, Y2)
    np.testing.assert_allclose(
        Inference(binary, X, Y2, base=1).coefficients, -Inference(binary, X, Y2).coefficients, rtol=1e-9
    )


def test_a_rough_fit_is_taken_to_the_maximum() -> None:
    exact = Oracle(Z, np.eye(4)[Y4])
    rough = softmax_fit(X, Y4, tol=1e-3)
    assert np.abs((rough.coef_[1:] - rough.coef_[0]) / exact.beta[:, 1:] - 1).max() > 1e-7
    np.testing.assert_allclose(Inference(rough, X, Y4).coefficients, exact.beta, rtol=1e-8)
    x = X.astype(np.float32)
    exact = Oracle(np.column_stack([np.ones(N), x]), np.eye(4)[Y4])
    with warnings.catch_warnings():
        # In single precision tol is out of reach where a mean is 250 standard deviations.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = Inference(softmax_fit(x, Y4), x, Y4)
    assert found.coefficients.dtype == np.float64
    np.testing.assert_allclose(found.coefficients, exact.beta, rtol=1e-8)


def test_features_that_nearly_depend_on_each_other() -> None:
    year = 1950.0 + np.arange(40)
    x = np.column_stack([year, year**2, 1e-6 * year + 1e-9 * np.cos(year)])
    y = np.array([0, 1, 1, 0, 0, 1, 0, 1, 1, 1] * 4)
    found = Inference(LogisticRegression(np.inf).fit(x, y), x, y)
    beta, errors = exact_logit(np.column_stack([np.ones(40), x]), y)
    np.testing.assert_allclose(found.coefficients[0], beta, rtol=1e-6)
    np.testing.assert_allclose(found.standard_errors[0], errors, rtol=1e-6)


def test_p_values_and_intervals() -> None:
    x = np.linspace(-1, 1, 4000)[:, None]
    y = (x[:, 0] + np.random.default_rng(0).logistic(size=4000) / 6 > 0).astype(int)
    found = Inference(LogisticRegression(np.inf).fit(x, y), x, y)
    assert found.p_values[0, 1] < 1e-100
    for z, p in zip(found.z.ravel(), found.p_values.ravel(), strict=True):
        assert p == pytest.approx(float(mp.erfc(abs(mp.mpf(z)) / mp.sqrt(2))), rel=1e-10)
    for level in (0.5, 0.95, 0.999):
        half = float(mp.sqrt(2) * mp.erfinv(level)) * found.standard_errors
        expected = np.stack([found.coefficients - half, found.coefficients + half], axis=-1)
        np.testing.assert_allclose(found.confidence_intervals(level), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="level="):
        found.confidence_intervals(1.0)
