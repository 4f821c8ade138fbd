"""Forward correction against 50 digits: channels with zeros, scores far apart, and how much is computed."""

from __future__ import annotations

import math
from typing import Any

import losses_exact as exact
import numpy as np
import pytest
import torch
from losses_batches import LIBRARIES
from losses_evaluate import evaluate, exact_loss, target
from losses_samples import Sample

import xent
from xent.functional import mixture
from xent.losses import Loss, noise

#: Channels by what is hard in them.
CHANNELS = {
    "pairs": [[0.6, 0.4, 0.0, 0.0], [0.0, 0.6, 0.4, 0.0], [0.0, 0.0, 0.6, 0.4], [0.4, 0.0, 0.0, 0.6]],
    "nothing": np.eye(4).tolist(),
    "a class that nothing is written down as": [[0.5, 0.5, 0.0, 0.0], [0.25, 0.5, 0.25, 0.0], [0.0, 0.5, 0.5, 0.0]] * 1
    + [[0.1, 0.2, 0.7, 0.0]],
    "entries that float32 does not hold": [
        [1.0, 1e-200, 1e-60, 1e-30],
        [1e-300, 1.0, 0.0, 1e-250],
        [0.0, 0.5, 0.5, 0.0],
        [0.25, 0.25, 0.25, 0.25],
    ],
}
ROWS = {
    "near": [0.3, -1.0, 2.0, 0.5],
    "far": [0.0, -900.0, -2000.0, -1500.0],
    "very far": [1e5, 0.0, -3e4, 2.0],
    "no score": [1.0, -math.inf, -math.inf, 0.0],
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_against_fifty_digits(channel: str, row: str, library: str) -> None:
    T, z = CHANNELS[channel], np.array([ROWS[row]])
    sample = Sample("", Loss(), (), exact.forward_correction(T), predict=lambda Q: noise.forward_correction(Q, T))
    for y in range(4):
        total = exact_loss(sample, "labels", np.array([y]), z)
        expected = float(total(list(map(exact.mpf, z[0].tolist()))))
        value, gradient = evaluate(sample, target("labels", np.array([y]), library), z, library)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-13)
        if gradient is not None and math.isfinite(expected):
            slope = exact.gradient(total, z[0].tolist())
            np.testing.assert_allclose(gradient[0], slope, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("channel", CHANNELS)
def test_float32(channel: str) -> None:
    T, z = CHANNELS[channel], torch.tensor(list(ROWS.values()), dtype=torch.float32)
    found = noise.forward_correction(xent.Logits(z), T).log_probs
    expected = noise.forward_correction(xent.Logits(z.double()), T).log_probs
    torch.testing.assert_close(found.double(), expected, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("channel", CHANNELS)
def test_jax_and_tensorflow(channel: str) -> None:
    import jax
    import jax.numpy as jnp
    import tensorflow as tf

    T, z = CHANNELS[channel], np.array(list(ROWS.values())[:2], np.float32)
    y = np.array([1, 2])

    def loss(z: Any, y: Any) -> Any:
        return xent.cross_entropy(xent.Labels(y), noise.forward_correction(xent.Logits(z), T), reduction="none")

    x = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    expected = loss(x, torch.tensor(y))
    (slope,) = torch.autograd.grad(expected[torch.isfinite(expected)].sum(), x)
    for run in (loss, jax.jit(loss)):
        np.testing.assert_allclose(run(jnp.asarray(z), jnp.asarray(y)), expected.detach(), rtol=1e-5, atol=1e-6)
    for run in (loss, tf.function(loss)):
        with tf.GradientTape() as tape:
            each = (v := tf.constant(z), tape.watch(v), run(v, tf.constant(y)))[-1]
            finite = tf.boolean_mask(each, tf.math.is_finite(each))
        np.testing.assert_allclose(each, expected.detach(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(tape.gradient(finite, v), slope, rtol=1e-4, atol=1e-5)


def test_one_product_where_nothing_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """N·K² in one call, not K of N·K: and of a channel with zeros one for each support only where it is needed."""
    products: list[tuple[int, ...]] = []
    plain = mixture._product

    def counted(log_q: Any, T: Any) -> Any:
        products.append(tuple(T.shape))
        return plain(log_q, T)

    monkeypatch.setattr(mixture, "_product", counted)
    rng = np.random.default_rng(0)
    K = 50
    T = rng.dirichlet(np.ones(K), K)
    T = T * (rng.random((K, K)) < 0.5) + 0.1 * np.eye(K)
    T /= T.sum(1, keepdims=True)
    noise.forward_correction(xent.Logits(rng.normal(size=(6, K))), T)
    assert products == [(K, K)]
    z = rng.normal(size=(6, K))
    z[:, 0] += 2000.0
    found = noise.forward_correction(xent.Logits(z), T).log_probs
    assert len(products) > 2
    with np.errstate(divide="ignore"):
        log_t = np.log(T)
    log_q = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    np.testing.assert_allclose(found, np.logaddexp.reduce(log_q[:, :, None] + log_t, axis=1), rtol=1e-12, atol=1e-14)


def test_what_is_no_channel_is_refused() -> None:
    Q = xent.Logits([[0.0, 1.0]])
    for bad in ([[0.5, 0.6], [0.5, 0.5]], [[1.5, -0.5], [0.0, 1.0]], [[math.nan, 1.0], [0.0, 1.0]], [[1.0, 0.0]]):
        with pytest.raises(xent.errors.OptionError, match="forward_correction"):
            noise.forward_correction(Q, bad)
    with pytest.raises(xent.errors.ShapeError, match="transition"):
        noise.forward_correction(Q, np.eye(3))
