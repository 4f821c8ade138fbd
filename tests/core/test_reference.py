"""The float64 oracle of the library against 50-digit arithmetic, on every pair and regime."""

from __future__ import annotations

import math

import numpy as np
import pytest

import xent
from support import oracle
from support.bounds import REFERENCE
from support.measure import measure_reference
from support.problems import PREDICTIONS, REGIMES, TRUTHS, problem
from xent.core import reference

inf = math.inf


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("truth", TRUTHS)
def test_within_the_published_bound(truth: str, prediction: str) -> None:
    for regime in REGIMES:
        for n, k in ((6, 2), (4, 10)):
            found = measure_reference(problem(truth, prediction, "float64", regime, n, k, seed=1))
            assert found.loss <= REFERENCE[0], (regime, k)
            assert found.gradient <= REFERENCE[1], (regime, k)


@pytest.mark.parametrize("probability", [1e-300, 1e-16, 0.5, 1 - 1e-16])
def test_probabilities_from_the_smallest_to_almost_one(probability: float) -> None:
    p = oracle.mpf(probability)
    assert reference.surprisals([probability], "probs")[0] == pytest.approx(float(-oracle.mp.log(p)), rel=3e-16)
    yes, no = reference.binary_surprisals(probability, "probs")
    assert yes == pytest.approx(float(-oracle.mp.log(p)), rel=3e-16)
    assert no == pytest.approx(float(-oracle.mp.log1p(-p)), rel=3e-16)


@pytest.mark.parametrize("gap", [20.0, 36.0, 300.0, 700.0])
def test_a_confident_row_keeps_its_digits(gap: float) -> None:
    """ℓ = log(1 + e^−gap), which lse − z_y gives as 0 from gap = 37 on."""
    (loss,) = reference.losses(xent.Labels([0]), xent.Logits([[gap, 0.0]]))
    assert loss == pytest.approx(float(oracle.mp.log1p(oracle.mp.exp(-gap))), rel=1e-15)
    slope = reference.gradients(xent.Labels([0]), xent.Logits([[gap, 0.0]]))[0]
    assert slope[0] == pytest.approx(-float(1 / (1 + oracle.mp.exp(gap))), rel=1e-14)


def test_infinities() -> None:
    Q = xent.Logits([[0.0, -inf, 1.0]])
    assert reference.losses(xent.Labels([1]), Q)[0] == inf
    finite = reference.losses(xent.Distribution([[0.5, 0.0, 0.5]]), Q)[0]
    assert finite == pytest.approx(math.log(1 + math.e) - 0.5, rel=1e-15)
    assert reference.gradients(xent.Distribution([[0.5, 0.0, 0.5]]), Q)[0, 1] == 0.0
    assert reference.losses(xent.Labels([0]), xent.Logits([[inf, 1.0]]))[0] == 0.0
    assert math.isnan(reference.losses(xent.Labels([0]), xent.Logits([[inf, inf]]))[0])
    assert math.isnan(reference.losses(xent.Labels([0]), xent.Logits([[-inf, -inf]]))[0])
    for holds, x in (("logits", -inf), ("log_probs", -inf), ("probs", 0.0)):
        assert reference.binary_loss(1.0, x, holds) == inf
        assert reference.binary_loss(0.0, x, holds) == 0.0


def test_a_log_probability_next_to_zero_has_an_infinite_slope_and_no_error() -> None:
    assert reference.binary_gradient(0.0, -1e-310, "log_probs") == inf
    assert reference.binary_gradient(0.0, -0.0, "log_probs") == inf
    assert reference.binary_gradient(0.0, -800.0, "log_probs") == 0.0


def test_axis_and_ignored_labels() -> None:
    z = np.random.default_rng(0).normal(size=(2, 5, 3))
    y = np.array([[0, 4, -1], [2, -1, 3]])
    loss = reference.losses(xent.Labels(y, ignore=-1), xent.Logits(z, axis=1))
    slope = reference.gradients(xent.Labels(y, ignore=-1), xent.Logits(z, axis=1))
    assert loss.shape == y.shape
    assert slope.shape == z.shape
    for i, j in np.ndindex(2, 3):
        row = oracle.exact(z[i, :, j])
        if y[i, j] < 0:
            assert loss[i, j] == 0.0
            assert not slope[i, :, j].any()
            continue
        t, found = oracle.one_hot(int(y[i, j]), 5), oracle.row(row, "logits")
        assert loss[i, j] == pytest.approx(float(oracle.row_loss(t, found)), rel=1e-14)
        exact = [float(v) for v in oracle.row_gradient(t, found, row, "logits")]
        np.testing.assert_allclose(slope[i, :, j], exact, rtol=1e-14)
