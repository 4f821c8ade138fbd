"""Intervals and tests against scipy, and by what they promise: to hold the truth 95 times in a hundred."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from xent.evaluate.intervals import clopper_pearson, mcnemar, of_mean, of_ratio, t_test, wilson
from xent.evaluate.moments import Mean, Ratio


def mean_of(values):
    state = Mean()
    state.update(np.asarray(values, dtype=float))
    return state


@pytest.mark.parametrize("n", [2, 5, 400])
def test_mean_interval_and_p_value_are_students(n):
    x = np.random.default_rng(n).normal(0.2, 1, n)
    expected = stats.ttest_1samp(x, 0.0)
    found = of_mean(mean_of(x))
    assert t_test(mean_of(x)) == pytest.approx(expected.pvalue, rel=1e-9)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_mean_of_one_of_none_and_of_an_infinite():
    assert math.isnan(of_mean(mean_of([1.0])).low)
    assert of_mean(mean_of([1.0])).value == 1.0
    assert math.isnan(of_mean(mean_of([])).value)
    assert of_mean(mean_of([1.0, np.inf])).low == math.inf
    assert math.isnan(t_test(mean_of([1.0])))
    assert t_test(mean_of([0.0, 0.0])) == 1.0
    assert t_test(mean_of([1.0, 1.0])) == 0.0


def test_an_interval_stops_where_the_figure_must():
    found = of_mean(mean_of([0.0, 0.0, 1.0]), 0.0)
    assert found.low == 0.0
    assert found.high > 1 / 3


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (30, 899)])
def test_wilson_and_clopper_pearson_are_scipys(k, n):
    test = stats.binomtest(k, n)
    expected = test.proportion_ci(method="wilson")
    found = wilson(k, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    exact = test.proportion_ci(method="exact")
    low, high = clopper_pearson(np.array([float(k)]), np.array([float(n)]))
    assert (low[0], high[0]) == pytest.approx((exact.low, exact.high), abs=1e-12)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (7, 7), (1, 9), (120, 80)])
def test_mcnemar_is_the_exact_sign_test(b, c):
    expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(expected, rel=1e-12)


def test_loss_and_ratio_intervals_cover():
    rng = np.random.default_rng(42)
    times, rows = 2000, 300
    mean_hits = ratio_hits = 0
    for _ in range(times):
        size = rng.integers(1, 10, rows).astype(float)
        loss = rng.exponential(size)  # E loss = 5, E loss / E size = 1
        mean, ratio = of_mean(mean_of(loss)), Ratio()
        ratio.update(loss, size)
        found = of_ratio(ratio, 1.0)
        mean_hits += mean.low <= 5.0 <= mean.high
        ratio_hits += found.low <= 1.0 <= found.high
    # 95% of 2000, give or take four standard deviations of the binomial, and a little for the skew of n = 300
    assert 0.925 < mean_hits / times < 0.97
    assert 0.925 < ratio_hits / times < 0.97
