"""``max_iter`` bounds the steps of a fit, whatever the solver makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from xent.linear_model import SoftmaxRegression


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cg", "gradient-descent"])
@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("count", [300, 20_000])
def test_no_more_steps_than_were_asked_for(solver: str, steps: int, count: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(count, 3))
    y = (X @ [1.0, -2.0, 0.5] + rng.logistic(size=count) > 0).astype(int) + (X[:, 0] > 1)
    with pytest.warns(ConvergenceWarning, match=f"after {steps} steps"):
        model = SoftmaxRegression(solver=solver, max_iter=steps, tol=1e-14).fit(X, y)
    assert model.n_iter_ == steps
    assert 1 <= len(model.trace_) <= steps


def test_few_steps_of_auto_still_go_down() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = (X @ [1.0, -2.0, 0.5] + rng.logistic(size=300) > 0).astype(int)
    with pytest.warns(ConvergenceWarning):
        values = [SoftmaxRegression(max_iter=k, tol=1e-14).fit(X, y).objective_ for k in (1, 2, 4)]
    assert np.log(2) > values[0] > values[1] > values[2]
