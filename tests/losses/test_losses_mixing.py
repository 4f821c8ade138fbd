"""Mixup and CutMix: one soft target, and the two losses that it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from losses_batches import batches, close
from losses_samples import K

import xent
from xent.losses.mixing import mixup


@given(batch=batches(), share=st.floats(0, 1), smoothing=st.sampled_from([0.0, 0.1]))
def test_it_is_one_soft_target(batch: Any, share: float, smoothing: float) -> None:
    z, y, _ = batch
    other = (y * 2 + 1) % K
    t = (1 - smoothing) * (share * np.eye(K)[y] + (1 - share) * np.eye(K)[other]) + smoothing / K
    a, b = xent.Labels(y, smoothing=smoothing), xent.Labels(other, smoothing=smoothing)
    shares = np.full(len(y), share)
    for reduction in ("none", "sum", "mean"):
        expected = xent.cross_entropy(xent.Distribution(t), xent.Logits(z), reduction=reduction)  # type: ignore[arg-type]
        for given_share in (share, shares):
            close(mixup(a, b, xent.Logits(z), given_share, reduction=reduction), expected, units=1e-11)  # type: ignore[arg-type]


@pytest.mark.parametrize("library", ["torch", "jax", "tensorflow"])
def test_a_share_for_each_example_and_the_gradient(library: str) -> None:
    import jax
    import jax.numpy as jnp
    import tensorflow as tf

    rng = np.random.default_rng(0)
    z, y, other = rng.normal(size=(5, 3)).astype(np.float32), np.array([0, 1, 2, 1, 0]), np.array([1, 1, 0, 2, 2])
    share, w = np.linspace(0, 1, 5).astype(np.float32), np.array([1, 2, 0.5, 1, 3], np.float32)
    t = share[:, None] * np.eye(3)[y] + (1 - share[:, None]) * np.eye(3)[other]
    value, slope = xent.value_and_grad(xent.Distribution(t), xent.Logits(z.astype(float)), weight=w.astype(float))

    def loss(make: Any, z: Any) -> Any:
        a, b = xent.Labels(make(y)), xent.Labels(make(other))
        return mixup(a, b, xent.Logits(z), make(share), weight=make(w))

    if library == "torch":
        x: Any = torch.tensor(z, requires_grad=True)
        (gradient,) = torch.autograd.grad(loss(torch.tensor, x), x)
        found = loss(torch.tensor, x.detach())
    elif library == "jax":
        found, gradient = jax.jit(jax.value_and_grad(lambda z: loss(jnp.asarray, z)))(jnp.asarray(z))
    else:
        x = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = tf.function(lambda x: loss(tf.constant, x))(x)
        gradient = tape.gradient(found, x)
    np.testing.assert_allclose(float(found), value, rtol=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-6)


def test_an_example_of_which_either_is_ignored_does_not_count() -> None:
    z = torch.tensor([[0.5, 1.0, 2.0], [np.nan] * 3, [np.nan] * 3, [1.0, 0.0, 0.5]], requires_grad=True)
    a, b = xent.Labels(torch.tensor([0, -1, 1, 2]), ignore=-1), xent.Labels(torch.tensor([1, 1, -1, 0]), ignore=-1)
    loss = mixup(a, b, xent.Logits(z), 0.25)
    (gradient,) = torch.autograd.grad(loss, z)
    kept = xent.Logits(z[[0, 3]].detach())
    expected = mixup(xent.Labels(torch.tensor([0, 2])), xent.Labels(torch.tensor([1, 0])), kept, 0.25)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert not gradient[1:3].any()
    assert gradient[[0, 3]].any()


@pytest.mark.parametrize("share", [-0.1, 1.5, np.array([0.5, 2.0]), float("nan")])
def test_a_share_is_between_zero_and_one(share: Any) -> None:
    with pytest.raises(xent.errors.WeightError, match="share"):
        mixup(xent.Labels([0, 1]), xent.Labels([1, 0]), xent.Logits([[0.0, 1.0], [1.0, 0.0]]), share)
