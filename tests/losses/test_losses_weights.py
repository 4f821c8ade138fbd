"""Weights that follow frequencies, on every framework, and the distribution-balanced loss that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
import torch
from losses_exact import mp, mpf

import xent
from xent.losses import imbalance, sampled

MAKE: dict[str, Callable[[Any], Any]] = {
    "numpy": np.asarray,
    "torch": torch.tensor,
    "jax": jnp.asarray,
    "tensorflow": tf.constant,
}
every = pytest.mark.parametrize("library", MAKE)
COUNTS = [900.0, 40.0, 3.0]
Z = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -0.5], [-1.0, -2.0, 1.0]], np.float32)
Y = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], np.float32)


@every
@pytest.mark.parametrize("counts", ["numpy", "own"])
def test_weights_of_labels_go_beside_their_prediction(library: str, counts: str) -> None:
    make = MAKE[library]
    n = make(COUNTS) if counts == "own" else np.array(COUNTS)
    rate = 1 / np.array(COUNTS)
    drawn = (Y @ rate)[:, None]
    r = np.where(drawn > 0, rate / np.where(drawn > 0, drawn, 1.0), 0.0)
    expected = 0.1 + 1 / (1 + np.exp(-10 * (r - 0.2)))
    for labels in (Y, Y.astype(np.int32)):
        w = imbalance.rebalanced_weights(make(labels), n)
        assert type(w) is type(make(Z))
        np.testing.assert_allclose(w, expected, rtol=1e-6)
    found = xent.cross_entropy(xent.Indicators(make(Y)), xent.Logits(make(Z)), weight=w)
    each = np.logaddexp(0, Z) - Y * Z
    np.testing.assert_allclose(found, (expected * each).sum() / expected.sum(), rtol=1e-5)


@every
def test_equalization_weights_go_beside_their_prediction(library: str) -> None:
    make = MAKE[library]
    w = imbalance.equalization_weights(make(Y), [0.5, 0.001, 0.001], drop=1.0)
    np.testing.assert_array_equal(w, [[1, 0, 1], [1, 1, 0], [1, 0, 0]])
    xent.cross_entropy(xent.Indicators(make(Y)), xent.Logits(make(Z)), weight=w)
    some = [imbalance.equalization_weights(make(np.zeros((400, 3))), [0.5, 1e-3, 1e-3], seed=s) for s in (0, 0, 1)]
    np.testing.assert_array_equal(some[0], some[1])
    assert not np.array_equal(some[0], some[2])
    assert 0.85 < 1 - np.asarray(some[0])[:, 1:].mean() < 0.95


def test_what_is_drawn_is_no_constant_of_a_program() -> None:
    with pytest.raises(xent.errors.OptionError, match="drop"):
        jax.jit(lambda y: imbalance.equalization_weights(y, [1e-3] * 3))(jnp.asarray(Y))
    with pytest.raises(xent.errors.OptionError, match="drop"):
        tf.function(lambda y: imbalance.equalization_weights(y, [1e-3] * 3), autograph=False)(tf.constant(Y))


@every
def test_class_balanced_weights_are_of_the_counts_framework(library: str) -> None:
    make = MAKE[library]
    c = imbalance.class_balanced_weights(make(COUNTS), 0.99)
    assert type(c) is type(make(Z))
    raw = (1 - 0.99) / (1 - 0.99 ** np.array(COUNTS))
    np.testing.assert_allclose(c, raw * 3 / raw.sum(), rtol=1e-6)
    P, Q = xent.Labels(make(np.array([0, 2, 1]))), xent.Logits(make(Z))
    mine = xent.cross_entropy(P, Q, class_weight=c)
    np.testing.assert_allclose(mine, imbalance.class_balanced(COUNTS, 0.99)(P, Q), rtol=1e-5)


@every
def test_importance_weights_need_probabilities_above_zero(library: str) -> None:
    make = MAKE[library]
    for bad in ([-0.5, 0.5], [0.5, 0.0], [np.nan, 0.5]):
        with pytest.raises(xent.errors.ProbabilityError, match="position"):
            sampled.importance_weights(make(bad))
    np.testing.assert_allclose(sampled.importance_weights(make([0.0, 0.5]), least=0.1), [10.0, 2.0], rtol=1e-6)
    with pytest.raises(xent.errors.ProbabilityError):
        sampled.importance_weights(make([-0.5]), least=0.1)


def _distribution_balanced(z: Any, y: float, n: float, r: float) -> Any:
    """Of one element, in 50 digits, with the authors' settings for COCO and N = 1000."""
    kappa, share = mpf(2), mpf(r)
    moved = mpf(float(z)) - mpf("0.05") * mp.log(1000 / mpf(n) - 1) / kappa
    weight = mpf("0.1") + 1 / (1 + mp.exp(-10 * (share - mpf("0.2"))))
    loss = mp.log(1 + mp.exp(-moved)) if y else mp.log(1 + mp.exp(kappa * moved))
    return 2 * (weight if y else weight / kappa) * (1 - mp.exp(-loss)) ** 2 * loss


@every
def test_the_distribution_balanced_loss_is_its_formula(library: str) -> None:
    make = MAKE[library]
    rate = 1 / np.array(COUNTS)
    drawn = (Y.astype(float) @ rate)[:, None]
    r = np.where(drawn > 0, rate / np.where(drawn > 0, drawn, 1.0), 0.0)
    expected = np.array(
        [[float(_distribution_balanced(Z[i, k], Y[i, k], COUNTS[k], r[i, k])) for k in range(3)] for i in range(3)]
    )
    P, Q = xent.Indicators(make(Y)), xent.Logits(make(Z))
    found = imbalance.distribution_balanced(P, Q, COUNTS, 1000, reduction="none")
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7)
    np.testing.assert_allclose(imbalance.distribution_balanced(P, Q, COUNTS, 1000), expected.mean(), rtol=1e-5)
    w = np.array([[1.0], [0.0], [2.0]], np.float32)
    hole = np.where(w == 0, np.nan, Z)
    weighted = imbalance.distribution_balanced(P, xent.Logits(make(hole)), COUNTS, 1000, weight=make(w))
    np.testing.assert_allclose(weighted, (w * expected).sum() / 9, rtol=1e-5)
    turned = imbalance.distribution_balanced(
        xent.Indicators(make(Y.T.copy())), xent.Logits(make(Z.T.copy()), axis=0), COUNTS, 1000, reduction="none"
    )
    np.testing.assert_allclose(np.asarray(turned).T, found, rtol=1e-6)


def test_its_gradient_and_its_compiled_form() -> None:
    P = xent.Indicators(torch.tensor(Y, dtype=torch.float64))
    z = torch.tensor(Z, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: imbalance.distribution_balanced(P, xent.Logits(z), COUNTS, 1000), z)

    def loss(z: Any) -> Any:
        return imbalance.distribution_balanced(xent.Indicators(jnp.asarray(Y)), xent.Logits(z), COUNTS, 1000)

    (slope,) = torch.autograd.grad(imbalance.distribution_balanced(P, xent.Logits(z), COUNTS, 1000), z)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(jnp.asarray(Z)), slope, rtol=1e-4, atol=1e-6)


def test_without_its_parts_it_is_the_cross_entropy_of_elements() -> None:
    P, Q = xent.Indicators(Y), xent.Logits(Z)
    found = imbalance.distribution_balanced(P, Q, COUNTS, 1000, kappa=1, bias=0, gamma=0, factor=1, alpha=0.5, beta=0)
    np.testing.assert_allclose(found, xent.cross_entropy(P, Q), rtol=1e-6)


def test_what_it_does_not_take() -> None:
    P, Q = xent.Indicators(Y), xent.Logits(Z)
    with pytest.raises(xent.errors.OptionError, match="examples"):
        imbalance.distribution_balanced(P, Q, COUNTS, 900)
    with pytest.raises(xent.errors.ShapeError, match="counts"):
        imbalance.distribution_balanced(P, Q, COUNTS[:2], 1000)
    with pytest.raises(xent.errors.SoftTargetError):
        imbalance.distribution_balanced(xent.Indicators(Y * 0.5), Q, COUNTS, 1000)
    with pytest.raises(xent.errors.KindError):
        imbalance.distribution_balanced(xent.Labels([0, 1, 2]), Q, COUNTS, 1000)  # type: ignore[arg-type]
