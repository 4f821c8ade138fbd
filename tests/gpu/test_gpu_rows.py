"""The program over rows: every way to cut rows, lay them out and change their scores, against 50 digits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from support import oracle
from support.measure import numbers
from xent.core.shaping import Form
from xent.kernels.composed import composed
from xent.kernels.extra import Extra
from xent.kernels.gpu import gpu, launch, rows
from xent.kernels.protocol import HardTarget, RowCoefficients, SoftTarget

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
EVERY = frozenset({"loss", "lse", "entropy", "argmax", "score_sum"})
HALF = (torch.float16, torch.bfloat16)
inf, nan = math.inf, math.nan


def scores(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0, scale: float = 3.0) -> torch.Tensor:
    x = np.random.default_rng(seed).normal(scale=scale, size=shape)
    return torch.tensor(x, device=DEVICE).to(dtype)


def labels(count: int, classes: int, seed: int = 1) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).integers(0, classes, count), device=DEVICE)


def probabilities(*shape: int, seed: int = 2) -> torch.Tensor:
    p = np.random.default_rng(seed).dirichlet(np.ones(shape[-1]) / 2, shape[:-1])
    return torch.tensor(p, dtype=torch.float32, device=DEVICE)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of more than 16 classes are walked through in pieces of 16."""
    monkeypatch.setattr(launch, "_HELD", 16)
    monkeypatch.setattr(launch, "_PIECE", 16)


def assert_same(found: Any, exact: Any, tolerance: float = 3e-6) -> None:
    found, exact = numbers(found), numbers(exact)
    assert found.shape == exact.shape
    np.testing.assert_allclose(
        found, exact, rtol=tolerance, atol=tolerance * max(1.0, np.abs(exact[np.isfinite(exact)]).max(initial=0))
    )


def in_double(target: Any) -> Any:
    if isinstance(target, HardTarget):
        return target
    probs, logs = (None if x is None else x.double() for x in (target.probs, target.log_probs))
    return SoftTarget(probs, target.on, target.off, logs)


def targets(count: int, classes: int) -> dict[str, Any]:
    p = probabilities(count, classes)
    return {
        "labels": HardTarget(labels(count, classes)),
        "smoothed": HardTarget(labels(count, classes), 0.9, 0.1 / classes),
        "probabilities": SoftTarget(p),
        "logarithms": SoftTarget(None, 0.8, 0.2 / classes, torch.log(p.clamp_min(1e-30))),
    }


@pytest.mark.parametrize("kind", ["labels", "smoothed", "probabilities", "logarithms"])
@pytest.mark.parametrize("classes", [1, 10, 16, 17, 48])
def test_statistics_and_gradients_of_pieces(small_pieces: None, classes: int, kind: str) -> None:
    """Beside the composed kernel in float64, which has its own tests against 50 digits."""
    z = scores(5, classes)
    target = targets(5, classes)[kind]
    found = gpu.row_statistics(z, target, "logits", EVERY)
    exact = composed.row_statistics(z.double(), in_double(target), "logits", EVERY)
    for name in sorted(EVERY):
        assert_same(getattr(found, name), getattr(exact, name))
    a, b, h = (scores(5, seed=seed) for seed in (3, 4, 5))
    for c in (RowCoefficients(a, b, h), RowCoefficients(a, b), RowCoefficients(None, b)):
        wide = RowCoefficients(*(None if x is None else x.double() for x in (c.a, c.b, c.h)))
        mine = gpu.row_gradient(z, target, "logits", c)
        assert_same(mine, composed.row_gradient(z.double(), in_double(target), "logits", wide))
    loss, gradient = gpu.row_fused(z, target, "logits", b)
    twin = composed.row_fused(z.double(), in_double(target), "logits", b.double())
    assert_same(loss, twin[0])
    assert_same(gradient, twin[1])


@pytest.mark.parametrize("classes", [16384, 16385, 20001])
def test_rows_that_just_fit_and_rows_that_do_not(classes: int) -> None:
    z, y = scores(2, classes), labels(2, classes)
    loss, gradient = gpu.row_fused(z, HardTarget(y), "logits", torch.tensor([0.5, 2.0], device=DEVICE))
    twin = composed.row_fused(z.double(), HardTarget(y), "logits", torch.tensor([0.5, 2.0], device=DEVICE).double())
    assert_same(loss, twin[0])
    assert_same(gradient, twin[1])


@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
@pytest.mark.parametrize("confidence", [3.0, 7.0, 14.0, 30.0, 80.0])
def test_the_truth_s_gradient_as_its_probability_nears_one(confidence: float, dtype: torch.dtype) -> None:
    """p − 1 at the truth: in bfloat16 others have had all of it wrong at p = 0.999."""
    z = torch.zeros(1, 9, device=DEVICE)
    z[0, 4] = confidence
    z = z.to(dtype)
    target = HardTarget(torch.tensor([4], device=DEVICE))
    _, gradient = gpu.row_fused(z, target, "logits", torch.ones(1, device=DEVICE))
    row = oracle.row(oracle.exact(numbers(z)[0]), "logits")
    exact = np.array([float(q) for q in row.q])
    exact[4] = -float(oracle.mp.fsum(q for k, q in enumerate(row.q) if k != 4))
    eps = float(torch.finfo(dtype).eps)
    smallest = float(torch.finfo(dtype).smallest_normal) if dtype is torch.float16 else 0.0
    np.testing.assert_allclose(numbers(gradient)[0], exact, rtol=2 * eps, atol=smallest)


@pytest.mark.parametrize(
    "lay",
    [
        lambda z: z,
        lambda z: z.t().contiguous().t(),
        lambda z: torch.cat([z, z], 1)[:, : z.shape[1]],
        lambda z: torch.cat([z, z], 1)[:, ::2],
        lambda z: z[:1].expand(z.shape),
        lambda z: z.reshape(2, 3, -1).transpose(0, 1).reshape(3, 2, -1),
        lambda z: torch.stack([z] * 4, 1).permute(1, 0, 2),
        lambda z: torch.stack([z] * 4, 2).transpose(1, 2),
        lambda z: torch.stack([torch.stack([z] * 2, 2)] * 3, 3).permute(0, 2, 3, 1).transpose(1, 2),
    ],
    ids=["rows", "columns", "gaps", "every other", "expanded", "swapped", "stacked", "image", "image, turned"],
)
def test_every_layout_is_read_where_it_lies_and_none_is_written(lay: Any) -> None:
    z = lay(scores(6, 7))
    before = z.clone()
    y = labels(z.shape[:-1].numel(), z.shape[-1]).reshape(z.shape[:-1])
    c = scores(*z.shape[:-1], seed=6)
    loss, gradient = gpu.row_fused(z, HardTarget(y), "logits", c)
    twin = composed.row_fused(z.double(), HardTarget(y), "logits", c.double())
    assert_same(loss, twin[0])
    assert_same(gradient, twin[1])
    assert torch.equal(z, before)


@pytest.mark.parametrize("kind", ["labels", "smoothed"])
def test_labels_outside_and_rows_that_do_not_count(small_pieces: None, kind: str) -> None:
    z = scores(6, 40)
    z[1] = nan
    z[4, 7] = nan
    index = torch.tensor([0, 5, -1, 40, 3, 2**40], device=DEVICE)
    on, off = (1.0, 0.0) if kind == "labels" else (0.9, 0.0025)
    c = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0, 0.0], device=DEVICE)
    loss, gradient = gpu.row_fused(z, HardTarget(index, on, off), "logits", c)
    assert torch.isnan(loss).tolist() == [False, False, True, True, True, False]
    assert torch.isnan(gradient).all(-1).tolist() == [False, False, True, True, True, False]
    for idle in (1, 5):
        assert loss[idle] == 0
        assert not gradient[idle].any()


@pytest.mark.parametrize("classes", [4, 40])
def test_infinite_scores(small_pieces: None, classes: int) -> None:
    z = scores(6, classes)
    z[0, 1:] = -inf
    z[1] = -inf
    z[2, classes - 1] = inf
    z[3, [0, classes - 1]] = inf
    z[4, 2] = -inf
    z[5, :-1] = -inf
    y = torch.tensor([0, 1, classes - 1, 0, 2, 0], device=DEVICE)
    want = frozenset({"loss", "lse", "entropy", "argmax"})
    found = gpu.row_statistics(z, HardTarget(y), "logits", want)
    exact = composed.row_statistics(z.double(), HardTarget(y), "logits", want)
    for name in sorted(want):
        np.testing.assert_allclose(
            numbers(getattr(found, name)), numbers(getattr(exact, name)), rtol=3e-6, err_msg=name
        )
    ones = torch.ones(6, device=DEVICE)
    gradient = gpu.row_fused(z, HardTarget(y), "logits", ones)[1]
    np.testing.assert_allclose(
        numbers(gradient), numbers(composed.row_fused(z.double(), HardTarget(y), "logits", ones.double())[1]), rtol=3e-6
    )


def test_the_first_of_equal_classes_and_the_first_nan(small_pieces: None) -> None:
    z = torch.zeros(4, 50, device=DEVICE)
    z[0, [20, 40]] = 1.0
    z[1, [33, 49]] = nan
    z[2, 45] = -1.0
    z[3, 5], z[3, 48] = 1.0, nan
    found = gpu.row_statistics(z, None, "logits", frozenset({"argmax"})).argmax
    assert found.tolist() == [20, 33, 0, 48]
    assert found.dtype is torch.int64


EXTRAS = {
    "focal": Extra(Form(gamma=2.0)),
    "poly": Extra(Form(epsilon=-0.5)),
    "generalized": Extra(Form(q=0.7)),
    "clipped": Extra(Form(limit=2.0)),
    "z-loss": Extra(z_loss=0.25),
    "scaled": Extra(scale=0.5),
    "all": Extra(Form(factor=2.0, gamma=1.5), z_loss=0.1, scale=1.5),
}


@pytest.mark.parametrize("kind", ["labels", "smoothed", "probabilities"])
@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.parametrize("classes", [40])
def test_what_a_loss_adds(small_pieces: None, classes: int, name: str, kind: str) -> None:
    from xent.kernels.extra import in_passes

    z, c = scores(6, classes), scores(6, seed=8).abs()
    c[2] = 0.0
    target = targets(6, classes)[kind]
    loss, lse, gradient = gpu.row_shaped(z, target, "logits", c, EXTRAS[name])
    twin = in_passes(composed, z.double(), in_double(target), "logits", c.double(), EXTRAS[name])
    for mine, exact in zip((loss, lse, gradient), twin, strict=True):
        assert_same(mine, exact, 1e-5)


@pytest.mark.parametrize("cap", [0.5, 5.0, 50.0, 1e4])
def test_a_soft_cap(cap: float) -> None:
    """Against PyTorch's tanh in float64; and the cap of a score that it hardly bends."""
    z = scores(6, 40)
    z[0] *= 1e-3
    y, c = labels(6, 40), torch.ones(6, device=DEVICE)
    loss, _, gradient = gpu.row_shaped(z, HardTarget(y), "logits", c, Extra(cap=cap))
    x = z.double().requires_grad_()
    each = torch.nn.functional.cross_entropy(cap * torch.tanh(x / cap), y, reduction="none")
    assert_same(loss, each, 1e-6)
    assert_same(gradient, torch.autograd.grad(each.sum(), x)[0], 1e-6)


def test_offsets_and_class_axes() -> None:
    z, y, c = scores(6, 9), labels(6, 9), scores(6, seed=5)
    offset = scores(9, seed=7)
    loss, _, gradient = gpu.row_shaped(z, HardTarget(y), "logits", c, Extra(offset=offset))
    twin = composed.row_fused((z + offset).double(), HardTarget(y), "logits", c.double())
    assert_same(loss, twin[0])
    assert_same(gradient, twin[1])


@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
@pytest.mark.parametrize("above", [1.0, 0.0, -2.5, inf, nan])
def test_what_comes_from_above(above: float, dtype: torch.dtype) -> None:
    z, y = scores(4, 6, dtype=dtype), labels(4, 6)
    c = torch.tensor([0.5, 0.0, 1.0, 0.25], device=DEVICE)
    ready = gpu.row_fused(z, HardTarget(y), "logits", c)[1]
    up = torch.tensor(above, device=DEVICE)
    marked = ready.clone()
    marked[0, 0] = 77.0
    found = gpu.row_gradient_above(z, HardTarget(y), c, Extra(), up, marked)
    assert found is marked
    # Where 1 comes from above nobody writes.
    assert (found[0, 0] == 77.0) == (above == 1.0)
    again = gpu.row_gradient_above(z, HardTarget(y), c, Extra(), up, None)
    assert not again[1].any()
    if above == 0.0:
        assert not again.any()
    elif math.isfinite(above):
        exact = composed.row_fused(z.double(), HardTarget(y), "logits", above * c.double())[1]
        assert_same(again, exact, 2 * float(torch.finfo(dtype).eps))
    else:
        assert not torch.isfinite(again[[0, 2, 3]]).any()
    scaled = gpu.scaled_in_place(ready.clone(), up)
    if above == 0.0:
        assert not scaled.any()
    assert not scaled[1].any()


@given(st.data())
def test_equal_scores_anywhere(data: st.DataObject) -> None:
    """Ties of the peak in one piece and over two: the share of each is exact."""
    classes = data.draw(st.integers(2, 40))
    at = data.draw(st.sets(st.integers(0, classes - 1), min_size=1))
    z = torch.full((1, classes), -3.0, device=DEVICE)
    z[0, sorted(at)] = 2.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "_HELD", 16)
        patch.setattr(launch, "_PIECE", 16)
        found = rows.statistics(z, None, frozenset({"lse", "entropy"}))
    exact = composed.row_statistics(z.double(), None, "logits", frozenset({"lse", "entropy"}))
    assert_same(found.lse, exact.lse, 1e-6)
    assert_same(found.entropy, exact.entropy, 1e-6)
