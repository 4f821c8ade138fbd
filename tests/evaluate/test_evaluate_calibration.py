"""Calibration: right about models of which the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate_files import model
from scipy.special import softmax

from xent.evaluate.calibration import calibration, equal_count_bins, expected_error, squared_error
from xent.evaluate.grid import CELLS, Grid
from xent.evaluate.scoring import score


def grid_of(forecast, outcome):
    state = Grid()
    state.update(np.asarray(forecast, dtype=float), np.asarray(outcome, dtype=bool))
    return state


def found_of(logits, truth):
    judged = score(logits, truth, "logits").judged
    return calibration(grid_of(judged.forecast, judged.outcome), "top label")


def test_calibrated_models_are_seldom_refused():
    p_values = np.array([found_of(*model(rows=500, seed=seed))["squared"]["p_value"] for seed in range(300)])
    # the null draws from the bins' mean forecasts, a little wider than the truth: at most 5%, give or take
    assert np.mean(p_values < 0.05) < 0.085
    assert 0.4 < np.mean(p_values) < 0.65


@pytest.mark.parametrize("factor", [0.6, 1.6])
def test_miscalibrated_models_are_found(factor):
    for seed in range(10):
        logits, truth = model(rows=4000, seed=seed)
        found = found_of(logits * factor, truth)
        assert found["squared"]["p_value"] < 0.001
        assert found["squared"]["value"] > found["squared"]["null_high"]


def test_squared_error_is_unbiased_where_ece_is_not():
    found = [found_of(*model(rows=1000, seed=seed)) for seed in range(200)]
    squared = np.array([f["squared"]["value"] for f in found])
    ece = np.array([f["ece"]["value"] for f in found])
    assert abs(squared.mean()) < 4 * squared.std() / np.sqrt(200) + 2e-5
    assert ece.mean() > 0.02
    # and the null says so: it knows ECE's bias
    null = np.array([f["ece"]["null_mean"] for f in found])
    assert null.mean() == pytest.approx(ece.mean(), rel=0.1)


def test_the_formula_on_two_bins():
    n, forecast, frequency = np.array([4.0, 6.0]), np.array([0.5, 0.9]), np.array([0.25, 0.5])
    expected = 0.4 * (0.25**2 - 0.25 * 0.75 / 3) + 0.6 * (0.4**2 - 0.5 * 0.5 / 5)
    assert squared_error(n, forecast, frequency) == pytest.approx(expected, rel=1e-12)
    assert expected_error(n, forecast, frequency) == pytest.approx(0.4 * 0.25 + 0.6 * 0.4, rel=1e-12)


def test_known_size_of_a_known_error():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.3, 0.7, 400_000)
    found = calibration(grid_of(p, rng.uniform(size=400_000) < p + 0.1), "yes")
    assert found["squared"]["value"] == pytest.approx(0.01, rel=0.05)
    assert found["ece"]["value"] == pytest.approx(0.1, rel=0.05)


def test_bins_hold_every_row_in_order_and_about_equally():
    logits, truth = model(rows=3001)
    found = found_of(logits, truth)
    counts = [b["n"] for b in found["bins"]]
    assert sum(counts) == 3001
    assert len(counts) == 15
    assert max(counts) < 1.1 * min(counts)
    top = softmax(logits, axis=1).max(axis=1)
    assert found["bins"][0]["low"] == pytest.approx(top.min(), abs=1e-2)
    for before, after in zip(found["bins"][:-1], found["bins"][1:], strict=True):
        assert before["high"] <= after["low"]
    for b in found["bins"]:
        assert b["low"] <= b["confidence"] <= b["high"]
        assert b["frequency_low"] <= b["frequency"] <= b["frequency_high"]


@pytest.mark.parametrize(
    ("forecast", "bins"),
    [([0.5] * 100, 1), ([1.0] * 50, 1), ([0.0, 1.0] * 50, 2), ([0.1, 0.2, 0.9], 1), (np.linspace(0, 1, 40), 4)],
)
def test_ties_certainties_and_few_rows(forecast, bins):
    outcome = np.arange(len(forecast)) % 2 == 0
    found = calibration(grid_of(forecast, outcome), "yes")
    assert len(found["bins"]) == bins
    assert min(b["n"] for b in found["bins"]) >= 2
    assert np.isfinite(found["squared"]["value"])


def test_a_lone_row_joins_its_neighbours():
    found = equal_count_bins(grid_of([0.01] + [0.99] * 99, [False] * 100))
    assert found.n.min() >= 2


def test_fewer_than_two_rows_say_nothing():
    assert calibration(grid_of([0.5], [True]), "yes") is None


def test_certain_and_wrong_is_certainly_miscalibrated():
    found = calibration(grid_of([1.0] * 50, [True] * 40 + [False] * 10), "yes")
    assert found["squared"]["p_value"] == pytest.approx(1e-4)
    assert found["bins"][0]["confidence"] == 1.0


def test_the_same_file_gives_the_same_p_value():
    logits, truth = model()
    assert found_of(logits, truth) == found_of(logits, truth)


def test_cells_sum_to_what_came_in():
    p = np.concatenate([[0.0, 1.0, 1.0 + 1e-6], np.random.default_rng(0).uniform(size=1000)])
    state = grid_of(p, p > 0.5)
    assert state.n.sum() == 1003
    assert state.forecast.sum() == pytest.approx(p.sum(), rel=1e-12)
    assert state.outcome.sum() == (p > 0.5).sum()
    assert len(state.n) == CELLS
