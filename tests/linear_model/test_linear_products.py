"""The products over a block of dense rows, X·w + shift and Xᵀ·g, against NumPy's in long double."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xent.kernels.cpu import narrow, threads
from xent.linear_model.examples import DenseBlock, Examples

TYPES = (np.float32, np.float64)
MOST = {np.float32: 32, np.float64: 16}


def numbers(seed: int, rows: int, features: int, columns: int, dtype: Any) -> tuple[Any, Any, Any]:
    """X, w and a shift, of numbers of many sizes."""
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.uniform(-3, 3, features)
    X = (rng.normal(size=(rows, features)) * scales).astype(dtype)
    return X, rng.normal(size=(features, columns)).astype(dtype), rng.normal(size=columns).astype(dtype)


def require_right(found: Any, X: Any, w: Any, shift: Any) -> None:
    """Each number to the rounding of a sum of so many terms: Higham, "Accuracy and Stability of Numerical Algorithms",
    2nd edition, SIAM 2002, section 3.1."""
    wide = [np.asarray(a, np.longdouble) for a in (X, w, 0 if shift is None else shift)]
    terms = X.shape[1] + 1
    bound = terms * np.finfo(X.dtype).eps * (abs(wide[0]) @ abs(wide[1]) + abs(wide[2]))
    assert found.dtype == X.dtype
    assert found.shape == (len(X), w.shape[1])
    np.testing.assert_array_less(abs(found - (wide[0] @ wide[1] + wide[2])), bound + np.finfo(X.dtype).tiny)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("columns", range(1, 35))
def test_scores_of_every_number_of_columns(columns: int, dtype: Any) -> None:
    for rows in (0, 1, 2, 11, 12, 13, 60, 61):
        X, w, shift = numbers(columns, rows, 7, columns, dtype)
        assert rows == 0 or narrow.takes(X, w) == (narrow.FEWEST <= columns <= MOST[dtype])
        require_right(DenseBlock(X).scores(w, shift), X, w, shift)
        require_right(DenseBlock(X).scores(w, None), X, w, None)


@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(0, 40),
    features=st.integers(1, 300),
    columns=st.integers(1, 40),
    dtype=st.sampled_from(TYPES),
    shifted=st.booleans(),
)
def test_scores_of_any_shape(seed: int, rows: int, features: int, columns: int, dtype: Any, shifted: bool) -> None:
    X, w, shift = numbers(seed, rows, features, columns, dtype)
    require_right(DenseBlock(X).scores(w, shift if shifted else None), X, w, shift if shifted else None)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("columns", [4, 7, 10, 16])
def test_a_score_depends_on_its_row_and_column_alone(columns: int, dtype: Any) -> None:
    X, w, shift = numbers(1, 50, 33, columns, dtype)
    whole = narrow.product(X, w, shift)
    for low, high in ((0, 1), (3, 50), (7, 21), (49, 50)):
        assert np.array_equal(narrow.product(X[low:high], w, shift), whole[low:high])
    same = narrow.product(X, np.repeat(w[:, :1], columns, axis=1), np.repeat(shift[:1], columns))
    assert np.array_equal(same, np.repeat(whole[:, :1], columns, axis=1))


@pytest.mark.parametrize("dtype", TYPES)
def test_rows_that_do_not_lie_one_after_the_other(dtype: Any) -> None:
    X, w, shift = numbers(2, 40, 9, 10, dtype)
    wide = np.full((80, 20), np.nan, dtype)
    inside = wide[::2, 5:14]
    inside[:] = X
    behind = wide[::-2, 3:12]
    assert narrow.takes(inside, w)
    require_right(DenseBlock(inside).scores(w, shift), X, w, shift)
    behind[:] = X
    assert narrow.takes(behind, w)
    require_right(DenseBlock(behind).scores(w, shift), X, w, shift)


@pytest.mark.parametrize("dtype", TYPES)
def test_what_the_compiled_product_does_not_take_is_right_all_the_same(dtype: Any) -> None:
    X, w, shift = numbers(3, 40, 9, 10, dtype)
    bytes_ = np.zeros(X.nbytes + 1, np.uint8)
    unaligned = bytes_[1:].view(dtype).reshape(X.shape)
    unaligned[:] = X
    spread = np.repeat(X, 2, axis=1)[:, ::2]
    for other in (np.asfortranarray(X), unaligned, spread, X.astype(np.dtype(dtype).newbyteorder())):
        assert not narrow.takes(other, w)
        require_right(np.asarray(DenseBlock(other).scores(w, shift), dtype), X, w, shift)
    assert not narrow.takes(X, np.asfortranarray(w))
    require_right(DenseBlock(X).scores(np.asfortranarray(w), shift), X, w, shift)


@pytest.mark.parametrize("dtype", TYPES)
def test_nan_and_infinity_stay_in_their_row_and_column(dtype: Any) -> None:
    X, w, shift = numbers(4, 13, 5, 6, dtype)
    X[4, 2], w[3, 5] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        found = DenseBlock(X).scores(w, shift)
    assert np.isnan(found[4]).all()
    others = np.delete(found, 4, axis=0)
    assert np.isfinite(others[:, :5]).all()
    assert np.isinf(others[:, 5]).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("rows", "features", "columns"), [(5000, 50, 10), (2001, 100, 20), (3, 2, 1), (0, 4, 5)])
def test_pull_is_the_product_in_parts(rows: int, features: int, columns: int, dtype: Any) -> None:
    X, _, _ = numbers(5, rows, features, columns, dtype)
    g = np.random.default_rng(6).normal(size=(rows, columns)).astype(dtype)
    into = np.ones((features, columns))
    DenseBlock(X).pull(g, into)
    wide = X.astype(np.longdouble), g.astype(np.longdouble)
    bound = (rows + 2) * np.finfo(dtype).eps * (abs(wide[0]).T @ abs(wide[1]) + 1.0)
    np.testing.assert_array_less(abs(into - (wide[0].T @ wide[1] + 1.0)), bound)


@pytest.mark.parametrize("dtype", TYPES)
def test_scores_are_the_same_over_threads(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X, w, shift = numbers(7, 30_000, 40, 10, dtype)
    alone = narrow.product(X, w, shift)
    monkeypatch.setattr(threads, "thread_count", lambda: 4)
    examples = Examples(X)

    def part(begin: int, end: int) -> Any:
        return np.concatenate([block.scores(w, shift) for _, _, block in examples.blocks(begin, end)])

    assert np.array_equal(np.concatenate(examples.in_parts(1, part)), alone)
