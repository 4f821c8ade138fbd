"""The functions of numbers that the programs use, to the digits of float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import triton
import triton.language as tl

from support import oracle
from xent.kernels.gpu import numbers

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
mp = oracle.mp


@triton.jit
def _each(x, y, out, count, F: tl.constexpr, B: tl.constexpr):  # type: ignore[no-untyped-def]
    place = tl.arange(0, B)
    v = tl.load(x + place, mask=place < count, other=0.0)
    if F == 0:
        found = numbers.log1p(v)
    elif F == 1:
        found = numbers.tanh(v)
    elif F == 2:
        found = numbers.minus_expm1(v)
    else:
        found = numbers.power(v, y)
    tl.store(out + place, found, mask=place < count)


def run(which: int, x: np.ndarray, y: float = 1.0) -> np.ndarray:
    values = torch.tensor(x, dtype=torch.float32, device=DEVICE)
    out = torch.empty_like(values)
    _each[(1,)](values, y, out, len(x), F=which, B=1 << (len(x) - 1).bit_length())
    return out.cpu().numpy()


def grid(low: float, high: float) -> np.ndarray:
    return np.concatenate([[0.0], np.geomspace(low, high, 400)]).astype(np.float32)


@pytest.mark.parametrize(
    ("which", "low", "high", "exact", "units"),
    [
        (0, 1e-30, 1e30, mp.log1p, 3),
        (1, 1e-20, 100.0, mp.tanh, 4),
        (2, 1e-20, 100.0, lambda x: -mp.expm1(-x), 4),
    ],
    ids=["log1p", "tanh", "minus_expm1"],
)
def test_relative_error(which: int, low: float, high: float, exact: Any, units: float) -> None:
    x = grid(low, high)
    expected = np.array([float(exact(oracle.mpf(float(v)))) for v in x])
    np.testing.assert_allclose(run(which, x), expected, rtol=units * 6e-8, atol=1e-45)


def test_signs_and_edges() -> None:
    assert run(0, np.array([0.0, np.inf], np.float32)).tolist() == [0.0, np.inf]
    assert np.isnan(run(0, np.array([np.nan], np.float32))).all()
    odd = run(1, np.array([-0.1, 0.1, -3.0, 3.0, np.inf, -np.inf], np.float32))
    assert (odd[::2][:2] == -odd[1::2][:2]).all()
    assert odd[4:].tolist() == [1.0, -1.0]
    assert run(2, np.array([np.inf, 0.0], np.float32)).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("y", [0.5, 1.0, 2.0, 5.0])
def test_powers(y: float) -> None:
    x = grid(1e-6, 1.0)
    expected = [float(oracle.mpf(float(v)) ** y) for v in x]
    np.testing.assert_allclose(run(3, x, y), expected, rtol=1e-5, atol=1e-37)
