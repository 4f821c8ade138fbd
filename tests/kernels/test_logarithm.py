"""The logarithms that the compiled loops are made of: within one eps of 50 digits, and right at their edges."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from xent.kernels.cpu.lanes import exp_of_drop, jit
from xent.kernels.cpu.logarithm import complement_of_exp, log1p_of_fraction, log_of_complement

# Digits for 1 − e^x at x = −10^−300.
mp = mpmath.mp.clone()
mp.dps = 350
inf, nan = math.inf, math.nan


@jit
def log1p(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = log1p_of_fraction(x[i])


@jit
def log(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = log_of_complement(x.dtype.type(1), x[i])


@jit
def log_of_the_rest(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = log_of_complement(x[i], x.dtype.type(1) - x[i])


@jit
def rest_of_exp(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = complement_of_exp(x[i], exp_of_drop(x[i]))


@jit
def log1mexp(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        e = exp_of_drop(x[i])
        out[i] = log_of_complement(e, complement_of_exp(x[i], e))


@jit
def log1pexp(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = log1p_of_fraction(exp_of_drop(x[i]))


FUNCTIONS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "log1p": (log1p, mp.log1p),
    "log": (log, mp.log),
    "log(1 - q)": (log_of_the_rest, lambda q: mp.log(1 - q)),
    "1 - e^x": (rest_of_exp, lambda x: 1 - mp.exp(x)),
    "log(1 - e^x)": (log1mexp, lambda x: mp.log(1 - mp.exp(x))),
    "log(1 + e^x)": (log1pexp, lambda x: mp.log(1 + mp.exp(x))),
}


def inputs(name: str, dtype: Any) -> Any:
    rng = np.random.default_rng(11)
    decades = 44 if dtype == np.float32 else 300
    unit = np.concatenate([rng.random(300), 10.0 ** -rng.uniform(0, decades, 150), 1 - 10.0 ** -rng.uniform(0, 7, 50)])
    if name == "log":
        around = [0.5, 2.0, math.sqrt(0.5), math.sqrt(2.0), float(np.finfo(dtype).max), float(np.finfo(dtype).tiny)]
        return np.concatenate([unit, 1 + (unit - 0.5) / 5, 10.0 ** rng.uniform(0, 37, 100), around]).astype(dtype)
    if "^" in name:
        return -np.concatenate([unit, 20 * unit, math.log(2) * (1 + unit / 1e3)]).astype(dtype)
    return unit.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_one_eps(name: str, dtype: Any) -> None:
    function, exact = FUNCTIONS[name]
    x = inputs(name, dtype)
    x = x[(x != 0) & (np.abs(x) != 1)]
    found = np.empty_like(x)
    function(x, found)
    info = np.finfo(dtype)
    eps, least = float(info.eps), float(info.smallest_subnormal)
    for at, got in zip(x.tolist(), found.tolist(), strict=True):
        true = exact(mp.mpf(at))
        assert abs(mp.mpf(got) - true) <= 1.05 * eps * abs(true) + least, (at, got)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges(dtype: Any) -> None:
    def of(function: Any, *values: float) -> list[float]:
        x = np.array(values, dtype)
        out = np.empty_like(x)
        function(x, out)
        return [float(v) for v in out]

    np.testing.assert_array_equal(of(log, 0.0, -0.0, 1.0, inf, -1.0, -inf, nan), [-inf, -inf, 0, inf, nan, nan, nan])
    np.testing.assert_array_equal(
        of(log_of_the_rest, 0.0, -0.0, 1.0, -1.0, 2.0, inf, nan), [0, 0, -inf, nan, nan, nan, nan]
    )
    np.testing.assert_array_equal(of(log1mexp, 0.0, -0.0, -inf, nan), [-inf, -inf, 0, nan])
    np.testing.assert_array_equal(of(rest_of_exp, 0.0, -inf, nan), [0, 1, nan])
    np.testing.assert_array_equal(of(log1pexp, 0.0, -inf, nan), [float(dtype(math.log(2))), 0, nan])
