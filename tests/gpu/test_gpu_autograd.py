"""The autograd contract on the GPU's kernels: every way into the loss, beside PyTorch's own in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torch_fused
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint
from torch_fused import IGNORED, WAYS, Way, is_fused, labels
from torch_fused import scores as scores_in_memory

import xent
import xent.torch as X
from xent.backends.torch import TorchBackend
from xent.errors import OptionError
from xent.kernels.gpu import gpu, rows

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
HALF = (torch.float16, torch.bfloat16)
every = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@pytest.fixture(autouse=True)
def _made_on_the_device() -> Iterator[None]:
    """What the ways make (labels, weights) they make where the scores are."""
    with torch.device(DEVICE):
        yield


def scores(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    with torch.device("cpu"):
        z = scores_in_memory(dtype)
    return z.detach().to(DEVICE).requires_grad_()


def slope(loss: torch.Tensor, z: torch.Tensor, **options: Any) -> torch.Tensor:
    return torch.autograd.grad(loss, z, **options)[0]


def their_slope(way: Way, z: torch.Tensor) -> torch.Tensor:
    z = z.detach().double().requires_grad_()
    return slope(way.theirs(z), z)


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The gradients that the program over rows has been asked for."""
    seen: list[int] = []
    launch = rows._Launch.__call__

    def counting(self: Any, want: int, gradient: int = 0, *others: Any, **named: Any) -> Any:
        seen.append(gradient)
        return launch(self, want, gradient, *others, **named)

    monkeypatch.setattr(rows._Launch, "__call__", counting)
    return seen


@every
@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
def test_value_and_gradient(way: Way, dtype: torch.dtype, launches: list[int]) -> None:
    z = scores(dtype)
    loss = way.ours(z)
    assert is_fused(loss)
    tolerance = 2e-6 if dtype is torch.float32 else 2 * torch.finfo(dtype).eps
    assert_close(loss.double(), way.theirs(z.detach().double()), rtol=tolerance, atol=0.0)
    found = slope(loss, z)
    assert found.dtype == dtype
    assert_close(found.double(), their_slope(way, z), rtol=tolerance, atol=tolerance)
    # One launch forward; in half precision one backward too, that finds that 1 came from above.
    assert len(launches) == 1 + (dtype in HALF)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_backward_passes_with_different_upstreams(way: Way, dtype: torch.dtype) -> None:
    z = scores(dtype)
    loss, expected = way.ours(z), their_slope(way, z)
    eps = 2 * torch.finfo(dtype).eps
    for above in (2.5, -0.3, 1.0, 2.5):
        one = slope(loss * above, z, retain_graph=True)
        assert_close(one.double(), above * expected, rtol=eps, atol=eps)
    slope(loss, z)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        slope(loss, z)


@every
@pytest.mark.parametrize("above", [0.0, math.nan, math.inf, -math.inf])
def test_an_upstream_that_is_no_ordinary_number(way: Way, above: float) -> None:
    z = scores()
    loss = way.ours(z)
    up = torch.tensor(above, dtype=loss.dtype)
    passes = [torch.autograd.grad(loss, z, up, retain_graph=True)[0] for _ in range(2)]
    passes += [torch.autograd.grad(loss, z, up, create_graph=True)[0].detach()]
    for found in passes:
        if above == 0.0:
            assert not found.any()
            continue
        counted = found[~IGNORED.to(DEVICE)] if way.ignores else found
        assert not torch.isfinite(counted).any()
        assert not way.ignores or not found[IGNORED.to(DEVICE)].any()


@every
def test_second_derivatives(way: Way) -> None:
    z = scores()
    direction = torch.randn(z.shape, generator=torch.Generator(DEVICE).manual_seed(1))
    first = slope(way.ours(z), z, create_graph=True)
    assert_close(first.detach().double(), their_slope(way, z), rtol=2e-6, atol=2e-6)
    wide = z.detach().double().requires_grad_()
    exact = slope((slope(way.theirs(wide), wide, create_graph=True) * direction.double()).sum(), wide)
    assert_close(slope((first * direction).sum(), z).double(), exact, rtol=1e-5, atol=1e-6)


@every
def test_transforms(way: Way) -> None:
    z = scores().detach()
    wide = z.double()
    assert_close(torch.func.grad(way.ours)(z).double(), torch.func.grad(way.theirs)(wide), rtol=1e-5, atol=1e-6)
    hessian = torch.func.hessian(way.ours)(z).double()
    assert_close(hessian, torch.func.hessian(way.theirs)(wide), rtol=1e-4, atol=1e-6)
    _, along = torch.func.jvp(way.ours, (z,), (torch.ones_like(z),))
    assert abs(float(along)) < 1e-5  # all scores higher: the same distribution


@every
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint(way: Way, reentrant: bool) -> None:
    z = scores()
    checkpoint(way.ours, z, use_reentrant=reentrant).backward()
    assert z.grad is not None
    assert_close(z.grad.double(), their_slope(way, z), rtol=2e-6, atol=2e-6)


@every
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own, while it traces
def test_compiles_whole_with_the_kernel_as_an_operator(way: Way, launches: list[int]) -> None:
    torch._dynamo.reset()
    z = scores()
    compiled = torch.compile(way.ours, fullgraph=True, backend="aot_eager")
    loss = compiled(z)
    assert_close(loss.detach(), way.ours(z).detach())
    before = len(launches)
    assert before
    assert_close(slope(loss, z).double(), their_slope(way, z), rtol=2e-6, atol=2e-6)
    assert len(launches) > before


def test_no_gradient_is_made_where_none_is_wanted(launches: list[int]) -> None:
    z = scores()
    with torch.no_grad():
        assert not X.cross_entropy(z, labels()).requires_grad
    assert launches == [0]


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_every_reduction_of_the_drop_in(reduction: str) -> None:
    z = scores()
    wide = z.detach().double().requires_grad_()
    up = torch.tensor([1.0, -2.0, 3.0, 0.5, 0.0, 7.0]) if reduction == "none" else torch.tensor(1.0)
    loss, theirs = (f.cross_entropy(x, labels(), reduction=reduction) for f, x in ((X, z), (F, wide)))
    assert_close(loss.double(), theirs, rtol=2e-6, atol=1e-6)
    found, exact = torch.autograd.grad(loss, z, up)[0], torch.autograd.grad(theirs, wide, up.double())[0]
    assert_close(found.double(), exact, rtol=2e-6, atol=2e-6)


def test_images() -> None:
    g = torch.Generator(DEVICE).manual_seed(0)
    z = torch.randn(2, 5, 3, 4, generator=g).requires_grad_()
    y = torch.randint(5, (2, 3, 4), generator=g)
    loss = X.cross_entropy(z, y)
    wide = z.detach().double().requires_grad_()
    theirs = F.cross_entropy(wide, y)
    assert_close(loss.double(), theirs, rtol=2e-6, atol=0.0)
    found = slope(loss, z)
    assert found.stride() == z.stride()
    assert_close(found.double(), slope(theirs, wide), rtol=2e-6, atol=1e-7)


def test_all_ignored() -> None:
    z = scores()
    y = torch.full((len(z),), -100)
    loss = X.cross_entropy(z, y)
    assert math.isnan(loss.item())
    assert not slope(loss, z).any()


@pytest.mark.parametrize("above", [1.0, -2.5])
def test_the_gradient_in_the_place_of_the_scores(above: float) -> None:
    leaf = scores()
    z = leaf * 1.0
    memory = z.data_ptr()
    expected = slope(F.cross_entropy(leaf, labels()) * above, leaf)
    loss = X.cross_entropy(z, labels(), inplace_gradient=True)
    with pytest.raises(OptionError, match="second use"):
        z + 1
    seen: list[int] = []
    z.register_hook(lambda g: seen.append(g.data_ptr()))
    assert_close(slope(loss * above, leaf), expected)
    assert seen == [memory]


def test_what_cannot_be_overwritten() -> None:
    z = scores()
    for call in (
        lambda: X.cross_entropy(z * 1.0, labels(), reduction="none", inplace_gradient=True),
        lambda: X.cross_entropy(z, labels(), inplace_gradient=True),
        lambda: X.cross_entropy((z * 1.0).double(), labels(), inplace_gradient=True),
    ):
        with pytest.raises(OptionError, match="inplace_gradient"):
            call()


BINARY: dict[str, Any] = {
    "plain": {},
    "weights": {"weight": torch.tensor([0.5, 0.0, 2.0, 1.0])},
    "one weight": {"weight": torch.tensor([2.0])},
    "positive weights": {"pos_weight": torch.tensor([0.5, 3.0, 1.0, 2.0])},
    "each": {"weight": torch.tensor([[0.5], [2.0], [0.0]]), "pos_weight": torch.tensor([2.0])},
}


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
def test_binary(name: str, dtype: torch.dtype, reduction: str) -> None:
    g = torch.Generator(DEVICE).manual_seed(0)
    z = (4 * torch.randn(3, 4, generator=g)).to(dtype).requires_grad_()
    t = torch.rand(3, 4, generator=g)
    options = {key: value.to(DEVICE) for key, value in BINARY[name].items()}
    loss = X.binary_cross_entropy_with_logits(z, t.to(dtype), reduction=reduction, **options)
    wide = z.detach().double().requires_grad_()
    doubled = {key: value.double() for key, value in options.items()}
    theirs = F.binary_cross_entropy_with_logits(wide, t.to(dtype).double(), reduction=reduction, **doubled)
    eps = 3e-6 if dtype is torch.float32 else 2 * torch.finfo(dtype).eps
    assert_close(loss.double(), theirs, rtol=eps, atol=eps)
    up = torch.full_like(loss, 0.5)
    (found,) = torch.autograd.grad(loss, z, up, retain_graph=True)
    (exact,) = torch.autograd.grad(theirs, wide, up.double())
    assert_close(found.double(), exact, rtol=eps, atol=eps)
    (again,) = torch.autograd.grad(loss, z, up)
    assert_close(again, found)


def test_the_sum_of_elements_holds_one_gradient_and_reads_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "item", lambda self: pytest.fail("the host waited"))
    z = torch.randn(3, 4).requires_grad_()
    t = torch.ones(3, 4)
    loss = X.binary_cross_entropy_with_logits(z, t)
    assert type(loss.grad_fn).__name__ == "_ReducedBackward"
    loss.backward()
    assert_close(z.grad, -torch.sigmoid(-z.detach()) / 12)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_host_waits_for_nothing(way: Way, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """No number of a tensor is asked for, and none of the host's is copied to the device, on the way forward and back.

    In memory the backend is told that it may not look, as on a device.
    """
    if way is WAYS["typed, weighted"] or way is WAYS["typed, teacher"]:
        way.ours(scores(dtype))  # their own data are made of lists in each call
    z = scores(dtype)
    monkeypatch.setattr(TorchBackend, "reads", lambda self, x, *others: False)
    monkeypatch.setattr(torch.Tensor, "item", lambda self: pytest.fail("the host waited"))
    for name in ("asarray", "as_tensor"):
        make = getattr(torch, name)

        def of_tensors(x: Any, *others: Any, make: Any = make, **options: Any) -> Any:
            assert isinstance(x, torch.Tensor), f"{x!r} is copied to the device"
            return make(x, *others, **options)

        monkeypatch.setattr(torch, name, of_tensors)
    (way.ours(z) * 2.0).backward()
    assert z.grad is not None


on_a_device = pytest.mark.skipif(DEVICE == "cpu", reason="no GPU: nothing waits for one")


@on_a_device
@every
def test_pytorch_sees_no_wait(way: Way) -> None:
    z = scores()
    way.ours(z).backward()  # compiled by now
    made = {name: value for name, value in vars(torch_fused).items() if callable(value)}
    constants = {"labels": labels(), "weights": torch_fused.weights(z.dtype), "soft": torch_fused.soft(z.dtype)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in constants.items():
            assert name in made
            patch.setattr(torch_fused, name, lambda *_, value=value: value)
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            (way.ours(z) * 2.0).backward()
        finally:
            torch.cuda.set_sync_debug_mode("default")


@on_a_device
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_graph_of_the_device_replays_forward_and_backward(dtype: torch.dtype) -> None:
    z, y = torch.randn(64, 1000).to(dtype).requires_grad_(), torch.randint(1000, (64,))
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        X.cross_entropy(z, y).backward()
    torch.cuda.synchronize()
    z.grad = None
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = X.cross_entropy(z, y)
        loss.backward()
    with torch.no_grad():
        z.copy_(torch.randn(64, 1000))
    graph.replay()
    wide = z.detach().double().requires_grad_()
    theirs = F.cross_entropy(wide, y)
    eps = 2e-6 if dtype is torch.float32 else 2 * torch.finfo(dtype).eps
    assert_close(loss.double(), theirs, rtol=eps, atol=eps)
    assert_close(z.grad.double(), slope(theirs, wide), rtol=eps, atol=eps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("what", ["scores", "labels"])
def test_scores_and_labels_may_be_changed_once_the_loss_is_there(what: str, dtype: torch.dtype) -> None:
    """As on the CPU: the gradient is there. A second derivative finds that they were."""
    leaf = scores(dtype)
    z, y = leaf * 1.0, labels()
    loss, expected = X.cross_entropy(z, y), slope(F.cross_entropy(leaf.double(), y), leaf)
    with torch.no_grad():
        (z if what == "scores" else y).zero_()
    tolerance = 2e-6 if dtype is torch.float32 else 2 * torch.finfo(dtype).eps
    assert_close(slope(loss * 2.0, leaf, retain_graph=True), 2 * expected, rtol=tolerance, atol=tolerance)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        slope(loss, leaf)


def test_tensors_of_another_device_are_refused_in_pytorch_s_words() -> None:
    z, y = scores(), labels()
    for reduction in ("none", "mean"):
        with pytest.raises(RuntimeError, match="device"):
            X.cross_entropy(z, y.to("meta"), reduction=reduction)


def test_the_typed_losses_take_their_extras_in_the_same_pass(launches: list[int]) -> None:
    z, y = scores(), xent.Labels(labels(), ignore=-100)
    for loss in (
        xent.losses.imbalance.focal(2.0),
        xent.losses.noise.z_loss(1e-2),
        xent.losses.noise.label_smoothing(0.1),
        xent.losses.noise.temperature(2.0),
        xent.losses.noise.softcap(3.0),
        xent.losses.margins.sm_softmax(0.5),
        xent.losses.imbalance.logit_adjustment([1, 2, 3, 4, 5]),
    ):
        launches.clear()
        value = loss(y, xent.Logits(z))
        found = slope(value, z)
        assert launches == [3]
        wide = z.detach().double().requires_grad_()
        exact = loss(y, xent.Logits(wide))
        assert_close(value.double(), exact, rtol=2e-6, atol=1e-6)
        assert_close(found.double(), slope(exact, wide), rtol=1e-5, atol=1e-6)


def test_the_scores_of_tokens_come_from_one_launch(launches: list[int]) -> None:
    z = scores()
    found = xent.losses.language.token_scores(xent.Labels(labels(), ignore=-100), xent.Logits(z))
    assert launches == [0]
    wide = torch.log_softmax(z.detach().double(), -1)
    counted = ~IGNORED.to(DEVICE)
    picked = wide.gather(1, labels().clamp_min(0)[:, None])[:, 0]
    assert_close(found.log_likelihood.double(), torch.where(counted, picked, 0.0), rtol=2e-6, atol=1e-6)
    assert_close(found.entropy.double(), torch.where(counted, -(wide.exp() * wide).sum(-1), 0.0), rtol=2e-6, atol=1e-6)
    assert torch.equal(found.predicted, z.argmax(-1))
    gradient = slope(found.log_likelihood.sum() + 2.0 * found.entropy.sum(), z)
    assert launches == [0, 1]
    x = z.detach().double().requires_grad_()
    log_q = torch.log_softmax(x, -1)
    each = log_q.gather(1, labels().clamp_min(0)[:, None])[:, 0] - 2.0 * (log_q.exp() * log_q).sum(-1)
    assert_close(gradient.double(), slope(each[counted].sum(), x), rtol=1e-5, atol=1e-6)


def test_explain_names_the_kernel_and_the_reason() -> None:
    z = scores()
    assert str(xent.explain(xent.Labels(labels(), ignore=-100), xent.Logits(z))).splitlines()[0].endswith("kernel gpu")
    told = str(xent.explain(xent.Labels(labels(), ignore=-100), xent.Logits(z.double())))
    assert "not gpu: it computes in float32, and the tensor is float64" in told


def test_repeats_to_the_bit() -> None:
    z = torch.randn(50, 300).requires_grad_()
    y = torch.randint(300, (50,))
    found = [(loss.item(), slope(loss, z)) for loss in (X.cross_entropy(z, y) for _ in range(2))]
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])
    assert gpu.name == "gpu"
