"""P held in log space: its derivative in each framework, and padding that holds NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import xent

RNG = np.random.default_rng(7)
TEACHER, STUDENT = RNG.normal(size=(2, 3, 4))
MEASURES = (xent.kl_divergence, xent.js_divergence, xent.cross_entropy)


def of_torch(measure: Any) -> Any:
    z = torch.tensor(TEACHER, requires_grad=True)
    loss = measure(xent.Distribution.from_logits(z), xent.Logits(torch.tensor(STUDENT)))
    return torch.autograd.grad(loss, z)[0].numpy()


@pytest.mark.parametrize("measure", MEASURES)
def test_the_derivative_by_a_teacher(measure: Any) -> None:
    def value(z: Any) -> float:
        return float(measure(xent.Distribution.from_logits(z), xent.Logits(STUDENT)))

    found = np.zeros_like(TEACHER)
    for at in np.ndindex(TEACHER.shape):
        step = np.zeros_like(TEACHER)
        step[at] = 1e-6
        found[at] = (value(TEACHER + step) - value(TEACHER - step)) / 2e-6
    np.testing.assert_allclose(of_torch(measure), found, atol=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_derivative_by_a_teacher_in_tensorflow(measure: Any) -> None:
    tf = pytest.importorskip("tensorflow")

    def slope(z: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = measure(xent.Distribution.from_logits(z), xent.Logits(tf.constant(STUDENT)))
        return tape.gradient(loss, z)

    for run in (slope, tf.function(slope)):
        np.testing.assert_allclose(run(tf.constant(TEACHER)).numpy(), of_torch(measure), atol=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_derivative_by_a_teacher_in_jax(measure: Any) -> None:
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp

    def loss(z: Any) -> Any:
        return measure(xent.Distribution.from_logits(z), xent.Logits(jnp.asarray(STUDENT, jnp.float32)))

    z = jnp.asarray(TEACHER, jnp.float32)
    for run in (jax.grad(loss), jax.jit(jax.grad(loss))):
        np.testing.assert_allclose(run(z), of_torch(measure), atol=1e-6)


@pytest.mark.parametrize("held", ["from_logits", "from_log_probs"])
@pytest.mark.parametrize("measure", MEASURES)
def test_a_teacher_of_weight_zero_may_hold_nan(measure: Any, held: str) -> None:
    z = torch.tensor(TEACHER)
    z = torch.log_softmax(z, -1) if held == "from_log_probs" else z
    make = getattr(xent.Distribution, held)
    weight = torch.tensor([1.0, 0.0, 2.0])
    live = weight > 0
    x = torch.tensor(STUDENT)
    expected = measure(make(z[live]), xent.Logits(x[live]), weight=weight[live])
    z[1, 2] = float("nan")
    for leaf in (z, x):
        leaf.requires_grad_()
    loss = measure(make(z), xent.Logits(x), weight=weight)
    torch.testing.assert_close(loss, expected)
    for gradient in torch.autograd.grad(loss, (z, x)):
        assert torch.isfinite(gradient).all()
        assert torch.equal(gradient[1], torch.zeros(4, dtype=torch.float64))
    with pytest.raises(xent.errors.ProbabilityError):
        measure(make(z), xent.Logits(x))
