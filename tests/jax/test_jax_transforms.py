"""Every transformation of JAX, against the same formula in ``jnp`` and float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from jax_problems import LOSSES, Loss, data

import xent

every = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def close(ours: Any, expected: Any, tolerance: float = 1e-11) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(expected), rtol=tolerance, atol=tolerance)


@every
def test_value_and_gradient(loss: Loss) -> None:
    z, truth = data(loss)
    expected, slope = jax.jit(jax.value_and_grad(loss.formula))(z, truth)
    for way in (lambda f: f, jax.jit):
        value, gradient = way(jax.value_and_grad(loss.ours))(z, truth)
        close(value, expected)
        close(gradient, slope)
        close(way(loss.ours)(z, truth), expected)
    assert isinstance(loss.ours(z, truth), jax.Array)


@every
def test_gradient_of_a_jitted_loss_and_of_a_multiple(loss: Loss) -> None:
    z, truth = data(loss)
    slope = jax.jit(jax.grad(loss.formula))(z, truth)
    close(jax.grad(jax.jit(loss.ours))(z, truth), slope)
    close(jax.grad(lambda z: -3.0 * loss.ours(z, truth))(z), -3.0 * slope)
    _, back = jax.vjp(lambda z: loss.ours(z, truth), z)
    for above in (0.0, 1.0, 2.5):
        close(back(jnp.asarray(above))[0], above * slope)


@every
def test_forward_mode(loss: Loss) -> None:
    z, truth = data(loss)
    v = jnp.cos(jnp.arange(z.size, dtype=z.dtype)).reshape(z.shape)
    expected = jax.jit(lambda z, v: jax.jvp(lambda z: loss.formula(z, truth), (z,), (v,)))(z, v)
    for got, want in zip(jax.jvp(lambda z: loss.ours(z, truth), (z,), (v,)), expected, strict=True):
        close(got, want)
    _, linear = jax.linearize(lambda z: loss.ours(z, truth), z)
    close(linear(v), expected[1])
    slope = jax.jit(jax.grad(loss.formula))(z, truth)
    close(jax.jacfwd(loss.ours)(z, truth), slope)
    close(jax.jacrev(loss.ours)(z, truth), slope)


@every
def test_second_derivatives(loss: Loss) -> None:
    z, truth = data(loss)
    close(jax.jit(jax.hessian(loss.ours))(z, truth), jax.jit(jax.hessian(loss.formula))(z, truth), 1e-10)


#: Eager derivatives of derivatives are hundreds of small programs; every loss is differentiated twice under jit above.
TWICE = {
    "reverse twice": lambda f: jax.jacrev(jax.jacrev(f)),
    "forward twice": lambda f: jax.jacfwd(jax.jacfwd(f)),
    "reverse over forward": lambda f: jax.jacrev(jax.jacfwd(f)),
}


@pytest.mark.parametrize("name", ["labels", "distribution"])
@pytest.mark.parametrize("twice", TWICE.values(), ids=TWICE)
def test_second_derivatives_in_every_order(name: str, twice: Callable[..., Any]) -> None:
    z, truth = data(LOSSES[name])
    close(twice(LOSSES[name].ours)(z, truth), jax.jit(jax.hessian(LOSSES[name].formula))(z, truth), 1e-10)


@pytest.mark.parametrize("name", ["labels", "indicators"])
def test_third_derivatives(name: str) -> None:
    z, truth = data(LOSSES[name])
    third = [jax.jit(jax.jacfwd(jax.hessian(f)))(z[:2], truth[:2]) for f in (LOSSES[name].ours, LOSSES[name].formula)]
    close(*third, 1e-9)


@every
def test_finite_differences(loss: Loss) -> None:
    z, truth = data(loss)
    # The differences come as NumPy arrays.
    check_grads(lambda z: loss.ours(jnp.asarray(z), truth), (z,), order=1, modes=["fwd", "rev"], atol=1e-5, rtol=1e-5)


@every
def test_vmap(loss: Loss) -> None:
    batch = [data(loss, seed=seed) for seed in range(3)]
    z, truth = (jnp.stack(parts) for parts in zip(*batch, strict=True))
    formula = jax.jit(loss.formula)
    close(jax.vmap(loss.ours)(z, truth), jax.vmap(formula)(z, truth))
    slopes = jax.jit(jax.vmap(jax.grad(formula)))(z, truth)
    close(jax.vmap(jax.grad(loss.ours))(z, truth), slopes)
    close(
        jax.grad(lambda z: jax.vmap(loss.ours)(z, truth) @ jnp.arange(3.0))(z), slopes * jnp.arange(3.0)[:, None, None]
    )
    close(jax.vmap(loss.ours, (None, 0))(z[0], truth), jax.vmap(formula, (None, 0))(z[0], truth))
    close(jax.vmap(loss.ours, (2, None))(jnp.moveaxis(z, 0, 2), truth[0]), jax.vmap(formula, (0, None))(z, truth[0]))


@every
def test_scan_and_checkpoint(loss: Loss) -> None:
    z, truth = data(loss)

    def steps(f: Callable[..., Any], z: Any) -> Any:
        def step(z: Any, _: None) -> Any:
            value, slope = jax.value_and_grad(f)(z, truth)
            return z - 0.1 * slope, value

        return jax.lax.scan(step, z, None, length=3)[1]

    close(steps(loss.ours, z), jax.jit(lambda z: steps(loss.formula, z))(z))
    through = [jax.jit(jax.grad(lambda z, f=f: steps(f, z).sum()))(z) for f in (loss.ours, loss.formula)]
    close(*through, 1e-10)
    close(jax.grad(jax.checkpoint(loss.ours))(z, truth), jax.jit(jax.grad(loss.formula))(z, truth))


def test_derivatives_by_a_soft_truth_and_by_weights() -> None:
    z, p = data(LOSSES["distribution"])
    w = jnp.arange(5.0)
    free = lambda p: p / p.sum(axis=-1, keepdims=True)  # noqa: E731

    def ours(z: Any, p: Any, w: Any) -> Any:
        return xent.cross_entropy(xent.Distribution(free(p)), xent.Logits(z), weight=w)

    def formula(z: Any, p: Any, w: Any) -> Any:
        return -jnp.sum(w * jnp.sum(free(p) * jax.nn.log_softmax(z), axis=-1)) / w.sum()

    expected = jax.jit(jax.grad(formula, (0, 1, 2)))(z, p, w)
    for got, want in zip(jax.grad(ours, (0, 1, 2))(z, p, w), expected, strict=True):
        close(got, want)
    for argnum in range(3):
        close(jax.jit(jax.grad(ours, argnum))(z, p, w), expected[argnum])
    second = [jax.tree.leaves(jax.jit(jax.hessian(f, (0, 1, 2)))(z, p, w)) for f in (ours, formula)]
    for got, want in zip(*second, strict=True):
        close(got, want, 1e-10)


def test_the_derivative_by_a_teacher_of_the_divergence() -> None:
    z, p = data(LOSSES["teacher"])
    for moving in (partial(LOSSES["teacher"].ours, z), partial(LOSSES["teacher"].formula, z)):
        free = lambda x, moving=moving: moving(jax.nn.softmax(x))  # noqa: E731
        if moving.func is LOSSES["teacher"].ours:
            ours = jax.grad(free)(jnp.log(p)), jax.jit(jax.hessian(free))(jnp.log(p))
        else:
            close(ours[0], jax.jit(jax.grad(free))(jnp.log(p)))
            close(ours[1], jax.jit(jax.hessian(free))(jnp.log(p)), 1e-10)


def test_value_and_grad_inside_and_outside_of_jit() -> None:
    for name, kind in (("labels", xent.Labels), ("distribution", xent.Distribution), ("indicators", xent.Indicators)):
        z, truth = data(LOSSES[name])

        def both(z: Any, truth: Any, kind: Any = kind) -> Any:
            return xent.value_and_grad(kind(truth), xent.Logits(z), shaping=xent.Focal(1.0, soft="surprisal"))

        value, slope = both(np.asarray(z), np.asarray(truth))
        for way in (lambda f: f, jax.jit):
            got = way(both)(z, truth)
            assert all(isinstance(x, jax.Array) for x in got)
            close(got[0], value)
            close(got[1], slope)


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_every_axis(axis: int) -> None:
    z = jnp.asarray(np.random.default_rng(1).standard_normal((3, 4, 5)))
    y = jnp.zeros(np.delete(z.shape, axis), int) + 2
    ours = jax.value_and_grad(lambda z: xent.cross_entropy(xent.Labels(y), xent.Logits(z, axis=axis)))
    expected = jax.value_and_grad(
        lambda z: -jnp.take(jax.nn.log_softmax(z, axis), 2, axis=axis).mean()
    )(z)  # fmt: skip
    for way in (lambda f: f, jax.jit):
        for got, want in zip(way(ours)(z), expected, strict=True):
            close(got, want)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_exported_for_batches_of_any_length(reduction: Any) -> None:
    """Where lengths are symbols, nothing asks for their number."""
    from jax import export

    def loss(z: Any, y: Any) -> Any:
        return xent.cross_entropy(xent.Labels(y), xent.Logits(z), reduction=reduction)

    (n,) = export.symbolic_shape("n")
    shapes = jax.ShapeDtypeStruct((n, 10), jnp.float32), jax.ShapeDtypeStruct((n,), jnp.int32)
    program = export.export(jax.jit(loss))(*shapes)
    for count in (1, 4):
        z, y = jnp.ones((count, 10), jnp.float32), jnp.zeros(count, jnp.int32)
        np.testing.assert_allclose(program.call(z, y), loss(z, y), rtol=1e-6)
