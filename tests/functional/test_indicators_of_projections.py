"""Weights of yes/no outcomes whose scores are a Projection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import xent

RNG = np.random.default_rng(3)
HIDDEN, WEIGHT = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 3))
T = RNG.integers(0, 2, (4, 5))
WEIGHTS: dict[str, Any] = {
    "of each": RNG.random((4, 5)),
    "of each hidden state": np.array([[1.0], [0.0], [2.0], [0.5]]),
    "of each class": np.array([[1.0, 0.0, 2.0, 0.5, 1.0]]),
    "none of one hidden state": np.array([[1.0] * 5, [0.0] * 5, [1, 0, 1, 0, 1], [2.0] * 5]),
}


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_weights_are_those_of_the_scores(name: str, reduction: Any) -> None:
    P, w = xent.Indicators(T), WEIGHTS[name]
    scores = HIDDEN @ WEIGHT.T
    expected, by_score = xent.value_and_grad(P, xent.Logits(scores), weight=w, reduction=reduction)
    hidden = HIDDEN.copy()
    if "hidden state" in name:
        hidden[1] = np.nan  # it does not count
    found, (by_hidden, by_weight, _) = xent.value_and_grad(
        P, xent.Projection(hidden, WEIGHT), weight=w, reduction=reduction
    )
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(by_hidden, by_score @ WEIGHT, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(by_weight, by_score.T @ HIDDEN, rtol=1e-12, atol=1e-14)
    leaves = torch.tensor(hidden, requires_grad=True), torch.tensor(WEIGHT, requires_grad=True)
    loss = xent.cross_entropy(
        xent.Indicators(torch.tensor(T)), xent.Projection(*leaves), weight=torch.tensor(w), reduction=reduction
    )
    for gradient, other in zip(torch.autograd.grad(loss.sum(), leaves), (by_hidden, by_weight), strict=True):
        np.testing.assert_allclose(gradient.numpy(), other, rtol=1e-12, atol=1e-14)
