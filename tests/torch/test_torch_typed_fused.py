"""``xent.cross_entropy`` on tensors: what takes the one pass, and that it is what the composed kernel says."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.testing import assert_close
from torch_fused import is_fused

import xent
from xent.errors import EmptyError, OptionError
from xent.kernels import registry
from xent.kernels.composed import composed

N, K = 7, 6
g = torch.Generator().manual_seed(4)
Z = torch.randn(N, K, generator=g, dtype=torch.float64) * 2
Y = torch.tensor([0, 5, -1, 2, 2, -1, 3])
T = torch.rand(N, K, generator=g, dtype=torch.float64)
T = T / T.sum(-1, keepdim=True)
W = torch.tensor([1.0, 0.0, 2.0, 0.5, 3.0, 0.25, 0.0], dtype=torch.float64)
C = torch.tensor([0.5, 1.0, 2.0, 0.0, 1.5, 3.0], dtype=torch.float64)

TRUTHS = {
    "labels": lambda p: xent.Labels(Y, ignore=-1),
    "labels, smoothed": lambda p: xent.Labels(Y, ignore=-1, smoothing=0.1),
    "labels, none ignored": lambda p: xent.Labels(Y.clamp(min=0)),
    "int32 labels": lambda p: xent.Labels(Y.to(torch.int32), ignore=-1),
    "distribution": lambda p: xent.Distribution(p),
    "distribution, smoothed": lambda p: xent.Distribution(p, smoothing=0.2),
    "teacher's scores": lambda p: xent.Distribution.from_logits(p.log() * 3, temperature=1.5),
    "teacher's log-probabilities": lambda p: xent.Distribution.from_log_probs(p.log()),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sum": {"reduction": "sum"},
    "weight": {"weight": W},
    "class weight": {"class_weight": C},
    "both, sum": {"weight": W, "class_weight": C, "reduction": "sum"},
    "a list of weights": {"weight": W.tolist()},
    "denominator": {"denominator": 11},
    "denominator, a tensor": {"denominator": torch.tensor(3.5), "weight": W},
    "empty zero": {"empty": "zero"},
    "empty raise": {"empty": "raise"},
}


def composed_of(monkeypatch: pytest.MonkeyPatch, P: Any, z: torch.Tensor, axis: int, **options: Any) -> Any:
    """(value, gradient by the scores) of the kernel that is written in array operations, one example at a time."""
    with monkeypatch.context() as patch:
        patch.setattr(registry, "_KERNELS", (composed,))
        reduction = options.pop("reduction", "mean")
        loss = xent.cross_entropy(P, xent.Logits(z, axis=axis), reduction=reduction, **options)
    return loss, torch.autograd.grad(loss, z)[0]


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_one_pass_is_the_composed_kernel(
    monkeypatch: pytest.MonkeyPatch, truth: str, option: str, dtype: torch.dtype
) -> None:
    P, options = TRUTHS[truth](T), OPTIONS[option]
    z = Z.to(dtype, copy=True).requires_grad_()
    loss = xent.cross_entropy(P, xent.Logits(z), **options)
    assert is_fused(loss)
    value, gradient = composed_of(monkeypatch, P, z, -1, **options)
    rtol = {torch.float64: 1e-13, torch.float32: 1e-5}.get(dtype, 1e-5)
    assert loss.dtype == value.dtype
    assert_close(loss, value, rtol=rtol, atol=rtol)
    step = max(rtol, torch.finfo(dtype).eps)
    for above in (1.0, -2.0):
        found = torch.autograd.grad(loss * above, z, retain_graph=True)[0]
        assert_close(found, above * gradient, rtol=step, atol=rtol)
    same, slope = xent.value_and_grad(P, xent.Logits(z), **options)
    assert torch.equal(same, loss.detach())
    assert torch.equal(slope, torch.autograd.grad(loss, z)[0])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_classes_in_any_axis(monkeypatch: pytest.MonkeyPatch, axis: int) -> None:
    shape = [3, 4, 5]
    z = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    k = shape.pop(axis)
    y = torch.randint(k, shape, generator=torch.Generator().manual_seed(2))
    t = z.detach().flip(1).softmax(axis)
    for P in (xent.Labels(y), xent.Distribution(t)):
        loss = xent.cross_entropy(P, xent.Logits(z, axis=axis))
        assert is_fused(loss)
        value, gradient = composed_of(monkeypatch, P, z, axis)
        assert_close(loss, value, rtol=1e-13, atol=0.0)
        assert_close(torch.autograd.grad(loss, z)[0], gradient, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("who", ["weight", "class_weight", "denominator", "P"])
def test_another_derivative_takes_the_general_way(monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    values = {"weight": W, "class_weight": C, "denominator": torch.tensor(3.5, dtype=torch.float64), "P": T}
    found = []
    for kernels in (registry._KERNELS, (composed,)):
        monkeypatch.setattr(registry, "_KERNELS", kernels)
        z, leaf = Z.clone().requires_grad_(), values[who].clone().requires_grad_()
        P = xent.Distribution.from_log_probs((leaf if who == "P" else T).log())
        loss = xent.cross_entropy(P, xent.Logits(z), **({} if who == "P" else {who: leaf}))
        assert not is_fused(loss)
        found.append((loss, *torch.autograd.grad(loss, (z, leaf))))
    for one, other in zip(*found, strict=True):
        assert_close(one, other, rtol=1e-12, atol=1e-14)
    assert found[0][2].abs().max() > 0


@pytest.mark.parametrize("truth", ["labels", "distribution"])
@pytest.mark.parametrize(("empty", "expected"), [("nan", math.nan), ("zero", 0.0), ("raise", None)])
def test_a_mean_over_nothing(truth: str, empty: Any, expected: float | None) -> None:
    z = Z.clone().requires_grad_()
    P: Any = xent.Labels(torch.full((N,), -1), ignore=-1) if truth == "labels" else xent.Distribution(T)
    options: Any = {} if truth == "labels" else {"weight": torch.zeros(N)}
    if expected is None:
        with pytest.raises(EmptyError):
            xent.cross_entropy(P, xent.Logits(z), empty=empty, **options)
        return
    loss = xent.cross_entropy(P, xent.Logits(z), empty=empty, **options)
    assert_close(loss.item(), expected, equal_nan=True)
    loss.backward()
    assert z.grad is not None
    assert not z.grad.any()
    nothing = xent.cross_entropy(P, xent.Logits(z), reduction="sum", **options)
    assert nothing.item() == 0.0
    assert not torch.autograd.grad(nothing, z)[0].any()


def test_a_weight_with_a_graph_where_nothing_must_not_be() -> None:
    w = W.clone().requires_grad_()
    loss = xent.cross_entropy(xent.Labels(Y, ignore=-1), xent.Logits(Z), weight=w, empty="raise")
    assert torch.autograd.grad(loss, w)[0].abs().max() > 0


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_a_denominator_that_cannot_be_is_refused_here_too(bad: float) -> None:
    with pytest.raises(OptionError, match="denominator="):
        xent.cross_entropy(xent.Labels(Y, ignore=-1), xent.Logits(Z.clone().requires_grad_()), denominator=bad)


KNOWN = [{"shaping": xent.Focal(2.0)}, {"penalties": [xent.ZLoss(0.1)]}, {"scores": xent.losses.Scores(scale=2.0)}]
OTHERS = [{"penalties": [xent.losses.Entropy(0.1)]}, {"scores": xent.losses.Scores(softcap=5.0)}]


@pytest.mark.parametrize(("options", "known"), [*((o, True) for o in KNOWN), *((o, False) for o in OTHERS)], ids=str)
def test_what_the_pass_does_not_know_takes_the_general_way(options: dict[str, Any], known: bool) -> None:
    z = Z.clone().requires_grad_()
    assert is_fused(xent.cross_entropy(xent.Labels(Y, ignore=-1), xent.Logits(z), **options)) == known
    assert not is_fused(xent.cross_entropy(xent.Labels(Y, ignore=-1), xent.Logits(z), reduction="none"))


def test_ignored_rows_with_nan() -> None:
    z = Z.clone()
    z[2], z[5, 0] = math.nan, math.inf
    z.requires_grad_()
    loss = xent.cross_entropy(xent.Labels(Y, ignore=-1), xent.Logits(z))
    assert is_fused(loss)
    clean = Z[[0, 1, 3, 4, 6]].requires_grad_()
    expected = xent.cross_entropy(xent.Labels(Y[[0, 1, 3, 4, 6]]), xent.Logits(clean))
    assert_close(loss, expected, rtol=1e-15, atol=0.0)
    found, theirs = torch.autograd.grad(loss, z)[0], torch.autograd.grad(expected, clean)[0]
    assert not found[[2, 5]].any()
    assert_close(found[[0, 1, 3, 4, 6]], theirs, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("options", [{}, {"weight": W}, {"denominator": torch.tensor(3.0, dtype=torch.float64)}])
def test_a_mean_of_scaled_scores_is_that_of_scores_that_were_scaled(options: dict[str, Any]) -> None:
    """In the one pass, which keeps no scores: what it divides by is found without them."""
    z = Z.clone().requires_grad_()
    loss = xent.cross_entropy(
        xent.Labels(Y, ignore=-1), xent.Logits(z), scores=xent.losses.Scores(scale=2.5), **options
    )
    plain = xent.cross_entropy(xent.Labels(Y, ignore=-1), xent.Logits(z * 2.5), **options)
    assert is_fused(loss)
    assert_close(loss, plain)
    assert_close(torch.autograd.grad(loss, z), torch.autograd.grad(plain, z))
