"""Where PyTorch's own losses give NaN or nothing, and where PyTorch's manners are kept although the core has others."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

import xent.torch as X

INF, NAN = math.inf, math.nan


def leaf(values: object, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype, requires_grad=True)


def test_an_ignored_row_has_exactly_zero_gradient_whatever_it_holds() -> None:
    rows = [[1.0, 2.0, 3.0], [NAN, NAN, NAN], [0.5, 0.2, 0.1], [INF, INF, -INF], [NAN, 1.0, 2.0]]
    y = torch.tensor([2, -100, 0, -100, -100])
    for options in ({}, {"label_smoothing": 0.1}, {"weight": torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64)}):
        z, clean = leaf(rows), leaf([rows[0], rows[2]])
        value, expected = X.cross_entropy(z, y, **options), F.cross_entropy(clean, y[[0, 2]], **options)
        assert_close(value, expected)
        (value * -1.7).backward()
        (expected * -1.7).backward()
        assert z.grad is not None
        assert clean.grad is not None
        assert torch.equal(z.grad[[1, 3, 4]], torch.zeros(3, 3, dtype=torch.float64))
        assert_close(z.grad[[0, 2]], clean.grad)
        # The second derivative too.
        (first,) = torch.autograd.grad(X.cross_entropy(z, y, **options), z, create_graph=True)
        (second,) = torch.autograd.grad((first * torch.arange(15.0).reshape(5, 3)).sum(), z)
        assert torch.equal(second[[1, 3, 4]], torch.zeros(3, 3, dtype=torch.float64))
        assert torch.isfinite(second).all()
        assert second[[0, 2]].abs().min() > 0
    theirs = leaf(rows)
    F.cross_entropy(theirs, y).backward()
    assert theirs.grad is not None
    assert torch.isnan(theirs.grad[1]).all()


def test_minus_infinity_where_the_target_has_no_mass() -> None:
    z = leaf([[1.0, -INF, 3.0]])
    t = leaf([[0.5, 0.0, 0.5]])
    value = X.cross_entropy(z, t)
    p = torch.tensor([1.0, 3.0], dtype=torch.float64).softmax(0)
    assert_close(value, -(0.5 * p.log()).sum())
    (2.5 * value).backward()
    assert z.grad is not None
    assert_close(z.grad, 2.5 * torch.tensor([[p[0] - 0.5, 0.0, p[1] - 0.5]], dtype=torch.float64))
    assert t.grad is not None
    assert torch.isfinite(t.grad).all()
    assert torch.isnan(F.cross_entropy(z, t))


def test_a_true_class_of_probability_zero_has_infinite_loss() -> None:
    z = leaf([[1.0, -INF, 3.0]])
    assert X.cross_entropy(z, torch.tensor([1])).item() == INF
    assert F.cross_entropy(z, torch.tensor([1])).item() == INF


def test_no_digits_are_lost_where_the_model_is_right() -> None:
    z = leaf([[40.0, 0.0]])
    X.cross_entropy(z, torch.tensor([0])).backward()
    assert X.cross_entropy(z, torch.tensor([0])).item() == pytest.approx(math.exp(-40.0), rel=1e-14)
    assert z.grad is not None
    assert z.grad[0, 0].item() == pytest.approx(-math.exp(-40.0), rel=1e-14)
    assert F.cross_entropy(z, torch.tensor([0])).item() == 0.0


def test_class_weights_have_a_derivative() -> None:
    g = torch.Generator().manual_seed(1)
    z = torch.randn(6, 3, generator=g, dtype=torch.float64)
    y = torch.tensor([0, 2, 2, 1, -100, 0])
    for smoothing in (0.0, 0.2):
        w = leaf([0.5, 1.5, 2.0])
        (slope,) = torch.autograd.grad(3.1 * X.cross_entropy(z, y, weight=w, label_smoothing=smoothing), w)
        h = 1e-6
        for k in range(3):
            step = torch.zeros(3, dtype=torch.float64)
            step[k] = h
            with torch.no_grad():
                up = F.cross_entropy(z, y, weight=w + step, label_smoothing=smoothing)
                down = F.cross_entropy(z, y, weight=w - step, label_smoothing=smoothing)
            assert slope[k].item() == pytest.approx(3.1 * (up - down).item() / (2 * h), rel=1e-6, abs=1e-9)


def test_a_weight_of_zero_has_a_derivative_and_negative_weights_are_taken() -> None:
    z = torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64)
    y = torch.tensor([0, 1])
    w = leaf([0.0, 1.0])
    losses = F.cross_entropy(z, y, reduction="none")
    (slope,) = torch.autograd.grad(X.cross_entropy(z, y, weight=w, reduction="sum"), w)
    assert_close(slope, losses)
    negative = torch.tensor([-0.5, 1.0], dtype=torch.float64)
    assert_close(X.cross_entropy(z, y, weight=negative), F.cross_entropy(z, y, weight=negative))


def test_weights_of_binary_losses_have_a_derivative() -> None:
    z = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
    t = torch.tensor([1.0, 0.0, 0.4], dtype=torch.float64)
    up = torch.tensor([0.7, -1.1, 2.3], dtype=torch.float64)
    w, v = leaf([0.5, 1.0, 0.0]), leaf([2.0, 1.0, 3.0])
    value = X.binary_cross_entropy_with_logits(z, t, weight=w, pos_weight=v, reduction="none")
    by_w, by_v = torch.autograd.grad(value, (w, v), up)
    assert_close(by_w, up * F.binary_cross_entropy_with_logits(z, t, pos_weight=v.detach(), reduction="none"))
    assert_close(by_v, -up * w.detach() * t * F.logsigmoid(z))
    (by_w,) = torch.autograd.grad(X.binary_cross_entropy(z.sigmoid(), t, weight=w, reduction="none"), w, up)
    assert_close(by_w, up * F.binary_cross_entropy(z.sigmoid(), t, reduction="none"))


def test_infinite_scores_of_binary_losses() -> None:
    z = leaf([INF, -INF, INF, -INF, 0.0])
    t = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    value = X.binary_cross_entropy_with_logits(z, t, reduction="none")
    assert value.tolist() == [0.0, 0.0, INF, INF, math.log(2)]
    up = torch.tensor([0.7, -1.1, 2.3, 0.4, 1.9], dtype=torch.float64)
    (slope,) = torch.autograd.grad(value, z, up)
    assert_close(slope, up * torch.tensor([0.0, 0.0, 1.0, -1.0, -0.5], dtype=torch.float64))


def test_probabilities_keep_pytorchs_clamp() -> None:
    for p, t in ((0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0), (1e-45, 1.0)):
        ours, theirs = leaf([p], torch.float32), leaf([p], torch.float32)
        truth = torch.tensor([t])
        for function, x in ((X.binary_cross_entropy, ours), (F.binary_cross_entropy, theirs)):
            (function(x, truth) * -1.7).backward()
        assert torch.equal(X.binary_cross_entropy(ours, truth), F.binary_cross_entropy(theirs, truth))
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.equal(ours.grad, theirs.grad)


def test_divergence_with_zeros_in_the_target() -> None:
    log_q = leaf([[math.log(0.5), -INF, math.log(0.5)]])
    p = torch.tensor([[0.25, 0.0, 0.75]], dtype=torch.float64)
    expected = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    for target, log_target in ((p, False), (p.log(), True)):
        value = X.kl_div(log_q, target, reduction="batchmean", log_target=log_target)
        assert value.item() == pytest.approx(expected, rel=1e-14)
        (slope,) = torch.autograd.grad(2.3 * value, log_q)
        assert_close(slope, -2.3 * p)
        assert torch.isnan(F.kl_div(log_q, target, reduction="batchmean", log_target=log_target))


def test_soft_margin_does_not_overflow() -> None:
    z = leaf([-200.0, 200.0], torch.float32)
    y = torch.ones(2)
    value = X.soft_margin_loss(z, y, reduction="none")
    assert value.tolist() == [200.0, 0.0]
    (slope,) = torch.autograd.grad(value, z, torch.tensor([0.7, -1.1]))
    assert slope.tolist() == [pytest.approx(-0.7), 0.0]
    assert F.soft_margin_loss(z, y, reduction="none")[0].item() == INF


def test_half_precision_does_not_overflow_on_the_way() -> None:
    """The sum of the losses of a batch leaves float16 at 65504; their mean does not."""
    z = torch.zeros(70_000, 4, dtype=torch.float16)
    z[:, 0] = 10.0
    value = X.cross_entropy(z, torch.ones(70_000, dtype=torch.int64))
    assert value.dtype == torch.float16
    assert value.item() == pytest.approx(10.0, rel=1e-3)


def test_denominators_are_pytorchs() -> None:
    """Σ w[y] over what counts for class indices, the number of rows for probabilities (D7)."""
    z = torch.tensor([[0.2, -1.0, 0.4], [1.0, 0.3, -0.2]], dtype=torch.float64)
    w = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    y = torch.tensor([0, 2])
    hot = F.one_hot(y, 3).double()
    losses = F.cross_entropy(z, y, reduction="none")
    assert_close(X.cross_entropy(z, y, weight=w), (losses * w[y]).sum() / 4)
    assert_close(X.cross_entropy(z, hot, weight=w), (losses * w[y]).sum() / 2)
    assert_close(X.cross_entropy(z, 2 * hot), 2 * losses.mean())


@pytest.mark.parametrize("y", [[-100, -100], []])
def test_a_mean_over_nothing_is_nan_with_zero_gradient(y: list[int]) -> None:
    z = torch.zeros(len(y), 3, requires_grad=True)
    value = X.cross_entropy(z, torch.tensor(y, dtype=torch.int64))
    assert torch.isnan(value)
    value.backward()
    assert z.grad is not None
    assert torch.equal(z.grad, torch.zeros_like(z))
