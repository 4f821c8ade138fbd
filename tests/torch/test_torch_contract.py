"""The rest of the autograd contract: autocast, scaling, hooks, checkpoints, views, modes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint
from torch_problems import PROBLEMS, K, mixed

import xent.torch as X

every = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def slopes(value: torch.Tensor, z: torch.Tensor, **options: Any) -> torch.Tensor:
    return torch.autograd.grad(mixed(value), z, **options)[0]


@every
@pytest.mark.parametrize("inner", [torch.float32, torch.bfloat16], ids=str)
def test_autocast_gives_pytorchs_dtype_and_value(problem: Any, inner: torch.dtype) -> None:
    z, truth = problem.data(dtype=inner)
    z.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, expected = problem.loss(X, z, truth), problem.loss(F, z, truth)
    assert value.dtype == expected.dtype
    assert_close(value, expected, rtol=2e-2, atol=2e-2)
    assert slopes(value, z).dtype == inner


@every
def test_grad_scaler_scales_and_unscales(problem: Any) -> None:
    z, truth = problem.data(dtype=torch.float32)
    parameter = torch.nn.Parameter(z.clone())
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(mixed(problem.loss(X, parameter, truth))).backward()
    scaler.step(optimizer)
    scaler.update()
    leaf = z.clone().requires_grad_()
    assert_close(parameter.detach(), z - 0.5 * slopes(problem.loss(F, leaf, truth), leaf), rtol=1e-4, atol=1e-5)


@every
def test_graph_is_kept_hooks_are_called_and_the_input_is_not_written(problem: Any) -> None:
    z, truth = problem.data()
    before = z.clone()
    z.requires_grad_()
    seen: list[torch.Tensor] = []
    middle = z * 1.0
    middle.register_hook(lambda g: (seen.append(g), 2 * g)[1])
    value = problem.loss(X, middle, truth)
    first = slopes(value, z, retain_graph=True)
    second = slopes(value, z, retain_graph=True)
    assert torch.equal(first, second)
    assert len(seen) == 2
    leaf = before.clone().requires_grad_()
    assert_close(first, 2 * slopes(problem.loss(F, leaf, truth), leaf))
    assert torch.equal(z.detach(), before)


@every
@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing(problem: Any, reentrant: bool) -> None:
    z, truth = problem.data()
    z.requires_grad_()
    value = checkpoint(lambda z: problem.loss(X, z, truth), z, use_reentrant=reentrant)
    # A re-entrant checkpoint is for backward() only.
    mixed(value).backward()
    leaf = z.detach().clone().requires_grad_()
    assert_close(z.grad, slopes(problem.loss(F, leaf, truth), leaf))


@every
@pytest.mark.parametrize("view", ["transposed", "strided", "expanded", "flipped"])
def test_inputs_that_are_views(problem: Any, view: str) -> None:
    z, truth = problem.data()
    z = {
        "transposed": lambda: z.t().contiguous().t(),
        "strided": lambda: torch.stack([z, -z], -1).reshape(z.shape[0], -1)[:, ::2],
        "expanded": lambda: z[:1].expand_as(z),
        "flipped": lambda: z.flip(0),
    }[view]()
    leaf, other = z.detach().requires_grad_(), z.detach().clone().requires_grad_()
    value, expected = problem.loss(X, leaf, truth), problem.loss(F, other, truth)
    assert_close(value, expected)
    assert_close(slopes(value, leaf), slopes(expected, other))


@every
def test_an_expanded_gradient_from_above(problem: Any) -> None:
    z, truth = problem.data()
    z.requires_grad_()
    above = torch.tensor(-1.7, dtype=z.dtype).expand(z.shape[0])
    found = torch.autograd.grad(problem.loss(X, z, truth), z, above)
    assert_close(found, torch.autograd.grad(problem.loss(F, z, truth), z, above))


@every
def test_inference_mode_and_no_grad(problem: Any) -> None:
    z, truth = problem.data()
    expected = problem.loss(F, z, truth)
    z.requires_grad_()
    with torch.inference_mode():
        assert_close(problem.loss(X, z, truth), expected)
    with torch.no_grad():
        assert not problem.loss(X, z, truth).requires_grad


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@every
@pytest.mark.usefixtures("deterministic")
def test_deterministic_mode(problem: Any) -> None:
    z, truth = problem.data()
    z.requires_grad_()
    value = problem.loss(X, z, truth)
    found = slopes(value, z)
    assert torch.equal(found, slopes(problem.loss(X, z, truth), z))
    assert_close(found, slopes(problem.loss(F, z, truth), z))


def test_class_axis_is_one_for_any_number_of_axes() -> None:
    g = torch.Generator().manual_seed(2)
    z = torch.randn(2, K, 3, 4, generator=g, dtype=torch.float64).to(memory_format=torch.channels_last)
    z.requires_grad_()
    y = torch.randint(K, (2, 3, 4), generator=g)
    up = torch.randn(2, 3, 4, generator=g, dtype=torch.float64)
    value, expected = X.cross_entropy(z, y, reduction="none"), F.cross_entropy(z, y, reduction="none")
    assert_close(value, expected)
    assert_close(torch.autograd.grad(value, z, up), torch.autograd.grad(expected, z, up))
