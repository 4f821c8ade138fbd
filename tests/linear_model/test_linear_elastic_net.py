"""The elastic net: scikit-learn's optimum, exact zeros, and what it says of how far it came."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from linear_formulas import Problem, problem
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Theirs

from xent.errors import OptionError
from xent.linear_model import LogisticRegression, SoftmaxRegression
from xent.linear_model.proximal import least_deviation


def fit(p: Problem, **options: Any) -> SoftmaxRegression:
    kind = LogisticRegression if p.kind == "one column" else SoftmaxRegression
    options = {"tol": 1e-8, "max_iter": 20_000, **options}
    return kind(C=p.C, fit_intercept=p.intercept, **options).fit(p.X, p.target(), p.weight)


def broken(p: Problem, model: SoftmaxRegression, ratio: float) -> float:
    """The largest violation of the condition for an optimum, by the formula, in units of each feature."""
    by_W, by_b = p.slope(model.coef_, model.intercept_, ridge=1 - ratio)
    limit = ratio / (p.C * p.weight.sum())
    zero = np.maximum(np.abs(by_W) - limit, 0)
    at = np.where(model.coef_ != 0, np.abs(by_W + limit * np.sign(model.coef_)), zero)
    return float(max((at / p.X.std(axis=0)).max(), np.abs(by_b).max() if p.intercept else 0))


@pytest.mark.parametrize("kind", ["labels", "one column"])
@pytest.mark.parametrize("ratio", [0.3, 1.0])
@pytest.mark.parametrize("C", [0.05, 1.0])
def test_the_same_optimum_as_saga(kind: str, ratio: float, C: float) -> None:
    p = problem(11, 50, 6, 3, C=C, kind=kind)
    mine = fit(p, l1_ratio=ratio)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = Theirs(C=C, l1_ratio=ratio, solver="saga", tol=1e-12, max_iter=100_000, random_state=0)
        theirs.fit(p.X, p.target(), p.weight)
    values = [p.value(m.coef_, m.intercept_, ratio) for m in (mine, theirs)]
    # Saga stops where its steps are small, a little before.
    assert -1e-7 <= values[0] - values[1] <= 1e-11
    assert mine.objective_ == pytest.approx(values[0], rel=1e-12)
    np.testing.assert_allclose(mine.decision_function(p.X), theirs.decision_function(p.X), atol=1e-3)


@pytest.mark.parametrize("kind", ["labels", "distribution", "indicators", "one column"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("ratio", [0.1, 0.9, 1.0])
def test_the_condition_for_an_optimum(kind: str, intercept: bool, ratio: float) -> None:
    p = problem(5, 60, 7, 3, C=0.2, kind=kind, spread=2.0, intercept=intercept)
    found = fit(p, l1_ratio=ratio)
    assert found.converged_
    assert broken(p, found, ratio) < 1e-6
    assert (found.coef_ == 0).any()
    assert (found.coef_ != 0).any()


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(5, 60),
    D=st.integers(1, 12),
    K=st.integers(2, 4),
    C=st.floats(-2, 2).map(lambda x: 10**x),
    ratio=st.sampled_from([1e-3, 0.5, 1.0]),
    kind=st.sampled_from(["labels", "distribution", "indicators", "one column"]),
    spread=st.sampled_from([0.0, 2.0]),
    intercept=st.booleans(),
)
def test_every_problem_ends_at_an_optimum(
    seed: int, n: int, D: int, K: int, C: float, ratio: float, kind: str, spread: float, intercept: bool
) -> None:
    p = problem(seed, n, D, K, C=C, kind=kind, spread=spread, intercept=intercept)
    found = fit(p, l1_ratio=ratio, tol=1e-7)
    assert found.converged_
    assert broken(p, found, ratio) < 1e-5
    assert found.objective_ == pytest.approx(p.value(found.coef_, found.intercept_, ratio), rel=1e-11)
    assert found.duality_gap(p.X, p.target(), p.weight) < 1e-5


@given(
    V=hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-3, 3, width=16)),
    threshold=st.floats(0, 4),
    ridge=st.floats(0, 4),
)
def test_the_constant_that_makes_a_penalty_least(V: np.ndarray, threshold: float, ridge: float) -> None:
    def penalty(a: np.ndarray) -> np.ndarray:
        return (threshold * np.abs(V - a) + ridge / 2 * (V - a) ** 2).sum(axis=0)

    D = V.shape[1]
    best = penalty(least_deviation(V, np.full(D, threshold), np.full(D, ridge)))
    for a in np.linspace(-3, 3, 61):
        assert (best <= penalty(np.full(D, a)) + 1e-9).all()


def test_a_strong_penalty_leaves_the_intercept_alone() -> None:
    p = problem(5, 60, 7, 3, C=1e-4, weighted=False)
    found = fit(p, l1_ratio=1.0)
    assert (found.coef_ == 0).all()
    np.testing.assert_allclose(found.predict_proba(p.X[:1])[0], p.T.mean(axis=0), atol=1e-7)


def test_zeros_in_float32_and_a_warm_start() -> None:
    p = problem(5, 60, 7, 3, C=0.2)
    p.X = p.X.astype(np.float32)
    model = SoftmaxRegression(C=0.2, l1_ratio=1.0, warm_start=True, tol=1e-5).fit(p.X, p.target(), p.weight)
    assert model.coef_.dtype == np.float32
    exact = fit(problem(5, 60, 7, 3, C=0.2), l1_ratio=1.0)
    np.testing.assert_array_equal(model.coef_ == 0, exact.coef_ == 0)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-3)
    steps = model.n_iter_
    assert model.fit(p.X, p.target(), p.weight).n_iter_ < steps / 4


def test_without_a_penalty_and_with_squares_alone_as_the_others() -> None:
    for C in (np.inf, 1.0):
        p = problem(2, 60, 3, 3, C=C)
        one, other = fit(p, solver="proximal"), fit(p)
        np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-4)


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg", "gradient-descent"])
def test_solvers_that_cannot(solver: str) -> None:
    p = problem(1)
    with pytest.raises(OptionError, match='expected "auto" or "proximal"'):
        fit(p, l1_ratio=0.5, solver=solver)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, "half", None])
def test_ratios_that_are_none(ratio: Any) -> None:
    with pytest.raises(OptionError, match="l1_ratio="):
        fit(problem(1), l1_ratio=ratio)


@pytest.mark.parametrize("loss", ["squared-error", "hinge"])
def test_other_losses(loss: str) -> None:
    p = problem(5, 60, 5, 3, C=0.3)
    found = fit(p, l1_ratio=1.0, loss=loss, tol=1e-5)
    assert found.converged_
    rng = np.random.default_rng(0)
    here = found.objective_
    assert here == pytest.approx(_value(p, loss, found.coef_, found.intercept_), rel=1e-9)
    for _ in range(50):
        W, b = found.coef_ + 1e-3 * rng.normal(size=(3, 5)), found.intercept_ + 1e-3 * rng.normal(size=3)
        assert _value(p, loss, W, b) > here - 1e-8


def _value(p: Problem, loss: str, W: np.ndarray, b: np.ndarray) -> float:
    z = p.X @ W.T + b
    if loss == "hinge":
        each = (z + 1 - p.T).max(axis=1) - (z * p.T).sum(axis=1)
    else:
        q = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        each = ((q - p.T) ** 2).sum(axis=1)
    return float(p.weight @ each / p.weight.sum() + np.abs(W).sum() / (p.C * p.weight.sum()))
