"""Losses whose scores and targets the program itself changes and checks, beside array operations in float64.

The backend is told that it may not look at numbers, as on a device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

import xent
import xent.torch as X
from xent.backends.torch import TorchBackend
from xent.kernels.gpu import elements, launch, rows
from xent.losses import Poly1, imbalance, margins, noise

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
N, K = 6, 40
inf, nan = math.inf, math.nan
Loss = Callable[..., torch.Tensor]


@pytest.fixture(autouse=True)
def _unread(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Rows of more than 16 classes are walked through in pieces of 16."""
    monkeypatch.setattr(TorchBackend, "reads", lambda self, x, *others: False)
    monkeypatch.setattr(launch, "_HELD", 16)
    monkeypatch.setattr(launch, "_PIECE", 16)
    with torch.device(DEVICE):
        yield


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the programs were asked for."""
    seen: list[str] = []
    for owner, name in ((rows._Launch, "__call__"), (elements, "_launch")):
        of = getattr(owner, name)

        def counting(*arguments: Any, of: Any = of, name: str = name, **named: Any) -> Any:
            seen.append("rows" if name == "__call__" else "elements")
            return of(*arguments, **named)

        monkeypatch.setattr(owner, name, counting)
    return seen


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator(DEVICE).manual_seed(seed))


def scores(dtype: torch.dtype = torch.float32, *, cosines: bool = False) -> torch.Tensor:
    z = normal(N, K)
    return (z.tanh() if cosines else 3 * z).to(dtype).requires_grad_()


def labels() -> torch.Tensor:
    return torch.tensor([0, 39, -100, 17, 16, -100])


def probabilities(seed: int = 1) -> torch.Tensor:
    return (2 * normal(N, K, seed=seed)).softmax(-1)


def assert_like_double(call: Loss, z: torch.Tensor, launches: list[str], *, second: bool = True, more: int = 0) -> None:
    """Each loss, its gradient from any upstream, evaluation, and a derivative more. ``more``: those for a teacher."""
    eps = 1e-5 if z.dtype is torch.float32 else 2 * torch.finfo(z.dtype).eps
    wide = z.detach().double().requires_grad_()
    for reduction in ("none", "sum", "mean"):
        launches.clear()
        loss, exact = call(z, reduction=reduction), call(wide, reduction=reduction)
        assert_close(loss.double(), exact, rtol=eps, atol=eps, equal_nan=True)
        up = normal(*loss.shape, seed=3)
        (found,) = torch.autograd.grad(loss, z, up, retain_graph=True)
        (their,) = torch.autograd.grad(exact, wide, up.double(), retain_graph=True)
        assert found.dtype == z.dtype
        assert_close(found.double(), their, rtol=eps, atol=eps, equal_nan=True)
        # float32's gradient is ready, and scaled.
        assert len(launches) <= 2 + more
        with torch.no_grad():
            launches.clear()
            assert_close(call(z, reduction=reduction), loss.detach(), rtol=1e-6, atol=1e-6, equal_nan=True)
            assert len(launches) == 1 + more
        if second and z.dtype is torch.float32:
            (mine,) = torch.autograd.grad(loss, z, up, create_graph=True)
            (theirs,) = torch.autograd.grad(exact, wide, up.double(), create_graph=True)
            along = normal(N, K, seed=4)
            (mine,) = torch.autograd.grad((mine * along).sum(), z)
            (theirs,) = torch.autograd.grad((theirs * along.double()).sum(), wide)
            assert_close(mine.double(), theirs, rtol=1e-4, atol=1e-5)


ADJUSTED: dict[str, tuple[Any, bool]] = {
    "temperature": (noise.temperature(2.0), False),
    "softcap": (noise.softcap(3.0), False),
    "logit_adjustment": (imbalance.logit_adjustment(list(range(1, K + 1))), False),
    "ldam": (imbalance.ldam(list(range(1, K + 1))), False),
    "sm_softmax": (margins.sm_softmax(0.5), False),
    "arcface": (margins.arcface(), True),
    "capped, focal": (noise.softcap(3.0).but(shaping=xent.Focal(2.0)), False),
    "warm, entropy": (noise.confidence_penalty(0.1).but(scores=noise.temperature(2.0).scores), False),
}


@pytest.mark.parametrize("name", ADJUSTED)
def test_changed_scores(name: str, launches: list[str]) -> None:
    dtype = torch.bfloat16 if name in ("temperature", "arcface") else torch.float32
    loss, cosines = ADJUSTED[name]
    P = xent.Labels(labels(), ignore=-100)
    z = scores(dtype, cosines=cosines)
    with torch.no_grad():
        z[2, 3] = nan  # ignored
    assert_like_double(lambda x, **how: loss(P, xent.Logits(x), **how), z, launches, second=False)


@pytest.mark.parametrize("name", ["temperature", "softcap", "ldam", "warm, entropy"])
def test_second_derivatives_of_changed_scores(name: str, launches: list[str]) -> None:
    P = xent.Labels(labels(), ignore=-100)
    assert_like_double(lambda x, **how: ADJUSTED[name][0](P, xent.Logits(x), **how), scores(), launches)


DISTRIBUTIONS: dict[str, Callable[[torch.Tensor], Any]] = {
    "probabilities": xent.Distribution,
    "smoothed": lambda p: xent.Distribution(p, smoothing=0.1),
    "all smoothing": lambda p: xent.Distribution(p, smoothing=1.0),
    "bfloat16": lambda p: xent.Distribution(p.bfloat16()),
    "float16": lambda p: xent.Distribution(p.half()),
    "logarithms": lambda p: xent.Distribution.from_log_probs(p.log()),
    "teacher": lambda p: xent.Distribution.from_logits(30.0 * p.log()),
    "teacher, warm": lambda p: xent.Distribution.from_logits(5.0 * p.log(), temperature=4.0),
    "teacher, bfloat16": lambda p: xent.Distribution.from_logits(p.log().bfloat16(), temperature=0.5),
    "logarithms, bfloat16": lambda p: xent.Distribution.from_log_probs(p.log().bfloat16()),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions(name: str, launches: list[str]) -> None:
    dtype = torch.bfloat16 if "16" in name else torch.float32
    P, more = DISTRIBUTIONS[name](probabilities()), int("teacher" in name)

    def call(x: torch.Tensor, **how: Any) -> torch.Tensor:
        return xent.cross_entropy(P, xent.Logits(x), **how)

    assert_like_double(call, scores(dtype), launches, more=more)


@pytest.mark.parametrize("name", ["softcap", "temperature"])
def test_distributions_of_changed_scores(name: str, launches: list[str]) -> None:
    P, loss = xent.Distribution(probabilities(), smoothing=0.1), ADJUSTED[name][0]
    assert_like_double(lambda x, **how: loss(P, xent.Logits(x), **how), scores(), launches)


def spoiled(kind: str) -> torch.Tensor:
    """Row 1 is none."""
    p = probabilities()
    p[1] = {
        "negative": torch.cat([torch.tensor([1.5, -0.5]), torch.zeros(K - 2)]),
        "too large": torch.cat([torch.tensor([1.00005]), torch.zeros(K - 1)]),
        "NaN": p[1] * nan,
        "sum": p[1] * 1.01,
        "nothing": torch.zeros(K),
    }[kind]
    return p


@pytest.mark.parametrize("kind", ["negative", "too large", "NaN", "sum", "nothing"])
@pytest.mark.parametrize("name", ["probabilities", "smoothed", "logarithms"])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_what_is_no_distribution_is_nan_in_its_row(kind: str, name: str, reduction: str) -> None:
    if name == "logarithms" and kind == "too large":
        pytest.skip("within what rounding explains")
    z, P = scores(), DISTRIBUTIONS[name](spoiled(kind))
    loss = xent.cross_entropy(P, xent.Logits(z), reduction=reduction)
    (found,) = torch.autograd.grad(loss.sum(), z)
    expected = [False, True, False, False, False, False]
    assert torch.isnan(loss).tolist() == (expected if reduction == "none" else True)
    assert torch.isnan(found).all(-1).tolist() == expected
    assert torch.isnan(found).any(-1).tolist() == expected
    # But of an example that does not count.
    weight = torch.ones(N)
    weight[1] = 0.0
    loss = xent.cross_entropy(P, xent.Logits(z), weight=weight, reduction=reduction)
    (found,) = torch.autograd.grad(loss.sum(), z)
    assert torch.isfinite(loss).all()
    assert torch.isfinite(found).all()
    assert not found[1].any()


def test_what_must_be_hard_is_nan_where_it_is_not(launches: list[str]) -> None:
    hot = torch.nn.functional.one_hot(torch.tensor([3, 1, 39, 0, 20, 5]), K).float()
    P = xent.Distribution(hot)
    assert_like_double(
        lambda x, **how: xent.cross_entropy(P, xent.Logits(x), shaping=xent.Focal(2.0), **how), scores(), launches
    )
    hot[4] = probabilities()[4]
    z = scores()
    loss = xent.cross_entropy(P, xent.Logits(z), shaping=xent.Focal(2.0), reduction="none")
    assert torch.isnan(loss).tolist() == [False, False, False, False, True, False]
    assert torch.isnan(torch.autograd.grad(loss.sum(), z)[0]).all(-1).tolist() == torch.isnan(loss).tolist()


def of_elements() -> torch.Tensor:
    t = torch.rand(N, K, generator=torch.Generator(DEVICE).manual_seed(5))
    t[0], t[1] = 0.0, 1.0
    return t


def weights(*shape: int) -> torch.Tensor:
    w = normal(*shape, seed=6).abs()
    w.view(-1)[0] = 0.0
    return w


INDICATORS: dict[str, dict[str, Any]] = {
    "plain": {},
    "a number": {"weight": 2.0},
    "classes": {"class_weight": weights(K).to(DEVICE)},
    "rows": {"weight": weights(N, 1).to(DEVICE)},
    "each": {"weight": weights(N, K).to(DEVICE), "positive_weight": weights(K).to(DEVICE)},
    "positive": {"positive_weight": 3.0},
    "focal": {"shaping": xent.Focal(2.0, soft="per-class")},
    "focal, positive": {"shaping": xent.Focal(0.5, soft="per-class"), "positive_weight": 2.0},
    "asymmetric": {"shaping": imbalance.Asymmetric(soft="per-class")},
    "asymmetric, far": {"shaping": imbalance.Asymmetric(0.0, 1.5, 0.4, soft="per-class"), "positive_weight": 2.0},
    "poly": {"shaping": Poly1(2.0, soft="per-class"), "weight": weights(N, 1).to(DEVICE)},
}


@pytest.mark.parametrize("name", INDICATORS)
def test_indicators(name: str, launches: list[str]) -> None:
    dtype = torch.bfloat16 if name in ("each", "focal, positive") else torch.float32
    P = xent.Indicators(of_elements())

    def call(x: torch.Tensor, **how: Any) -> torch.Tensor:
        options = {
            key: value.double() if x.dtype is torch.float64 and isinstance(value, torch.Tensor) else value
            for key, value in INDICATORS[name].items()
        }
        return xent.cross_entropy(P, xent.Logits(x), **options, **how)

    assert_like_double(call, scores(dtype), launches, second=name in ("plain", "rows", "each", "focal"))


@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.uint8, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_indicators_of_every_type(kind: torch.dtype, smoothing: float, launches: list[str]) -> None:
    P = xent.Indicators((of_elements() > 0.5).to(kind), smoothing=smoothing)
    assert_like_double(lambda x, **how: xent.cross_entropy(P, xent.Logits(x), **how), scores(), launches)


@pytest.mark.parametrize("denominator", [7.0, torch.tensor(7.0), 0.0, torch.tensor(-1.0)])
def test_a_denominator_of_elements(denominator: Any) -> None:
    P, z = xent.Indicators(of_elements()), scores()
    wide = z.detach().double().requires_grad_()
    found, exact = (xent.cross_entropy(P, xent.Logits(x), denominator=denominator) for x in (z, wide))
    assert_close(found.double(), exact, rtol=1e-5, atol=1e-5, equal_nan=True)
    mine, theirs = (torch.autograd.grad(loss, x)[0] for loss, x in ((found, z), (exact, wide)))
    assert_close(mine.double(), theirs, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_no_element_counts() -> None:
    z = scores()
    P = xent.Indicators(of_elements())
    loss = xent.cross_entropy(P, xent.Logits(z), weight=torch.zeros(N, 1))
    assert torch.isnan(loss)
    assert not torch.autograd.grad(loss, z)[0].any()
    assert xent.cross_entropy(P, xent.Logits(z), weight=torch.zeros(N, 1), empty="zero") == 0


@pytest.mark.parametrize("bad", [-0.1, 1.1, nan])
@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("shaping", [None, xent.Focal(2.0), imbalance.Asymmetric()])
def test_what_is_no_indicator_is_nan_in_its_place(bad: float, reduction: str, shaping: Any) -> None:
    t = (of_elements() > 0.5).float()
    t[2, 3] = bad
    z = scores()
    loss = xent.cross_entropy(xent.Indicators(t), xent.Logits(z), shaping=shaping, reduction=reduction)
    (found,) = torch.autograd.grad(loss.sum(), z)
    expected = torch.zeros(N, K, dtype=torch.bool)
    expected[2, 3] = True
    assert torch.equal(torch.isnan(found), expected)
    assert torch.equal(torch.isnan(loss), expected) if reduction == "none" else torch.isnan(loss)


@pytest.mark.parametrize("shaping", [xent.Focal(2.0), imbalance.Asymmetric()])
def test_scores_at_the_edges_of_shaped_elements(shaping: Any) -> None:
    z = torch.tensor([inf, -inf, inf, -inf, 0.0, nan, 90.0, -90.0]).requires_grad_()
    t = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    wide = z.detach().double().requires_grad_()
    found, exact = (
        xent.cross_entropy(xent.Indicators(t), xent.Logits(x), shaping=shaping, reduction="none") for x in (z, wide)
    )
    assert_close(found.double(), exact, rtol=1e-6, atol=1e-30, equal_nan=True)
    mine, theirs = (torch.autograd.grad(loss.sum(), x)[0] for loss, x in ((found, z), (exact, wide)))
    assert_close(mine.double(), theirs, rtol=1e-6, atol=1e-30, equal_nan=True)


@pytest.mark.parametrize("expand", [lambda x: x[:1, :1], lambda x: x[:, :1], lambda x: x[:1], lambda x: x])
def test_what_comes_from_above_is_read_where_it_lies(expand: Any) -> None:
    z, t = scores(), of_elements()
    up = expand(normal(N, K, seed=7))
    up.view(-1)[0] = 0.0
    up = up.expand(N, K)
    wide = z.detach().double().requires_grad_()
    loss = X.binary_cross_entropy_with_logits(z, t, reduction="none")
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(wide, t.double(), reduction="none")
    (found,), (exact,) = torch.autograd.grad(loss, z, up), torch.autograd.grad(theirs, wide, up.double())
    assert_close(found.double(), exact, rtol=1e-5, atol=1e-6)


def test_a_derivative_by_the_truth_goes_the_general_way() -> None:
    p = probabilities().requires_grad_()
    t = of_elements().requires_grad_()
    for P, x in ((xent.Distribution(p), p), (xent.Indicators(t), t)):
        loss = xent.cross_entropy(P, xent.Logits(scores()), reduction="sum")
        (found,) = torch.autograd.grad(loss, x)
        assert torch.isfinite(found).all()
        assert found.any()


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("kind", ["labels", "probabilities", "indicators"])
def test_value_and_gradient_at_once(kind: str, reduction: str, launches: list[str]) -> None:
    z, w = scores().detach(), weights(N)
    loss = noise.softcap(3.0) if kind == "labels" else xent.losses.Loss()
    P = {
        "labels": xent.Labels(labels(), ignore=-100),
        "probabilities": xent.Distribution(probabilities()),
        "indicators": xent.Indicators(of_elements()),
    }[kind]
    w = w[:, None] if kind == "indicators" else w
    value, gradient = loss.value_and_grad(P, xent.Logits(z), weight=w, reduction=reduction)
    assert len(launches) == (2 if kind == "indicators" and reduction == "none" else 1)
    exact, slope = loss.value_and_grad(P, xent.Logits(z.double()), weight=w.double(), reduction=reduction)
    assert_close(value.double(), exact, rtol=1e-5, atol=1e-6)
    assert_close(gradient.double(), slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_the_rows_of_the_multilabel_margin(reduction: str) -> None:
    z, t = scores(), (of_elements() > 0.5).float()
    found = X.multilabel_soft_margin_loss(z, t, weights(K), reduction=reduction)
    exact = torch.nn.functional.multilabel_soft_margin_loss(
        z.double(), t.double(), weights(K).double(), reduction=reduction
    )
    assert_close(found.double(), exact, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        assert_close(X.multilabel_soft_margin_loss(z, t, weights(K), reduction=reduction), found.detach())


@pytest.mark.parametrize("truth", ["labels", "probabilities"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_classes_that_weigh_differently(truth: str, dtype: torch.dtype, smoothing: float, launches: list[str]) -> None:
    """Some of them nothing, or less."""
    y = labels() if truth == "labels" else probabilities().to(dtype)
    w = normal(K, seed=8).to(dtype)
    w[16] = 0.0

    def call(x: torch.Tensor, reduction: str) -> torch.Tensor:
        wide = x.dtype is torch.float64
        of = torch.nn.functional if wide else X
        given = y.double() if wide and y.is_floating_point() else y
        return of.cross_entropy(x, given, w.to(x.dtype), label_smoothing=smoothing, reduction=reduction)

    assert_like_double(call, scores(dtype), launches)


def test_a_label_outside_of_classes_that_weigh_differently() -> None:
    z, y = scores(), torch.tensor([0, 40, -100, -1, 16, 2**40])
    loss = X.cross_entropy(z, y, torch.rand(K), label_smoothing=0.1, reduction="none")
    expected = [False, True, False, True, False, True]
    assert torch.isnan(loss).tolist() == expected
    assert torch.isnan(torch.autograd.grad(loss.sum(), z)[0]).all(-1).tolist() == expected


@pytest.mark.parametrize("kind", ["softcap", "probabilities", "indicators"])
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_makes_the_statistics_again(kind: str, reentrant: bool, launches: list[str]) -> None:
    P = {
        "softcap": xent.Labels(labels(), ignore=-100),
        "probabilities": xent.Distribution(probabilities()),
        "indicators": xent.Indicators(of_elements()),
    }[kind]
    loss = ADJUSTED["softcap"][0] if kind == "softcap" else xent.losses.Loss()

    def call(x: torch.Tensor) -> torch.Tensor:
        return loss(P, xent.Logits(x), reduction="none")

    z = scores()
    up = normal(*call(z).shape, seed=9)
    (expected,) = torch.autograd.grad(call(z), z, up)
    launches.clear()
    checkpoint(call, z, use_reentrant=reentrant).backward(up)
    assert launches == [launches[0]] * 3
    assert z.grad is not None
    assert_close(z.grad, expected)


def test_a_number_for_a_weight_is_made_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    z, P = scores(), xent.Indicators(of_elements())
    expected = xent.cross_entropy(P, xent.Logits(z), weight=torch.tensor(2.0), positive_weight=torch.tensor(3.0))
    make = torch.asarray

    def of_tensors(x: Any, *others: Any, **options: Any) -> torch.Tensor:
        assert isinstance(x, torch.Tensor), "copied from the host"
        return make(x, *others, **options)

    monkeypatch.setattr(torch, "asarray", of_tensors)
    assert_close(xent.cross_entropy(P, xent.Logits(z), weight=2.0, positive_weight=3.0), expected)


def test_a_teacher_at_the_edges(launches: list[str]) -> None:
    teacher = normal(N, K, seed=11)
    teacher[0, 3], teacher[1, 5:], teacher[2, 7] = inf, -inf, nan
    teacher[3, [0, 39]] = inf
    P = xent.Distribution.from_logits(teacher)

    def call(x: torch.Tensor, **how: Any) -> torch.Tensor:
        return xent.cross_entropy(P, xent.Logits(x), **how)

    assert_like_double(call, scores(), launches, second=False, more=1)
    assert torch.isnan(call(scores(), reduction="none")).tolist() == [False, False, True, True, False, False]


@pytest.mark.parametrize("name", ["class_weight", "margin", "focal"])
def test_a_teacher_whose_probabilities_are_read_before(name: str) -> None:
    hot = torch.where(torch.eye(K)[:N] > 0, 0.0, -inf)
    options = {
        "class_weight": {"class_weight": weights(K)},
        "margin": {"scores": xent.losses.Scores(margin=xent.losses.Shift(0.3))},
        "focal": {"shaping": xent.Focal(2.0)},
    }[name]
    z = scores()
    found = xent.cross_entropy(xent.Distribution.from_logits(hot), xent.Logits(z), **options)
    exact = xent.cross_entropy(xent.Labels(torch.arange(N)), xent.Logits(z), **options)
    assert_close(found, exact)
    assert_close(torch.autograd.grad(found, z)[0], torch.autograd.grad(exact, z)[0])


def test_padding_of_a_target_that_is_weighed_by_class() -> None:
    p = probabilities()
    p[1] = nan
    weight = torch.ones(N)
    weight[1] = 0.0
    z = scores()
    wide = z.detach().double().requires_grad_()
    found, exact = (
        xent.cross_entropy(xent.Distribution(p), xent.Logits(x), weight=weight.to(x.dtype), class_weight=c)
        for x, c in ((z, weights(K)), (wide, weights(K).double()))
    )
    assert_close(found.double(), exact, rtol=1e-5, atol=1e-6)
    assert torch.isfinite(torch.autograd.grad(found, z)[0]).all()
