"""States merge: however the rows are split, the figures are the same."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from evaluate_files import model
from hypothesis import given, settings
from hypothesis import strategies as st

from xent.evaluate.comparison import Comparison
from xent.evaluate.detail import Detail
from xent.evaluate.histogram import Histogram
from xent.evaluate.moments import GroupMeans, Mean, Ratio
from xent.evaluate.options import FLOOR
from xent.evaluate.result import to_json
from xent.evaluate.scoring import score
from xent.evaluate.summary import Summary

LOGITS, TRUTH = model(rows=400, classes=4, seed=8)
LOGITS[[17, 230], TRUTH[[17, 230]]] = -np.inf  # two infinite losses
ROWS = np.arange(1, 401)

cuts = st.lists(st.integers(0, 400), max_size=6).map(lambda c: [0, *sorted(c), 400])


def summary_of(parts):
    state = Summary("classes", FLOOR, has_bytes=False)
    detail = Detail(4)
    for part in parts:
        scores = score(LOGITS[part], TRUTH[part], "logits")
        state.update(scores, ROWS[part], None)
        detail.update(scores, ROWS[part], None)
    return state, detail


def read(state, detail):
    found = to_json(state.to_dict())
    found["losses"] = detail.losses.linear(60)
    found["quantile"] = detail.losses.quantile(0.9)
    found["hardest"] = [(row.row, row.truth, row.predicted) for row in detail.hardest.kept]
    found["confusion"] = detail.per_class.confusion.tolist()
    found["wrong"] = detail.per_class.wrong.tolist()
    found["classes"] = [vars(detail.per_class.loss.of(k)) for k in range(4)]
    return found


def same(found, expected, path=""):
    """Raises where two results differ by more than 1e-12, relative."""
    assert type(found) is type(expected), path
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), path
        for key in expected:
            same(found[key], expected[key], f"{path}.{key}")
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), path
        for index, (left, right) in enumerate(zip(found, expected, strict=True)):
            same(left, right, f"{path}[{index}]")
    elif isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-13), (path, found, expected)
    else:
        assert found == expected, path


WHOLE = read(*summary_of([slice(0, 400)]))


@settings(max_examples=40, deadline=None)
@given(cuts)
def test_any_split_into_batches_gives_the_same(edges):
    parts = [slice(a, b) for a, b in pairwise(edges)]
    same(read(*summary_of(parts)), WHOLE)


@settings(max_examples=40, deadline=None)
@given(cuts, st.randoms(use_true_random=False))
def test_any_split_into_states_merged_in_any_order_gives_the_same(edges, random):
    states = [summary_of([slice(a, b)]) for a, b in pairwise(edges)]
    random.shuffle(states)
    state, detail = Summary("classes", FLOOR, has_bytes=False), Detail(4)
    for other_state, other_detail in states:
        state.merge(other_state)
        detail.merge(other_detail)
    same(read(state, detail), WHOLE)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), max_size=50), st.integers(0, 50))
def test_mean_and_ratio_are_numpys(values, cut):
    x = np.array(values)
    y = np.abs(x) + 1
    cut = min(cut, len(x))
    mean, ratio = Mean(), Ratio()
    other_mean, other_ratio = Mean(), Ratio()
    mean.update(x[:cut])
    other_mean.update(x[cut:])
    ratio.update(x[:cut], y[:cut])
    other_ratio.update(x[cut:], y[cut:])
    mean.merge(other_mean)
    ratio.merge(other_ratio)
    assert mean.n == len(x)
    if len(x):
        scale = max(1.0, float(np.abs(x).max()))
        assert mean.value == pytest.approx(x.mean(), rel=1e-12, abs=1e-12 * scale)
        assert mean.m2 == pytest.approx(((x - x.mean()) ** 2).sum(), rel=1e-9, abs=1e-9 * scale**2)
        assert ratio.xy == pytest.approx(((x - x.mean()) * (y - y.mean())).sum(), rel=1e-9, abs=1e-9 * scale**2)
    else:
        assert math.isnan(mean.value)


def test_variance_survives_a_large_mean():
    x = 1e9 + np.array([0.1, 0.2, 0.3] * 1000)
    state = Mean()
    for part in np.array_split(x, 7):
        state.update(part)
    assert state.m2 / 3000 == pytest.approx(x.var(), rel=1e-6)


def test_group_means_are_those_of_each_group():
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=1000), rng.integers(0, 5, 1000)
    x[3] = np.inf
    state = GroupMeans(6)
    for part in np.array_split(np.arange(1000), 9):
        state.update(x[part], group[part])
    for k in range(6):
        alone = Mean()
        alone.update(x[group == k])
        found = state.of(k)
        assert (found.n, found.infinite) == (alone.n, alone.infinite)
        assert found.mean == pytest.approx(alone.mean, rel=1e-12)
        assert found.m2 == pytest.approx(alone.m2, rel=1e-10)


def test_histogram_quantiles_and_bins():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 3, 20_001)
    state = Histogram()
    for part in np.array_split(x, 11):
        state.update(part)
    for fraction in (0.01, 0.25, 0.5, 0.75, 0.99):
        exact = np.quantile(x, fraction, method="inverted_cdf")
        assert state.quantile(fraction) == pytest.approx(exact, rel=2e-3)
    edges, counts = state.linear(60)
    assert len(counts) <= 60
    assert sum(counts) == len(x)
    assert 0.0 in edges
    exact_counts, _ = np.histogram(x, edges)
    # a cell is 0.2% wide: few rows may fall on the other side of an edge
    assert np.abs(exact_counts - counts).sum() < 0.01 * len(x)


def test_histogram_of_extremes():
    state = Histogram()
    state.update(np.array([0.0, -0.0, 1e-300, 1e300, -1e300, 5e-324, np.inf]))
    assert (state.finite, state.infinite, state.zeros) == (6, 1, 4)
    assert state.quantile(1.0) == math.inf
    edges, counts = state.linear(60)
    assert sum(counts) == 6
    assert len(edges) == len(counts) + 1
    assert Histogram().linear(60) == ([], [])
    assert math.isnan(Histogram().quantile(0.5))


def test_comparison_merges():
    rng = np.random.default_rng(0)
    a, b = rng.exponential(size=(2, 500))
    a[4] = np.inf
    wrong = rng.uniform(size=(2, 500)) < 0.3
    whole, left, right = (Comparison(FLOOR, has_errors=True) for _ in range(3))
    whole.update(a, b, *wrong)
    left.update(a[:123], b[:123], *wrong[:, :123])
    right.update(a[123:], b[123:], *wrong[:, 123:])
    right.merge(left)
    same(right.to_dict("a", "b", "row"), whole.to_dict("a", "b", "row"))
