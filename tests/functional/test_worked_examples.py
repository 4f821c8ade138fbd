"""The worked examples: every published number, in NumPy and in PyTorch, value and gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import xent

SCORES = [1.0818, 0.8817, 0.7702, 0.6109, -1.1537, 1.2832, 1.4260, -1.3606, 0.3080, -3.0263]
TRUTH = [0, 1, 1, 1, 1, 1, 0, 0, 1, 0]
PUBLISHED = [0.7468, 0.7072, 0.6836, 0.6481, 0.2398, 0.7830, 0.8063, 0.2041, 0.5764, 0.0463]

Make = Callable[..., Any]


def numpy_array(values: Any, dtype: str = "float64") -> Any:
    return np.asarray(values, dtype=dtype)


def torch_tensor(values: Any, dtype: str = "float64") -> Any:
    tensor = torch.tensor(values, dtype=getattr(torch, dtype))
    return tensor.requires_grad_() if tensor.is_floating_point() else tensor


@pytest.fixture(params=[numpy_array, torch_tensor], ids=["numpy", "torch"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


def number(x: Any) -> float:
    return float(x.detach() if hasattr(x, "detach") else x)


def gradient(P: Any, Q: Any, array: Any, **options: Any) -> np.ndarray:
    """By autograd where there is one, and by value_and_grad; both must agree."""
    by_hand = np.asarray(xent.value_and_grad(P, Q, **options)[1])
    if hasattr(array, "detach"):
        (found,) = torch.autograd.grad(xent.cross_entropy(P, Q, **options), array)
        np.testing.assert_allclose(found.numpy(), by_hand, rtol=1e-14, atol=1e-300)
    return by_hand


def test_binary_cross_entropy_from_scores(make: Make) -> None:
    z = make(SCORES)
    P, Q = xent.Indicators(make(TRUTH, "int64")), xent.Logits(z)
    assert round(number(xent.cross_entropy(P, Q)), 4) == 0.6675
    # The published sum, 6.67487, is that of scores which were printed to four digits; the printed ones give 6.67476,
    # and PyTorch's BCELoss too (below). The difference is within what that rounding can do, Σ |q − y|·5e-5.
    q = 1 / (1 + np.exp(-np.asarray(SCORES)))
    total = number(xent.cross_entropy(P, Q, reduction="sum"))
    assert total == pytest.approx(6.67476, abs=5e-6)
    assert abs(total - 6.67487) < np.abs(q - np.asarray(TRUTH)).sum() * 5e-5
    each = xent.cross_entropy(P, Q, reduction="none")
    assert number(each.sum()) == pytest.approx(total, rel=1e-15)
    np.testing.assert_allclose(gradient(P, Q, z, reduction="sum"), q - np.asarray(TRUTH), rtol=1e-13)


def test_its_probabilities_give_the_same_number(make: Make) -> None:
    q = 1 / (1 + np.exp(-np.asarray(SCORES)))
    assert q.round(4).tolist() == PUBLISHED
    P = xent.Indicators(make(TRUTH, "int64"))
    assert round(number(xent.cross_entropy(P, xent.Probabilities(make(q.tolist())))), 4) == 0.6675
    # The printed probabilities carry four digits, and so does the loss computed from them.
    printed = xent.cross_entropy(P, xent.Probabilities(make(PUBLISHED)), reduction="sum")
    assert number(printed) == pytest.approx(6.6749, abs=5e-4)


def test_agrees_with_pytorchs_bce_loss() -> None:
    z = torch_tensor(SCORES)
    y = torch.tensor(TRUTH)
    theirs = torch.nn.BCELoss()(torch.sigmoid(z), y.double())
    assert number(xent.cross_entropy(xent.Indicators(y), xent.Logits(z))) == pytest.approx(number(theirs), rel=1e-14)


def test_three_containers_of_fruit(make: Make) -> None:
    q = make([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.1, 0.5, 0.4]])
    P, Q = xent.Labels(make([0, 2, 2], "int64")), xent.Probabilities(q)
    assert round(number(xent.cross_entropy(P, Q, reduction="sum")), 4) == 2.4769
    expected = [[-1 / 0.7, 0, 0], [0, 0, -1 / 0.3], [0, 0, -1 / 0.4]]
    np.testing.assert_allclose(gradient(P, Q, q, reduction="sum"), expected, rtol=1e-14)


def test_kl_of_a_one_hot_truth_is_the_cross_entropy(make: Make) -> None:
    P, Q = xent.Distribution(make([1.0, 0.0, 0.0])), xent.Probabilities(make([0.7, 0.2, 0.1]))
    assert round(number(xent.kl_divergence(P, Q)), 4) == 0.3567
    assert number(xent.entropy(P)) == 0.0
    assert number(xent.cross_entropy(P, Q)) == pytest.approx(number(xent.kl_divergence(P, Q)), rel=1e-15)


def test_single_label(make: Make) -> None:
    q = make([0.2, 0.7, 0.1])
    P, Q = xent.Distribution(make([0.0, 1.0, 0.0])), xent.Probabilities(q)
    assert round(number(xent.cross_entropy(P, Q)), 4) == 0.3567
    np.testing.assert_allclose(gradient(P, Q, q), [0, -1 / 0.7, 0], rtol=1e-14)


def test_multi_label(make: Make) -> None:
    p = make([0.8, 0.9, 0.1])
    P, Q = xent.Indicators(make([1, 1, 0], "int64")), xent.Probabilities(p)
    assert [round(number(x), 4) for x in xent.cross_entropy(P, Q, reduction="none")] == [0.2231, 0.1054, 0.1054]
    assert round(number(xent.cross_entropy(P, Q, reduction="sum")), 4) == 0.4339
    np.testing.assert_allclose(gradient(P, Q, p, reduction="sum"), [-1 / 0.8, -1 / 0.9, 1 / 0.9], rtol=1e-14)


def test_a_batch_is_the_mean_of_its_rows(make: Make) -> None:
    rows = [[2.0, 1.0, 0.1], [0.3, 0.2, 4.0], [1.0, 1.0, 1.0], [-3.0, 2.0, 0.5]]
    labels = [0, 2, 1, 0]
    batch = xent.cross_entropy(xent.Labels(make(labels, "int64")), xent.Logits(make(rows)))
    singles = [
        number(xent.cross_entropy(xent.Labels(make(y, "int64")), xent.Logits(make(z))))
        for y, z in zip(labels, rows, strict=True)
    ]
    assert number(batch) == pytest.approx(sum(singles) / len(rows), rel=1e-14)


def test_decomposition(make: Make) -> None:
    P = xent.Distribution(make([[0.5, 0.3, 0.2], [0.05, 0.9, 0.05]]))
    Q = xent.Logits(make([[1.0, -2.0, 0.5], [0.0, 3.0, 0.1]]))
    whole = number(xent.cross_entropy(P, Q))
    assert whole == pytest.approx(number(xent.kl_divergence(P, Q)) + number(xent.entropy(P)), rel=1e-14)


def test_a_product_of_probabilities_underflows_a_sum_of_logs_does_not(make: Make) -> None:
    q = make([[0.9, 0.1]] * 1000)
    P = xent.Labels(make([0] * 1000, "int64"))
    assert f"{0.9**1000:.1e}" == "1.7e-46"
    assert round(number(xent.cross_entropy(P, xent.Probabilities(q))), 4) == 0.1054
    total = number(xent.cross_entropy(P, xent.Probabilities(q), reduction="sum"))
    assert math.exp(-total) == pytest.approx(0.9**1000, rel=1e-9)


@pytest.mark.parametrize("z", [-20.0, -2.0, 0.0, 1.5])
def test_squared_error_on_a_sigmoid_saturates(z: float) -> None:
    score = torch_tensor(z)
    P = xent.Indicators(torch.tensor(1))
    (slope,) = torch.autograd.grad(xent.squared_error(P, xent.Logits(score)), score)
    p = 1 / (1 + math.exp(-z))
    assert number(slope) == pytest.approx(2 * (p - 1) * p * (1 - p), rel=1e-12)
    (steep,) = torch.autograd.grad(xent.cross_entropy(P, xent.Logits(score)), score)
    assert number(steep) == pytest.approx(p - 1, rel=1e-12)
    if z == -20.0:
        assert abs(number(slope)) < 1e-8
        assert abs(number(steep)) > 0.99


@pytest.mark.parametrize("z", [-20.0, -2.0, 0.0, 1.5])
def test_the_slopes_of_both_in_numpy(z: float) -> None:
    """NumPy differentiates nothing: cross-entropy by value_and_grad, squared error by its own difference quotient."""
    p, P, step = 1 / (1 + math.exp(-z)), xent.Indicators(1), 1e-5
    assert float(xent.value_and_grad(P, xent.Logits(z))[1]) == pytest.approx(p - 1, rel=1e-14)
    ends = [float(xent.squared_error(P, xent.Logits(z + d))) for d in (-step, step)]
    assert (ends[1] - ends[0]) / (2 * step) == pytest.approx(2 * (p - 1) * p * (1 - p), abs=1e-9)


def test_squared_error_is_not_convex_in_the_score_and_cross_entropy_is() -> None:
    def curvature(loss: Any, z: float) -> float:
        score = torch_tensor(z)
        (slope,) = torch.autograd.grad(
            loss(xent.Indicators(torch.tensor(1)), xent.Logits(score)), score, create_graph=True
        )
        return number(torch.autograd.grad(slope, score)[0])

    grid = np.linspace(-6, 6, 25)
    assert min(curvature(xent.squared_error, z) for z in grid) < -0.01
    assert min(curvature(xent.cross_entropy, z) for z in grid) > 0


def test_gradient_descent_quasi_newton_and_newton_reach_one_optimum() -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(3)
    X = np.hstack([rng.normal(size=(200, 2)), np.ones((200, 1))])
    y = (rng.random(200) < 1 / (1 + np.exp(-X @ [1.0, -2.0, 0.5]))).astype(int)

    def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = xent.value_and_grad(xent.Indicators(y), xent.Logits(X @ w))
        return float(value), X.T @ slope

    def hessian(w: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-X @ w))
        return (X.T * (p * (1 - p))) @ X / len(y)

    assert np.linalg.eigvalsh(hessian(np.zeros(3))).min() > 0
    descent = np.zeros(3)
    for _ in range(3000):
        descent -= 2.0 * objective(descent)[1]
    newton = np.zeros(3)
    for _ in range(10):
        newton -= np.linalg.solve(hessian(newton), objective(newton)[1])
    quasi = minimize(objective, np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    np.testing.assert_allclose(descent, newton, atol=1e-8)
    np.testing.assert_allclose(quasi, newton, atol=1e-7)


def test_softmax_over_two_classes_is_a_sigmoid(make: Make) -> None:
    z = np.asarray(SCORES)
    pairs = make(np.stack([np.zeros_like(z), z], axis=-1).tolist())
    two = xent.cross_entropy(xent.Labels(make(TRUTH, "int64")), xent.Logits(pairs), reduction="none")
    one = xent.cross_entropy(xent.Indicators(make(TRUTH, "int64")), xent.Logits(make(SCORES)), reduction="none")
    for a, b in zip(two, one, strict=True):
        assert number(a) == pytest.approx(number(b), rel=1e-14)


def test_one_output_unit_given_to_a_softmax_is_refused(make: Make) -> None:
    Q = xent.Logits(make([[0.3], [2.0]]))
    with pytest.raises(xent.errors.OneClassError, match="Indicators"):
        xent.cross_entropy(xent.Labels(make([0, 0], "int64")), Q)
    with pytest.raises(xent.errors.OneClassError, match="Indicators"):
        xent.cross_entropy(xent.Distribution(make([[1.0], [1.0]])), Q)


def test_classification_error(make: Make) -> None:
    Q = xent.Logits(make([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [5.0, 1.0, 0.0], [0.0, 3.0, 1.0]]))
    assert number(xent.classification_error(xent.Labels(make([0, 2, 1, 1], "int64")), Q)) == 0.25


def test_perplexity_is_exp_of_the_whole_mean(make: Make) -> None:
    first, second = [0.5, 0.25], [0.9, 0.9, 0.9, 0.9]
    rows = make([[p, 1 - p] for p in first + second])
    P = xent.Labels(make([0] * 6, "int64"))
    nll = -sum(map(math.log, first + second))
    whole = number(xent.perplexity(P, xent.Probabilities(rows)))
    assert whole == pytest.approx(math.exp(nll / 6), rel=1e-14)
    means = [math.exp(-sum(map(math.log, part)) / len(part)) for part in (first, second)]
    assert abs(whole - sum(means) / 2) > 0.3


def test_gan_losses_are_binary_cross_entropy(make: Make) -> None:
    """TF-GAN's published values: a non-saturating generator, and a discriminator with real targets of .875."""
    real, fake = make([-5.0, 1.4, 12.5, 2.7]), make([10.0, 4.4, -5.5, 3.6])
    generator = xent.cross_entropy(xent.Indicators(make([1, 1, 1, 1], "int64")), xent.Logits(fake))
    assert number(generator) == pytest.approx(1.38582, abs=1e-5)
    on_real = xent.cross_entropy(xent.Indicators(make([0.875] * 4)), xent.Logits(real))
    on_fake = xent.cross_entropy(xent.Indicators(make([0, 0, 0, 0], "int64")), xent.Logits(fake))
    assert number(on_real) + number(on_fake) == pytest.approx(6.19637, abs=1e-5)


def test_soft_margin_softmax_is_cross_entropy_of_a_lowered_true_score(make: Make) -> None:
    """SM-Softmax: z_y − m; the gradient stays p̃ − y."""
    z = make([2.0, 0.5, -1.0])
    margin = make([0.6, 0.0, 0.0])
    P = xent.Labels(make(0, "int64"))
    value = number(xent.cross_entropy(P, xent.Logits(z - margin)))
    lowered = [2.0 - 0.6, 0.5, -1.0]
    assert value == pytest.approx(math.log(sum(map(math.exp, lowered))) - lowered[0], rel=1e-14)
