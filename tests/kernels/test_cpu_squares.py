"""Squared errors of rows: every layout, every type, labels at every place of a block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xent.kernels.cpu.squares import squared_errors


def expected(q: Any, index: Any) -> Any:
    one_hot = np.eye(q.shape[-1])[index]
    return np.square(one_hot - q.astype(np.float64)).sum(axis=-1)


@given(st.integers(1, 9), st.sampled_from([1, 2, 31, 32, 33, 1024, 1025, 2500]), st.integers(0, 10**6))
def test_against_a_one_hot_array(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    q, index = rng.random((n, k)), rng.integers(0, k, n)
    index[0], index[-1] = 0, k - 1
    np.testing.assert_allclose(squared_errors(q, index), expected(q, index), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("k", [5, 100])
@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed", "deep"])
def test_layouts(dtype: Any, k: int, order: str) -> None:
    rng = np.random.default_rng(0)
    q = rng.random((12, k)).astype(dtype)
    index = rng.integers(0, k, 12)
    if order == "deep":
        q, index = q.reshape(3, 4, k), index.reshape(3, 4)
    x = {
        "F": np.asfortranarray(q),
        "strided": np.repeat(q, 2, axis=-1)[..., ::2],
        "reversed": q[..., ::-1],
    }.get(order, q)
    found = squared_errors(x, index)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected(x, index), rtol=1e-13)


def test_a_label_outside_gives_nan_and_no_read_out_of_bounds() -> None:
    found = squared_errors(np.full((3, 40), 1 / 40), np.array([-1, 40, 3]))
    assert np.isnan(found).tolist() == [True, True, False]


def test_nan_gives_nan_and_half_precision_of_torch_is_taken() -> None:
    q = torch.full((2, 50), 0.02, dtype=torch.bfloat16)
    q[1, 7] = float("nan")
    found = squared_errors(q, torch.tensor([1, 1]))
    assert np.isnan(found).tolist() == [False, True]
    assert found[0] == pytest.approx(0.98**2 + 49 * 0.02**2, rel=1e-2)


def test_what_is_nearly_one_hot_keeps_its_digits() -> None:
    q = np.full((1, 100), 1e-12)
    q[0, 3] = 1 - 99e-12
    assert squared_errors(q, np.array([3]))[0] == pytest.approx((99e-12) ** 2 + 99e-24, rel=1e-4)
