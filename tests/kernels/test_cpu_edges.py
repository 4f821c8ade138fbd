"""The compiled rows at the edges of numbers: NaN, ±∞, masks, rows that do not count, labels that are no class."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from support.measure import numbers
from support.problems import DTYPES, as_array, rounded
from xent.kernels.cpu import cpu
from xent.kernels.protocol import HardTarget, SoftTarget

nan, inf = math.nan, math.inf
CELLS = [(library, dtype) for library, dtypes in DTYPES.items() for dtype in dtypes]
#: Tiles; one class more than a tile's most; two vectors and a tail.
WIDTHS = (3, 64, 65, 131)

every = pytest.mark.parametrize(("library", "dtype"), CELLS)
width = pytest.mark.parametrize("k", WIDTHS)


def scores(n: int, k: int, dtype: str) -> Any:
    return rounded(np.random.default_rng([n, k]).normal(size=(n, k)) * 2, dtype)


def targets(index: Any, k: int, dtype: str, library: str) -> list[Any]:
    """The same labels as indices, smoothed indices and one-hot rows."""
    y = as_array(index, "int64", library)
    hot = np.eye(k)[np.clip(index, 0, k - 1)]
    return [HardTarget(y), HardTarget(y, 0.875, 0.125 / k), SoftTarget(as_array(hot, dtype, library))]


def fused(z: Any, target: Any, c: Any, dtype: str, library: str) -> tuple[Any, Any]:
    compute = "float64" if dtype == "float64" else "float32"
    found = cpu.row_fused(as_array(z, dtype, library), target, "logits", as_array(c, compute, library))
    return numbers(found[0]), numbers(found[1])


@every
@width
def test_rows_that_do_not_count_are_not_read(library: str, dtype: str, k: int) -> None:
    z = scores(7, k, dtype)
    index = np.arange(7) % k
    clean = [fused(z, t, np.arange(7) % 2, dtype, library) for t in targets(index, k, dtype, library)]
    z[0], z[2, 0], z[4, -1], z[6] = nan, inf, nan, -inf
    index[[0, 2]] = -100, k
    for target, (loss, gradient) in zip(targets(index, k, dtype, library), clean, strict=True):
        found = fused(z, target, np.arange(7) % 2, dtype, library)
        np.testing.assert_array_equal(found[0], loss)
        np.testing.assert_array_equal(found[1], gradient)
        assert not found[1][::2].any()
        assert not found[0][::2].any()
        assert found[1][1::2].any(axis=1).all()


@every
@width
def test_a_nan_anywhere_in_a_row(library: str, dtype: str, k: int) -> None:
    """At every place, those after the last whole vector among them; no neighbour is touched."""
    places = range(k)
    z = np.repeat(scores(1, k, dtype), 2 * k + 1, axis=0)
    for i in places:
        z[2 * i + 1, i] = nan
    for target in targets(np.full(2 * k + 1, k - 1), k, dtype, library):
        loss, gradient = fused(z, target, np.full(2 * k + 1, -0.5), dtype, library)
        bad = np.arange(2 * k + 1) % 2 == 1
        np.testing.assert_array_equal(np.isnan(loss), bad)
        np.testing.assert_array_equal(np.isnan(gradient), np.repeat(bad[:, None], k, axis=1))


@every
@width
def test_one_score_of_infinity_is_certain_and_two_are_nothing(library: str, dtype: str, k: int) -> None:
    z = scores(4, k, dtype)
    z[:3, 1] = inf
    z[2, k - 1] = inf
    c = np.array([2.0, 2.0, 2.0, 0.0])
    loss, gradient = fused(z, targets(np.array([1, 0, 1, 0]), k, dtype, library)[0], c, dtype, library)
    np.testing.assert_array_equal(loss, [0.0, inf, nan, 0.0])
    certain = np.zeros(k)
    np.testing.assert_array_equal(gradient[0], certain)
    certain[:2] = -2.0, 2.0
    np.testing.assert_array_equal(gradient[1], certain)
    assert np.isnan(gradient[2]).all()
    soft = targets(np.array([1, 0, 1, 0]), k, dtype, library)[2]
    np.testing.assert_array_equal(fused(z, soft, c, dtype, library)[0], loss)


@every
@width
def test_masks_of_minus_infinity(library: str, dtype: str, k: int) -> None:
    """A masked class has gradient 0, and the others what they have without it; a masked label costs infinity."""
    z = scores(3, k, dtype)
    whole = z.copy()
    masked = np.zeros(k, bool)
    masked[[0, k - 1]] = True
    z[:, masked] = -inf
    z[2] = -inf
    target = targets(np.array([1, 0, 1]), k, dtype, library)
    c = np.array([-1.5, 1.0, 1.0])
    for t in (target[0], target[2]):
        loss, gradient = fused(z, t, c, dtype, library)
        assert loss[1] == inf
        assert np.isnan(loss[2])
        assert np.isnan(gradient[2]).all()
        assert np.isfinite(gradient[:2]).all()
        np.testing.assert_array_equal(gradient[0, masked], [0.0, 0.0])
        np.testing.assert_array_equal(gradient[1, masked], [-1.0, 0.0])
        rest = np.flatnonzero(~masked)
        if len(rest) > 1:
            small = targets(np.array([0]), len(rest), dtype, library)[0 if t is target[0] else 2]
            alone = fused(whole[:1, rest], small, c[:1], dtype, library)
            assert loss[0] == pytest.approx(alone[0][0], rel=1e-6)
            np.testing.assert_allclose(gradient[0, rest], alone[1][0], rtol=1e-5, atol=1e-8)


@every
@width
def test_a_label_that_is_no_class(library: str, dtype: str, k: int) -> None:
    z = scores(5, k, dtype)
    index = np.array([0, k, -1, np.iinfo(np.int64).max, k - 1])
    for target in targets(index, k, dtype, library)[:2]:
        loss, gradient = fused(z, target, np.ones(5), dtype, library)
        np.testing.assert_array_equal(np.isnan(loss), [False, True, True, True, False])
        np.testing.assert_array_equal(np.isnan(gradient).all(axis=1), [False, True, True, True, False])
        assert np.isfinite(gradient[[0, 4]]).all()


@width
def test_a_target_without_mass_where_the_score_is_nan_or_infinite(k: int) -> None:
    """0·∞ is 0; NaN in the target is NaN."""
    z = scores(3, k, "float32")
    z[:, 2] = -inf
    t = np.zeros((3, k))
    t[:, 0] = 1.0
    t[2, 1] = nan
    loss, gradient = fused(z, SoftTarget(as_array(t, "float32", "numpy")), np.ones(3), "float32", "numpy")
    np.testing.assert_array_equal(np.isnan(loss), [False, False, True])
    assert np.isfinite(gradient[:2]).all()
    assert np.isnan(gradient[2]).any()


@pytest.mark.parametrize("c", [nan, inf, -inf])
@width
def test_a_coefficient_that_is_not_finite_stays_in_its_row(k: int, c: float) -> None:
    z = scores(3, k, "float32")
    target = targets(np.array([0, 1, 2]), k, "float32", "numpy")
    for t in target:
        clean = fused(z, t, np.array([1.0, 0.0, -1.0]), "float32", "numpy")
        loss, gradient = fused(z, t, np.array([1.0, c, -1.0]), "float32", "numpy")
        np.testing.assert_array_equal(loss[[0, 2]], clean[0][[0, 2]])
        np.testing.assert_array_equal(gradient[[0, 2]], clean[1][[0, 2]])
        assert not np.isfinite(gradient[1, 1])
