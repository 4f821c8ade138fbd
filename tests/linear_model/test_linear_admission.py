"""Where there are no standard errors, and what is said of it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_matrix
from sklearn.exceptions import NotFittedError

from xent import Distribution, Indicators, Labels
from xent.errors import DataError, KindError, OptionError, ShapeError
from xent.linear_model import Inference, LogisticRegression, SoftmaxRegression

RNG = np.random.default_rng(1)
N = 80
X = RNG.normal(size=(N, 3))
Y = (X[:, 0] + RNG.logistic(size=N) > 0).astype(int) + (RNG.random(N) < 0.3)
MODEL = SoftmaxRegression(np.inf).fit(X, Y)


def fit(x: Any, y: Any, weight: Any = None, cls: Any = SoftmaxRegression, **options: Any) -> Any:
    """A fit whose warnings of no convergence are of no interest here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cls(np.inf, **options).fit(x, y, weight)


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (SoftmaxRegression(2.0), OptionError, r"C=2\.0.*C=numpy\.inf"),
        (SoftmaxRegression(np.inf, loss="squared-error"), OptionError, "squared-error"),
        (SoftmaxRegression(np.inf, class_weight="balanced"), OptionError, "class_weight=None"),
    ],
)
def test_an_estimate_that_is_not_of_maximum_likelihood(model: Any, error: type[Exception], words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y)
    with pytest.raises(error, match=words):
        Inference(model, X, Y)


def test_models_and_options_that_are_none() -> None:
    with pytest.raises(KindError, match="dict"):
        Inference({}, X, Y)  # type: ignore[arg-type]
    with pytest.raises(NotFittedError):
        Inference(SoftmaxRegression(np.inf), X, Y)
    with pytest.raises(OptionError, match="base="):
        Inference(MODEL, X, Y, base=3)
    with pytest.raises(OptionError, match="base="):
        Inference(MODEL, X, Y, base="0")
    with pytest.raises(ShapeError, match="3 names"):
        Inference(MODEL, X, Y, feature_names=["a"])


def test_data_of_another_fit() -> None:
    with pytest.raises(DataError, match="standard error of the maximum"):
        Inference(MODEL, X, RNG.permutation(Y))
    with pytest.raises(DataError, match="standard error of the maximum"):
        Inference(MODEL, X, Y, np.arange(N))
    with pytest.raises(DataError, match="classes of the model, 0, 1, 2"):
        Inference(MODEL, X, Y + 1)
    with pytest.raises(DataError, match="classes"):
        Inference(MODEL, X, Indicators(np.eye(3)[Y]))
    with pytest.raises(ValueError, match="features"):
        Inference(MODEL, X[:, :2], Y)
    with pytest.raises(ValueError, match="zero"):
        Inference(MODEL, X, Y, np.zeros(N))


@pytest.mark.parametrize("kind", [np.asarray, csr_matrix, lambda x: x.astype(np.float32)])
def test_features_that_others_make_are_named(kind: Any) -> None:
    group = np.arange(N) % 3
    x = np.column_stack([X[:, 0], group == 0, group == 1, group == 2, X[:, 1], 0.1 * X[:, 0] - 3 * X[:, 1]])
    names = ["free", "red", "green", "blue", "other", "mixed"]
    x = kind(x)
    with pytest.raises(DataError) as raised:
        Inference(fit(x, Y), x, Y, feature_names=names)
    assert "'blue', a linear function of 'red', 'green'" in str(raised.value)
    assert "'mixed', a linear function of 'free', 'other'" in str(raised.value)
    # Without an intercept the three groups are independent.
    with pytest.raises(DataError) as raised:
        Inference(fit(x, Y, fit_intercept=False), x, Y, feature_names=names)
    assert "blue" not in str(raised.value)
    assert "'mixed'" in str(raised.value)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8])
def test_a_constant_feature_is_the_intercept(value: float) -> None:
    x = np.column_stack([X, np.full(N, value)])
    with pytest.raises(DataError, match="'x3', which is constant"):
        Inference(fit(x, Y), x, Y)
    if value:
        without = Inference(fit(x, Y, fit_intercept=False), x, Y)
        whole = Inference(MODEL, X, Y)
        np.testing.assert_allclose(without.coefficients[:, 3] * value, whole.coefficients[:, 0], rtol=1e-7)
        np.testing.assert_allclose(without.standard_errors[:, 3] * value, whole.standard_errors[:, 0], rtol=1e-7)


def test_more_features_than_examples() -> None:
    x = RNG.normal(size=(20, 30))
    with pytest.raises(DataError, match="linear function of 'x0', 'x1', 'x2', 'x3', 'x4' and 14 more"):
        Inference(fit(x, Y[:20]), x, Y[:20])


@pytest.mark.parametrize("tol", [1e-4, 1e-6, 1e-9])
@pytest.mark.parametrize("cls", [SoftmaxRegression, LogisticRegression])
def test_complete_separation(cls: Any, tol: float) -> None:
    y = (X[:, 1] > 0.1).astype(int)
    with pytest.raises(DataError, match="separated, by 'x1' above all"):
        Inference(fit(X, y, cls=cls, tol=tol), X, y)


@pytest.mark.parametrize("tol", [1e-4, 1e-6, 1e-9])
def test_quasi_complete_separation(tol: float) -> None:
    """A group that is always class 2; the other examples overlap."""
    group = np.arange(N) < 6
    y = np.where(group, 2, Y)
    x = np.column_stack([X, group])
    with pytest.raises(DataError, match="separated, by 'x3' above all"):
        Inference(fit(x, y, tol=tol), x, y)
    # One example of another class in the group, and there is a maximum.
    y[0] = 0
    y[1] = 1
    assert np.isfinite(Inference(fit(x, y), x, y).standard_errors).all()


def test_separation_is_what_linear_programming_says() -> None:
    """A direction that harms no example and helps one, of small problems, some of them with many ties."""
    seen = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n, d = int(rng.integers(12, 40)), int(rng.integers(1, 4))
        x = rng.normal(size=(n, d)) if seed % 2 else np.round(rng.normal(size=(n, d)))
        y = (x[:, 0] * rng.choice([0.5, 3.0, 8.0]) + rng.logistic(size=n) > 0).astype(int)
        design = np.column_stack([np.ones(n), x])
        if y.min() == y.max() or np.linalg.matrix_rank(design) <= d:
            continue
        margins = design * (2 * y - 1)[:, None]
        best = linprog(-margins.sum(axis=0), A_ub=-margins, b_ub=np.zeros(n), bounds=[(-1, 1)] * (d + 1))
        expected = bool(-best.fun > 1e-9)
        seen.append(expected)
        model = fit(x, y, cls=LogisticRegression)
        if expected:
            with pytest.raises(DataError, match="separated"):
                Inference(model, x, y)
        else:
            assert np.isfinite(Inference(model, x, y).standard_errors).all()
    assert 10 < sum(seen) < len(seen) - 10


def test_separation_of_indicators() -> None:
    t = np.column_stack([X[:, 0] + RNG.logistic(size=N) > 0, X[:, 2] > 0]).astype(float)
    with pytest.raises(DataError, match="separated, by 'x2' above all"):
        Inference(fit(X, Indicators(t)), X, Indicators(t))


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (Labels(np.where(Y == 1, 0, Y)), "none of 1"),
        (Distribution(np.column_stack([np.eye(3)[Y], np.zeros(N)])), "none of 3"),
        (Indicators(np.column_stack([Y > 0, np.zeros(N)]).astype(float)), "none of 1"),
        (Indicators(np.column_stack([np.ones(N), Y > 0]).astype(float)), "nothing but examples of 0"),
    ],
)
def test_a_class_that_never_is(y: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Inference(fit(X, y), X, y)


def test_rare_is_not_separated() -> None:
    """One counterexample among many that weigh much: log-odds of 16, and a maximum."""
    x, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 1, 0, 1])
    counts = np.array([50.0, 50.0, 1.0, 1e7])
    model = LogisticRegression(np.inf, tol=1e-12).fit(x, y, counts)
    found = Inference(model, x, y, counts)
    assert found.coefficients[0, 1] == pytest.approx(np.log(1e7), rel=1e-10)
    assert found.standard_errors[0, 1] == pytest.approx(np.sqrt(2 / 50 + 1 + 1e-7), rel=1e-9)
    assert found.coefficients[0, 0] == pytest.approx(0.0, abs=1e-10)


def test_examples_of_weight_0_are_not_there() -> None:
    weight = (np.arange(N) < 70).astype(float)
    few = Inference(fit(X[:70], Y[:70]), X[:70], Y[:70])
    found = Inference(fit(X, Y, weight), X, Y, weight)
    np.testing.assert_allclose(found.covariance, few.covariance, rtol=1e-7, atol=1e-10)
    ignored = Labels(np.where(weight > 0, Y, -1), ignore=-1)
    found = Inference(fit(X, ignored), X, ignored, robust=True)
    robust = Inference(fit(X[:70], Y[:70]), X[:70], Y[:70], robust=True)
    np.testing.assert_allclose(found.covariance, robust.covariance, rtol=1e-7, atol=1e-10)
