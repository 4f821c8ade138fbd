"""The compiled look at rows of probabilities: yes to distributions alone, and after a no the errors are the core's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import xent
from support.problems import DTYPES, as_array, log_softmax, rounded
from xent.core import values
from xent.core.values import Inspector, highest_of, tolerance_of
from xent.errors import DtypeError, XentError
from xent.functional.verdict import sound
from xent.kernels.cpu import threads
from xent.kernels.cpu.verdict import all_distributions

nan, inf = math.nan, math.inf
CELLS = [(library, dtype) for library, dtypes in DTYPES.items() for dtype in dtypes]
#: So few that rows share a block, and more; and more than a block, whose sums go to float64 by pieces.
CLASSES = (2, 10, 63, 64, 65, 200, 5000)
LOG = pytest.mark.parametrize("log", [False, True], ids=["probs", "log_probs"])


def distributions(n: int, k: int, log: bool, dtype: str = "float64", seed: int = 0) -> np.ndarray:
    log_q = log_softmax(np.random.default_rng([seed, n, k]).normal(size=(n, k)))
    return rounded(log_q if log else np.exp(log_q), dtype)


def laid_out(x: np.ndarray, how: str) -> np.ndarray:
    """The same numbers, classes last, in another place of memory."""
    n, k = x.shape
    if how == "padded rows":
        wide = np.full((n, k + 3), nan, x.dtype)
        wide[:, :k] = x
        return wide[:, :k]
    if how == "classes first":
        return np.asfortranarray(x)
    if how == "every other class":
        wide = np.full((n, 2 * k), nan, x.dtype)
        wide[:, ::2] = x
        return wide[:, ::2]
    if how == "backwards":
        return np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    return x


LAYOUTS = ("side by side", "padded rows", "classes first", "every other class", "backwards")


def prediction(x: Any, log: bool, axis: int = -1) -> Any:
    return xent.LogProbabilities(x, axis=axis) if log else xent.Probabilities(x, axis=axis)


def refusal(x: Any, log: bool) -> XentError | None:
    """What the core's own checks say of a matrix."""
    check = values.predicted_log_probabilities if log else values.predicted_probabilities
    try:
        check(x, Inspector(True, None, 1), rows=True)
    except XentError as error:
        return error
    return None


@LOG
@pytest.mark.parametrize("k", CLASSES)
@pytest.mark.parametrize(("library", "dtype"), CELLS)
def test_distributions_are_sound(library: str, dtype: str, k: int, log: bool) -> None:
    """What the core lets pass; the sum of 5000 numbers of 8 bits may be too far from one for both."""
    x = as_array(distributions(7, k, log, dtype), dtype, library)
    passes = refusal(x, log) is None
    assert passes or (dtype, k) == ("bfloat16", 5000)
    assert sound(x, log=log, reads=True) == passes
    assert sound(x.reshape(1, 7, 1, k), log=log, reads=True) == passes
    assert sound(x[0], log=log, reads=True) == (refusal(x[:1], log) is None)
    assert not sound(x, log=log, reads=False)


@LOG
@pytest.mark.parametrize("layout", LAYOUTS)
@given(data=st.data())
def test_a_bad_value_anywhere_is_found_and_told_as_the_core_tells_it(layout: str, log: bool, data: Any) -> None:
    k = data.draw(st.sampled_from(CLASSES[:-1]), "classes")
    n = data.draw(st.sampled_from([1, 5, 1024 // k + 1]), "rows")
    dtype = data.draw(st.sampled_from(["float32", "float64"]), "type")
    bad = data.draw(st.sampled_from([inf, 1.5, 0.5, 2e-4] if log else [-0.25, 1.5, inf, -inf, -1e-30]), "bad")
    row, at = data.draw(st.integers(0, n - 1), "row"), data.draw(st.integers(0, k - 1), "class")
    x = distributions(n, k, log, dtype).astype(dtype)
    x[row, at] = bad
    x = laid_out(x, layout)
    assert not sound(x, log=log, reads=True)
    with pytest.raises(XentError) as caught:
        xent.cross_entropy(xent.Labels(np.zeros(n, int)), prediction(x, log))
    expected = refusal(x, log)
    assert expected is not None
    assert type(caught.value) is type(expected)
    assert str(caught.value) == str(expected)


@LOG
@given(
    k=st.sampled_from(CLASSES),
    row=st.integers(0, 4),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    off=st.floats(-4, 4),
)
@example(k=5000, row=4, dtype="float32", off=0.99)
@example(k=10, row=0, dtype="float64", off=-1.01)
def test_sums_are_held_to_the_tolerance(k: int, row: int, dtype: str, off: float, log: bool) -> None:
    """``off`` times the tolerance from one. A yes is certain; so is a no that is not of a sum near the edge."""
    x = distributions(5, k, log)
    tolerance = tolerance_of(x.astype(dtype), log=log)
    x[row] = x[row] + math.log1p(off * tolerance) if log else x[row] * (1 + off * tolerance)
    x = x.astype(dtype)
    wide = np.exp(x.astype(np.float64)) if log else x.astype(np.float64)
    found = max(abs(math.fsum(r) - 1) for r in wide)
    if sound(x, log=log, reads=True):
        assert found <= tolerance
    else:
        assert found > tolerance - 1e-5


@LOG
@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("k", CLASSES)
def test_nan_is_not_sound_and_gives_nan_as_before(k: int, library: str, log: bool) -> None:
    values_ = distributions(4, k, log)
    for at in {0, 1, k // 2, k - 1}:
        x = values_.copy()
        x[2, at] = nan
        q = as_array(x, "float64", library)
        assert not sound(q, log=log, reads=True)
        y = as_array(np.zeros(4), "int64", library)
        loss = np.asarray(xent.cross_entropy(xent.Labels(y), prediction(q, log), reduction="none"))
        np.testing.assert_array_equal(np.isnan(loss), [False, False, True, False])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", CLASSES)
@given(bad=st.floats(-4e-6, -1e-30), data=st.data())
def test_a_negative_number_is_found_where_the_sum_is_near_one(k: int, dtype: str, bad: float, data: Any) -> None:
    x = np.zeros((3, k), dtype)
    x[:, 0] = 1.0
    assert sound(x, log=False, reads=True)
    x[data.draw(st.integers(0, 2), "row"), data.draw(st.integers(1, k - 1), "class")] = bad
    assert not sound(x, log=False, reads=True)
    expected = refusal(x, False)
    assert expected is not None
    with pytest.raises(type(expected)) as caught:
        xent.cross_entropy(xent.Labels([0, 0, 0]), xent.Probabilities(x))
    assert str(caught.value) == str(expected)


@LOG
@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_bad_row_is_found_on_every_thread(monkeypatch: pytest.MonkeyPatch, count: int, log: bool) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: count)
    x = distributions(4 * threads.SERIAL // 40, 40, log)
    assert sound(x, log=log, reads=True)
    for row in (0, len(x) // 2, len(x) - 1):
        again = x.copy()
        again[row, 7] = 3.0
        assert not sound(again, log=log, reads=True)


def test_what_is_zero_or_one_is_sound() -> None:
    """−0 and subnormal numbers too, and −∞ as the logarithm of 0."""
    for x in ([[0.0, 1.0, 0.0]], [[-0.0, 1.0, 5e-324]], [[1.0]]):
        assert all_distributions(np.array(x), log=False, highest=1.0, tolerance=0.0)
    for x in ([[-inf, 0.0, -inf]], [[-inf, -0.0, -745.0]], [[0.0]]):
        assert all_distributions(np.array(x), log=True, highest=0.0, tolerance=1e-5)


@LOG
@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("shape", [(0, 5), (2, 0, 5)])
def test_no_rows_are_sound(shape: tuple[int, ...], library: str, log: bool) -> None:
    q = as_array(np.zeros(shape), "float32", library)
    assert sound(q, log=log, reads=True)
    y = as_array(np.zeros(shape[:-1]), "int64", library)
    assert tuple(xent.cross_entropy(xent.Labels(y), prediction(q, log), reduction="none").shape) == shape[:-1]


def test_types_that_are_not_floats_are_left_to_the_core() -> None:
    assert not sound(np.array([[0, 1]]), log=False, reads=True)
    assert not sound(np.array([[False, True]]), log=False, reads=True)
    P = xent.Distribution(np.array([[0, 1], [1, 0]]))
    assert float(xent.cross_entropy(P, xent.Logits(np.zeros((2, 2))))) == pytest.approx(math.log(2))


def test_foreign_byte_order_is_refused_as_before() -> None:
    with pytest.raises(DtypeError, match="float16, bfloat16, float32 or float64"):
        xent.Probabilities(np.array([[0.5, 0.5]]).astype(">f8"))


def test_the_most_a_number_may_be_is_what_the_core_allows() -> None:
    """A hair above log 1 = 0 passes both."""
    for dtype in ("float16", "float32", "float64"):
        x = np.array([[0.0, -inf]], dtype)
        x[0, 0] = highest_of(x, log=True) / 2
        assert sound(x, log=True, reads=True)
        values.predicted_log_probabilities(x, Inspector(True), rows=True)


@LOG
def test_sound_rows_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch, log: bool) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the core was asked too")

    for name in ("predicted_probabilities", "predicted_log_probabilities", "probabilities_of_p", "normalized"):
        monkeypatch.setattr(values, name, never)
    q, p = (distributions(6, 12, log, seed=seed) for seed in (0, 1))
    P = xent.Distribution.from_log_probs(p) if log else xent.Distribution(p)
    for truth in (xent.Labels(np.arange(6)), P):
        assert math.isfinite(float(xent.cross_entropy(truth, prediction(q, log))))


@LOG
def test_rows_that_do_not_count_may_hold_anything(log: bool) -> None:
    q = distributions(4, 5, log)
    expected = float(xent.cross_entropy(xent.Labels([1, 2]), prediction(q[:2], log)))
    q[2:] = [[nan, 7.0, -3.0, inf, 0.0], [2.0] * 5]
    ignored = xent.cross_entropy(xent.Labels([1, 2, -1, -1], ignore=-1), prediction(q, log))
    weighed = xent.cross_entropy(xent.Labels([1, 2, 0, 0]), prediction(q, log), weight=[1.0, 1.0, 0.0, 0.0])
    assert float(ignored) == float(weighed) == pytest.approx(expected, rel=1e-15)


@LOG
def test_the_verdict_chooses_the_kernel(log: bool) -> None:
    q = distributions(3, 4, log)
    y = xent.Labels([0, 1, 2])
    assert xent.explain(y, prediction(q, log)).chosen == "cpu pick, sound rows"
    tensor = torch.from_numpy(q).requires_grad_()
    found = xent.explain(xent.Labels(torch.tensor([0, 1, 2])), prediction(tensor, log))
    assert found.chosen == "cpu pick, sound rows"
    q[1, 3] = nan
    explained = xent.explain(y, prediction(q, log))
    assert explained.chosen == "cpu pick"
    assert "may hold NaN" in explained.refusals["cpu pick, sound rows"]
    half = xent.explain(y, prediction(q.astype(np.float16), log))
    assert half.chosen == "composed"
    smoothed = xent.explain(xent.Labels([0, 1, 2], smoothing=0.1), prediction(distributions(3, 4, log), log))
    assert smoothed.chosen == "composed"
    assert "every class" in smoothed.refusals["cpu pick"]


@LOG
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_class_axis_may_be_any(axis: int, log: bool) -> None:
    q = distributions(24, 5, log).reshape(4, 6, 5)
    y = np.random.default_rng(0).integers(0, 5, (4, 6))
    expected = xent.cross_entropy(xent.Labels(y), prediction(q, log), reduction="none")
    moved = np.ascontiguousarray(np.moveaxis(q, -1, axis))
    found = xent.cross_entropy(xent.Labels(y), prediction(moved, log, axis), reduction="none")
    np.testing.assert_array_equal(found, expected)
    bad = moved.copy()
    bad[3, 3, 2] += 0.7
    with pytest.raises(XentError, match="position"):
        xent.cross_entropy(xent.Labels(y), prediction(bad, log, axis))
