"""The losses of the core in JAX and TensorFlow: eager and compiled, with their own derivatives, beside NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from losses_evaluate import evaluate_projection, projection, scores, truth
from losses_samples import PROJECTIONS, SAMPLES

import xent

NAMES = [
    "focal 0.5, per-class",
    "poly 2, surprisal",
    "asymmetric",
    "logit adjustment",
    "class-balanced",
    "smoothing of what can be",
    "generalized, truncated",
    "symmetric",
    "hard bootstrap",
    "soft bootstrap",
    "backward correction",
    "forward correction",
    "z-loss",
    "softcap",
    "ldam",
    "arcface, easy",
    "l-softmax 3",
    "sub-center",
    "hard bootstrap, elements",
    "smoothing, elements",
    "class-balanced, elements",
]


def _problem(name: str) -> tuple[Any, str, Any, Any]:
    sample = SAMPLES[name.removesuffix(", elements")]
    kind = "labels" if sample.rows and not name.endswith(", elements") else "indicators"
    values = truth(sample, kind, 4)
    if kind == "labels":
        values = np.where(np.arange(4) == 1, -1, values)
    z = scores(sample, 4).astype(np.float32)
    if kind == "labels" and sample.predict is None:
        z[1] = np.nan  # the ignored row
    return sample, kind, values, z


def _loss(sample: Any, kind: str, values: Any) -> Any:
    def loss(z: Any) -> Any:
        P: Any = xent.Labels(values, ignore=-1) if kind == "labels" else xent.Indicators(values)
        Q: Any = xent.Logits(z)
        return sample.loss(P, sample.predict(Q) if sample.predict else Q)

    return loss


def _expected(name: str) -> tuple[Any, Any]:
    import torch

    sample, kind, values, z = _problem(name)
    x = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    value = _loss(sample, kind, torch.tensor(values))(x)
    return value.item(), torch.autograd.grad(value, x)[0].numpy()


def _same(name: str, value: Any, gradient: Any) -> None:
    expected, slope = _expected(name)
    np.testing.assert_allclose(float(value), expected, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(gradient), slope, rtol=1e-4, atol=3e-5 * (1 + np.abs(slope).max()))
    assert _problem(name)[1] != "labels" or not np.asarray(gradient)[1].any()


@pytest.mark.parametrize("name", NAMES)
def test_jax(name: str) -> None:
    import jax
    import jax.numpy as jnp

    sample, kind, values, z = _problem(name)
    loss = _loss(sample, kind, jnp.asarray(values))
    assert float(loss(jnp.asarray(z))) == pytest.approx(_expected(name)[0], rel=1e-5)
    _same(name, *jax.value_and_grad(loss)(jnp.asarray(z)))
    _same(name, *jax.jit(jax.value_and_grad(loss))(jnp.asarray(z)))


@pytest.mark.parametrize("name", NAMES)
def test_tensorflow(name: str) -> None:
    import tensorflow as tf

    sample, kind, values, z = _problem(name)
    loss = _loss(sample, kind, tf.constant(values))

    def both(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x)
        return value, tape.gradient(value, x)

    for run in (both, tf.function(both)):
        value, gradient = run(tf.constant(z))
        _same(name, value.numpy(), gradient.numpy())


@pytest.mark.parametrize("name", ["arcface, both", "arcface, neither", "a-softmax", "am-softmax"])
def test_projections(name: str) -> None:
    import jax
    import jax.numpy as jnp
    import tensorflow as tf

    h, w, y = projection()
    loss = PROJECTIONS[name][0]
    expected = evaluate_projection(loss, h, w, y, "numpy")
    h32, w32 = h.astype(np.float32), w.astype(np.float32)

    def on_jax(a: Any, b: Any) -> Any:
        return loss(xent.Labels(jnp.asarray(y)), xent.Projection(a, b), reduction="sum")

    for run in (jax.value_and_grad(on_jax, (0, 1)), jax.jit(jax.value_and_grad(on_jax, (0, 1)))):
        value, gradients = run(jnp.asarray(h32), jnp.asarray(w32))
        for mine, theirs in zip((value, *gradients), expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)

    def on_tensorflow(a: Any, b: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            value = loss(xent.Labels(tf.constant(y)), xent.Projection(a, b), reduction="sum")
        return value, tape.gradient(value, [a, b])

    for run in (on_tensorflow, tf.function(on_tensorflow)):
        value, gradients = run(tf.constant(h32), tf.constant(w32))
        for mine, theirs in zip((value, *gradients), expected, strict=True):
            np.testing.assert_allclose(np.asarray(mine), theirs, rtol=1e-4, atol=1e-4)
