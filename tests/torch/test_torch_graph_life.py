"""The gradient that waits in the graph: hooks, threads, in-place changes, checkpoints, modes."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint
from torch_fused import WAYS, Way, is_fused, labels, scores

import xent
import xent.torch as X

every = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def expected(way: Way) -> torch.Tensor:
    leaf = scores()
    return torch.autograd.grad(way.theirs(leaf), leaf)[0]


def close(found: torch.Tensor | None, exact: torch.Tensor) -> None:
    assert found is not None
    assert_close(found, exact, rtol=1e-13, atol=1e-15)


@every
def test_hooks_of_tensors(way: Way) -> None:
    z = scores()
    seen: list[str] = []
    middle = z * 1.0
    middle.register_hook(lambda g: (seen.append("scores"), 2 * g)[1])
    z.register_post_accumulate_grad_hook(lambda z: seen.append("leaf"))
    loss = way.ours(middle)
    loss.register_hook(lambda g: (seen.append("loss"), 3 * g)[1])
    assert loss.grad_fn is not None
    loss.grad_fn.register_hook(lambda into, out: seen.append("node"))
    loss.grad_fn.register_prehook(lambda out: seen.append("before"))
    loss.backward()
    assert seen == ["loss", "before", "node", "scores", "leaf"]
    close(z.grad, 6 * expected(way))


@every
def test_a_hook_that_writes_to_the_gradient(way: Way) -> None:
    """It is nobody else's: the second pass does not see it."""
    z = scores()
    middle = z * 1.0
    handle = middle.register_hook(lambda g: g.mul_(0.0))
    loss = way.ours(middle)
    (nothing,) = torch.autograd.grad(loss, z, retain_graph=True)
    assert not nothing.any()
    handle.remove()
    close(torch.autograd.grad(loss, z)[0], expected(way))


def test_hooks_of_modules() -> None:
    class Loss(X.CrossEntropyLoss):
        pass

    criterion, z = Loss(), scores()
    seen: list[Any] = []
    criterion.register_full_backward_hook(lambda m, into, out: seen.append((into[0].shape, out[0].item())))
    criterion.register_full_backward_pre_hook(lambda m, out: (2 * out[0],))
    criterion(z, labels()).backward()
    assert seen == [(z.shape, 2.0)]
    close(z.grad, 2 * expected(WAYS["drop-in, mean"]))


@every
def test_backward_in_another_thread(way: Way) -> None:
    z = scores()
    loss = way.ours(z)
    thread = threading.Thread(target=loss.backward)
    thread.start()
    thread.join()
    close(z.grad, expected(way))


@every
def test_two_threads_through_one_graph(way: Way) -> None:
    """Each gets a gradient of its own: one is handed over, the other made again."""
    found: list[torch.Tensor] = []
    for _ in range(20):
        z = scores()
        loss, start = way.ours(z), threading.Barrier(2)

        def work(loss: Any = loss, z: Any = z, start: Any = start) -> None:
            start.wait()
            found.append(torch.autograd.grad(loss, z, retain_graph=True)[0])

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found[-1].data_ptr() != found[-2].data_ptr()
    assert len(found) == 40
    for one in found:
        close(one, expected(way))


@every
def test_scores_that_are_changed_before_the_backward(way: Way) -> None:
    """The gradient is that of the scores as they were; what needs them again says that they are not there."""
    z = scores()
    middle = z * 1.0
    loss = way.ours(middle)
    middle.add_(1.0)
    close(torch.autograd.grad(loss, z, retain_graph=True)[0], expected(way))
    for options in ({"retain_graph": True}, {"create_graph": True}):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            torch.autograd.grad(loss, z, **options)


@pytest.mark.parametrize("typed", [False, True])
def test_labels_that_are_changed_before_the_backward(typed: bool) -> None:
    y, z = labels(), scores()
    P = xent.Labels(y, ignore=-100)
    loss = xent.cross_entropy(P, xent.Logits(z)) if typed else X.cross_entropy(z, y)
    y.fill_(1)
    close(torch.autograd.grad(loss, z, retain_graph=True)[0], expected(WAYS["drop-in, mean"]))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, z)


@every
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_keeps_no_gradient(way: Way, reentrant: bool) -> None:
    z = scores()
    names: list[bool] = []

    def part(z: torch.Tensor) -> torch.Tensor:
        loss = way.ours(z)
        names.append(is_fused(loss))
        return loss

    value = checkpoint(part, z, use_reentrant=reentrant)
    assert names == [False]
    (3 * value).backward()
    close(z.grad, 3 * expected(way))


@every
def test_saved_tensors_that_are_packed_away(way: Way) -> None:
    z = scores()
    packed: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: (packed.append(x.numel()), x.clone())[1], lambda x: x):
        loss = way.ours(z)
    assert packed
    assert not is_fused(loss)
    loss.backward()
    close(z.grad, expected(way))


@every
def test_where_no_gradient_is_wanted_none_is_made(way: Way) -> None:
    z = scores()
    with torch.no_grad():
        loss = way.ours(z)
    assert not loss.requires_grad
    with torch.inference_mode():
        assert not way.ours(z).requires_grad
        inside = z.detach().clone()
    assert torch.equal(way.ours(inside), loss)
    assert not way.ours(z.detach()).requires_grad
    tolerance = {"rtol": 1e-13, "atol": 0.0}
    assert_close(way.ours(z).detach(), loss, **tolerance)
