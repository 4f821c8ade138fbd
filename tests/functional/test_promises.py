"""What the strict core promises, one by one (the numbers are those of the definition's list)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import xent
from xent import errors

inf, nan = math.inf, math.nan
Make = Callable[..., Any]


# 1. 0·∞ = 0, and infinity where the mathematics says infinity.


@pytest.mark.parametrize("kind", ["Logits", "LogProbabilities", "Probabilities"])
def test_a_class_without_mass_may_have_no_probability(make: Make, kind: str) -> None:
    row = {"Logits": [0.0, -inf], "LogProbabilities": [0.0, -inf], "Probabilities": [1.0, 0.0]}[kind]
    Q = getattr(xent, kind)(make(row))
    assert float(xent.cross_entropy(xent.Distribution(make([1.0, 0.0])), Q)) == 0.0
    assert float(xent.cross_entropy(xent.Labels(make(0, "int64")), Q)) == 0.0
    assert float(xent.cross_entropy(xent.Labels(make(1, "int64")), Q)) == inf
    assert float(xent.cross_entropy(xent.Distribution(make([0.5, 0.5])), Q)) == inf
    assert float(xent.cross_entropy(xent.Labels(make(0, "int64"), smoothing=0.1), Q)) == inf
    assert np.isfinite(np.asarray(xent.value_and_grad(xent.Labels(make(0, "int64")), Q)[1])).all()


# 2. Nothing is repaired.


def test_nothing_is_clipped(make: Make) -> None:
    tiny = make([1e-300, 1.0])
    value = float(xent.cross_entropy(xent.Labels(make(0, "int64")), xent.Probabilities(tiny)))
    assert value == pytest.approx(300 * math.log(10), rel=1e-15)


def test_nothing_is_renormalised(make: Make) -> None:
    """A sum within rounding of one is taken as it is."""
    q = make([0.5 + 5e-6, 0.5])
    value = float(xent.cross_entropy(xent.Labels(make(0, "int64")), xent.Probabilities(q)))
    assert value == pytest.approx(-math.log(0.5 + 5e-6), rel=1e-15)


# 3. Bad data is refused (test_errors), and what cannot be read gives NaN.


def unread(P: Callable[[torch.Tensor], Any], target: torch.Tensor, z: torch.Tensor, kind: Any = xent.Logits) -> Any:
    """Value and gradient where the data may not be looked at: under torch.compile."""
    torch._dynamo.reset()

    def loss(z: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return xent.cross_entropy(P(target), kind(z), reduction="sum")

    leaf = z.clone().requires_grad_()
    value = torch.compile(loss, backend="eager", fullgraph=True)(leaf, target)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


@pytest.mark.filterwarnings("ignore")
def test_unread_bad_data_gives_nan_loss_and_nan_gradient() -> None:
    z = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    value, gradient = unread(xent.Labels, torch.tensor([0, 3]), z)
    assert torch.isnan(value)
    assert torch.isnan(gradient[1]).all()
    assert torch.isfinite(gradient[0]).all()

    value, gradient = unread(xent.Distribution, torch.tensor([[1.0, 0, 0], [1, 1, 0]], dtype=torch.float64), z)
    assert torch.isnan(value)
    assert torch.isnan(gradient[1]).all()

    value, gradient = unread(xent.Indicators, torch.tensor([[1.0, 0, 0], [1, 2, 0]], dtype=torch.float64), z)
    assert torch.isnan(value)
    assert torch.isnan(gradient[1, 1])

    value, gradient = unread(xent.Labels, torch.tensor([0, 1]), z, kind=xent.Probabilities)
    assert torch.isnan(value)
    assert torch.isnan(gradient).any()

    good, slope = unread(xent.Labels, torch.tensor([0, 1]), z)
    P = xent.Labels(torch.tensor([0, 1]))
    torch.testing.assert_close(good, xent.cross_entropy(P, xent.Logits(z), reduction="sum"))
    torch.testing.assert_close(slope, xent.value_and_grad(P, xent.Logits(z), reduction="sum")[1])


@pytest.mark.parametrize("kind", ["Logits", "LogProbabilities", "Probabilities"])
def test_nan_scores_of_an_example_that_counts_give_nan(make: Make, kind: str) -> None:
    Q = getattr(xent, kind)(make([[nan, nan], [nan, nan]]))
    P = xent.Labels(make([0, -1], "int64"), ignore=-1)
    assert math.isnan(float(xent.cross_entropy(P, Q)))
    assert float(xent.cross_entropy(P, Q, reduction="none")[1]) == 0.0


# 4. An ignored or masked example has exactly zero loss and gradient.


@pytest.mark.parametrize("bad", [nan, inf, -inf])
@pytest.mark.parametrize("shaping", [None, xent.Focal(0.5), xent.Focal(2.0)])
def test_masked_examples_are_exactly_nothing(make: Make, bad: float, shaping: Any) -> None:
    z = make([[0.3, -0.2, 0.9], [bad, bad, bad], [1.0, bad, 0.0]])
    good = make([[0.3, -0.2, 0.9]])
    penalties = [xent.ZLoss(0.1)]
    alone = xent.value_and_grad(
        xent.Labels(make([2], "int64")), xent.Logits(good), shaping=shaping, penalties=penalties
    )
    ignored = xent.Labels(make([2, -7, -7], "int64"), ignore=-7)
    masked = xent.Labels(make([2, 0, 1], "int64"))
    weight = make([1.0, 0.0, 0.0])
    for P, options in ((ignored, {}), (masked, {"weight": weight})):
        value, gradient = xent.value_and_grad(P, xent.Logits(z), shaping=shaping, penalties=penalties, **options)
        assert float(value) == float(alone[0])
        np.testing.assert_array_equal(np.asarray(gradient)[0], np.asarray(alone[1])[0])
        np.testing.assert_array_equal(np.asarray(gradient)[1:], np.zeros((2, 3)))
        each = xent.cross_entropy(P, xent.Logits(z), shaping=shaping, penalties=penalties, reduction="none", **options)
        np.testing.assert_array_equal(np.asarray(each)[1:], [0.0, 0.0])


MEASURES = [
    xent.cross_entropy,
    xent.kl_divergence,
    xent.js_divergence,
    xent.perplexity,
    xent.squared_error,
    xent.hinge,
    xent.classification_error,
]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda f: f.__name__)
def test_every_measure_leaves_ignored_and_masked_rows_out(measure: Any) -> None:
    clean = torch.tensor([[0.3, -0.2, 0.9]], dtype=torch.float64)
    z = torch.tensor([[0.3, -0.2, 0.9], [nan, inf, 0.0]], dtype=torch.float64, requires_grad=True)
    alone = measure(xent.Labels(torch.tensor([1])), xent.Logits(clean))
    for P, options in (
        (xent.Labels(torch.tensor([1, -1]), ignore=-1), {}),
        (xent.Labels(torch.tensor([1, 2])), {"weight": torch.tensor([1.0, 0.0])}),
    ):
        value = measure(P, xent.Logits(z), **options)
        assert value.item() == pytest.approx(alone.item(), rel=1e-15)
        if value.requires_grad:
            (gradient,) = torch.autograd.grad(value, z)
            assert torch.equal(gradient[1], torch.zeros(3, dtype=torch.float64))
            assert torch.isfinite(gradient[0]).all()


def test_masked_indicators_are_exactly_nothing(make: Make) -> None:
    z, t = make([0.4, nan, inf]), make([1, 0, 0], "int64")
    value, gradient = xent.value_and_grad(xent.Indicators(t), xent.Logits(z), weight=make([1.0, 0.0, 0.0]))
    assert float(value) == pytest.approx(math.log1p(math.exp(-0.4)), rel=1e-15)
    np.testing.assert_array_equal(np.asarray(gradient)[1:], [0.0, 0.0])


def test_nan_in_an_ignored_hidden_state_does_not_reach_the_classifier(make: Make) -> None:
    hidden, weight = make([[1.0, 2.0], [nan, nan]]), make([[0.1, 0.2], [0.3, -0.4], [0.0, 1.0]])
    P = xent.Labels(make([2, -1], "int64"), ignore=-1)
    _, found = xent.value_and_grad(P, xent.Projection(hidden, weight, make([0.0, 0.1, 0.2])))
    for gradient in found:
        assert np.isfinite(np.asarray(gradient)).all()
    np.testing.assert_array_equal(np.asarray(found[0])[1], [0.0, 0.0])
    if isinstance(hidden, torch.Tensor):
        hidden.requires_grad_()
        weight.requires_grad_()
        loss = xent.cross_entropy(P, xent.Projection(hidden, weight))
        loss.backward()
        assert torch.isfinite(weight.grad).all()
        assert torch.equal(hidden.grad[1], torch.zeros(2, dtype=torch.float64))


# 5. Per-example first, one division last.


def test_mean_divides_by_the_weights_that_took_part(make: Make) -> None:
    z, w = make([[0.0, 1.0], [2.0, 0.0], [0.5, 0.5]]), make([1.0, 3.0, 10.0])
    P = xent.Labels(make([0, 0, -1], "int64"), ignore=-1)
    each = np.asarray(xent.cross_entropy(P, xent.Logits(z), reduction="none"))
    mean = float(xent.cross_entropy(P, xent.Logits(z), weight=w))
    assert mean == pytest.approx((each[0] + 3 * each[1]) / 4, rel=1e-15)


def test_denominator_makes_parts_add_up_to_the_whole(make: Make) -> None:
    z, y = [[0.0, 1.0], [2.0, 0.0], [0.5, 0.5], [1.0, -1.0]], [0, -1, 1, -1]
    whole = xent.cross_entropy(xent.Labels(make(y, "int64"), ignore=-1), xent.Logits(make(z)))
    parts = [
        xent.cross_entropy(xent.Labels(make([y[i]], "int64"), ignore=-1), xent.Logits(make([z[i]])), denominator=2)
        for i in range(4)
    ]
    assert float(sum(parts)) == pytest.approx(float(whole), rel=1e-15)


# 6. Smoothing acts on P before weights act; weights are differentiable.


def test_smoothing_then_weights(make: Make) -> None:
    z, w = make([[0.3, -1.0, 2.0], [0.1, 0.2, 0.3]]), make([1.0, 2.0, 5.0])
    smooth = xent.cross_entropy(xent.Labels(make([0, 2], "int64"), smoothing=0.3), xent.Logits(z), class_weight=w)
    dense = [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]
    written = xent.cross_entropy(xent.Distribution(make(dense)), xent.Logits(z), class_weight=w)
    mixed = xent.cross_entropy(
        xent.Distribution(make([[1, 0, 0], [0, 0, 1]], "int64"), smoothing=0.3), xent.Logits(z), class_weight=w
    )
    assert float(smooth) == pytest.approx(float(written), rel=1e-14)
    assert float(smooth) == pytest.approx(float(mixed), rel=1e-14)


def test_a_weight_of_zero_has_a_derivative() -> None:
    w = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    Q = xent.Logits(torch.tensor([[0.0, 1.0], [2.0, 0.0]], dtype=torch.float64))
    P = xent.Labels(torch.tensor([0, 1]))
    (slope,) = torch.autograd.grad(xent.cross_entropy(P, Q, weight=w, reduction="sum"), w)
    torch.testing.assert_close(slope, xent.cross_entropy(P, Q, reduction="none"))


# 7. Half precision in, float32 inside and out.


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_does_not_overflow(dtype: str) -> None:
    z = torch.zeros(70_000, 4, dtype=getattr(torch, dtype))
    z[:, 0] = -30.0
    P = xent.Labels(torch.zeros(70_000, dtype=torch.int64))
    total = xent.cross_entropy(P, xent.Logits(z), reduction="sum")
    assert total.dtype == torch.float32
    assert total.item() == pytest.approx(70_000 * (30 + math.log(3)), rel=1e-5)
    _, gradient = xent.value_and_grad(P, xent.Logits(z), reduction="sum")
    assert gradient.dtype == z.dtype


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_result_type_follows_q(make: Make, dtype: str) -> None:
    expected = "float64" if dtype == "float64" else "float32"
    P = xent.Labels(make([0], "int64"))
    for weight in (None, make([2.0], "float64")):
        value = xent.cross_entropy(P, xent.Logits(make([[1.0, 2.0]], dtype)), weight=weight)
        assert str(value.dtype).rpartition(".")[2] == expected


# 8. The caller's arrays are never written to.


def test_read_only_arrays_are_enough() -> None:
    z = np.random.default_rng(0).normal(size=(3, 4))
    arrays = [z, np.array([0, 1, -1]), np.array([1.0, 0.0, 2.0]), np.ones(4)]
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.setflags(write=False)
    P = xent.Labels(arrays[1], ignore=-1, smoothing=0.1)
    xent.value_and_grad(P, xent.Logits(z), weight=arrays[2], class_weight=arrays[3], penalties=[xent.ZLoss(0.1)])
    for measure in MEASURES:
        measure(P, xent.Logits(z), weight=arrays[2])
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


# 9. The same value on every backend.


@pytest.mark.parametrize("measure", [*MEASURES, xent.value_and_grad], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numpy_and_pytorch_agree(measure: Any, dtype: str) -> None:
    rng = np.random.default_rng(1)
    z = (4 * rng.normal(size=(5, 7))).astype(dtype)
    y = rng.integers(0, 7, size=5)
    mine = measure(xent.Labels(y), xent.Logits(z))
    theirs = measure(xent.Labels(torch.from_numpy(y)), xent.Logits(torch.from_numpy(z)))
    rtol = 2e-15 * 8 if dtype == "float64" else 1e-6
    for a, b in zip(
        np.atleast_1d(mine[0] if isinstance(mine, tuple) else mine),
        [theirs[0] if isinstance(theirs, tuple) else theirs],
        strict=True,
    ):
        np.testing.assert_allclose(a, b.numpy(), rtol=rtol)


def test_xent_error_is_the_base_of_all() -> None:
    assert all(
        issubclass(e, errors.XentError)
        for e in vars(errors).values()
        if isinstance(e, type) and e.__module__ == "xent.errors"
    )
