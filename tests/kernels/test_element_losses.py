"""The loss of each element, its slope, and the gradient from above, for every kernel, against the oracle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from support import oracle
from support.measure import error, numbers, split
from support.problems import DTYPES, as_array, rounded
from xent.core.arrays import dtype_name
from xent.kernels import registry
from xent.kernels.cpu.element_loops import BLOCK
from xent.kernels.protocol import Kernel, Task

CELLS = [(library, dtype) for library, dtypes in DTYPES.items() for dtype in dtypes]
LINKS = ("logits", "log_probs", "probs")
mpf = oracle.mpf

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # a backend's context quiets NumPy

_PLAIN = Task("elements", "logits", "soft", "numpy", "cpu", "float64", (3,))
KERNELS = [k for k in registry._KERNELS if k.refuses(_PLAIN) is None]


@pytest.fixture(params=KERNELS, ids=lambda k: k.name)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return request.param


def sample(link: str, dtype: str, shape: tuple[int, ...]) -> tuple[Any, Any, Any, Any]:
    """q, t, v and g, each exact in the type; t also 0 and 1, q also at its edges."""
    rng = np.random.default_rng(3)
    q = rng.normal(scale=4.0, size=shape)
    if link == "log_probs":
        q = -np.abs(q) / 4 - 0.01
    elif link == "probs":
        q = rng.uniform(0.05, 0.95, shape)
    t = rng.uniform(size=shape)
    t.reshape(-1)[::3] = rng.integers(0, 2, t.reshape(-1)[::3].shape)
    wide = "float64" if dtype == "float64" else "float32"
    v, g = rng.uniform(0.25, 4, shape), rng.normal(size=shape)
    g.reshape(-1)[1] = 0.0
    return rounded(q, dtype), rounded(t, wide), rounded(v, wide), rounded(g, wide)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("library", "dtype"), CELLS)
def test_the_oracle_says_the_same(kernel: Kernel, library: str, dtype: str, link: Any, weighted: bool) -> None:
    q, t, v, g = sample(link, dtype, (5, 7))
    wide = "float64" if dtype == "float64" else "float32"
    x = as_array(q, dtype, library)
    truth, above = as_array(t, wide, library), as_array(g, wide, library)
    weight = as_array(v, wide, library) if weighted else None
    loss, slope = kernel.element_losses(x, link, truth, weight, slopes=True)
    gradient = kernel.element_loss_gradient(x, link, truth, weight, above)
    assert kernel.element_losses(x, link, truth, weight, slopes=False)[1] is None
    assert slope is not None
    assert (dtype_name(loss), dtype_name(slope), dtype_name(gradient)) == (wide, dtype, dtype)
    losses, sizes, slopes, scales = [], [], [], []
    for x_, t_, v_ in zip(*(oracle.exact(a.reshape(-1)) for a in (q, t, v)), strict=True):
        e, mass = oracle.element(x_, link), t_ * (v_ if weighted else 1)
        yes, no = oracle.times(mass, e.yes), oracle.times(1 - t_, e.no)
        by_yes, by_no = oracle.times(mass, e.d_yes), oracle.times(1 - t_, e.d_no)
        losses.append(yes + no)
        sizes.append(float(abs(yes) + abs(no)))
        slopes.append(by_yes + by_no)
        scales.append(float(abs(by_yes) + abs(by_no)))
    assert error(numbers(loss), split(losses), sizes, dtype, wide) <= 3
    assert error(numbers(slope), split(slopes), scales, dtype, dtype) <= 3
    from_above = [s * mpf(float(c)) for s, c in zip(slopes, g.reshape(-1), strict=True)]
    weighed = [s * abs(float(c)) for s, c in zip(scales, g.reshape(-1), strict=True)]
    assert error(numbers(gradient), split(from_above), weighed, dtype, dtype) <= 4


def test_edges(kernel: Kernel) -> None:
    inf, nan = math.inf, math.nan
    q = np.array([inf, inf, -inf, -inf, 800.0, nan, nan])
    t = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.5])
    loss, slope = kernel.element_losses(q, "logits", t, None, slopes=True)
    np.testing.assert_array_equal(loss, [0.0, inf, 0.0, inf, 0.0, nan, nan])
    np.testing.assert_array_equal(np.abs(slope), [0.0, 1.0, 0.0, 1.0, 0.0, nan, nan])
    above = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    np.testing.assert_array_equal(
        np.abs(kernel.element_loss_gradient(q, "logits", t, None, above)), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_blocks_over_threads(kernel: Kernel, dtype: str) -> None:
    rng = np.random.default_rng(5)
    q = rng.normal(size=5 * BLOCK + 77).astype(dtype)
    t, g = rng.uniform(size=q.shape).astype(dtype), rng.normal(size=q.shape).astype(dtype)
    wide = q.astype(np.float64)
    expected = np.logaddexp(0, wide) - t * wide
    loss, _ = kernel.element_losses(q, "logits", t, None, slopes=False)
    rtol = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(loss, expected, rtol=rtol)
    gradient = kernel.element_loss_gradient(q, "logits", t, None, g)
    np.testing.assert_allclose(gradient, g * (1 / (1 + np.exp(-wide)) - t), rtol=rtol, atol=rtol / 10)


def test_operands_that_are_spread_and_strided(kernel: Kernel) -> None:
    rng = np.random.default_rng(6)
    q = rng.normal(size=(4, 6))[:, ::2]
    v = np.array([1.0, 2.0, 3.0])
    t = rng.integers(0, 2, (4, 3)).astype(float)
    loss, slope = kernel.element_losses(q, "logits", t, v, slopes=True)
    expected = v * t * np.logaddexp(0, -q) + (1 - t) * np.logaddexp(0, q)
    np.testing.assert_allclose(loss, expected, rtol=1e-14)
    p = 1 / (1 + np.exp(-q))
    np.testing.assert_allclose(slope, (1 - t) * p - v * t * (1 - p), rtol=1e-13)
    many = torch.from_numpy(np.ascontiguousarray(q)).expand(2, 4, 3)
    spread, _ = kernel.element_losses(many, "logits", torch.from_numpy(t), torch.from_numpy(v), slopes=False)
    np.testing.assert_allclose(spread.numpy(), np.broadcast_to(expected, (2, 4, 3)), rtol=1e-14)
