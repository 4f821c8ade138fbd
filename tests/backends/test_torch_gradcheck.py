"""First and second derivatives on PyTorch against finite differences, in float64: by Q, soft P and every weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import xent

N, K, H = 3, 4, 2
QS = ("logits", "log_probs", "probs", "projection")
SOFT = ("distribution", "teacher scores", "teacher log-probs", "indicators")
LABELS = torch.tensor([0, 3, 1])


def leaf(*shape: int, seed: int = 0, low: float | None = None) -> torch.Tensor:
    """Random numbers to differentiate by; N(0, 1), or uniform in [low, 1 − low]."""
    generator = torch.Generator().manual_seed(seed)
    if low is None:
        x = torch.randn(*shape, generator=generator, dtype=torch.float64)
    else:
        x = low + (1 - 2 * low) * torch.rand(*shape, generator=generator, dtype=torch.float64)
    return x.requires_grad_()


def prediction(kind: str, binary: bool) -> tuple[list[torch.Tensor], Callable[..., Any]]:
    """Leaves, and what makes Q of them."""
    if kind == "projection":
        return [leaf(N, H), leaf(K, H, seed=1), leaf(K, seed=2)], xent.Projection
    z = leaf(N, K)
    if kind == "logits":
        return [z], xent.Logits
    q = leaf(N, K, low=0.1) if binary else z.detach().softmax(-1)
    if kind == "probs":
        return [q.detach().requires_grad_()], xent.Probabilities
    return [q.detach().log().requires_grad_()], xent.LogProbabilities


def truth(kind: str) -> tuple[list[torch.Tensor], Callable[..., Any]]:
    """Leaves, and what makes P of them."""
    scores = leaf(N, K, seed=5).detach()
    if kind == "labels":
        return [], lambda: xent.Labels(LABELS)
    if kind == "smoothed labels":
        return [], lambda: xent.Labels(LABELS, smoothing=0.2)
    if kind == "distribution":
        return [scores.softmax(-1).requires_grad_()], lambda p: xent.Distribution(p, smoothing=0.1)
    if kind == "teacher scores":
        return [scores.requires_grad_()], lambda s: xent.Distribution.from_logits(s, temperature=1.7)
    if kind == "teacher log-probs":
        return [scores.log_softmax(-1).requires_grad_()], xent.Distribution.from_log_probs
    return [leaf(N, K, seed=6, low=0.1)], lambda t: xent.Indicators(t, smoothing=0.1)


def check(function: Callable[..., torch.Tensor], *leaves: torch.Tensor) -> None:
    """Both derivatives; gradcheck raises where one is wrong."""
    # Steps small enough for probabilities to go on summing to one within the tolerance of the checks.
    assert gradcheck(function, leaves, eps=1e-6, atol=1e-7, rtol=1e-5)
    assert gradgradcheck(function, leaves, eps=1e-6, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("q", QS)
@pytest.mark.parametrize("p", ["labels", "smoothed labels", *SOFT])
def test_cross_entropy(p: str, q: str, reduction: Any) -> None:
    mine, make_p = truth(p)
    theirs, make_q = prediction(q, p == "indicators")
    m = len(mine)
    check(lambda *x: xent.cross_entropy(make_p(*x[:m]), make_q(*x[m:]), reduction=reduction), *mine, *theirs)


@pytest.mark.parametrize("q", QS)
@pytest.mark.parametrize("p", ["labels", "smoothed labels", "distribution", "teacher scores", "indicators"])
def test_weights(p: str, q: str) -> None:
    mine, make_p = truth(p)
    theirs, make_q = prediction(q, p == "indicators")
    m = len(mine)
    binary = p == "indicators"
    weight = leaf(N, 1, seed=8, low=0.1) if binary else leaf(N, seed=8, low=0.1)
    weights = [weight, leaf(K, seed=9, low=0.1)] + ([leaf(K, seed=10, low=0.1)] if binary else [])

    def loss(*x: torch.Tensor) -> torch.Tensor:
        w, *rest = x[: len(weights)]
        options = dict(zip(("class_weight", "positive_weight"), rest, strict=False))
        P, Q = make_p(*x[len(weights) :][:m]), make_q(*x[len(weights) + m :])
        return xent.cross_entropy(P, Q, weight=w, reduction="mean", **options)

    check(loss, *weights, *mine, *theirs)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("p", ["labels", "distribution", "teacher scores", "indicators"])
def test_focal(p: str, gamma: float) -> None:
    mine, make_p = truth(p)
    theirs, make_q = prediction("logits", p == "indicators")
    m = len(mine)
    shaping = xent.Focal(gamma, soft=None if p == "labels" else "surprisal")
    check(
        lambda *x: xent.cross_entropy(make_p(*x[:m]), make_q(*x[m:]), shaping=shaping, reduction="none"),
        *mine,
        *theirs,
    )


@pytest.mark.parametrize("p", ["labels", "distribution"])
@pytest.mark.parametrize("q", ["logits", "projection"])
def test_z_loss(p: str, q: str) -> None:
    mine, make_p = truth(p)
    theirs, make_q = prediction(q, False)
    m = len(mine)
    weight = leaf(N, seed=8, low=0.1)

    def loss(w: torch.Tensor, *x: torch.Tensor) -> torch.Tensor:
        options: Any = {"penalties": [xent.ZLoss(0.3)], "shaping": xent.Focal(2.0, soft="surprisal")}
        return xent.cross_entropy(make_p(*x[:m]), make_q(*x[m:]), weight=w, reduction="none", **options)

    check(loss, weight, *mine, *theirs)


MEASURES = [xent.kl_divergence, xent.js_divergence, xent.perplexity, xent.squared_error]


@pytest.mark.parametrize("q", QS)
@pytest.mark.parametrize("p", ["labels", *SOFT])
@pytest.mark.parametrize("measure", MEASURES, ids=lambda f: f.__name__)
def test_measures(measure: Any, p: str, q: str) -> None:
    mine, make_p = truth(p)
    theirs, make_q = prediction(q, p == "indicators")
    m = len(mine)
    check(lambda *x: measure(make_p(*x[:m]), make_q(*x[m:])), *mine, *theirs)


@pytest.mark.parametrize("p", ["labels", *SOFT])
@pytest.mark.parametrize("q", ["logits", "projection"])
def test_hinge_away_from_its_kinks(p: str, q: str) -> None:
    mine, make_p = truth(p)
    theirs, make_q = prediction(q, p == "indicators")
    m = len(mine)
    check(lambda *x: xent.hinge(make_p(*x[:m]), make_q(*x[m:]), reduction="none"), *mine, *theirs)


@pytest.mark.parametrize("q", QS)
def test_entropy_of_a_prediction(q: str) -> None:
    theirs, make_q = prediction(q, False)
    check(lambda *x: xent.entropy(make_q(*x), reduction="none"), *theirs)


@pytest.mark.parametrize("p", SOFT)
def test_entropy_of_a_target(p: str) -> None:
    mine, make_p = truth(p)
    check(lambda *x: xent.entropy(make_p(*x), reduction="none"), *mine)


def test_self_information_and_mutual_information() -> None:
    check(xent.self_information, leaf(3, low=0.1))
    joint = leaf(2, 3).detach().reshape(-1).softmax(0).reshape(2, 3).requires_grad_()
    check(xent.mutual_information, joint)


@pytest.mark.parametrize("axis", [0, 1])
def test_axis(axis: int) -> None:
    z = leaf(K, K, 2)
    y = torch.tensor([[0, 3], [1, 2], [3, 0], [2, 2]])
    check(lambda x: xent.cross_entropy(xent.Labels(y), xent.Logits(x, axis=axis), reduction="none"), z)


def test_near_certain_rows() -> None:
    """Where p → 1 the gradient −(1 − p) keeps its digits; the second derivative p(1 − p) is off by less than eps."""
    z = torch.tensor([[30.0, 0.0], [25.0, 0.0]], dtype=torch.float64, requires_grad=True)
    loss = xent.cross_entropy(xent.Labels(torch.tensor([0, 0])), xent.Logits(z), reduction="sum")
    (first,) = torch.autograd.grad(loss, z, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 0].sum(), z)
    r = torch.exp(-torch.tensor([30.0, 25.0], dtype=torch.float64))
    torch.testing.assert_close(first[:, 0], -r / (1 + r), rtol=1e-13, atol=0.0)
    torch.testing.assert_close(second[:, 0], r / (1 + r) ** 2, rtol=0.0, atol=2e-16)
