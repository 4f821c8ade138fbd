"""The contract of xent.kernels.protocol, for every kernel in the registry: statistics and gradients against the oracle.

A kernel may refuse a task; a task that it takes must come out right.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from support import oracle
from support.measure import eps_of, numbers, sensitive
from support.problems import DTYPES, as_array, problem
from xent.core.arrays import dtype_name
from xent.kernels import registry
from xent.kernels.protocol import HardTarget, Kernel, RowCoefficients, SoftTarget, Task

nan, inf = math.nan, math.inf
KERNELS = list(registry._KERNELS)
CELLS = [(library, dtype) for library, dtypes in DTYPES.items() for dtype in dtypes]
LINKS = ("logits", "log_probs", "probs")
N, K = 4, 6

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # a backend's context quiets NumPy


@pytest.fixture(params=KERNELS, ids=lambda k: k.name)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return request.param


def take(kernel: Kernel, q: Any, family: Any, link: Any, target: Any, want: Any, *, smoothed: bool = False) -> None:
    """Skip where the kernel says that this is not for it. Rows without NaN are passed for sound."""
    library = "torch" if isinstance(q, torch.Tensor) else "numpy"
    shape = tuple(q.shape)
    sound = family == "rows" and link != "logits" and not np.isnan(numbers(q)).any()
    task = Task(
        family, link, target, library, "cpu", dtype_name(q), shape, frozenset(want),
        smoothed=smoothed, sound=bool(sound),
    )  # fmt: skip
    reason = kernel.refuses(task)
    if reason is not None:
        pytest.skip(f"{kernel.name} refuses: {reason}")


def rows(link: str, dtype: str, regime: str, seed: int = 0) -> tuple[Any, Any, Any]:
    """Q, labels and probabilities as exact numbers in float64."""
    soft = problem("distribution", link, dtype, regime, N, K, seed)
    return soft.q, np.array([0, 5, 2, 3]), soft.p


WANT = {
    "logits": ("loss", "lse", "entropy", "argmax", "score_sum", "divergence"),
    "log_probs": ("loss", "entropy", "argmax", "divergence"),
    "probs": ("loss", "entropy", "argmax", "divergence"),
}


@pytest.mark.parametrize("target", ["hard", "soft"])
@pytest.mark.parametrize("regime", ["random", "wide", "confident", "ties"])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("library", "dtype"), CELLS)
def test_statistics(kernel: Kernel, library: str, dtype: str, link: Any, regime: str, target: Any) -> None:
    values, labels, probs = rows(link, dtype, regime)
    q = as_array(values, dtype, library)
    take(kernel, q, "rows", link, target, WANT[link], smoothed=target == "hard")
    on, off = 0.75, 0.0625
    mine: Any = (
        HardTarget(as_array(labels, "int64", library), on, off)
        if target == "hard"
        else SoftTarget(as_array(probs, dtype, library), on, off)
    )
    found = kernel.row_statistics(q, mine, link, frozenset(WANT[link]))
    unit = 8 * eps_of(dtype)
    for i in range(N):
        x = oracle.exact(values[i])
        row = oracle.row(x, link)
        base = oracle.one_hot(int(labels[i]), K) if target == "hard" else oracle.exact(probs[i])
        t = [oracle.mpf(on) * p + oracle.mpf(off) for p in base]
        loss = oracle.row_loss(t, row)
        scale = sum(
            float(p) * (sensitive(s) if link == "logits" else float(s)) for p, s in zip(t, row.surprisals, strict=True)
        )
        near(found.loss[i], loss, unit * scale)
        near(found.divergence[i], oracle.divergence(t, row), unit * (float(loss) + abs(float(oracle.entropy(t)))))
        own = oracle.row_entropy(row)
        near(found.entropy[i], own, unit * (sum(sensitive(v) for v in row.q) + float(own)))
        assert values[i][int(found.argmax[i])] == values[i].max()
        if link == "logits":
            near(found.lse[i], row.lse, unit * max(1.0, float(np.abs(values[i]).max())))
            near(found.score_sum[i], oracle.mp.fsum(x), unit * float(np.abs(values[i]).sum()))
    for name in WANT[link]:
        if name != "argmax":
            assert dtype_name(getattr(found, name)) == ("float64" if dtype == "float64" else "float32"), name


def near(got: Any, exact: Any, tolerance: float) -> None:
    if abs(exact) == oracle.INF:
        assert float(got) == float(exact)
    else:
        assert abs(float(got) - float(exact)) <= tolerance + 1e-300


@pytest.mark.parametrize("target", ["hard", "soft", "log space"])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("library", "dtype"), CELLS)
def test_gradient_formula(kernel: Kernel, library: str, dtype: str, link: Any, target: str) -> None:
    """a·p − b·t − h·p(log p + H), and its two relatives, with a, b and h of any sign; a row of zeros is zero."""
    values, labels, probs = rows(link, dtype, "random")
    q = as_array(values, dtype, library)
    take(
        kernel, q, "rows", link, "hard" if target == "hard" else "soft", {"loss", "entropy"}, smoothed=target == "hard"
    )
    on, off = 0.75, 0.0625
    base = np.eye(K)[labels] if target == "hard" else probs
    if target == "hard":
        mine: Any = HardTarget(as_array(labels, "int64", library), on, off)
    elif target == "soft":
        mine = SoftTarget(as_array(probs, dtype, library), on, off)
    else:
        with np.errstate(divide="ignore"):
            log_p = as_array(np.log(probs), "float64" if dtype == "float64" else "float32", library)
        mine, base = SoftTarget(None, on, off, log_p), np.exp(numbers(log_p))
    compute = "float64" if dtype == "float64" else "float32"
    a, b, h = np.array([[0.5, -1.25, 0.0, 2.0], [1.5, 0.25, 0.0, -1.0], [0.25, 0.5, 0.0, -2.0]])
    a, h = (a, h) if link == "logits" else (np.zeros(N), h)
    coefficients = RowCoefficients(*(as_array(c, compute, library) for c in (a, b, h)))
    found = kernel.row_gradient(q, mine, link, coefficients)
    assert dtype_name(found) == dtype
    t = on * base + off
    for i in range(N):
        row = oracle.row(oracle.exact(values[i]), link)
        p, s = np.array(row.q, dtype=np.float64), np.array(row.surprisals, dtype=np.float64)
        entropy = float(oracle.row_entropy(row))
        if link == "logits":
            expected = a[i] * p - b[i] * t[i] - h[i] * p * (entropy - s)
        elif link == "log_probs":
            expected = -b[i] * t[i] - h[i] * p * (1 - s)
        else:
            expected = -b[i] * t[i] / values[i] - h[i] * (1 - s)
        size = abs(expected) + abs(b[i] * t[i]) + (abs(a[i]) + abs(h[i])) * (1 + s)
        step = {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(dtype, 0.0)
        off_by = np.abs(numbers(found[i]) - expected)
        assert np.all(off_by <= 8 * eps_of(dtype) * size + step * np.abs(expected) + 1e-7 * bool(step)), i
    np.testing.assert_array_equal(numbers(found[2]), np.zeros(K))


@pytest.mark.parametrize("on", [1.0, 0.75])
@pytest.mark.parametrize("regime", ["random", "confident", "tiny"])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("library", "dtype"), CELLS)
def test_labels(kernel: Kernel, library: str, dtype: str, link: Any, regime: str, on: float) -> None:
    """−on·log q(y), and its gradient by one number a row of any sign; a row of zero is zero."""
    values, labels, _ = rows(link, dtype, regime)
    q = as_array(values, dtype, library)
    take(kernel, q, "rows", link, "hard", {"loss"})
    target = HardTarget(as_array(labels, "int64", library), on)
    found = kernel.row_statistics(q, target, link, frozenset({"loss"})).loss
    compute = "float64" if dtype == "float64" else "float32"
    assert dtype_name(found) == compute
    b = np.array([0.5, -1.25, 0.0, 2.0])
    a = as_array(on * b, compute, library) if link == "logits" else None
    gradient = kernel.row_gradient(q, target, link, RowCoefficients(a, as_array(b, compute, library)))
    assert dtype_name(gradient) == dtype
    step = {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(dtype, 0.0)
    limit = float(torch.finfo(getattr(torch, dtype)).max)
    for i in range(N):
        x = oracle.exact(values[i])
        row = oracle.row(x, link)
        t = [oracle.mpf(on) * one for one in oracle.one_hot(int(labels[i]), K)]
        loss = oracle.row_loss(t, row)
        scale = on * (sensitive(row.surprisals[labels[i]]) if link == "logits" else float(loss))
        near(found[i], loss, 3 * eps_of(dtype) * scale)
        for got, slope in zip(numbers(gradient[i]), oracle.row_gradient(t, row, x, link), strict=True):
            exact = float(oracle.times(oracle.mpf(b[i]), slope))
            if abs(exact) > limit:
                assert got == math.copysign(inf, exact)
            else:
                size = abs(exact) + (abs(b[i]) if link == "logits" else 0.0)
                assert abs(got - exact) <= 3 * eps_of(dtype) * size + step * abs(exact) + 1e-7 * bool(step)
    np.testing.assert_array_equal(numbers(gradient[2]), np.zeros(K))


@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_an_idle_row_is_exactly_zero_whatever_it_holds(kernel: Kernel, library: str, link: Any, kind: str) -> None:
    bad = [[nan] * 3, [inf, inf, 0.0], [-inf] * 3, [0.0, nan, 1.0]]
    q = as_array([*bad, [0.2, 0.3, 0.5]], "float64", library)
    take(kernel, q, "rows", link, kind, {"loss"})
    zeros = as_array([0.0] * 5, "float64", library)
    hard = HardTarget(as_array([0, 1, 2, -1, 7], "int64", library))
    target = hard if kind == "hard" else SoftTarget(as_array([[0.5, 0.5, 0.0]] * 5, "float64", library))
    for some in (RowCoefficients(zeros, zeros), RowCoefficients(b=zeros), RowCoefficients(a=zeros)):
        np.testing.assert_array_equal(numbers(kernel.row_gradient(q, target, link, some)), np.zeros((5, 3)))
    take(kernel, q, "rows", link, kind, {"loss", "entropy"})
    for some in (RowCoefficients(zeros, zeros, zeros), RowCoefficients(h=zeros)):
        np.testing.assert_array_equal(numbers(kernel.row_gradient(q, target, link, some)), np.zeros((5, 3)))


@pytest.mark.parametrize(("on", "off"), [(1.0, 0.0), (0.7, 0.1)])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_an_index_outside_the_classes_is_nan_and_its_neighbours_are_not(
    kernel: Kernel, library: str, link: Any, on: float, off: float
) -> None:
    """On real memory: the rows before and after hold other numbers, so a read out of bounds would be finite."""
    values = np.full((5, 3), {"logits": 0.5, "log_probs": math.log(1 / 3), "probs": 1 / 3}[link])
    q = as_array(values, "float64", library)
    take(kernel, q, "rows", link, "hard", {"loss"}, smoothed=off != 0)
    for kind in ("int64", "int32"):
        labels = as_array([0, 3, -1, 2**31 - 1, 2], kind, library)
        target = HardTarget(labels, on, off)
        loss = numbers(kernel.row_statistics(q, target, link, frozenset({"loss"})).loss)
        np.testing.assert_array_equal(np.isnan(loss), [False, True, True, True, False])
        one = as_array([1.0] * 5, "float64", library)
        found = numbers(
            kernel.row_gradient(q, target, link, RowCoefficients(a=one if link == "logits" else None, b=one))
        )
        np.testing.assert_array_equal(np.isnan(found).all(axis=1), [False, True, True, True, False])
        assert np.isfinite(found[[0, 4]]).all()


@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_nan_in_a_row_is_nan_in_loss_and_gradient(kernel: Kernel, library: str, link: Any, kind: str) -> None:
    """In a class near the first, and in one far from it, which another part of the code reads."""
    for classes, at in ((3, 1), (3, 2), (200, 70), (200, 199)):
        values = np.full((2, classes), 1 / classes)
        values[0, at] = nan
        q = as_array(values, "float64", library)
        take(kernel, q, "rows", link, kind, {"loss"})
        one = as_array([1.0, 1.0], "float64", library)
        hard = HardTarget(as_array([0, 0], "int64", library))
        target = hard if kind == "hard" else SoftTarget(as_array(np.eye(classes)[[0, 0]], "float64", library))
        loss = numbers(kernel.row_statistics(q, target, link, frozenset({"loss"})).loss)
        np.testing.assert_array_equal(np.isnan(loss), [True, False])
        found = numbers(
            kernel.row_gradient(q, target, link, RowCoefficients(a=one if link == "logits" else None, b=one))
        )
        assert np.isnan(found[0]).all()
        assert np.isfinite(found[1]).all()


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_no_mass_is_nothing(kernel: Kernel, library: str, link: Any) -> None:
    """0·∞ = 0 in the loss and in the gradient; with mass there it is ∞."""
    row = {"logits": [0.0, -inf, 0.0], "log_probs": [math.log(0.5), -inf, math.log(0.5)], "probs": [0.5, 0.0, 0.5]}[
        link
    ]
    q = as_array([row], "float64", library)
    take(kernel, q, "rows", link, "soft", {"loss", "divergence", "entropy"})
    want = frozenset({"loss", "divergence", "entropy"})
    found = kernel.row_statistics(q, SoftTarget(as_array([[0.5, 0.0, 0.5]], "float64", library)), link, want)
    assert float(found.loss[0]) == pytest.approx(math.log(2), rel=1e-15)
    assert float(found.divergence[0]) == pytest.approx(0.0, abs=1e-16)
    assert float(found.entropy[0]) == pytest.approx(math.log(2), rel=1e-15)
    target = SoftTarget(as_array([[0.25, 0.5, 0.25]], "float64", library))
    found = kernel.row_statistics(q, target, link, want)
    assert float(found.loss[0]) == inf
    assert float(found.divergence[0]) == inf
    one = as_array([1.0], "float64", library)
    coefficients = RowCoefficients(a=one if link == "logits" else None, b=one)
    gradient = kernel.row_gradient(q, HardTarget(as_array([0], "int64", library)), link, coefficients)
    assert np.isfinite(numbers(gradient)).all()
    assert float(gradient[0][1]) == 0.0


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("library", "dtype"), CELLS)
def test_elements(kernel: Kernel, library: str, dtype: str, link: Any) -> None:
    p = problem("indicators", link, dtype, "tiny", N, K)
    q = as_array(p.q, dtype, library)
    take(kernel, q, "elements", link, "soft", {"loss"})
    compute = "float64" if dtype == "float64" else "float32"
    a, b = (np.arange(N * K).reshape(N, K) % n / 2 for n in (5, 3))
    yes, no = kernel.element_statistics(q, link)
    found = kernel.element_gradient(q, link, as_array(a, compute, library), as_array(b, compute, library))
    assert dtype_name(yes) == dtype_name(no) == compute
    assert dtype_name(found) == dtype
    limit = float(torch.finfo(getattr(torch, dtype)).max)
    step = {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(dtype, 0.0)
    unit = 4 * eps_of(dtype)
    for at in np.ndindex(N, K):
        e = oracle.element(oracle.mpf(float(p.q[at])), link)
        for got, exact in ((yes, e.yes), (no, e.no)):
            near(got[at], exact, unit * float(exact))
        first, second = (float(oracle.times(oracle.mpf(w[at]), d)) for w, d in ((a, e.d_no), (b, e.d_yes)))
        expected = first + second
        if abs(expected) > limit:
            assert float(found[at]) == math.copysign(inf, expected)
        else:
            size = abs(first) + abs(second)
            assert abs(float(found[at]) - expected) <= unit * size + step * abs(expected) + 1e-7 * bool(step)
    idle = (a == 0) & (b == 0)
    assert idle.any()
    nans = as_array(np.full((N, K), nan), dtype, library)
    dead = kernel.element_gradient(nans, link, as_array(a, compute, library), as_array(b, compute, library))
    np.testing.assert_array_equal(numbers(dead) == 0.0, idle)


@pytest.mark.parametrize("link", LINKS)
def test_arguments_are_not_written_to(kernel: Kernel, link: Any) -> None:
    values, labels, probs = rows(link, "float64", "random")
    take(kernel, values, "rows", link, "soft", WANT[link])
    ones = np.ones(N)
    arrays = [values, labels, probs, ones]
    before = [x.copy() for x in arrays]
    for x in arrays:
        x.setflags(write=False)
    for target in (HardTarget(labels, 0.9, 0.1), SoftTarget(probs, 0.9, 0.1)):
        kernel.row_statistics(values, target, link, frozenset(WANT[link]))
        kernel.row_gradient(values, target, link, RowCoefficients(ones if link == "logits" else None, ones, ones))
        tensors = [torch.tensor(x) for x in arrays]
        copies = [x.clone() for x in tensors]
        mine: Any = (
            HardTarget(tensors[1], 0.9, 0.1) if isinstance(target, HardTarget) else SoftTarget(tensors[2], 0.9, 0.1)
        )
        kernel.row_statistics(tensors[0], mine, link, frozenset(WANT[link]))
        kernel.row_gradient(
            tensors[0], mine, link, RowCoefficients(tensors[3] if link == "logits" else None, tensors[3], tensors[3])
        )
        assert all(torch.equal(x, y) for x, y in zip(tensors, copies, strict=True))
    kernel.element_statistics(values, link)
    kernel.element_gradient(values, link, probs, probs)
    for x, y in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("shape", [(5,), (0, 5), (2, 0, 5), (1, 1, 5)])
def test_shapes(kernel: Kernel, shape: tuple[int, ...], library: str) -> None:
    q = as_array(np.zeros(shape), "float32", library)
    take(kernel, q, "rows", "logits", "hard", WANT["logits"])
    target = HardTarget(as_array(np.zeros(shape[:-1]), "int64", library))
    found = kernel.row_statistics(q, target, "logits", frozenset(WANT["logits"]))
    for name in WANT["logits"]:
        assert tuple(getattr(found, name).shape) == shape[:-1], name
    ones = as_array(np.ones(shape[:-1]), "float32", library)
    gradient = kernel.row_gradient(q, target, "logits", RowCoefficients(ones, ones))
    assert tuple(gradient.shape) == shape
    if 0 not in shape:
        np.testing.assert_allclose(numbers(found.loss), np.full(shape[:-1], math.log(5)), rtol=1e-7)
        np.testing.assert_allclose(numbers(gradient).reshape(-1, 5)[0], [-0.8, 0.2, 0.2, 0.2, 0.2], rtol=1e-6)


def test_a_statistic_that_was_not_asked_for_is_none(kernel: Kernel) -> None:
    q = np.zeros((2, 3))
    take(kernel, q, "rows", "logits", "hard", {"loss"})
    found = kernel.row_statistics(q, HardTarget(np.array([0, 1])), "logits", frozenset({"loss"}))
    assert found.loss is not None
    assert all(getattr(found, name) is None for name in WANT["logits"] if name != "loss")


def test_choice_is_explained() -> None:
    task = Task("rows", "logits", "hard", "cupy", "cuda", "float32", (2, 3))
    kernel, explanation = registry.consider(task)
    assert kernel is None
    assert set(explanation.refusals) == {k.name for k in KERNELS}
    assert all(explanation.refusals.values())
    with pytest.raises(registry.KernelError, match="written for numpy, torch, jax and tensorflow, not cupy"):
        registry.choose(task)
    task = Task("rows", "probs", "hard", "numpy", "cpu", "float32", (2, 3), frozenset({"lse"}))
    assert "log-sum-exp" in registry.consider(task)[1].refusals["composed"]
