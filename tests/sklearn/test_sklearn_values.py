"""The same numbers as scikit-learn's and as 50-digit arithmetic, without handing the call over."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given
from hypothesis import strategies as st
from sklearn_calls import KINDS, NAMES, both, data, outcome, refuse_handing_over

import xent
import xent.sklearn as ours
from support.oracle import exact, mp, mpf

every = pytest.mark.parametrize("name", NAMES)
#: Of a result beside scikit-learn's, which adds in the type of the probabilities.
CLOSE = {"float64": 1e-12, "float32": 2e-6, "float16": 2e-2}


@every
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [2, 5])
def test_labels_of_every_kind(name: str, kind: str, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = data(40, k)
    function, reference = both(name)
    expected = reference(KINDS[kind](y), p)
    refuse_handing_over(monkeypatch)
    assert function(KINDS[kind](y), p) == pytest.approx(expected, rel=1e-12)


@every
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "column"])
def test_declared_labels_of_which_some_are_not_there(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = data(40, 5)
    y = np.where(y == 2, 4, y)
    labels = KINDS[kind](np.arange(5))
    function, reference = both(name)
    expected = reference(KINDS[kind](y), p, labels=labels)
    refuse_handing_over(monkeypatch)
    assert function(KINDS[kind](y), p, labels=labels) == pytest.approx(expected, rel=1e-12)


@every
@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed"])
def test_types_and_layouts(name: str, dtype: str, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = data(300, 40, dtype)
    q = {"C": p, "F": np.asfortranarray(p), "strided": np.repeat(p, 2, axis=1)[:, ::2], "reversed": p[::-1]}[order]
    y = y[::-1] if order == "reversed" else y
    function, reference = both(name)
    expected, warned = outcome(reference, y, q)
    assert warned == []
    refuse_handing_over(monkeypatch)
    assert function(y, q) == pytest.approx(expected, rel=CLOSE[dtype])


@every
@pytest.mark.parametrize("weights", ["floats", "with zeros", "negative", "ints", "float32", "list"])
def test_weights(name: str, weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = data(60, 4)
    w: Any = np.random.default_rng(1).random(60)
    w = {
        "floats": w,
        "with zeros": np.where(w < 0.5, 0, w),
        "negative": w - 0.2,
        "ints": (9 * w).astype(int),
        "float32": w.astype(np.float32),
        "list": w.tolist(),
    }[weights]
    function, reference = both(name)
    expected = reference(y, p, sample_weight=w)
    refuse_handing_over(monkeypatch)
    # d² takes two sums whose weights cancel where some are negative.
    assert function(y, p, sample_weight=w) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", [*KINDS, "booleans", "signs"])
@pytest.mark.parametrize("shape", ["vector", "column"])
@pytest.mark.parametrize("dtype", CLOSE)
def test_one_column_is_the_greater_label(kind: str, shape: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = data(30, 2, dtype)
    truth = {"booleans": y == 1, "signs": 2 * y - 1}.get(kind)
    truth = KINDS[kind](y) if truth is None else truth
    q = p[:, 1] if shape == "vector" else p[:, 1:]
    text = "strings" in kind or kind == "objects"
    calls = [(name, {}) for name in NAMES[:2]] + [("brier_score_loss", {"pos_label": "c001"} if text else {})]
    if text:
        calls += [("brier_score_loss", {"pos_label": "c000"}), ("brier_score_loss", {"pos_label": "other"})]
    elif kind != "far apart":
        calls += [("brier_score_loss", {"pos_label": 0}), ("brier_score_loss", {"pos_label": 55})]
    expected = [both(name)[1](truth, q, **options) for name, options in calls]
    refuse_handing_over(monkeypatch)
    for (name, options), value in zip(calls, expected, strict=True):
        assert both(name)[0](truth, q, **options) == pytest.approx(value, rel=CLOSE[dtype]), (name, options)


@pytest.mark.parametrize("scale", [True, False, "auto"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_brier_is_halved_as_asked(scale: Any, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = data(30, max(k, 2))
    q = p[:, 1] if k == 1 else p
    expected = theirs.brier_score_loss(y, q, scale_by_half=scale)
    refuse_handing_over(monkeypatch)
    assert ours.brier_score_loss(y, q, scale_by_half=scale) == pytest.approx(expected, rel=1e-13)


@every
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("as_list", [False, True])
def test_several_outcomes_at_once(name: str, weighted: bool, as_list: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    _, p = data(50, 6)
    rng = np.random.default_rng(2)
    t: Any = rng.integers(0, 2, (50, 6))
    t[0] = 0
    t = t.tolist() if as_list else t
    options = {"sample_weight": rng.random(50)} if weighted else {}
    function, reference = both(name)
    expected = reference(t, p, **options)
    refuse_handing_over(monkeypatch)
    assert function(t, p, **options) == pytest.approx(expected, rel=1e-12)


def test_the_sum_without_normalize(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = data(50, 4)
    w = np.random.default_rng(3).random(50)
    expected = [theirs.log_loss(y, p, normalize=False, sample_weight=weight) for weight in (None, w)]
    refuse_handing_over(monkeypatch)
    found = [ours.log_loss(y, p, normalize=False, sample_weight=weight) for weight in (None, w)]
    assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("dtype", CLOSE)
def test_certain_and_wrong_is_clipped_at_the_types_epsilon(dtype: str) -> None:
    epsilon = float(np.finfo(dtype).eps)
    p = np.array([[0, 1], [1, 0]], dtype)
    assert ours.log_loss([0, 1], p) == pytest.approx(-np.log(epsilon), rel=1e-7)
    assert ours.log_loss([1, 0], p) == pytest.approx(-np.log1p(-epsilon), rel=1e-6)
    assert ours.log_loss([1, 0], p[:, 0]) == pytest.approx(-np.log(epsilon), rel=1e-7)
    assert ours.log_loss([0, 1], p) == pytest.approx(theirs.log_loss([0, 1], p), rel=CLOSE[dtype])
    assert xent.cross_entropy(xent.Labels([0, 1]), xent.Probabilities(p)) == np.inf


@given(st.integers(2, 7), st.integers(0, 10**6), st.sampled_from(["float32", "float64"]))
def test_as_in_fifty_digits(k: int, seed: int, dtype: str) -> None:
    y, p = data(k + seed % 20, k, dtype, seed)
    rows = [exact(row) for row in p]
    w = np.random.default_rng(seed).random(len(y))
    losses = [-mp.log(row[label]) for row, label in zip(rows, y, strict=True)]
    squares = [
        sum((q - (1 if i == label else 0)) ** 2 for i, q in enumerate(row)) for row, label in zip(rows, y, strict=True)
    ]
    weights = exact(w)
    mean = mp.fsum(a * b for a, b in zip(weights, losses, strict=True)) / mp.fsum(weights)
    brier = mp.fsum(a * b for a, b in zip(weights, squares, strict=True)) / mp.fsum(weights)
    share = [mp.fsum(a for a, label in zip(weights, y, strict=True) if label == i) / mp.fsum(weights) for i in range(k)]
    null = mp.fsum(-a * mp.log(share[label]) for a, label in zip(weights, y, strict=True)) / mp.fsum(weights)
    near = {"float32": 3e-7, "float64": 1e-14}[dtype]
    assert ours.log_loss(y, p, sample_weight=w) == pytest.approx(float(mean), rel=near)
    # Squares are computed in float64 whatever the type is.
    found = ours.brier_score_loss(y, p, sample_weight=w, scale_by_half=False)
    assert found == pytest.approx(float(brier), rel=1e-14)
    ratio = mean / null
    assert ours.d2_log_loss_score(y, p, sample_weight=w) == pytest.approx(
        float(mpf(1) - ratio), abs=near * float(ratio) * 2
    )


@every
def test_a_small_squared_error_keeps_its_digits(name: str) -> None:
    p = np.array([[1 - 1e-9, 1e-9], [1e-9, 1 - 1e-9]])
    function, reference = both(name)
    assert function([0, 1], p) == pytest.approx(reference([0, 1], p), rel=1e-8)


@every
def test_no_array_of_the_size_of_the_probabilities_is_made(name: str) -> None:
    y, p = data(4000, 500)
    function, _ = both(name)
    function(y, p)
    tracemalloc.start()
    try:
        function(y, p)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < p.nbytes / 16


@every
def test_nothing_is_written_to(name: str) -> None:
    y, p = data(200, 5)
    w = np.ones(200)
    for array in (y, p, w):
        array.setflags(write=False)
    function, reference = both(name)
    assert function(y, p, sample_weight=w) == pytest.approx(reference(y, p, sample_weight=w), rel=1e-12)
