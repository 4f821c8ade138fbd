"""The memory of a gradient from forward to its last holder, and that nothing of its size outlives its use."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.testing import assert_close

import xent
import xent.torch as X

#: Of scores whose gradient comes from the pool; and its bytes.
ROWS, CLASSES = 512, 1024
SIZE = 4 * ROWS * CLASSES


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Of this test: one that failed holds its locals for the report."""
    global _before
    gc.collect()
    xent.memory.empty()
    _before = xent.memory.report().in_use
    yield
    gc.collect()
    assert in_use() == 0


_before = 0


def in_use() -> int:
    return xent.memory.report().in_use - _before


def large(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(1)
    z = torch.randn(ROWS, CLASSES, generator=g).to(dtype).requires_grad_()
    return z, torch.randint(CLASSES, (ROWS,), generator=g)


def typed(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return xent.cross_entropy(xent.Labels(y), xent.Logits(z))


def typed_soft(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return xent.cross_entropy(xent.Distribution(torch.full_like(z.detach(), 1 / CLASSES)), xent.Logits(z))


losses = pytest.mark.parametrize("loss_of", [X.cross_entropy, typed, typed_soft])


@losses
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_gradient_from_forward_to_the_leaf(loss_of: Any, dtype: torch.dtype) -> None:
    """Made once, held by the graph, then by the leaf; then its memory is used again."""
    size = SIZE * dtype.itemsize // 4
    z, y = large(dtype)
    loss = loss_of(z, y)
    assert in_use() == size
    loss.backward()
    assert in_use() == size
    assert z.grad is not None
    where = z.grad.data_ptr()
    view = z.grad[3:4]
    z.grad = None
    assert in_use() == size
    del view
    assert in_use() == 0
    loss = loss_of(z, y)
    loss.backward()
    assert z.grad is not None
    assert z.grad.data_ptr() == where


@losses
def test_a_scaled_gradient_is_scaled_where_it_is(loss_of: Any) -> None:
    z, y = large()
    (loss_of(z, y) / 3).backward()
    assert in_use() == SIZE


@losses
def test_gradients_of_one_graph_share_no_memory(loss_of: Any) -> None:
    z, y = large()
    loss = loss_of(z, y)
    found = [torch.autograd.grad(loss, z, retain_graph=True)[0] for _ in range(3)]
    copies = [one.clone() for one in found]
    assert in_use() == 3 * SIZE
    other = torch.autograd.grad(loss_of(z, y), z)[0]
    other.fill_(-7.0)
    for one, copy in zip(found, copies, strict=True):
        assert torch.equal(one, copy)
        assert torch.equal(one, copies[0])
        one.fill_(5.0)


@losses
def test_a_loss_that_is_kept_keeps_nothing_of_the_scores_size(loss_of: Any) -> None:
    """A training loop holds its last loss while it makes the next scores."""
    z, y = large()
    middle = z * 1.0
    gone = weakref.ref(middle)
    loss = loss_of(middle, y)
    loss.backward()
    z.grad = None
    del middle
    gc.collect()
    assert gone() is None
    assert in_use() == 0
    kept = [x for x in gc.get_objects() if issubclass(type(x), torch.Tensor) and x.numel() >= z.numel() and x is not z]
    assert not kept
    assert loss.item() > 0


@losses
def test_a_graph_that_is_dropped_before_its_backward(loss_of: Any) -> None:
    z, y = large()
    gone = weakref.ref(loss_of(z, y).grad_fn)
    gc.collect()
    assert gone() is None
    assert in_use() == 0


@losses
def test_an_error_on_the_way_back(loss_of: Any) -> None:
    """The traceback holds the gradient for as long as it lives itself."""

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
            raise ArithmeticError("on the way back")

    z, y = large()
    with pytest.raises(ArithmeticError) as caught:
        loss_of(Fails.apply(z), y).backward()
    assert in_use() == SIZE
    del caught
    gc.collect()
    other = torch.autograd.grad(loss_of(z, y), z)[0]
    assert torch.isfinite(other).all()


def test_what_another_operation_has_saved_is_not_lent_again() -> None:
    z, y = large()
    grad = torch.autograd.grad(X.cross_entropy(z, y), z)[0]
    expected = (2 * grad).clone()
    w = torch.ones((), requires_grad=True)
    square = (w * grad * grad).sum()
    del grad
    others = [torch.autograd.grad(X.cross_entropy(z, y), z)[0].fill_(9.0) for _ in range(2)]
    (found,) = torch.autograd.grad(square, w)
    assert_close(found, (expected.double() / 2).square().sum().float(), rtol=1e-5, atol=0.0)
    assert len(others) == 2


def test_an_optimizer_that_keeps_its_gradients_between_steps() -> None:
    """Accumulated in place, zeroed in place: the memory stays the leaf's own."""
    z, y = large()
    optimizer = torch.optim.SGD([z], lr=0.1)
    X.cross_entropy(z, y).backward()
    assert z.grad is not None
    where, once = z.grad.data_ptr(), z.grad.clone()
    X.cross_entropy(z, y).backward()
    assert z.grad.data_ptr() == where
    assert_close(z.grad, 2 * once)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    X.cross_entropy(z, y).backward()
    assert z.grad.data_ptr() == where
