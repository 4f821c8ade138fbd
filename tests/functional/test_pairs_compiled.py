"""All pairs of P and Q in code that XLA compiled, for JAX and for TensorFlow, against 50-digit arithmetic."""

from __future__ import annotations

import pytest

from support.bounds import BOUNDS
from support.measure import measure
from support.problems import COMPILED, PREDICTIONS, REGIMES, TRUTHS, problem


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize(
    ("library", "dtype"), [(library, dtype) for library, dtypes in COMPILED.items() for dtype in dtypes]
)
def test_within_the_published_bound(truth: str, prediction: str, library: str, dtype: str) -> None:
    for regime in REGIMES:
        found = measure(problem(truth, prediction, dtype, regime, 5, 7, seed=11), library)
        assert found.loss <= BOUNDS[prediction][0], regime
        assert found.gradient <= BOUNDS[prediction][1], regime
