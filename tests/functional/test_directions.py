"""Directions of vectors: of zeros, of very long and very short ones, and of NaN; in every framework."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from xent.functional.scoring import normalized

X = np.array([[3.0, -4.0], [0.0, 0.0], [1e-30, 1e-30], [-3e25, 4e25], [1e-44, 0.0]], np.float32)
UNITS = np.array([[0.6, -0.8], [0.0, 0.0], [0.5**0.5, 0.5**0.5], [-0.6, 0.8], [1.0, 0.0]])
LENGTHS = np.array([5.0, 0.0, 2**0.5 * 1e-30, 5e25, 1e-44])


def arrays() -> list[Any]:
    found: list[Any] = [X, torch.tensor(X)]
    jnp = pytest.importorskip("jax.numpy")
    tf = pytest.importorskip("tensorflow")
    return [*found, jnp.asarray(X), tf.constant(X)]


@pytest.mark.parametrize("at", range(4), ids=["numpy", "torch", "jax", "tensorflow"])
def test_a_direction_has_length_one(at: int) -> None:
    unit, length = normalized(arrays()[at])
    # XLA takes a subnormal number for 0.
    rows = slice(0, 4 if at > 1 else 5)
    np.testing.assert_allclose(np.asarray(unit)[rows], UNITS[rows], rtol=3e-7, atol=1e-45)
    np.testing.assert_allclose(np.asarray(length)[rows], LENGTHS[rows].astype(np.float32), rtol=3e-7)


def test_zeros_have_no_derivative_and_others_that_of_their_direction() -> None:
    x = torch.tensor(X[:4].astype(np.float64), requires_grad=True)
    upstream = torch.tensor([[1.0, 2.0]] * 4, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(normalized(x)[0], x, upstream)
    expected = np.zeros((4, 2))
    for i in (0, 2, 3):
        u = UNITS[i]
        expected[i] = (upstream[i].numpy() - u * (u @ upstream[i].numpy())) / LENGTHS[i]
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-6)
    (gradient,) = torch.autograd.grad(normalized(x)[1].sum(), x)
    np.testing.assert_allclose(gradient.numpy(), UNITS[:4], rtol=1e-6)


def test_nan_stays() -> None:
    unit, _ = normalized(np.array([[1.0, float("nan")], [1.0, 0.0]]))
    assert np.isnan(unit[0]).any()
    np.testing.assert_array_equal(unit[1], [1.0, 0.0])
