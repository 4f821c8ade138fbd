"""Every solver comes to the optimum that SciPy finds on the formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_formulas import Problem, problem

from xent.linear_model import LogisticRegression, SoftmaxRegression

SOLVERS = ("auto", "lbfgs", "newton-cg", "gradient-descent", "proximal")


@st.composite
def problems(draw: Any, n: int = 5, C: float = 100.0) -> Problem:
    """Of n examples at least, with so weak a penalty at most."""
    return problem(
        draw(st.integers(0, 10_000)),
        draw(st.integers(n, 60)),
        draw(st.integers(1, 8)),
        draw(st.integers(2, 4)),
        C=draw(st.floats(1e-2, C)),
        kind=draw(st.sampled_from(["labels", "distribution", "indicators", "one column"])),
        spread=draw(st.sampled_from([0.0, 2.0])),
        weighted=draw(st.booleans()),
        intercept=draw(st.booleans()),
    )


def model(p: Problem, **options: Any) -> SoftmaxRegression:
    kind = LogisticRegression if p.kind == "one column" else SoftmaxRegression
    return kind(C=p.C, fit_intercept=p.intercept, **options).fit(p.X, p.target(), p.weight)


@pytest.mark.parametrize("solver", SOLVERS)
@settings(max_examples=60)
@given(data=st.data())
def test_every_solver_comes_to_the_optimum(solver: str, data: Any) -> None:
    # Gradient descent is for problems in which no example is all but certain: then the curvature is nearly the same
    # everywhere.
    p = data.draw(problems(30, 1.0) if solver == "gradient-descent" else problems())
    found = model(p, solver=solver, tol=1e-7, max_iter=20_000)
    value = p.value(found.coef_, found.intercept_)
    assert found.converged_
    assert found.gradient_norm_ <= 1e-7
    assert found.objective_ == pytest.approx(value, rel=1e-12, abs=1e-14)
    assert value - p.best() == pytest.approx(0.0, abs=2e-10)


@pytest.mark.parametrize("solver", SOLVERS)
def test_trace(solver: str) -> None:
    found = model(problem(3, kind="labels", spread=1.0), solver=solver)
    values, gradients, passes = (
        np.array([getattr(t, k) for t in found.trace_]) for k in ("value", "gradient", "passes")
    )
    assert len(found.trace_) == found.n_iter_
    assert values[-1] == found.objective_
    assert gradients[-1] == found.gradient_norm_
    assert (np.diff(values) <= 1e-12).all()
    assert (np.diff(passes) >= 1).all()
    assert passes[0] >= 2
    assert passes[-1] <= found.n_passes_ <= passes[-1] + 1


def test_many_examples_begin_with_a_share_of_them() -> None:
    p = problem(5, 30_000, 3, 3)
    found = model(p, tol=1e-9)
    assert found.converged_
    by_W, by_b = p.slope(found.coef_, found.intercept_)
    assert max(np.abs(by_W).max(), np.abs(by_b).max()) < 1e-8
    assert len(found.trace_) < found.n_iter_


def test_a_share_in_which_nothing_counts() -> None:
    p = problem(5, 30_000, 3, 3)
    rows = np.random.default_rng(0).choice(30_000, 30_000 // 16, replace=False)
    p.weight = np.where(np.isin(np.arange(30_000), rows), 0.0, p.weight)
    assert model(p, tol=1e-9).converged_


def test_few_steps_are_said() -> None:
    with pytest.warns(match="after 2 steps, tol=1e-06: .*max_iter"):
        found = model(problem(1, C=1e4), solver="newton-cg", max_iter=2)
    assert not found.converged_
    assert found.n_iter_ == 2


@pytest.mark.parametrize("solver", ["auto", "newton-cg", "gradient-descent", "lbfgs"])
def test_no_more_steps_than_asked_for(solver: str) -> None:
    p = problem(2, C=1e4)
    for steps in (1, 3):
        with pytest.warns(match=f"after {steps} steps"):
            assert model(p, solver=solver, max_iter=steps, tol=1e-12).n_iter_ == steps


def test_a_tolerance_beyond_rounding_is_said() -> None:
    with pytest.warns(match="rounding"):
        found = model(problem(2), solver="newton-cg", tol=1e-30)
    assert found.gradient_norm_ < 1e-12
    assert found.n_passes_ < 300


def test_columns_that_go_together_and_are_badly_scaled() -> None:
    """Scales from 10⁻² to 10², where gradient methods in the coordinates of X do not arrive."""
    rng = np.random.default_rng(0)
    p = problem(9, 400, 12, 3, C=10.0)
    mixed = p.X @ rng.normal(size=(12, 12))
    p.X = mixed / mixed.std(axis=0) * np.logspace(-2, 2, 12)
    found = model(p, tol=1e-8)
    assert p.value(found.coef_, found.intercept_) - p.best() == pytest.approx(0.0, abs=1e-10)
    assert found.n_passes_ < 150
