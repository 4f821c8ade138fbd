"""The losses of the core in JAX and TensorFlow: eager and compiled, with their own derivatives, beside NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from losses_evaluate import evaluate_projection, projection, scores, truth
from losses_samples import PROJECTIONS, SAMPLES

import xent
from xent.losses import imbalance, noise

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


COUNTS = np.array([100.0, 10.0, 1.0])
CHANNEL = 0.7 * np.eye(3) + 0.1
LISTED = CHANNEL.tolist()
ALLOWED = [True, False, True]
MADE = {
    "smoothing": lambda: noise.label_smoothing(0.1, allowed=ALLOWED),
    "backward": lambda: noise.backward_correction(LISTED),
    "logit adjustment": lambda: imbalance.logit_adjustment(COUNTS),
    "ldam": lambda: imbalance.ldam([100.0, 10.0, 1.0]),
    "class-balanced": lambda: imbalance.class_balanced(COUNTS, 0.99),
}


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("name", [*MADE, "forward", "forward, pairs"])
def test_torch_compile_takes_it_whole(name: str, inside: bool) -> None:
    """Made outside of the compiled function, or inside, where data have no values."""
    import torch

    make: Any = MADE.get(name)
    channel: Any = CHANNEL if name == "forward" else np.eye(3) * 0.6 + np.roll(np.eye(3), 1, 1) * 0.4
    made = None if make is None else make()
    channel = channel.tolist() if inside else channel
    y = torch.tensor([0, 2, 2, 0])

    def loss(z: Any) -> Any:
        if make is None:
            return xent.cross_entropy(xent.Labels(y), noise.forward_correction(xent.Logits(z), channel))
        return (make() if inside else made)(xent.Labels(y), xent.Logits(z))

    torch._dynamo.reset()
    z = torch.linspace(-1, 2, 12, dtype=torch.float64).reshape(4, 3)
    leaves = [z.clone().requires_grad_() for _ in range(2)]
    values = [loss(leaves[0]), torch.compile(loss, fullgraph=True, backend="aot_eager")(leaves[1])]
    slopes = [torch.autograd.grad(v, x)[0] for v, x in zip(values, leaves, strict=True)]
    torch.testing.assert_close(values[1], values[0])
    torch.testing.assert_close(slopes[1], slopes[0])


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_what_cannot_be_read_in_torch_compile_is_nan() -> None:
    import torch

    torch._dynamo.reset()
    y, bad, negative = torch.tensor([0, 1]), np.array([[0.5, 0.6], [0.5, 0.5]]), np.array([1.0, -2.0])

    def channel(z: Any) -> Any:
        return xent.cross_entropy(xent.Labels(y), noise.forward_correction(xent.Logits(z), bad))

    def counts(z: Any) -> Any:
        return imbalance.logit_adjustment(negative)(xent.Labels(y), xent.Logits(z))

    for loss in (channel, counts):
        assert torch.compile(loss, fullgraph=True, backend="eager")(torch.zeros(2, 2)).isnan()
