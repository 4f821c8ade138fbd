"""The lean path of the sigmoid losses: one pass forward, and a gradient that is handed over in the first backward."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import forward_ad
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

import xent.torch as X
from xent.backends.torch import element_sum, lean
from xent.torch import binary

bce = X.binary_cross_entropy_with_logits
reductions = pytest.mark.parametrize("reduction", ["mean", "sum"])


def data(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    z = 3 * torch.randn(*shape, generator=g, dtype=torch.float64)
    t = torch.rand(*shape, generator=g, dtype=torch.float64)
    t = torch.where(t < 0.3, 0.0, torch.where(t > 0.7, 1.0, t))
    return z.to(dtype).requires_grad_(), t.to(dtype)


def slope(z: torch.Tensor, t: torch.Tensor, w: Any = 1.0, v: Any = 1.0) -> torch.Tensor:
    """∂Σ/∂z in float64, by another formula than the kernel's."""
    z, t = z.detach().double(), t.double()
    return w * ((1 - t) * z.sigmoid() - v * t * (-z).sigmoid())


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each pass of the fused kernel."""
    found: list[int] = []
    fused = element_sum._fused

    def counted(*args: Any) -> Any:
        found.append(1)
        return fused(*args)

    monkeypatch.setattr(element_sum, "_fused", counted)
    return found


OPERANDS: dict[str, Callable[[], dict[str, torch.Tensor]]] = {
    "plain": dict,
    "weight of each": lambda: {"weight": torch.linspace(0, 2, 35, dtype=torch.float64).reshape(5, 7)},
    "weight of rows": lambda: {"weight": torch.linspace(0, 2, 5, dtype=torch.float64)[:, None]},
    "one weight": lambda: {"weight": torch.tensor(0.7, dtype=torch.float64)},
    "positive weight of classes": lambda: {"pos_weight": torch.linspace(0, 2, 7, dtype=torch.float64)},
    "narrower weights": lambda: {"weight": torch.linspace(0, 2, 7), "pos_weight": torch.tensor([0.7]).half()},
    "both": lambda: {
        "weight": torch.linspace(-1, 2, 7, dtype=torch.float64).expand(5, 7),
        "pos_weight": torch.linspace(0, 2, 70, dtype=torch.float64).reshape(5, 14)[:, ::2],
    },
}


@reductions
@pytest.mark.parametrize("name", OPERANDS)
def test_value_and_gradient_with_any_upstream(runs: list[int], name: str, reduction: str) -> None:
    z, t = data(5, 7)
    options = {"reduction": reduction, **OPERANDS[name]()}
    value = bce(z, t, **options)
    assert runs == [1]
    assert_close(value, F.binary_cross_entropy_with_logits(z, t, **options))
    w, v = (options.get(key, torch.ones(())).double() for key in ("weight", "pos_weight"))
    expected = slope(z, t, w, v) / (z.numel() if reduction == "mean" else 1)
    for above in (1.0, -1.7):
        (found,) = torch.autograd.grad(value, z, torch.tensor(above, dtype=z.dtype), retain_graph=True)
        assert_close(found, above * expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_the_graph_may_be_kept(runs: list[int], dtype: torch.dtype) -> None:
    z, t = data(40, 50, dtype=dtype)
    value = bce(z, t, reduction="sum")
    assert value.dtype == dtype
    found = [
        torch.autograd.grad(value, z, torch.tensor(above, dtype=dtype), retain_graph=True)[0]
        for above in (0.375, -2.5, 1.0, 0.375)
    ]
    for above, one in zip((0.375, -2.5, 1.0, 0.375), found, strict=True):
        assert one.dtype == dtype
        step = torch.finfo(dtype).eps
        assert_close(one.double(), above * slope(z, t), rtol=2 * step if dtype.itemsize == 2 else 8 * step, atol=1e-7)
    assert_close(found[0], found[3], rtol=torch.finfo(dtype).eps, atol=0)
    assert len({one.data_ptr() for one in found}) == 4
    # Half precision is rounded once, after it was scaled; elsewhere the gradient of the forward pass is scaled.
    assert len(runs) == (5 if dtype.itemsize == 2 else 4)


def test_the_gradient_becomes_that_of_the_leaf_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    z, t = data(64, 32, dtype=torch.float32)
    made = []
    allocate = element_sum.gradient_like

    def watched(*args: Any) -> Any:
        made.append(allocate(*args))
        return made[-1]

    monkeypatch.setattr(element_sum, "gradient_like", watched)
    for above in (1.0, 0.5):
        z.grad = None
        (above * bce(z, t)).backward()
        assert z.grad is not None
        assert z.grad.data_ptr() == made[-1].ctypes.data
        assert_close(z.grad.double(), above * slope(z, t) / z.numel(), rtol=1e-5, atol=1e-9)
    assert len(made) == 2
    first = z.grad.clone()
    bce(z, t).backward()
    assert_close(z.grad, 3 * first)


def test_a_second_backward_through_a_freed_graph_is_refused() -> None:
    z, t = data(3, 4)
    value = bce(z, t)
    value.backward()
    with pytest.raises(RuntimeError, match="second time"):
        value.backward()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_a_scaled_loss_loses_no_small_gradient(dtype: torch.dtype) -> None:
    """1/N of a sigmoid is nothing in float16, and 65536 times that is not: what GradScaler is for."""
    z = torch.full((300_000,), -9.0, dtype=dtype, requires_grad=True)
    t = torch.zeros(300_000, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype != torch.float32):
        value = bce(z, t)
    assert value.dtype == torch.float32
    (65536 * value).backward()
    assert z.grad is not None
    expected = 65536 / 300_000 * slope(z, t)
    assert_close(z.grad.double(), expected, rtol=torch.finfo(dtype).eps, atol=0)
    assert expected[0] > 1e-5


@reductions
@pytest.mark.parametrize("name", OPERANDS)
def test_derivatives_of_the_gradient(runs: list[int], name: str, reduction: str) -> None:
    z, t = data(5, 7)
    options = {"reduction": reduction, **OPERANDS[name]()}
    assert torch.autograd.gradcheck(lambda z: bce(z, t, **options), (z,))
    assert torch.autograd.gradgradcheck(lambda z: bce(z, t, **options), (z,))
    assert runs
    value, expected = bce(z, t, **options), F.binary_cross_entropy_with_logits(z, t, **options)
    above = torch.tensor(-1.3, dtype=z.dtype, requires_grad=True)
    pair = [torch.autograd.grad(x, z, above, create_graph=True)[0] for x in (value, expected)]
    assert_close(*pair)
    u = torch.linspace(-1, 1, 35, dtype=z.dtype).reshape(5, 7)
    ours, theirs = (torch.autograd.grad(x, (z, above), u) for x in pair)
    assert_close(ours, theirs)
    # The gradient with its graph was not taken from what a plain backward hands over, nor does it keep that from it.
    assert_close(torch.autograd.grad(value, z)[0], torch.autograd.grad(expected, z)[0])


def test_dead_elements_reach_no_derivative() -> None:
    z = torch.tensor([0.3, float("nan"), float("inf"), -1.0], dtype=torch.float64, requires_grad=True)
    t = torch.tensor([1.0, 0.5, 0.0, 0.0], dtype=torch.float64)
    w = torch.tensor([1.0, 0.0, 0.0, 2.0], dtype=torch.float64)
    value = bce(z, t, weight=w, reduction="sum")
    assert_close(value, -F.logsigmoid(z[0]) - 2 * F.logsigmoid(-z[3]))
    (first,) = torch.autograd.grad(value, z, create_graph=True)
    assert first[1:3].tolist() == [0.0, 0.0]
    (second,) = torch.autograd.grad((first * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum(), z, retain_graph=True)
    assert second[1:3].tolist() == [0.0, 0.0]
    (found,) = torch.autograd.grad(-1.7 * value, z)
    assert_close(found, -1.7 * first.detach())


def test_hooks_see_the_gradient_and_may_change_it() -> None:
    z, t = data(5, 7)
    seen: list[torch.Tensor] = []
    middle = z * 1.0
    middle.register_hook(lambda g: (seen.append(g), 2 * g)[1])
    value = bce(middle, t)
    found = [torch.autograd.grad(above * value, z, retain_graph=True)[0] for above in (1.0, -1.7)]
    for above, one, g in zip((1.0, -1.7), found, seen, strict=True):
        assert_close(one, 2 * above * slope(z, t) / 35)
        assert_close(g, above * slope(z, t) / 35)  # and was not written to when the second came


def test_scores_that_are_changed_after_the_forward_pass() -> None:
    """The gradient of the forward pass is still right; one that would be made of the new scores is refused."""
    z, t = data(5, 7)
    expected = slope(z, t) / 35
    middle = z * 1.0
    value = bce(middle, t)
    with torch.no_grad():
        middle.add_(1.0)
    assert_close(torch.autograd.grad(value, z, retain_graph=True)[0], expected)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(value, z)


def test_batched_gradients_from_above() -> None:
    z, t = data(5, 7)
    above = torch.tensor([0.7, -1.3, 2.1], dtype=z.dtype)
    for _ in range(2):
        value = bce(z, t)
        (found,) = torch.autograd.grad(value, z, above, is_grads_batched=True, retain_graph=True)
        assert_close(found, above[:, None, None] * slope(z, t) / 35)
        (found,) = torch.func.vmap(lambda g, value=value: torch.autograd.grad(value, z, g, retain_graph=True))(above)
        assert_close(found, above[:, None, None] * slope(z, t) / 35)


@pytest.mark.parametrize("view", ["transposed", "strided", "expanded", "flipped", "scalar", "negated"])
def test_views(runs: list[int], view: str) -> None:
    z, t = data(5, 7)
    z = {
        "transposed": lambda: z.detach().t(),
        "strided": lambda: z.detach()[:, ::2],
        "expanded": lambda: z.detach()[:1].expand(5, 7),
        "flipped": lambda: z.detach().flip(0),
        "scalar": lambda: z.detach()[0, 0],
        "negated": lambda: torch.complex(z.detach(), z.detach()).conj().imag,
    }[view]()
    t = t.t() if view == "transposed" else t[:, ::2] if view == "strided" else t[0, 0] if view == "scalar" else t
    assert z.is_neg() == (view == "negated")
    leaf = z.requires_grad_()
    value = bce(leaf, t)
    assert_close(value, F.binary_cross_entropy_with_logits(leaf, t))
    (found,) = torch.autograd.grad(value, leaf, torch.tensor(-1.7, dtype=z.dtype))
    assert_close(found, -1.7 * slope(leaf, t) / leaf.numel())
    assert bool(runs) == (view != "negated")


class Subclass(torch.Tensor):
    pass


def _under_checkpoint(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return checkpoint(bce, z, t, use_reentrant=False)


def _in_inference(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return bce(z, t)


def _without_grad(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return bce(z, t)


def _with_tangent(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(bce(forward_ad.make_dual(z, torch.ones_like(z)), t)).primal


ELSEWHERE: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "constant scores": lambda z, t: bce(z.detach(), t),
    "a target with a gradient": lambda z, t: bce(z, t.requires_grad_()),
    "a weight with a gradient": lambda z, t: bce(z, t, weight=torch.ones(7, dtype=z.dtype, requires_grad=True)),
    "a pos_weight with a gradient": lambda z, t: bce(z, t, pos_weight=torch.ones(7, dtype=z.dtype, requires_grad=True)),
    "one number an element": lambda z, t: bce(z, t, reduction="none").mean(),
    "a wider target": lambda z, t: bce(z.float(), t),
    "a wider weight": lambda z, t: bce(z.float(), t.float(), weight=torch.ones(7, dtype=torch.float64)),
    "no_grad": _without_grad,
    "inference mode": _in_inference,
    "forward mode": _with_tangent,
    "a transform": lambda z, t: torch.func.grad_and_value(lambda x: bce(x, t))(z)[1],
    "a transform that does not see the scores": lambda z, t: torch.func.vmap(lambda s: bce(z, t) + 0 * s)(
        torch.zeros(1, dtype=z.dtype)
    )[0],
    "a subclass": lambda z, t: bce(z.as_subclass(Subclass), t).as_subclass(torch.Tensor),
    "a checkpoint": _under_checkpoint,
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_goes_another_way(runs: list[int], name: str) -> None:
    z, t = data(5, 7)
    expected = F.binary_cross_entropy_with_logits(z, t)
    lean_value = bce(z, t)
    assert_close(lean_value, expected)
    assert runs == [1]
    found = ELSEWHERE[name](z, t.clone())
    assert_close(found.double(), expected, rtol=1e-6 if "wider" in name else 1e-12, atol=0)
    assert runs == [1]
    if found.requires_grad:
        assert_close(torch.autograd.grad(-1.7 * found, z)[0], -1.7 * slope(z, t) / 35, rtol=1e-5, atol=1e-8)


def test_scores_that_are_their_own_target(runs: list[int]) -> None:
    z, _ = data(5, 7)
    value, expected = bce(z, z), F.binary_cross_entropy_with_logits(z, z)
    assert not runs
    assert_close(value, expected)
    assert_close(torch.autograd.grad(-1.7 * value, z), torch.autograd.grad(-1.7 * expected, z))


def test_plain_says_no_to_what_has_no_memory_of_its_own() -> None:
    z, _ = data(3, 4)
    assert lean.plain(z, None, torch.nn.Parameter(z.detach()))
    assert not lean.plain(z, z.detach().to("meta"))
    assert not lean.plain(z, z.detach().to_sparse())
    assert not lean.plain(z, torch._efficientzerotensor((3, 4), dtype=z.dtype))
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode() as mode:
        assert not lean.plain(z)
    assert not lean.plain(mode.from_tensor(z.detach()))


def test_no_elements_and_nan() -> None:
    z = torch.zeros(0, 4, requires_grad=True)
    value = bce(z, torch.zeros(0, 4))
    assert torch.isnan(value)
    value.backward()
    z, t = data(5, 7)
    with torch.no_grad():
        z[2, 3] = float("nan")
    value = bce(z, t)
    value.backward()
    assert torch.isnan(value)
    assert z.grad is not None
    assert torch.isnan(z.grad).sum() == 1


def test_threads_that_share_a_graph() -> None:
    """Each gets a gradient of its own: what waits in the graph is handed to one of them alone."""
    z, t = data(50, 40)
    value = bce(z, t)
    found: dict[int, torch.Tensor] = {}

    def back(at: int) -> None:
        (found[at],) = torch.autograd.grad(value, z, torch.tensor(1.0 + at, dtype=z.dtype), retain_graph=True)

    threads = [threading.Thread(target=back, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(8))
    for at, one in found.items():
        assert_close(one, (1.0 + at) * slope(z, t) / 2000)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_soft_margins(runs: list[int], dtype: torch.dtype, reduction: str) -> None:
    z, t = data(5, 7, dtype=dtype)
    w = torch.linspace(0.5, 2, 7).to(dtype)
    y = (2 * (t > 0.5) - 1).to(dtype)
    for name, truth, options in (
        ("soft_margin_loss", y, {}),
        ("multilabel_soft_margin_loss", t, {}),
        ("multilabel_soft_margin_loss", t, {"weight": w}),
    ):
        value = getattr(X, name)(z, truth, reduction=reduction, **options)
        wide = {key: x.double() for key, x in options.items()}
        leaf = z.detach().double().requires_grad_()
        expected = getattr(F, name)(leaf, truth.double(), reduction=reduction, **wide)
        eps = torch.finfo(dtype).eps
        assert value.dtype == dtype
        assert_close(value.double(), expected, rtol=4 * eps, atol=eps)
        above = torch.linspace(-1.7, 0.9, value.numel()).reshape(value.shape).to(dtype)
        (found,) = torch.autograd.grad(value, z, above)
        (exact,) = torch.autograd.grad(expected, leaf, above.double())
        assert_close(found.double(), exact, rtol=8 * eps, atol=eps)
    assert len(runs) >= (3 if reduction != "none" else 0)
    assert bool(runs) == (reduction != "none")
    assert binary.takes(z, t, None, None)
