"""From 20,000 examples on, where the first steps use a share of them: data that a share does not know enough of."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from xent.linear_model import LogisticRegression, SeparationWarning, SoftmaxRegression, separation
from xent.linear_model.examples import Examples
from xent.linear_model.solvers import MANY
from xent.linear_model.truth import truth_of

COUNT = 24_000
assert COUNT >= MANY


def features(seed: int = 3) -> Any:
    return np.random.default_rng(seed).normal(size=(COUNT, 6))


def drawn(X: Any, seed: int = 4) -> Any:
    """Classes of which no feature is sure."""
    return (X[:, 0] + np.random.default_rng(seed).logistic(size=len(X)) > 0).astype(int)


@pytest.mark.parametrize("C", [1.0, 1e2, 1e4, 1e6])
def test_a_strong_signal(C: float) -> None:
    """Curvature that changes from step to step: what was learned of it on a share is soon wrong."""
    X = features()
    y = X[:, 0] > 0
    auto, plain = (LogisticRegression(C, solver=solver).fit(X, y) for solver in ("auto", "lbfgs"))
    assert auto.converged_
    assert auto.n_iter_ <= 60
    assert auto.n_passes_ <= 2 * plain.n_passes_
    assert auto.objective_ == pytest.approx(plain.objective_, rel=1e-5)


def test_classes_that_are_separated() -> None:
    X = features()
    with pytest.warns(SeparationWarning, match="complete"):
        model = LogisticRegression(C=np.inf).fit(X, X[:, 0] > 0)
    assert model.separable_ == "complete"
    assert model.n_iter_ <= 60
    # All but one example.
    y = X[:, 0] > 0
    y[np.argmax(X[:, 0])] = False
    model = LogisticRegression(C=np.inf).fit(X, y)
    assert model.separable_ is None
    assert model.converged_
    assert model.n_passes_ <= 60


def test_features_that_go_together() -> None:
    """A system of Newton's that takes hundreds of products."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, COUNT)
    X = 3.0 * rng.normal(size=(10, 30))[y] + rng.normal(size=(COUNT, 30)) * np.logspace(-1, 1, 30)
    auto, plain = (SoftmaxRegression(100.0, solver=solver).fit(X, y) for solver in ("auto", "lbfgs"))
    assert auto.converged_
    assert auto.n_passes_ <= 2 * plain.n_passes_ + 50
    assert auto.objective_ == pytest.approx(plain.objective_, abs=1e-6)


@pytest.mark.parametrize("ones", [1, 3, 10, 20])
@pytest.mark.parametrize("kind", ["float64", "float32", "sparse", "four classes"])
def test_a_rare_feature_that_one_class_alone_has(kind: str, ones: int) -> None:
    X = features()
    if kind == "sparse":
        X = np.abs(X) * (X > 1)
    y = drawn(X) + (2 * drawn(X[:, 1:], 5) if kind == "four classes" else 0)
    rng = np.random.default_rng(ones)
    for again in range(2):
        rare = np.zeros(COUNT)
        rare[rng.choice(np.flatnonzero(y == 1), ones, replace=False)] = 1.0
        with_rare: Any = np.column_stack([X, rare])
        if kind == "float32":
            with_rare = with_rare.astype(np.float32)
        if kind == "sparse":
            with_rare = csr_array(with_rare)
        with pytest.warns(SeparationWarning, match="quasi-complete"):
            model = SoftmaxRegression(C=np.inf).fit(with_rare, y)
        assert np.abs(model.coef_).max() < 100.0
        # One of each other class has it too.
        for other in np.unique(y[y != 1]):
            rare[np.flatnonzero(y == other)[again]] = 1.0
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert SoftmaxRegression(C=np.inf).fit(np.column_stack([X, rare]), y).separable_ is None


def test_a_penalty_that_hardly_holds_a_rare_feature() -> None:
    X = features()
    y = drawn(X)
    rare = np.zeros(COUNT)
    rare[np.flatnonzero(y == 1)[:5]] = 1.0
    model = LogisticRegression(1e6, tol=1e-8).fit(np.column_stack([X, rare]), y)
    assert model.converged_
    assert model.n_iter_ <= 60


@pytest.mark.parametrize("far", [20.0, 1e3, 1e6])
def test_the_verdict_does_not_depend_on_where_a_solver_stopped(far: float) -> None:
    """So far out that the slope along what separates is 0 in float64."""
    X = features()
    y = drawn(X)
    rare = np.zeros(COUNT)
    rare[np.flatnonzero(y == 1)[:5]] = 1.0
    model = LogisticRegression(C=np.inf)
    for feature, expected in ((rare, "quasi-complete"), (1e3 * rare * X[:, 1], None)):
        if expected is None:
            # Both signs, and one class.
            feature[np.flatnonzero(y == 0)[:5]] = 1e3 * X[np.flatnonzero(y == 0)[:5], 1]
        objective = model._objective(Examples(np.column_stack([X, feature])), truth_of(y, COUNT), np.ones(COUNT))
        at = objective.start(np.array([[1.0, 0, 0, 0, 0, 0, far]]), np.zeros(1))
        assert separation.separation(objective, at, converged=True) == expected
