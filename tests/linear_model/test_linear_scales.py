"""Features on scales that are far apart."""

from __future__ import annotations

import numpy as np
import pytest

from xent.linear_model import SoftmaxRegression


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
