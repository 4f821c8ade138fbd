"""Loss and gradient in one pass, against 50 digits: every width around a vector's, every target, every type."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from support.bounds import BOUNDS
from support.measure import Weighted, error, solve_weighted
from support.problems import DTYPES, SMOOTHING, Problem, as_array, problem
from xent.core.arrays import dtype_name
from xent.kernels.composed import composed
from xent.kernels.cpu import cpu
from xent.kernels.protocol import HardTarget, Kernel, SoftTarget

#: Those that take scores.
KERNELS: tuple[Kernel, ...] = (cpu, composed)
CELLS = [(library, dtype) for library, dtypes in DTYPES.items() for dtype in dtypes]
TRUTHS = ("labels", "smoothed labels", "distribution")
#: One, few, all that tiles take, and around the first and the second vector of a row.
WIDTHS = (1, 2, 3, 10, 63, 64, 65, 127, 129)
#: Of any sign; the third row does not count, the last one is small.
COEFFICIENTS = np.array([0.5, -1.25, 0.0, 2.0, -1.0, 2.0**-20])

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # a backend's context quiets NumPy


@cache
def solved(truth: str, dtype: str, regime: str, n: int, k: int) -> tuple[Problem, Weighted]:
    found = problem(truth, "logits", dtype, regime, n, k, seed=k)
    return found, solve_weighted(found, COEFFICIENTS[:n])


def require_exact(kernel: Kernel, library: str, dtype: str, truth: str, regime: str, n: int, k: int) -> None:
    p, exact = solved(truth, dtype, regime, n, k)
    q = as_array(p.q, dtype, library)
    compute = "float64" if dtype == "float64" else "float32"
    on, off = (1.0 - SMOOTHING, SMOOTHING / k) if truth == "smoothed labels" else (1.0, 0.0)
    target: Any = (
        SoftTarget(as_array(p.p, dtype, library))
        if truth == "distribution"
        else HardTarget(as_array(p.p, "int64", library), on, off)
    )
    loss, gradient = kernel.row_fused(q, target, "logits", as_array(COEFFICIENTS[:n], compute, library))
    assert (dtype_name(loss), dtype_name(gradient)) == (compute, dtype)
    assert (tuple(loss.shape), tuple(gradient.shape)) == ((n,), (n, k))
    most = BOUNDS["logits"]
    assert error(loss, exact.loss, exact.loss_scale, dtype, compute) <= most[0]
    assert error(gradient, exact.gradient, exact.gradient_scale, dtype, dtype) <= most[1]


@pytest.mark.parametrize("k", WIDTHS)
@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize(("library", "dtype"), CELLS)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_rows_against_50_digits(kernel: Kernel, library: str, dtype: str, truth: str, k: int) -> None:
    for regime in ("random", "wide", "confident", "ties", "masked"):
        require_exact(kernel, library, dtype, truth, regime, len(COEFFICIENTS), k)


@pytest.mark.parametrize(
    ("k", "dtypes"), [(1000, DTYPES["torch"]), (4097, ("bfloat16", "float32")), (40_000, ("float32",))]
)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_long_rows_against_50_digits(kernel: Kernel, k: int, dtypes: tuple[str, ...]) -> None:
    """Past the first block of 4096, whose sum goes to float64."""
    for dtype in dtypes:
        for truth in TRUTHS if k < 40_000 else ("smoothed labels",):
            for regime in ("random", "wide") if k == 1000 else ("random",):
                require_exact(kernel, "torch", dtype, truth, regime, 2, k)


@pytest.mark.parametrize("k", [3, 130])
@pytest.mark.parametrize("scale", [1e-30, 1e-36, 1e-38, 1e-40])
def test_gradients_that_are_subnormal(k: int, scale: float) -> None:
    """Half a step of the subnormal numbers, and what float32 itself loses of a subnormal coefficient: nothing."""
    rng = np.random.default_rng(k)
    z = rng.normal(size=(4, k)).astype(np.float32)
    y = HardTarget(rng.integers(0, k, 4))
    c = np.full(4, scale, np.float32)
    wide = z.astype(np.float64)
    q = np.exp(wide - wide.max(-1, keepdims=True))
    q /= q.sum(-1, keepdims=True)
    q[np.arange(4), y.index] -= 1
    step = float(np.finfo(np.float32).smallest_subnormal)
    for kernel in KERNELS:
        _, found = kernel.row_fused(z, y, "logits", c)
        exact = float(c[0]) * q
        assert np.abs(found - exact).max() <= 4 * np.finfo(np.float32).eps * scale + 2 * step, kernel.name
        assert np.count_nonzero(found) > k, kernel.name
