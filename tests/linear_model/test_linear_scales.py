"""Features on scales that are far apart."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from xent.errors import DataError
from xent.linear_model import ConstantFeatureWarning, LogisticRegression, SoftmaxRegression
from xent.linear_model.examples import LEAST, Examples
from xent.linear_model.scaling import moments


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("apart", [1e2, 1e6, 1e9])
def test_a_scale_is_a_feature_of_its_own(apart: float, intercept: bool) -> None:
    """Beside a feature that varies by 10⁹ one that varies by 10⁻⁹ says as much as ever."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    y = np.argmax(rng.gumbel(size=(60, 3)) + 2 * x[:, :1] * [0, 1, 2] + x[:, 1:2] * [1, 0, 1], axis=1)
    plain = SoftmaxRegression(np.inf, fit_intercept=intercept).fit(x, y)
    scale = np.array([1 / apart, apart, 1.0])
    scaled = SoftmaxRegression(np.inf, fit_intercept=intercept).fit(x * scale, y)
    assert scaled.objective_ == pytest.approx(plain.objective_, rel=1e-10)
    np.testing.assert_allclose(scaled.coef_ * scale, plain.coef_, rtol=1e-4)


def offset_problem(offset: float, count: int = 2000) -> tuple[Any, Any, Any]:
    """(X, y, the same X with the offset taken off again)."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(count, 5))
    y = (X[:, 0] + rng.normal(size=count) > 0).astype(int)
    X = X + offset
    return X, y, X - offset


@pytest.mark.parametrize("offset", [3e7, 1e8, 1e9, -1e10])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_an_offset_far_above_what_a_feature_varies_by(offset: float, C: float) -> None:
    X, y, centred = offset_problem(offset)
    by_hand = LogisticRegression(C).fit(centred, y)
    for features in (X, csr_array(X)):
        found = LogisticRegression(C).fit(features, y)
        assert found.converged_
        assert found.objective_ == pytest.approx(by_hand.objective_, abs=1e-7)
        np.testing.assert_allclose(found.coef_, by_hand.coef_, atol=1e-4)


@pytest.mark.parametrize("count", [2000, 24_000])
def test_an_offset_and_weights(count: int) -> None:
    X, y, centred = offset_problem(1e8, count)
    weight = np.arange(count) % 3
    found, by_hand = (LogisticRegression(np.inf).fit(features, y, weight) for features in (X, centred))
    assert found.objective_ == pytest.approx(by_hand.objective_, abs=1e-8)


@pytest.mark.parametrize("offset", [1e12, 1e13])
def test_an_offset_at_which_scores_have_too_few_digits_is_not_passed_over(offset: float) -> None:
    X, y, _ = offset_problem(offset)
    with pytest.warns(ConvergenceWarning):
        assert not LogisticRegression(np.inf).fit(X, y).converged_


def test_a_constant_with_rounding_stays_out() -> None:
    X, y, _ = offset_problem(0.0)
    rng = np.random.default_rng(0)
    with_constant = np.column_stack([X, np.where(rng.random(len(X)) < 0.5, 0.3, 0.1 + 0.2)])
    plain = LogisticRegression(np.inf).fit(X, y)
    with pytest.warns(ConstantFeatureWarning, match="number 5 counted from 0, are taken for constant") as said:
        found = LogisticRegression(np.inf).fit(with_constant, y)
    assert said[0].filename == __file__
    assert found.coef_[0, -1] == 0.0
    assert found.objective_ == pytest.approx(plain.objective_, rel=1e-12)


def test_float32_holds_no_coefficients_of_features_that_hardly_vary() -> None:
    X, y, _ = offset_problem(0.0)
    with pytest.raises(DataError, match=r"vary by 1e-32 .* number 0 counted from 0"):
        LogisticRegression(np.inf).fit((X * 1e-42).astype(np.float32), y)
    assert np.isfinite(LogisticRegression(1.0).fit((X * 1e-42).astype(np.float32), y).coef_).all()


@pytest.mark.parametrize("scale", [1e-130, 1e149])
def test_very_large_and_very_small_features(scale: float) -> None:
    X, y, _ = offset_problem(0.0)
    found, plain = (LogisticRegression(np.inf).fit(features, y) for features in (X * scale, X))
    assert found.objective_ == pytest.approx(plain.objective_, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-145, 1e160, 1e300])
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_features_whose_squares_cannot_be_held_are_refused(scale: float, form: Any) -> None:
    X, y, _ = offset_problem(0.0)
    X[:, 2] *= scale
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=r"number 2 counted from 0"):
            LogisticRegression(np.inf).fit(form(X), y)
        if scale < 1.0:
            # A penalty leaves nothing of their coefficient.
            assert LogisticRegression(1.0).fit(form(X), y).converged_


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_moments_are_those_of_their_definition(form: Any) -> None:
    """By blocks of rows, of which some do not count; features with zeros and without, constant ones, far ones."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40_000, 6))
    X[:, 1] *= rng.random(40_000) < 0.01
    X[:, 2] = 0.1
    X[:, 3] += 1e9
    X[:, 4] = 0.0
    X[7, 5] = 1e9
    weight = rng.random(40_000) * (np.arange(40_000) > 9000)
    weight /= weight.sum()
    examples = Examples(form(X))
    examples.most = 1000
    mean, variance = moments(examples, weight)
    exact = np.average(X - X[0], axis=0, weights=weight) + X[0]
    np.testing.assert_allclose(mean, exact, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(variance, np.average((X - exact) ** 2, axis=0, weights=weight), rtol=1e-6)
    np.testing.assert_array_equal(variance[[2, 4]], [0.0, 0.0])
    tiny = Examples(form(np.array([[0.0], [1e-200], [-1e-200]])))
    assert moments(tiny, np.ones(3))[1] >= LEAST / 3


def test_a_number_of_a_sparse_row_in_two_parts() -> None:
    """As many numbers as rows, and no row that does not have two or none."""
    rng = np.random.default_rng(0)
    has = np.arange(40) % 2 == 0
    y = has + rng.logistic(size=40) > 0.5
    start = np.concatenate([[0], np.cumsum(np.where(has, 2, 0))]).astype(np.int32)
    X = csr_array((np.full(40, 4.0), np.zeros(40, np.int32), start), shape=(40, 1))
    in_parts, whole = (LogisticRegression(np.inf).fit(features, y) for features in (X, X.toarray()))
    np.testing.assert_allclose(in_parts.coef_, whole.coef_, rtol=1e-6)
    assert X.nnz == 40
