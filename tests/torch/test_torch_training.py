"""What training loops do around a loss: mixed precision, scaling, hooks on modules, saved tensors, second calls."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torch_problems import PROBLEMS, K, mixed

import xent.torch as X

every = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def slope(problem: Any, place: Any, z: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    leaf = z.detach().clone().requires_grad_()
    mixed(problem.loss(place, leaf, truth)).backward()
    assert leaf.grad is not None
    return leaf.grad


def losses(place: Any, z: torch.Tensor, y: torch.Tensor, t: torch.Tensor, w: torch.Tensor) -> dict[str, torch.Tensor]:
    """Calls whose every number is an input."""
    return {
        "labels": place.cross_entropy(z, y, reduction="none"),
        "smoothed and weighted": place.cross_entropy(z, y, weight=w, label_smoothing=0.1),
        "probabilities": place.cross_entropy(z, t, weight=w, reduction="none"),
        "nll_loss": place.nll_loss(z, y, weight=w),
        "yes and no": place.binary_cross_entropy_with_logits(z, t, weight=w, pos_weight=1 + w.float(), reduction="sum"),
        "kl_div": place.kl_div(z, t, reduction="batchmean"),
        "soft margin": place.soft_margin_loss(z, 2 * (t > 0.5).to(t.dtype) - 1, reduction="none"),
    }


@pytest.mark.parametrize("inner", [torch.float16, torch.bfloat16], ids=str)
def test_autocast_takes_half_precision_as_float32(inner: torch.dtype) -> None:
    """As PyTorch's losses do: the float64 result on the same numbers, to a few steps of float32."""
    g = torch.Generator().manual_seed(8)
    z, t, w = torch.randn(6, K, generator=g), torch.rand(6, K, generator=g), torch.rand(K, generator=g)
    z, t, w, y = z.to(inner), t.to(inner), w.to(inner), torch.randint(K, (6,), generator=g)
    exact = losses(F, z.double(), y, t.double(), w.double())
    with torch.autocast("cpu", dtype=inner):
        found, theirs = losses(X, z, y, t, w), losses(F, z, y, t, w)
    for name, value in found.items():
        assert value.dtype == theirs[name].dtype, name
        # PyTorch has no rule of autocast for soft_margin_loss, so that its result is in half precision.
        eps = torch.finfo(value.dtype).eps
        assert eps == torch.finfo(torch.float32).eps or name == "soft margin"
        error, scale = (value.double() - exact[name]).abs().max(), exact[name].abs().max()
        assert float(error) <= 8 * eps * float(scale), name


def test_a_model_under_autocast_trains_as_with_pytorchs_loss() -> None:
    g = torch.Generator().manual_seed(3)
    x, y = torch.randn(16, 8, generator=g), torch.randint(K, (16,), generator=g)
    found = []
    for criterion in (X.CrossEntropyLoss(label_smoothing=0.1), torch.nn.CrossEntropyLoss(label_smoothing=0.1)):
        torch.manual_seed(0)
        model = torch.nn.Linear(8, K)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = criterion(model(x), y)
        assert loss.dtype == torch.float32
        loss.backward()
        found.append((loss.detach(), model.weight.grad))
    assert_close(found[0][0], found[1][0])
    # The gradient of the scores is rounded to bfloat16 in both.
    assert_close(found[0][1], found[1][1], rtol=0, atol=2**-8 * float(found[1][1].abs().max()))


def test_grad_scaler_skips_a_step_that_overflows() -> None:
    """A float16 gradient above 65504 is infinite: the step is not made and the scale is halved, until it is finite."""
    parameter = torch.nn.Parameter(torch.zeros(2, 3, dtype=torch.float32))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16, growth_interval=10**6)
    y = torch.tensor([0, 2])
    for made in (False, False, True):
        before, scale = parameter.detach().clone(), scaler.get_scale()
        optimizer.zero_grad()
        loss = X.cross_entropy(8 * parameter.half(), y)
        scaler.scale(loss.float()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert torch.equal(parameter.detach(), before) != made
        assert scaler.get_scale() == (scale if made else scale / 2)
    third = 1 / 3
    expected = 4 * torch.tensor([[1 - third, -third, -third], [-third, -third, 1 - third]])
    assert_close(parameter.detach(), expected, rtol=2**-10, atol=0)


def test_hooks_of_modules_are_called() -> None:
    z = torch.tensor([[0.2, 0.5, -1.0], [1.0, 0.0, 0.3]], requires_grad=True)
    y = torch.tensor([0, 2])
    seen: list[str] = []
    module = X.CrossEntropyLoss()
    module.register_forward_pre_hook(lambda m, args: seen.append("before"))
    module.register_forward_hook(lambda m, args, value: (seen.append("after"), 2 * value)[1])
    module.register_full_backward_hook(
        lambda m, by_input, by_output: (seen.append("backward"), (3 * by_input[0], None))[1]
    )
    value = module(z, y)
    value.backward()
    assert seen == ["before", "after", "backward"]
    plain = z.detach().clone().requires_grad_()
    F.cross_entropy(plain, y).backward()
    assert_close(z.grad, 6 * plain.grad)
    assert_close(value, 2 * F.cross_entropy(plain, y))


@every
def test_saved_tensors_may_be_packed_elsewhere(problem: Any) -> None:
    z, truth = problem.data()
    leaf = z.clone().requires_grad_()
    packed: list[tuple[int, ...]] = []

    def pack(x: torch.Tensor) -> torch.Tensor:
        packed.append(tuple(x.shape))
        return x.clone()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        value = mixed(problem.loss(X, leaf, truth))
    value.backward()
    assert packed
    assert_close(leaf.grad, slope(problem, F, z, truth))


@every
def test_a_second_backward_is_refused_as_pytorchs(problem: Any) -> None:
    z, truth = problem.data()
    for place in (X, F):
        leaf = z.clone().requires_grad_()
        value = mixed(problem.loss(place, leaf, truth))
        value.backward()
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            value.backward()


@every
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled:UserWarning")
def test_anomaly_mode_finds_nothing(problem: Any) -> None:
    z, truth = problem.data()
    with torch.autograd.detect_anomaly():
        assert_close(slope(problem, X, z, truth), slope(problem, F, z, truth))


def test_a_tensor_made_in_inference_mode_may_be_judged() -> None:
    with torch.inference_mode():
        z, y = torch.tensor([[0.2, 0.5, -1.0]]), torch.tensor([1])
    assert_close(X.cross_entropy(z, y), F.cross_entropy(z, y))
    assert not X.cross_entropy(z, y).requires_grad


def test_weights_have_one_gradient_in_deterministic_mode() -> None:
    """Many rows of one class: their sum is in one order."""
    g = torch.Generator().manual_seed(9)
    z, y = torch.randn(4096, 3, generator=g), torch.randint(2, (4096,), generator=g)
    torch.use_deterministic_algorithms(True)
    try:
        found = []
        for _ in range(3):
            w = torch.tensor([0.5, 1.5, 2.0], requires_grad=True)
            (2.3 * X.cross_entropy(z, y, weight=w, label_smoothing=0.1)).backward()
            found.append(w.grad)
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(one, found[0]) for one in found)
    assert math.isfinite(float(found[0].abs().sum()))
    assert float(found[0].abs().min()) > 0
