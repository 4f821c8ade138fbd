"""Other losses: hinge against scikit-learn's support vector machines, the squared error, and losses of xent."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from linear_formulas import Problem, problem
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, LinearSVC

import xent
from xent.errors import OptionError
from xent.linear_model import LogisticRegression, SoftmaxRegression
from xent.linear_model.smoothing import TEMPERATURES

FOCAL = xent.losses.Loss(shaping=xent.Focal(2.0, soft="surprisal"))


def hinge(p: Problem, W: np.ndarray, b: np.ndarray) -> float:
    z = p.X @ W.T + b
    if p.joint:
        each = sum(p.T[:, k] * ((z + 1 - np.eye(z.shape[1])[k]).max(axis=1) - z[:, k]) for k in range(z.shape[1]))
    else:
        each = (p.T * np.maximum(0, 1 - z) + (1 - p.T) * np.maximum(0, 1 + z)).sum(axis=1)
    return float((p.weight @ each + (W**2).sum() / (2 * p.C)) / p.weight.sum())


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cg"])
def test_hinge_of_two_classes_is_a_support_vector_machine(solver: str) -> None:
    p = problem(4, 60, 3, kind="one column", weighted=False)
    mine = LogisticRegression(loss="hinge", solver=solver, tol=1e-5, max_iter=5000).fit(p.X, p.target())
    theirs = SVC(kernel="linear", C=1.0, tol=1e-10).fit(p.X, p.target())
    best = hinge(p, theirs.coef_, theirs.intercept_)
    assert mine.objective_ == pytest.approx(hinge(p, mine.coef_, mine.intercept_), rel=1e-9)
    assert -1e-9 <= mine.objective_ - best <= TEMPERATURES[-1] * np.log(2) + 1e-6
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=5e-3)


def test_hinge_of_several_classes_is_crammer_and_singers() -> None:
    p = problem(4, 60, 3, 3, weighted=False, intercept=False)
    mine = SoftmaxRegression(loss="hinge", fit_intercept=False, tol=1e-5).fit(p.X, p.target())
    theirs = LinearSVC(
        multi_class="crammer_singer", C=1.0, tol=1e-10, fit_intercept=False, max_iter=100_000, random_state=0
    ).fit(p.X, p.target())
    best = hinge(p, theirs.coef_, np.zeros(3))
    assert -1e-8 <= mine.objective_ - best <= TEMPERATURES[-1] * np.log(3) + 1e-6
    np.testing.assert_allclose(mine.decision_function(p.X), theirs.decision_function(p.X), atol=2e-2)


def test_hinge_of_a_soft_truth_is_that_of_weighted_labels() -> None:
    p = problem(6, 30, 3, 3, kind="distribution")
    soft = SoftmaxRegression(loss="hinge", tol=1e-5, max_iter=5000).fit(p.X, p.target(), p.weight)
    rows, weight = np.repeat(p.X, 3, axis=0), (p.weight[:, None] * p.T).ravel()
    hard = SoftmaxRegression(loss="hinge", tol=1e-5).fit(rows, np.tile(np.arange(3), 30), weight)
    assert soft.objective_ == pytest.approx(hard.objective_, abs=1e-6)
    assert soft.objective_ == pytest.approx(hinge(p, soft.coef_, soft.intercept_), rel=1e-9)


def test_hinge_of_yes_and_no() -> None:
    p = problem(7, 60, 3, 2, kind="indicators", weighted=False)
    mine = SoftmaxRegression(loss="hinge", tol=1e-5).fit(p.X, p.target(), p.weight)
    best = 0.0
    for k in range(2):
        theirs = SVC(kernel="linear", C=1.0, tol=1e-8).fit(p.X, p.T[:, k])
        column = Problem(p.X, p.T[:, k : k + 1], p.weight, 1.0, "one column", True)
        best += hinge(column, theirs.coef_, theirs.intercept_)
    assert -1e-8 <= mine.objective_ - best <= 2 * TEMPERATURES[-1] * np.log(2) + 1e-6


def test_hinge_with_too_few_steps_says_so() -> None:
    p = problem(4, 60, 3, 3)
    with pytest.warns(match="after 5 steps"):
        found = SoftmaxRegression(loss="hinge", max_iter=5).fit(p.X, p.target())
    assert not found.converged_
    assert found.n_iter_ == 5


def each(loss: str, p: Problem, z: np.ndarray) -> np.ndarray:
    q = softmax(z, axis=1) if p.joint else expit(z)
    if loss == "squared-error":
        return ((q - p.T) ** 2).sum(axis=1)
    if p.joint:
        surprisal = -np.log((q * p.T).sum(axis=1))
        return (1 - np.exp(-surprisal)) ** 2 * surprisal
    surprisal = -np.log(np.where(p.T == 1, q, 1 - q))
    return ((1 - np.exp(-surprisal)) ** 2 * surprisal).sum(axis=1)


@pytest.mark.parametrize(("solver", "slice_", "most"), [("auto", 8, 30), ("newton-cg", 1, 40), ("proximal", 40, 20)])
def test_hinge_in_slices_comes_to_its_optimum_and_stays_there(solver: str, slice_: int, most: int) -> None:
    p = problem(4, 300, 3, 3)
    options: dict[str, Any] = {"l1_ratio": 0.3} if solver == "proximal" else {}
    whole = SoftmaxRegression(loss="hinge", solver=solver, **options).fit(p.X, p.target())
    model = SoftmaxRegression(loss="hinge", solver=solver, max_iter=slice_, warm_start=True, **options)
    assert whole.converged_
    assert whole.n_iter_ > slice_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(most):
            if model.fit(p.X, p.target()).converged_:
                break
    assert model.converged_
    assert model.objective_ == pytest.approx(whole.objective_, rel=1e-6)
    # Where it stands already nothing is left to do, and another problem starts where it is easy.
    assert model.fit(p.X, p.target()).n_iter_ == 0
    other = SoftmaxRegression(0.01, loss="hinge", solver=solver, **options)
    model.set_params(C=0.01, max_iter=1000)
    assert model.fit(p.X, p.target()).objective_ == pytest.approx(other.fit(p.X, p.target()).objective_, rel=1e-6)
    assert model.converged_


@pytest.mark.parametrize("kind", ["labels", "indicators", "one column"])
@pytest.mark.parametrize("loss", ["squared-error", "focal"])
def test_a_smooth_loss_ends_where_nothing_near_is_lower(loss: str, kind: str) -> None:
    p = problem(8, 60, 3, 3, kind=kind)
    model = (LogisticRegression if kind == "one column" else SoftmaxRegression)(
        loss=FOCAL if loss == "focal" else loss, tol=1e-8
    ).fit(p.X, p.target(), p.weight)
    K = p.T.shape[1]

    def value(u: Any) -> float:
        U = u.reshape(K, 4)
        total = p.weight @ each(loss, p, p.X @ U[:, :3].T + U[:, 3]) + (U[:, :3] ** 2).sum() / 2
        return float(total / p.weight.sum())

    here = np.column_stack([model.coef_, model.intercept_]).ravel()
    assert value(here) == pytest.approx(model.objective_, rel=1e-10)
    assert minimize(value, here, method="Nelder-Mead", options={"maxiter": 400}).fun > value(here) - 1e-9
    assert value(np.zeros(4 * K)) > value(here) + 1e-3


def test_newton_needs_a_curvature() -> None:
    p = problem(1)
    for loss in ("squared-error", FOCAL):
        with pytest.raises(OptionError, match="It has no curvature here"):
            SoftmaxRegression(loss=loss, solver="newton-cg").fit(p.X, p.target())


def test_newton_of_a_hinge_needs_one_class_a_row() -> None:
    p = problem(1)
    soft = xent.Distribution(softmax(p.X @ np.ones((p.X.shape[1], 3)) * [0, 1, 2], axis=1))
    with pytest.raises(OptionError, match="It has no curvature here"):
        SoftmaxRegression(loss="hinge", solver="newton-cg").fit(p.X, soft)
    halves = xent.Indicators(np.full((len(p.X), 2), 0.5))
    assert SoftmaxRegression(loss="hinge", solver="newton-cg").fit(p.X, halves).converged_


@pytest.mark.parametrize("loss", ["crossentropy", None, 3, ["hinge"]])
def test_losses_that_are_none(loss: Any) -> None:
    p = problem(1)
    with pytest.raises(OptionError, match="loss=: expected one of 'cross-entropy'"):
        SoftmaxRegression(loss=loss).fit(p.X, p.target())


def test_a_loss_that_sees_a_constant_in_all_classes() -> None:
    """The z-loss: no constant may be taken off the result."""
    p = problem(3, 50, 3, 3)
    loss = xent.losses.Loss(penalties=[xent.ZLoss(0.5)])
    model = SoftmaxRegression(loss=loss, tol=1e-8).fit(p.X, p.target(), p.weight)
    z = p.X @ model.coef_.T + model.intercept_
    normaliser = np.log(np.exp(z).sum(axis=1))
    value = p.weight @ (p.loss(z) + 0.5 * normaliser**2) + (model.coef_**2).sum() / 2
    assert value / p.weight.sum() == pytest.approx(model.objective_, rel=1e-10)


def test_scores_as_the_loss_has_them_in_use() -> None:
    """A temperature in the loss is one of the model; a margin is not."""
    p = problem(3, 50, 3, 3)
    warm = SoftmaxRegression(loss=xent.losses.Loss(scores=xent.losses.Scores(scale=0.25)), C=16.0, tol=1e-9)
    plain = SoftmaxRegression(tol=1e-9).fit(p.X, p.target())
    warm.fit(p.X, p.target())
    np.testing.assert_allclose(warm.predict_proba(p.X), plain.predict_proba(p.X), atol=1e-6)
    np.testing.assert_allclose(warm.coef_, 4 * plain.coef_, atol=1e-4)


@pytest.mark.parametrize("loss", ["squared-error", FOCAL])
def test_float32_where_values_are_too_near_to_tell(loss: Any) -> None:
    """Quasi-Newton stops where no value is lower; the gradient is not yet small there."""
    p = problem(3, 200, 5, 3)
    single = SoftmaxRegression(loss=loss).fit(p.X.astype(np.float32), p.target())
    assert single.converged_
    np.testing.assert_allclose(single.coef_, SoftmaxRegression(loss=loss).fit(p.X, p.target()).coef_, atol=1e-4)


def test_hinge_in_float32_ends_at_a_higher_temperature() -> None:
    p = problem(4, 60, 3, kind="one column", weighted=False)
    single = LogisticRegression(loss="hinge", tol=1e-4).fit(p.X.astype(np.float32), p.target())
    exact = LogisticRegression(loss="hinge", tol=1e-4).fit(p.X, p.target())
    assert 0 <= single.objective_ - exact.objective_ <= 1e-3 * np.log(2)
