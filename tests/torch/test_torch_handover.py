"""The gradient that is made in forward and handed over: every upstream, every order of passes, every derivative."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close
from torch_fused import IGNORED, WAYS, K, N, Way, is_fused, labels, scores, weights

import xent.torch as X

every = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
HALF = (torch.float16, torch.bfloat16)


def slope(loss: torch.Tensor, z: torch.Tensor, **options: Any) -> torch.Tensor:
    return torch.autograd.grad(loss, z, **options)[0]


def their_slope(way: Way, z: torch.Tensor) -> torch.Tensor:
    z = z.detach().double().requires_grad_()
    return slope(way.theirs(z), z)


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_value_and_gradient_are_pytorchs(way: Way, dtype: torch.dtype) -> None:
    z = scores(dtype)
    loss = way.ours(z)
    assert is_fused(loss)
    tolerance = {torch.float64: 1e-13, torch.float32: 2e-6}.get(dtype, 2 * torch.finfo(dtype).eps)
    assert_close(loss.double(), way.theirs(z.detach().double()), rtol=tolerance, atol=0.0)
    found = slope(loss, z)
    assert found.dtype == dtype
    assert_close(found.double(), their_slope(way, z), rtol=tolerance, atol=tolerance)


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_two_backward_passes_with_different_upstreams(way: Way, dtype: torch.dtype) -> None:
    z = scores(dtype)
    loss, expected = way.ours(z), their_slope(way, z)
    tolerance = 1e-13 if dtype is torch.float64 else torch.finfo(dtype).eps
    found = [slope(loss * above, z, retain_graph=True) for above in (2.5, -0.3, 1.0, 2.5)]
    for above, one in zip((2.5, -0.3, 1.0, 2.5), found, strict=True):
        assert_close(one.double(), above * expected, rtol=tolerance, atol=tolerance)
    assert torch.equal(found[0], found[3]) or dtype is torch.float64
    assert len({one.data_ptr() for one in found}) == 4
    last = slope(loss, z)
    assert torch.equal(last, found[2])
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        slope(loss, z)


@every
def test_a_scaled_loss(way: Way) -> None:
    """A gradient scaler's factor reaches a half-precision gradient before it is rounded: small ones do not vanish.

    Under autocast, where the loss is float32: float16 does not hold the factor.
    """
    z = scores(torch.float16)
    small = slope(way.ours(z) / 3, z)
    assert_close(small.double(), their_slope(way, z) / 3, rtol=2e-3, atol=1e-6)
    wide = z.detach().double() + torch.tensor([14.0, 0, 0, 0, 0], dtype=torch.float64)
    z = wide.half().requires_grad_()
    with torch.autocast("cpu", torch.float16):
        loss = way.ours(z)
    assert is_fused(loss)
    found = slope(loss * 65536.0, z).double()
    expected = their_slope(way, z) * 65536.0
    fits = expected.abs() < 6e4
    assert fits.any()
    assert_close(found[fits], expected[fits], rtol=2e-3, atol=1e-4)
    # Some would be lost without the factor, but for a teacher's: there no class is certain.
    assert (expected[fits].abs() / 65536.0 < 6e-6).any() or way is WAYS["typed, teacher"]


@every
def test_losses_of_the_same_scores_add(way: Way) -> None:
    z = scores()
    (way.ours(z) + 2.0 * way.ours(z)).backward()
    way.ours(z).backward()
    assert z.grad is not None
    assert_close(z.grad, 4.0 * their_slope(way, z), rtol=1e-13, atol=1e-15)


@every
@pytest.mark.parametrize("above", [0.0, -0.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_an_upstream_that_is_no_ordinary_number(way: Way, above: float, dtype: torch.dtype) -> None:
    """Rows that do not count are zero, and a factor of zero is: in the first pass, the second, the differentiable."""
    z = scores(dtype)
    loss = way.ours(z)
    up = torch.tensor(above, dtype=loss.dtype)
    passes = [torch.autograd.grad(loss, z, up, retain_graph=True)[0] for _ in range(2)]
    passes += [torch.autograd.grad(loss, z, up, create_graph=True)[0].detach()]
    for found in passes:
        if above == 0.0:
            assert not found.any()
            continue
        counted = found[~IGNORED] if way.ignores else found
        assert not torch.isfinite(counted).any()
        assert not way.ignores or not found[IGNORED].any()


@every
def test_both_derivatives(way: Way) -> None:
    z = scores()
    assert gradcheck(way.ours, [z])
    assert gradgradcheck(way.ours, [z])


@every
def test_a_graph_of_the_gradient_after_the_gradient(way: Way) -> None:
    """The handed-over gradient is gone by then; and the other way round it is still there."""
    z = scores()
    loss = way.ours(z)
    first = slope(loss, z, retain_graph=True)
    again = slope(loss, z, create_graph=True)
    assert_close(again.detach(), first, rtol=1e-13, atol=1e-15)
    leaf = z.detach().clone().requires_grad_()
    theirs = slope(way.theirs(leaf), leaf, create_graph=True)
    mixed = torch.arange(1.0, N * K + 1, dtype=torch.float64).reshape(N, K)
    assert_close(slope((again * mixed).sum(), z), slope((theirs * mixed).sum(), leaf), rtol=1e-12, atol=1e-13)


@every
def test_a_derivative_by_the_upstream(way: Way) -> None:
    """∂(above·∂loss/∂z)/∂above is the gradient."""
    z = scores()
    above = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    found = torch.autograd.grad(way.ours(z), z, above, create_graph=True)[0]
    mixed = torch.arange(1.0, N * K + 1, dtype=torch.float64).reshape(N, K)
    assert_close(slope((found * mixed).sum(), above), (their_slope(way, z) * mixed).sum(), rtol=1e-12, atol=0.0)


@every
def test_batched_gradients(way: Way) -> None:
    z = scores()
    above = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    loss = way.ours(z)
    found = torch.autograd.grad(loss, z, above, is_grads_batched=True)[0]
    assert_close(found, above[:, None, None] * their_slope(way, z), rtol=1e-13, atol=1e-15)


@every
def test_transforms_take_the_general_way(way: Way) -> None:
    z = scores().detach()
    v = torch.randn(N, K, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    for f in (torch.func.grad, torch.func.hessian, torch.func.jacfwd, torch.func.jacrev):
        assert_close(f(way.ours)(z), f(way.theirs)(z), rtol=1e-10, atol=1e-12)
    assert_close(torch.func.jvp(way.ours, (z,), (v,)), torch.func.jvp(way.theirs, (z,), (v,)), rtol=1e-10, atol=1e-12)
    value, back = torch.func.vjp(way.ours, z)
    assert_close(back(torch.ones_like(value))[0], their_slope(way, z), rtol=1e-10, atol=1e-12)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(z.clone().requires_grad_(), v)
        loss = way.ours(dual)
        assert not is_fused(loss)
        tangent = torch.autograd.forward_ad.unpack_dual(loss).tangent
    assert_close(tangent, torch.func.jvp(way.theirs, (z,), (v,))[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_weight_that_wants_a_gradient_takes_the_general_way(weighted: bool) -> None:
    z, w = scores(), weights(torch.float64).requires_grad_()
    other, theirs = z.detach().clone().requires_grad_(), w.detach().clone().requires_grad_()
    loss = X.cross_entropy(z, labels(), w, label_smoothing=0.1 * weighted)
    assert not is_fused(loss)
    by_z, by_w = torch.autograd.grad(loss, (z, w))
    # PyTorch has no derivative by the weight; here is its loss in operators that have.
    log_p = other.log_softmax(-1)
    counted = ~IGNORED
    y = labels()[counted]
    hot = F.one_hot(y, K).double() * (1 - 0.1 * weighted) + 0.1 * weighted / K
    loss = -(hot * theirs * log_p[counted]).sum() / theirs[y].sum()
    for found, expected in zip((by_z, by_w), torch.autograd.grad(loss, (other, theirs)), strict=True):
        assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "shape", [(2, K, 3), (2, K, 3, 4), (1, 70, 3, 4), (2, 3, 2, 2, 2), (3, 10, 40), (2, 70, 1), (1, 1, 5)]
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_more_axes_in_every_order(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(1)
    values = torch.randn(shape, generator=g, dtype=torch.float64).to(dtype)
    y = torch.randint(shape[1], shape[:1] + shape[2:], generator=g)
    y.view(-1)[0] = -100
    layouts = [values, values.transpose(0, -1).contiguous().transpose(0, -1), torch.stack([values] * 2, -1)[..., 1]]
    if len(shape) == 4:
        layouts.append(values.to(memory_format=torch.channels_last))
    tolerance = 1e-13 if dtype is torch.float64 else 2e-6
    for z in layouts:
        for index in (y, y.transpose(0, -1).contiguous().transpose(0, -1)):
            ours, theirs = z.detach().requires_grad_(), values.double().requires_grad_()
            loss, expected = X.cross_entropy(ours, index), F.cross_entropy(theirs, y)
            assert is_fused(loss)
            assert_close(loss.double(), expected, rtol=tolerance, atol=tolerance)
            for above in (1.0, -2.5):
                mine = slope(loss * above, ours, retain_graph=True).double()
                assert_close(mine, slope(expected * above, theirs, retain_graph=True), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("k", [5, 100])
def test_scores_that_are_views(k: int) -> None:
    g = torch.Generator().manual_seed(1)
    base = torch.randn(8, 2 * k, generator=g, dtype=torch.float64)
    y = torch.randint(k, (8,), generator=g)
    views = {
        "sliced": lambda b: b[:, :k],
        "every second": lambda b: b[:, ::2],
        "flipped": lambda b: b[:, k:].flip(0),
        "one row": lambda b: b[:1, :k].expand(8, k),
        "one class": lambda b: b[:, :1].expand(8, k),
        "transposed": lambda b: b[:, :k].reshape(k, 8).t(),
        "shifted": lambda b: b.reshape(2, 4, 2 * k)[:, :, :k].reshape(8, k),
    }
    for name, view in views.items():
        ours, theirs = base.clone().requires_grad_(), base.clone().requires_grad_()
        loss, expected = X.cross_entropy(view(ours), y), F.cross_entropy(view(theirs), y)
        assert is_fused(loss), name
        assert_close(loss, expected, rtol=1e-13, atol=0.0)
        loss.backward()
        expected.backward()
        assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=1e-14, msg=lambda text, name=name: f"{name}: {text}")
        leaf = view(base).detach().requires_grad_()
        X.cross_entropy(leaf, y).backward()
        assert leaf.grad is not None
        copy = view(base).contiguous().requires_grad_()
        F.cross_entropy(copy, y).backward()
        assert_close(leaf.grad, copy.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_nothing_counts_or_nothing_is_there(dtype: torch.dtype) -> None:
    z = scores(dtype)
    nothing = torch.full((N,), -100)
    for reduction in ("mean", "sum"):
        loss = X.cross_entropy(z, nothing, reduction=reduction)
        assert torch.isnan(loss) if reduction == "mean" else loss == 0
        assert not slope(loss, z).any()
    empty = torch.zeros(0, K, dtype=dtype, requires_grad=True)
    loss = X.cross_entropy(empty, torch.zeros(0, dtype=torch.int64), reduction="sum")
    assert slope(loss, empty).shape == (0, K)


@pytest.mark.parametrize("above", [0.0, math.nan, math.inf])
@pytest.mark.parametrize("retained", [False, True])
def test_an_upstream_that_is_no_ordinary_number_of_elements(above: float, retained: bool) -> None:
    z = torch.tensor([0.5, math.nan, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    t, w = (
        torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64),
        torch.tensor([1.0, 0.0, 0.0, 2.0], dtype=torch.float64),
    )
    loss = X.binary_cross_entropy_with_logits(z, t, w)
    assert loss.grad_fn is not None
    assert loss.grad_fn.name() == "_ElementSumBackward"
    if retained:
        slope(loss, z, retain_graph=True)
    found = torch.autograd.grad(loss, z, torch.tensor(above, dtype=torch.float64))[0]
    assert not found[1:3].any()
    assert not torch.isfinite(found[[0, 3]]).any() or above == 0.0
    assert found.any() or above == 0.0
