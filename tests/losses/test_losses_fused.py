"""Losses whose gradient PyTorch's CPU pass makes together with the value: as where nothing differentiates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import xent
from xent import losses

LOSSES = {
    "focal": losses.imbalance.focal(2.0),
    "poly1": losses.imbalance.poly1(),
    "z_loss": losses.noise.z_loss(0.1),
    "sm_softmax": losses.margins.sm_softmax(),
    "arcface": losses.margins.arcface(0.5, 8.0),
    "logit_adjustment": losses.imbalance.logit_adjustment([1, 2, 3, 4]),
}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_fused_pass_is_the_loss(name: str, reduction: str) -> None:
    rng = np.random.default_rng(1)
    z, y, w = rng.uniform(-0.9, 0.9, (6, 4)), np.array([0, 1, 2, 3, -1, 0]), rng.random(6)
    value, gradient = LOSSES[name].value_and_grad(
        xent.Labels(y, ignore=-1), xent.Logits(z), weight=w, reduction=reduction
    )  # type: ignore[arg-type]
    x = torch.tensor(z, requires_grad=True)
    P = xent.Labels(torch.tensor(y), ignore=-1)
    found = LOSSES[name](P, xent.Logits(x), weight=torch.tensor(w), reduction=reduction)  # type: ignore[arg-type]
    found.backward()
    np.testing.assert_allclose(found.item(), value, rtol=1e-13)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad, gradient, rtol=1e-12, atol=1e-15)
