"""Certificates: never below the true distance to the optimum where they are bounds, and zero at it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from linear_formulas import Problem, problem
from scipy import sparse

from xent.errors import DataError, OptionError
from xent.linear_model import LogisticRegression, SoftmaxRegression

KINDS = ("labels", "distribution", "indicators", "one column")


def fit(p: Problem, **options: Any) -> SoftmaxRegression:
    model = (LogisticRegression if p.kind == "one column" else SoftmaxRegression)(
        C=p.C, fit_intercept=p.intercept, **options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(p.X, p.target(), p.weight)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("C", [0.05, 5.0])
def test_the_gap_is_no_less_than_the_distance(kind: str, intercept: bool, C: float) -> None:
    p = problem(3, 50, 4, 3, C=C, kind=kind, intercept=intercept)
    best = p.best()
    for steps in (1, 2, 4, 8):
        model = fit(p, solver="gradient-descent", max_iter=steps, tol=1e-12)
        distance = p.value(model.coef_, model.intercept_) - best
        assert model.duality_gap(p.X, p.target(), p.weight) >= distance - 1e-14
    model = fit(p, tol=1e-9)
    assert 0 <= model.duality_gap(p.X, p.target(), p.weight) < 1e-13


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_the_gap_of_an_elastic_net(kind: str, ratio: float) -> None:
    p = problem(3, 50, 4, 3, C=0.3, kind=kind)
    done = fit(p, l1_ratio=ratio, tol=1e-11, max_iter=50_000)
    best = p.value(done.coef_, done.intercept_, ratio)
    for steps in (1, 3, 9):
        model = fit(p, l1_ratio=ratio, max_iter=steps, tol=1e-12)
        distance = p.value(model.coef_, model.intercept_, ratio) - best
        assert model.duality_gap(p.X, p.target(), p.weight) >= distance - 1e-13
    # At the optimum the rounding of its two halves is left, which has a sign.
    assert -1e-15 <= done.duality_gap(p.X, p.target(), p.weight) < 1e-9


def test_the_gap_with_class_weights_in_float32_and_of_sparse_rows() -> None:
    p = problem(3, 50, 4, 3)
    y = np.array(["a", "b", "c"])[p.target()]
    model = SoftmaxRegression(class_weight="balanced").fit(p.X, y, p.weight)
    gap = model.duality_gap(p.X, y, p.weight)
    assert gap < 1e-9
    assert model.duality_gap(sparse.csr_array(p.X), y, p.weight) == pytest.approx(gap, rel=1e-3, abs=1e-13)
    single = SoftmaxRegression(class_weight="balanced").fit(p.X.astype(np.float32), y, p.weight)
    assert single.duality_gap(p.X.astype(np.float32), y, p.weight) < 1e-8
    assert model.duality_gap(p.X, y) > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_is_far_away(kind: str) -> None:
    """Where the intercept alone is far from its best too."""
    p = problem(3, 50, 4, 3, kind=kind)
    model = fit(p)
    model.coef_ = model.coef_ + 1.0 + np.arange(model.coef_.size).reshape(model.coef_.shape)
    model.intercept_ = model.intercept_ + 20.0 * np.arange(1, len(model.intercept_) + 1)
    distance = p.value(model.coef_, model.intercept_) - p.best()
    assert distance > 1
    assert model.duality_gap(p.X, p.target(), p.weight) >= distance


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_a_newton_decrement_is_the_distance_near_the_optimum(kind: str, C: float) -> None:
    p = problem(3, 80, 3, 3, C=C, kind=kind)
    best = p.best()
    model = fit(p, tol=1e-9)
    assert 0 <= model.newton_decrement(p.X, p.target(), p.weight) < 1e-13
    model.coef_ = model.coef_ + 1e-3 * np.random.default_rng(0).normal(size=model.coef_.shape)
    distance = p.value(model.coef_, model.intercept_) - best
    assert model.newton_decrement(p.X, p.target(), p.weight) == pytest.approx(distance, rel=2e-2)


def test_where_there_is_no_certificate() -> None:
    p = problem(3, 50, 4, 3, C=np.inf)
    y = p.target()
    with pytest.raises(OptionError, match="newton_decrement"):
        fit(p).duality_gap(p.X, y)
    p.C = 1.0
    for name in ("duality_gap", "newton_decrement"):
        with pytest.raises(OptionError, match="loss="):
            getattr(fit(p, loss="squared-error"), name)(p.X, y)
        with pytest.raises(DataError, match="classes of fit"):
            getattr(fit(p), name)(p.X, np.minimum(y, 1))
    with pytest.raises(OptionError, match="duality_gap"):
        fit(p, l1_ratio=0.5).newton_decrement(p.X, y)
