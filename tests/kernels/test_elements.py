"""Σ and gradient of elements in one pass, for every kernel, against the oracle; and how its operands may lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from support import oracle
from support.measure import error, numbers, split
from support.problems import DTYPES, as_array, problem, rounded
from xent.core.arrays import dtype_name
from xent.kernels import registry
from xent.kernels.cpu import cpu, threads
from xent.kernels.cpu.element_loops import BLOCK, CHUNK
from xent.kernels.protocol import Kernel, Task

nan, inf = math.nan, math.inf
CELLS = [(library, dtype) for library, dtypes in DTYPES.items() for dtype in dtypes]
LINKS = ("logits", "log_probs", "probs")
mpf = oracle.mpf

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # a backend's context quiets NumPy


#: The kernels that take elements at all.
_PLAIN = Task("elements", "logits", "soft", "numpy", "cpu", "float64", (3,))
KERNELS = [k for k in registry._KERNELS if k.refuses(_PLAIN) is None]


@pytest.fixture(params=KERNELS, ids=lambda k: k.name)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return request.param


def check(found: tuple[Any, Any], link: Any, dtype: str, q: Any, t: Any, w: Any, v: Any, scale: float) -> None:
    """Within 3 units of eps·scale of the oracle; q, t, w and v are exact numbers, of q's shape."""
    total, gradient = found
    assert dtype_name(total) == ("float64" if dtype == "float64" else "float32")
    assert dtype_name(gradient) == dtype
    assert tuple(total.shape) == ()
    assert tuple(gradient.shape) == q.shape
    value, size, slopes, sizes = mpf(0), 0.0, [], []
    for x, t_, w_, v_ in zip(*(oracle.exact(a.reshape(-1)) for a in (q, t, w, v)), strict=True):
        e = oracle.element(x, link)
        yes, no = oracle.times(t_ * v_, e.yes), oracle.times(1 - t_, e.no)
        value += w_ * (yes + no)
        size += float(abs(w_) * (abs(yes) + abs(no)))
        by_yes, by_no = oracle.times(t_ * v_, e.d_yes), oracle.times(1 - t_, e.d_no)
        slopes.append(scale * w_ * (by_yes + by_no))
        sizes.append(abs(scale) * float(abs(w_) * (abs(by_yes) + abs(by_no))))
    assert error(np.asarray(numbers(total)), split([value]), [size], dtype, "float32") <= 3
    assert error(gradient, split(slopes), sizes, dtype, dtype) <= 3


def weights(shape: tuple[int, ...], dtype: str, seed: int) -> Any:
    return rounded(np.random.default_rng(seed).uniform(0.25, 4, shape), dtype)


@pytest.mark.parametrize("regime", ["random", "wide", "confident", "tiny"])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("library", "dtype"), CELLS)
def test_sum_and_gradient(kernel: Kernel, library: str, dtype: str, link: Any, regime: str) -> None:
    p = problem("indicators", link, dtype, regime, 7, 9)
    w, v = weights((7, 9), dtype, 1), weights((7, 9), dtype, 2)
    q, t, w_, v_ = (as_array(x, dtype, library) for x in (p.q, p.p, w, v))
    ones = np.ones_like(p.q)
    check(kernel.element_fused(q, link, t, w_, v_, -0.37), link, dtype, p.q, p.p, w, v, -0.37)
    check(kernel.element_fused(q, link, t, None, None, 1.0), link, dtype, p.q, p.p, ones, ones, 1.0)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, CHUNK - 1, CHUNK + 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_any_number_of_elements(kernel: Kernel, size: int, weighted: bool) -> None:
    rng = np.random.default_rng(size)
    q, t = rounded(rng.normal(size=size) * 5, "float32"), rounded(rng.random(size), "float32")
    w = weights((size,), "float32", 3) if weighted else np.ones(size)
    arrays = [x.astype(np.float32) for x in (q, t, w)]
    found = kernel.element_fused(arrays[0], "logits", arrays[1], arrays[2] if weighted else None, None, 2.0)
    check(found, "logits", "float32", q, t, w, np.ones(size), 2.0)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_no_axes(kernel: Kernel, library: str) -> None:
    q, t = as_array(0.75, "float64", library), as_array(0.25, "float64", library)
    one = np.ones(())
    found = kernel.element_fused(q, "logits", t, None, t, 1.0)
    check(found, "logits", "float64", np.asarray(0.75), np.asarray(0.25), one, 0.25 * one, 1.0)
    yes, no = kernel.element_statistics(q, "logits")
    assert tuple(yes.shape) == tuple(no.shape) == ()
    assert tuple(kernel.element_gradient(q, "logits", yes, no).shape) == ()


SHAPES: list[tuple[int, ...]] = [
    (),
    (1,),
    (1, 1),
    (11,),
    (1, 11),
    (1, 1, 11),
    (30, 11),
    (30, 1),
    (5, 30, 11),
    (5, 1, 11),
]


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_weights_broadcast(kernel: Kernel, shape: tuple[int, ...], library: str) -> None:
    """Of more elements than a chunk holds, so that classes do not begin where chunks do."""
    full = (5, 30, 11)
    rng = np.random.default_rng(4)
    q, t = rng.normal(size=full), rng.random(full)
    w, v = weights(shape, "float64", 5), weights(shape, "float64", 6)
    arrays = [as_array(x, "float64", library) for x in (q, t, w, v)]
    wide = [np.broadcast_to(x, full) for x in (w, v)]
    ones = np.ones(full)
    check(kernel.element_fused(arrays[0], "logits", *arrays[1:], 1.5), "logits", "float64", q, t, *wide, 1.5)
    found = kernel.element_fused(arrays[0], "logits", arrays[1], arrays[2], None, 1.5)
    check(found, "logits", "float64", q, t, wide[0], ones, 1.5)
    found = kernel.element_fused(arrays[0], "logits", arrays[1], None, arrays[3], 1.5)
    check(found, "logits", "float64", q, t, ones, wide[1], 1.5)
    if shape in ((), (11,), (30, 1)):  # t may broadcast too
        found = kernel.element_fused(arrays[0], "logits", arrays[3], None, None, 1.5)
        check(found, "logits", "float64", q, wide[1], ones, ones, 1.5)


@pytest.mark.parametrize(
    "kind", ["bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_targets_of_any_type(kernel: Kernel, dtype: str, kind: str) -> None:
    rng = np.random.default_rng(7)
    size = CHUNK + 300
    q, t = rounded(rng.normal(size=size) * 3, dtype), rng.integers(0, 2, size).astype(float)
    if "float" in kind:
        t = rounded(rng.random(size), "bfloat16" if kind == "bfloat16" else "float16")
    w = rounded(rng.random(size), "bfloat16")
    ones = np.ones(size)
    q_, t_, w_ = as_array(q, dtype, "torch"), as_array(t, kind, "torch"), as_array(w, "bfloat16", "torch")
    check(kernel.element_fused(q_, "logits", t_, w_, None, 1.0), "logits", dtype, q, t, w, ones, 1.0)
    check(kernel.element_fused(q_, "logits", t_, None, None, 1.0), "logits", dtype, q, t, ones, ones, 1.0)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_infinite_and_empty(kernel: Kernel, dtype: str, link: Any) -> None:
    """0·∞ = 0; with mass the loss is infinite; a NaN is one; weight 0 is nothing at all, beside NaN too."""
    yes, no = {"logits": (inf, -inf), "log_probs": (0.0, -inf), "probs": (1.0, 0.0)}[link]

    def solve(q: list[float], t: list[float], w: list[float] | None = None) -> tuple[float, list[float]]:
        arrays = [None if x is None else np.asarray(x, dtype) for x in (q, t, w)]
        total, gradient = kernel.element_fused(arrays[0], link, arrays[1], arrays[2], None, 1.0)
        return float(total), gradient.tolist()

    total, gradient = solve([yes, no, -0.0] if link == "log_probs" else [yes, no, yes], [1.0, 0.0, 1.0])
    assert total == 0
    expected = {"logits": [0, 0, 0], "log_probs": [-1, 0, -1], "probs": [-1, 1, -1]}[link]
    assert gradient == expected
    assert solve([yes], [0.0])[0] == inf
    assert solve([no], [1.0])[0] == inf
    assert solve([yes], [0.0])[1] == [{"logits": 1.0}.get(link, inf)]
    assert solve([no], [1.0])[1] == [{"logits": -1.0, "log_probs": -1.0, "probs": -inf}[link]]
    middle = {"logits": 0.5, "log_probs": -0.5, "probs": 0.5}[link]
    for q, t in ((nan, 1.0), (nan, 0.0), (nan, 0.5), (middle, nan)):
        total, gradient = solve([q, middle], [t, 1.0])
        assert math.isnan(total)
        assert np.isnan(gradient).tolist() == [True, False]
        alone = solve([middle], [1.0], [2.0])
        total, gradient = solve([q, yes, no, middle], [t, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 2.0])
        assert (total, gradient) == (alone[0], [0.0, 0.0, 0.0, *alone[1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("link", ["logits", "probs"])
def test_subnormal_numbers(kernel: Kernel, dtype: str, link: Any) -> None:
    tiny = float(np.finfo(dtype).smallest_subnormal)
    if link == "logits":
        edge = -math.log(tiny)
        q = rounded([tiny, -tiny, 5 * tiny, edge - 0.5, 0.5 - edge, edge - 10, 10 - edge, 3 * edge], dtype)
    else:
        q = np.array([tiny, 7 * tiny, float(np.finfo(dtype).tiny), 0.5])
    t = np.array([0.0, 1.0] * (q.size // 2))
    ones = np.ones(q.size)
    found = kernel.element_fused(q.astype(dtype), link, t.astype(dtype), None, None, 1.0)
    check(found, link, dtype, q, t, ones, ones, 1.0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_sum_of_many_keeps_its_digits(kernel: Kernel, dtype: str) -> None:
    size = 300_017
    q = as_array(np.zeros(size), dtype, "torch")
    total, gradient = kernel.element_fused(q, "logits", q, None, None, 4.0)
    assert float(total) == pytest.approx(size * math.log(2), rel=1.2e-7)
    assert torch.equal(gradient, torch.full_like(q, 2.0))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("link", LINKS)
def test_elements_do_not_depend_on_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, link: Any, weighted: bool
) -> None:
    monkeypatch.setattr(threads, "SERIAL", 0)
    rng = np.random.default_rng(8)
    q = rng.uniform(0.01, 0.99, 5 * BLOCK + 777).astype(np.float32)
    q = {"logits": q * 9 - 4, "log_probs": np.log(q), "probs": q}[link]
    t = rng.random(q.size).astype(np.float32)
    w = rng.random(q.size).astype(np.float32) if weighted else None
    found = []
    for count in (1, 2, 3, 7):
        monkeypatch.setattr(threads, "thread_count", lambda n=count: n)
        yes, no = cpu.element_statistics(q, link)
        fused = cpu.element_fused(q, link, t, w, None, 0.3)
        found.append((yes, no, cpu.element_gradient(q, link, t, yes), *fused))
    for other in found[1:]:
        for one, many in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, many)
    values = (t * found[0][0].astype(float) + (1 - t) * found[0][1]) * (1 if w is None else w)
    assert float(found[0][3]) == pytest.approx(values.sum(), rel=2e-7)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_elements_of_any_stride(kernel: Kernel, library: str) -> None:
    rng = np.random.default_rng(9)
    base, t = rng.normal(size=(40, 30)), rng.random((40, 30))
    views = {
        "transposed": (np.ascontiguousarray(base.T).T, np.ascontiguousarray(t.T).T),
        "steps": (np.repeat(base, 2, axis=1)[:, ::2], np.repeat(t, 3, axis=0)[::3]),
        "expanded": (np.broadcast_to(base[:1], (40, 30)), np.broadcast_to(t[:, :1], (40, 30))),
    }
    for q_, t_ in views.values():
        q, y = (torch.from_numpy(x.copy()).as_strided(x.shape, (30, 1)) for x in (q_, t_))
        if library == "torch":
            a, b = (torch.tensor(x) for x in (q_, t_))
            a, b = (
                a.t().contiguous().t(),
                b[:, :1].expand(40, 30) if (t_ == t_[:, :1]).all() else b.t().contiguous().t(),
            )
        else:
            a, b = q_, t_
        found = kernel.element_fused(a, "logits", b, None, None, 1.0)
        expected = kernel.element_fused(q, "logits", y, None, None, 1.0)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(numbers(one), numbers(other), rtol=1e-14)
        assert tuple(found[1].shape) == (40, 30)


@pytest.mark.parametrize("link", LINKS)
def test_arguments_are_only_read(kernel: Kernel, link: Any) -> None:
    arrays = [np.full((3, 4), -0.5 if link == "log_probs" else 0.5), *(np.full((3, 4), x) for x in (0.25, 2.0, 3.0))]
    before = [x.copy() for x in arrays]
    for x in arrays:
        x.setflags(write=False)
    q, t, w, v = arrays
    kernel.element_fused(q, link, t, w, v, 1.0)
    kernel.element_statistics(q, link)
    kernel.element_gradient(q, link, t, w)
    for x, y in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_widened_and_rounded_as_pytorch_does(dtype: torch.dtype) -> None:
    """Every finite number of the type in, and the float32 gradient out, to nearest and ties to even."""
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    every = bits[torch.isfinite(bits)]
    t = torch.rand(every.shape, generator=torch.Generator().manual_seed(3)).to(dtype)
    for scale in (1.0, 1e-4, 3e-7, 300.0):
        total, half = cpu.element_fused(every, "logits", t, None, None, scale)
        single, exact = cpu.element_fused(every.float(), "logits", t.float(), None, None, scale)
        assert torch.equal(half, exact.to(dtype))
        assert torch.equal(total, single)
