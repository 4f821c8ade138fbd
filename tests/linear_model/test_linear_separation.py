"""Data that can be separated are recognised, and no others."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from linear_formulas import problem
from scipy import sparse
from scipy.optimize import OptimizeResult

import xent
from xent.linear_model import LogisticRegression, SeparationWarning, SoftmaxRegression
from xent.linear_model import separation as module

BOTH = pytest.mark.parametrize("kind", [SoftmaxRegression, LogisticRegression])
#: Whether the linear programme decides, or the step that grows.
WAYS = pytest.mark.parametrize("numbers", [50_000, 0])


def separable(model: Any, X: Any, y: Any, weight: Any = None) -> str | None:
    """``separable_``, and that the warning is there where it is to be."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = model.fit(X, y, weight)
    assert len(said) == (found.separable_ is not None)
    for each in said:
        assert issubclass(each.category, SeparationWarning)
        assert f"({found.separable_})" in str(each.message)
        assert "Write a finite C" in str(each.message)
        assert each.filename == __file__
    return found.separable_  # type: ignore[no-any-return]


@BOTH
@WAYS
def test_two_classes(kind: Any, numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NUMBERS", numbers)
    x = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
    y = x > 0
    assert separable(kind(C=np.inf), x[:, None], y) == "complete"
    # One value at which both classes are.
    touching = np.append(x, [1.0])[:, None]
    assert separable(kind(C=np.inf), touching, np.append(y, False)) == "quasi-complete"
    # One example among the others.
    assert separable(kind(C=np.inf), np.append(x, [1.5])[:, None], np.append(y, False)) is None
    # Which does not count.
    weight = np.append(np.ones(6), 0.0)
    assert separable(kind(C=np.inf), np.append(x, [1.5])[:, None], np.append(y, False), weight) == "complete"
    # Around a threshold that is not 0.
    assert separable(kind(C=np.inf), x[:, None] + 10, y) == "complete"
    assert separable(kind(C=np.inf, fit_intercept=False), x[:, None] + 10, y) is None


@BOTH
@WAYS
def test_a_feature_that_one_class_alone_has(kind: Any, numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NUMBERS", numbers)
    p = problem(3, 80, 3, 2, weighted=False)
    y = p.target()
    assert separable(kind(C=np.inf), p.X, y) is None
    rare = np.zeros(80)
    rare[np.flatnonzero(y == 1)[:5]] = 1.0
    for scale in (1e-2, 1.0, 1e2):
        X = np.column_stack([p.X, scale * rare])
        assert separable(kind(C=np.inf), X, y) == "quasi-complete"
        assert separable(kind(C=np.inf), sparse.csr_array(X), y) == "quasi-complete"
    assert separable(kind(C=np.inf), np.column_stack([p.X, rare]).astype(np.float32), y) == "quasi-complete"


@WAYS
def test_several_classes(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NUMBERS", numbers)
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 20)
    corners = np.array([[0.0, 10.0], [-10.0, -10.0], [10.0, -10.0]])
    X = corners[y] + rng.normal(size=(60, 2))
    assert separable(SoftmaxRegression(C=np.inf), X, y) == "complete"
    # Classes 0 and 1 in one place, 2 apart.
    corners[0] = corners[1]
    X = corners[y] + rng.normal(size=(60, 2))
    assert separable(SoftmaxRegression(C=np.inf), X, y) == "quasi-complete"
    X = 0 * corners[y] + rng.normal(size=(60, 2))
    assert separable(SoftmaxRegression(C=np.inf), X, y) is None


@WAYS
def test_soft_truth_and_yes_or_no(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NUMBERS", numbers)
    p = problem(3, 60, 3, 3, kind="distribution", weighted=False)
    assert separable(SoftmaxRegression(C=np.inf), p.X, p.target()) is None
    # A class of which there is nothing: its intercept falls for ever.
    without = np.where(np.arange(3) == 2, 0.0, p.T)
    without /= without.sum(axis=1, keepdims=True)
    assert separable(SoftmaxRegression(C=np.inf), p.X, xent.Distribution(without)) == "quasi-complete"
    p = problem(3, 60, 3, 2, kind="indicators", weighted=False)
    assert separable(SoftmaxRegression(C=np.inf), p.X, p.target()) is None
    one = np.column_stack([p.T[:, 0], p.X[:, 0] > 0])
    assert separable(SoftmaxRegression(C=np.inf), p.X, xent.Indicators(one)) == "quasi-complete"
    both = np.column_stack([p.X[:, 1] > 0.3, p.X[:, 0] > 0])
    assert separable(SoftmaxRegression(C=np.inf), p.X, xent.Indicators(both)) == "complete"


@pytest.mark.parametrize("seed", range(20))
def test_the_step_says_what_the_programme_says(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of few examples of whole numbers, of which some are separated and some are not."""
    rng = np.random.default_rng(seed)
    X, y = rng.integers(-2, 3, (14, 2)).astype(float), rng.integers(0, 2, 14)
    y[:2] = 0, 1
    model = LogisticRegression(C=np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exact = model.fit(X, y).separable_
        monkeypatch.setattr(module, "_NUMBERS", 0)
        assert model.fit(X, y).separable_ == exact


def test_with_a_penalty_nothing_is_said() -> None:
    x = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
    y = x > 0
    assert separable(SoftmaxRegression(C=1.0), x[:, None], y) is None
    assert separable(SoftmaxRegression(C=1e3, l1_ratio=0.5), x[:, None], y) is None
    assert separable(SoftmaxRegression(C=np.inf, loss="squared-error"), x[:, None], y) is None


def test_more_features_than_examples() -> None:
    rng = np.random.default_rng(0)
    assert separable(SoftmaxRegression(C=np.inf), rng.normal(size=(10, 20)), np.arange(10) % 3) == "complete"


def test_many_examples() -> None:
    """More than a linear programme is asked about, of which few are separated."""
    p = problem(3, 25_000, 4, 3, weighted=False)
    y = p.target()
    assert separable(SoftmaxRegression(C=np.inf), p.X, y) is None
    rare = np.zeros(25_000)
    rare[np.flatnonzero(y != 1)[:30]] = 1.0
    assert separable(SoftmaxRegression(C=np.inf), np.column_stack([p.X, rare]), y) == "quasi-complete"
    rare[np.flatnonzero(y == 1)[:2]] = 1.0
    assert separable(SoftmaxRegression(C=np.inf), np.column_stack([p.X, rare]), y) is None


@pytest.mark.parametrize("seed", range(4))
def test_where_a_short_step_shows_the_maximum_no_programme_is_asked(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a programme may be more than its solver can do, which then goes on without end."""
    monkeypatch.setattr(module, "linprog", None)
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 4))
    y = (X @ rng.normal(size=(4, 3)) + rng.gumbel(size=(300, 3))).argmax(axis=1)
    assert separable(SoftmaxRegression(C=np.inf), X, y) is None


def test_where_no_programme_is_solved_steps_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def unsolved(*_: Any, options: Any, **__: Any) -> Any:
        asked.append(options["time_limit"])
        return OptimizeResult(status=4)

    monkeypatch.setattr(module, "linprog", unsolved)
    p = problem(3, 80, 3, 2, weighted=False)
    y = p.target()
    rare = np.zeros(80)
    rare[np.flatnonzero(y == 1)[:5]] = 1.0
    assert separable(SoftmaxRegression(C=np.inf), np.column_stack([p.X, rare]), y) == "quasi-complete"
    assert len(asked) == 3
    assert max(asked) <= 60.0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_likelihood_that_is_flat_to_rounding_has_a_maximum(seed: int) -> None:
    """Three rows have the feature, and other features are certain of all of them: its weight may be anything in a
    wide range, but not beyond."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=(30_000, 5)), np.zeros(30_000)])
    X[5:8, 5] = 1.0
    y = X[:, :5] @ (20.0 * rng.normal(size=5)) + rng.logistic(size=30_000) > 0
    y[5:8] = False, True, True
    assert separable(LogisticRegression(C=np.inf, tol=1e-8), X, y) is None
    y[5] = True
    assert separable(LogisticRegression(C=np.inf, tol=1e-8), X, y) == "quasi-complete"
