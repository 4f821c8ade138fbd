"""The losses that are made with their gradient in one pass (more than 64 classes) beside the general path.

``reduction="none"`` takes the general path, whose pieces are held to 120 digits elsewhere: the sum of it, and its
gradient, is what the pass has to give.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import xent
from xent.losses import Angular, Loss, Scores, Shift, imbalance, margins, noise

N = 5
SIZES = (70, 200)


def counts(k: int) -> Any:
    return 1.0 + np.arange(k)[::-1] ** 2


#: Of K classes: a loss, and whether its scores are cosines.
LOSSES: dict[str, tuple[Callable[[int], Loss], bool]] = {
    "focal": (lambda k: imbalance.focal(2.0, soft="surprisal"), False),
    "focal 0.5": (lambda k: imbalance.focal(0.5, soft="surprisal"), False),
    "poly": (lambda k: imbalance.poly1(2.0, soft="surprisal"), False),
    "generalized": (lambda k: noise.generalized_cross_entropy(0.7, soft="surprisal"), False),
    "generalized, truncated": (
        lambda k: noise.generalized_cross_entropy(0.7, truncation=0.02, soft="surprisal"),
        False,
    ),
    "symmetric": (lambda k: noise.symmetric_cross_entropy(soft="surprisal"), False),
    "scaled": (lambda k: Loss(shaping=xent.losses.Scaled(0.3)), False),
    "z-loss": (lambda k: noise.z_loss(0.05), False),
    "smoothing": (lambda k: noise.label_smoothing(0.2), False),
    "hard bootstrap": (lambda k: noise.hard_bootstrap(0.7), False),
    "temperature": (lambda k: noise.temperature(0.4), False),
    "logit adjustment": (lambda k: imbalance.logit_adjustment(counts(k), 0.7), False),
    "class-balanced": (lambda k: imbalance.class_balanced(counts(k), 0.99), False),
    "ldam": (lambda k: imbalance.ldam(counts(k), 0.5, 5.0), True),
    "am-softmax": (lambda k: margins.am_softmax(0.35, 8.0), True),
    "arcface": (lambda k: margins.arcface(0.5, 8.0), True),
    "l-softmax": (lambda k: margins.l_softmax(3, 0.5), True),
    "everything": (
        lambda k: Loss(
            scores=Scores(margin=Angular(1.0, 0.3, 0.1), scale=6.0, offset=np.log(counts(k) / counts(k).sum())),
            shaping=xent.Focal(1.5),
            penalties=(xent.ZLoss(0.02), xent.ZLoss(0.01)),
            factor=0.5,
        ),
        True,
    ),
    "shift, prior and poly": (
        lambda k: Loss(
            scores=Scores(margin=Shift(np.linspace(0, 1, k)), scale=2.0, offset=np.linspace(-1, 1, k)),
            shaping=xent.losses.Poly1(-1.0),
            penalties=(xent.ZLoss(0.02),),
        ),
        True,
    ),
}
every = pytest.mark.parametrize("name", LOSSES)
sizes = pytest.mark.parametrize("k", SIZES)
#: Losses whose targets are hard.
HARD = {"ldam", "am-softmax", "arcface", "l-softmax", "everything", "shift, prior and poly"}


def problem(name: str, k: int, n: int = N) -> tuple[Loss, Any, Any]:
    make, cosines = LOSSES[name]
    rng = np.random.default_rng(k)
    z = rng.normal(size=(n, k)) * 3
    z[0] = 0.0
    z[1, 3] += 30.0
    return make(k), np.tanh(z / 3) if cosines else z, rng.integers(0, k, n)


def targets(name: str, k: int, y: Any) -> dict[str, Callable[[Callable[[Any], Any]], Any]]:
    marked = y.copy()
    marked[2] = -1
    found: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
        "labels": lambda a: xent.Labels(a(y)),
        "ignored": lambda a: xent.Labels(a(marked), ignore=-1),
    }
    if name not in HARD:
        rng = np.random.default_rng(k + 1)
        p = rng.gamma(0.3, size=(len(y), k))
        p /= p.sum(axis=1, keepdims=True)
        found["distribution"] = lambda a: xent.Distribution(a(p), smoothing=0.1)
        found["smoothed"] = lambda a: xent.Labels(a(marked), ignore=-1, smoothing=0.1)
    return found


def options_of(n: int) -> list[dict[str, Any]]:
    return [
        {},
        {"reduction": "sum"},
        {"weight": np.linspace(0.0, 2.0, n)},
        {"denominator": 3.0},
    ]


def general(loss: Loss, P: Any, z: Any, weight: Any = None, reduction: str = "mean", denominator: Any = None) -> Any:
    """The same in PyTorch by the general path."""
    x = torch.tensor(z, requires_grad=True)
    w = None if weight is None else torch.tensor(weight)
    each = loss(P, xent.Logits(x), weight=w, reduction="none")
    divisor = 1.0
    if reduction == "mean":
        # A mean of ones is 1: the sum of what a mean of the losses divides by.
        whole = float(each.detach().sum())
        mean = float(loss(P, xent.Logits(torch.tensor(z)), weight=w))
        divisor = denominator if denominator is not None else whole / mean
    value = each.sum() / divisor
    return x, value, torch.autograd.grad(value, x, retain_graph=True)[0]


def is_fused(value: torch.Tensor, factor: float) -> bool:
    node = value.grad_fn
    if factor != 1.0:
        assert node is not None
        node = node.next_functions[0][0]
    return node is not None and node.name() == "_ReducedBackward"


@sizes
@every
def test_the_pass_gives_what_the_general_path_gives(name: str, k: int) -> None:
    loss, z, y = problem(name, k)
    for make in targets(name, k, y).values():
        for options in options_of(N):
            P = make(torch.from_numpy)
            _, value, slope = general(loss, P, z, **options)
            held = {a: torch.tensor(b) if isinstance(b, np.ndarray) else b for a, b in options.items()}
            x = torch.tensor(z, requires_grad=True)
            mine = loss(P, xent.Logits(x), **held)
            plain = loss.scores is None and loss.shaping is None and not loss.penalties
            assert is_fused(mine, loss.factor) or plain
            numbers = loss.value_and_grad(make(np.asarray), xent.Logits(z), **options)
            for found, gradient in (
                (mine.item(), torch.autograd.grad(mine, x)[0].numpy()),
                numbers,
                (float(loss(make(np.asarray), xent.Logits(z), **options)), numbers[1]),
            ):
                assert found == pytest.approx(value.item(), rel=1e-12)
                np.testing.assert_allclose(gradient, slope.numpy(), rtol=1e-11, atol=1e-13)


@every
def test_every_order_of_passes(name: str) -> None:
    """Second backward, scaled upstreams, a graph of the gradient before and after it, and its derivative."""
    k = 70
    loss, z, y = problem(name, k)
    for make in targets(name, k, y).values():
        P = make(torch.from_numpy)
        x, value, slope = general(loss, P, z)
        leaf = torch.tensor(z, requires_grad=True)
        mine = loss(P, xent.Logits(leaf))
        passes = [torch.autograd.grad(mine * above, leaf, retain_graph=True)[0] for above in (2.5, -0.3, 1.0, 0.0)]
        for above, found in zip((2.5, -0.3, 1.0, 0.0), passes, strict=True):
            np.testing.assert_allclose(found, above * slope, rtol=1e-11, atol=1e-13)
        mixed = torch.cos(torch.arange(z.size, dtype=torch.float64)).reshape(z.shape)
        (mine_slope,) = torch.autograd.grad(mine, leaf, create_graph=True)
        (their_slope,) = torch.autograd.grad(value, x, create_graph=True)
        np.testing.assert_allclose(mine_slope.detach(), slope, rtol=1e-11, atol=1e-13)
        (mine_curve,) = torch.autograd.grad((mine_slope * mixed).sum(), leaf)
        (their_curve,) = torch.autograd.grad((their_slope * mixed).sum(), x)
        np.testing.assert_allclose(mine_curve, their_curve, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["focal", "generalized", "z-loss", "arcface", "everything"])
def test_differences(name: str) -> None:
    k = 70
    loss, z, y = problem(name, k, 2)
    P = xent.Labels(torch.from_numpy(y))
    assert gradcheck(lambda x: loss(P, xent.Logits(x)), [torch.tensor(z, requires_grad=True)], fast_mode=True)


@sizes
@every
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_lower_precision(name: str, k: int, dtype: str) -> None:
    """Computed in float32, and the gradient rounded once to the type of the scores."""
    loss, z, y = problem(name, k)
    kind = getattr(torch, dtype)
    rounded = torch.tensor(z).to(kind)
    P = xent.Labels(torch.from_numpy(y))
    _, value, slope = general(loss, P, rounded.double().numpy())
    x = rounded.clone().requires_grad_()
    mine = loss(P, xent.Logits(x))
    assert mine.dtype == torch.float32
    eps = 2.0**-23
    room = 64 * eps * (1 + float(slope.abs().max()))
    assert mine.item() == pytest.approx(value.item(), rel=64 * eps)
    for above in (1.0, 3.0):
        (found,) = torch.autograd.grad(mine * above, x, retain_graph=True)
        assert found.dtype == kind
        step = torch.finfo(kind).eps * above * slope.abs() + float(torch.finfo(kind).tiny)
        assert ((found.double() - above * slope).abs() <= step + 3 * room).all()
    if dtype != "bfloat16":
        _, gradient = loss.value_and_grad(xent.Labels(y), xent.Logits(rounded.numpy()))
        assert gradient.dtype == dtype
        step = np.finfo(dtype).eps * slope.abs().numpy() + float(np.finfo(dtype).tiny)
        assert np.all(np.abs(gradient.astype(np.float64) - slope.numpy()) <= step + room)


def _layouts(z: Any) -> dict[str, Any]:
    n, k = z.shape
    wide = np.zeros((2 * n, 3 * k))
    wide[::2, ::3] = z
    padded = np.zeros((n, k + 7))
    padded[:, 5:-2] = z
    frozen = z.copy()
    frozen.setflags(write=False)
    return {
        "transposed": np.ascontiguousarray(z.T).T,
        "every third": wide[::2, ::3],
        "part of a row": padded[:, 5:-2],
        "backwards": np.ascontiguousarray(z[::-1, ::-1])[::-1, ::-1],
        "read-only": frozen,
    }


@pytest.mark.parametrize("name", ["focal", "z-loss", "logit adjustment", "arcface", "everything", "hard bootstrap"])
@pytest.mark.parametrize("layout", ["transposed", "every third", "part of a row", "backwards", "read-only"])
def test_layouts(name: str, layout: str) -> None:
    k = 70
    loss, z, y = problem(name, k)
    held = _layouts(z)[layout]
    before = held.copy()
    for make in targets(name, k, y).values():
        value, gradient = loss.value_and_grad(make(np.asarray), xent.Logits(z))
        again, slope = loss.value_and_grad(make(np.asarray), xent.Logits(held))
        assert again == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(slope, gradient, rtol=1e-11, atol=1e-14)
        if layout not in ("backwards", "read-only"):
            x = torch.from_numpy(held).requires_grad_()
            found = loss(make(torch.from_numpy), xent.Logits(x))
            assert found.item() == pytest.approx(value, rel=1e-13)
            np.testing.assert_allclose(torch.autograd.grad(found, x)[0], gradient, rtol=1e-11, atol=1e-14)
    np.testing.assert_array_equal(held, before)


@every
@pytest.mark.parametrize("axis", [1, 0])
def test_more_dimensions(name: str, axis: int) -> None:
    """(N, K, d) and (K, N, d)."""
    k = 70
    loss, z, y = problem(name, k, 6)
    value, gradient = loss.value_and_grad(xent.Labels(y), xent.Logits(z))
    moved = np.moveaxis(z.reshape(3, 2, k), -1, axis)
    P, Q = xent.Labels(y.reshape(3, 2)), xent.Logits(moved, axis=axis)
    again, slope = loss.value_and_grad(P, Q)
    assert again == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(np.moveaxis(slope, axis, -1).reshape(6, k), gradient, rtol=1e-11, atol=1e-14)
    x = torch.tensor(moved, requires_grad=True)
    found = loss(xent.Labels(torch.from_numpy(y.reshape(3, 2))), xent.Logits(x, axis=axis))
    assert found.item() == pytest.approx(value, rel=1e-13)
    slope = torch.autograd.grad(found, x)[0].numpy()
    np.testing.assert_allclose(np.moveaxis(slope, axis, -1).reshape(6, k), gradient, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("margin", [None, Shift(0.3), Angular(1.0, 0.4)], ids=repr)
@pytest.mark.parametrize("normalize", ["both", None])
def test_a_projection(margin: Any, normalize: Any) -> None:
    """Its scores take the pass too, but for those of angles; then the gradient goes on to what made them."""
    k, n = 70, 4
    rng = np.random.default_rng(3)
    h, w, y = rng.normal(size=(n, 6)), rng.normal(size=(k, 6)), rng.integers(0, k, n)
    y[1] = -1
    h[1] = math.nan
    loss = Loss(
        scores=Scores(normalize=normalize, margin=margin, scale=5.0),
        shaping=xent.Focal(2.0),
        penalties=(xent.ZLoss(0.1),),
    )
    value, found = loss.value_and_grad(xent.Labels(y, ignore=-1), xent.Projection(h, w))
    leaves = [torch.tensor(x, requires_grad=True) for x in (h, w)]
    P = xent.Labels(torch.tensor(y), ignore=-1)
    mine = loss(P, xent.Projection(*leaves))
    whole = loss(P, xent.Projection(*leaves), reduction="none").sum() / 3
    for total in (mine, whole):
        assert total.item() == pytest.approx(value, rel=1e-12)
        for one, other in zip(torch.autograd.grad(total, leaves), found[:2], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    assert not found[0][1].any()


@sizes
@every
@pytest.mark.parametrize("held", [math.nan, math.inf])
def test_rows_that_do_not_count_are_not_looked_at(name: str, k: int, held: float) -> None:
    loss, z, y = problem(name, k)
    out = np.array([False, False, True, False, True])
    expected, slope = loss.value_and_grad(xent.Labels(y[~out]), xent.Logits(z[~out]))
    z[out] = held
    marked = np.where(out, -100, y)
    w = 1.0 - out
    for labels, ignore, weight in ((marked, -100, None), (y, None, w), (marked, None, w)):
        value, gradient = loss.value_and_grad(xent.Labels(labels, ignore=ignore), xent.Logits(z), weight=weight)
        x = torch.tensor(z, requires_grad=True)
        held_weight = None if weight is None else torch.tensor(weight)
        found = loss(xent.Labels(torch.tensor(labels), ignore=ignore), xent.Logits(x), weight=held_weight)
        passes = [torch.autograd.grad(found, x, retain_graph=True)[0].numpy() for _ in range(2)]
        passes.append(torch.autograd.grad(found, x, create_graph=True)[0].detach().numpy())
        for total, each in ((value, gradient), *((found.item(), one) for one in passes)):
            assert total == pytest.approx(expected, rel=1e-12)
            np.testing.assert_allclose(each[~out], slope, rtol=1e-11, atol=1e-14)
            assert not each[out].any()


@every
def test_infinite_and_undefined_scores(name: str) -> None:
    """The pass says what the general path says: of −∞ off the truth, of −∞ at it, and of NaN."""
    k = 70
    loss, z, y = problem(name, k)
    z[0, (y[0] + 1) % k] = -math.inf
    z[1, y[1]] = -math.inf
    z[2, (y[2] + 1) % k] = math.nan
    for rows in ([0], [1], [2], [0, 3]):
        x = torch.tensor(z[rows], requires_grad=True)
        P = xent.Labels(torch.tensor(y[rows]))
        each = loss(P, xent.Logits(x), reduction="none")
        (slope,) = torch.autograd.grad(each.sum(), x)
        leaf = torch.tensor(z[rows], requires_grad=True)
        mine = loss(P, xent.Logits(leaf), reduction="sum")
        (found,) = torch.autograd.grad(mine, leaf)
        numbers = loss.value_and_grad(xent.Labels(y[rows]), xent.Logits(z[rows]), reduction="sum")
        for value, gradient in ((mine.item(), found.numpy()), numbers):
            np.testing.assert_allclose(value, each.detach().sum(), rtol=1e-12)
            np.testing.assert_allclose(gradient, slope, rtol=1e-11, atol=1e-13)


def test_nothing_that_was_given_is_written_to() -> None:
    for name in LOSSES:
        loss, z, y = problem(name, 70)
        before, w = z.copy(), np.linspace(0, 1, N)
        z.setflags(write=False)
        y.setflags(write=False)
        loss.value_and_grad(xent.Labels(y), xent.Logits(z), weight=w)
        np.testing.assert_array_equal(z, before)
