"""xent.optax against optax where optax is right, and against the mathematics where it is not."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xent.optax as ours
from xent.errors import AxisError, DtypeError, OptionError, ShapeError

rng = np.random.default_rng(7)
INF = float("inf")
SOFT = ("softmax_cross_entropy", "safe_softmax_cross_entropy", "poly_loss_cross_entropy")
MASKED = ("softmax_cross_entropy", "poly_loss_cross_entropy")
DIVERGENCES = ("kl_divergence", "kl_divergence_with_log_targets", "generalized_kl_divergence")
BINARY = ("sigmoid_binary_cross_entropy", "sigmoid_focal_loss")


def scores(*shape: int, dtype: Any = jnp.float32) -> jax.Array:
    return jnp.asarray(3 * rng.normal(size=shape), dtype)


def simplex(*shape: int, dtype: Any = jnp.float32) -> jax.Array:
    return jnp.asarray(rng.dirichlet(np.ones(shape[-1]), size=shape[:-1]), dtype)


def arguments(name: str, *shape: int, dtype: Any = jnp.float32) -> tuple[jax.Array, jax.Array]:
    if name in DIVERGENCES:
        p = simplex(*shape, dtype=dtype)
        return jax.nn.log_softmax(scores(*shape, dtype=dtype)), jnp.log(p) if "log_targets" in name else p
    if name == "sigmoid_focal_loss":
        # At labels of 0 and 1 optax's derivative by the label lacks a term; see the test of ours below.
        return scores(*shape, dtype=dtype), jnp.asarray(rng.uniform(0.1, 0.9, shape), dtype)
    if name in BINARY:
        return scores(*shape, dtype=dtype), jnp.asarray(rng.integers(0, 2, shape), dtype)
    return scores(*shape, dtype=dtype), simplex(*shape, dtype=dtype)


def close(actual: Any, expected: Any, dtype: Any = jnp.float32) -> None:
    tolerance = {jnp.float32: 3e-6, jnp.float16: 1e-2, jnp.bfloat16: 6e-2}[dtype]
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(
        np.asarray(actual, np.float64), np.asarray(expected, np.float64), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize("name", SOFT + DIVERGENCES + BINARY)
@pytest.mark.parametrize("compiled", [False, True])
def test_value_dtype_and_gradients_are_those_of_optax(name: str, dtype: Any, compiled: bool) -> None:
    q, t = arguments(name, 5, 7, dtype=dtype)
    f, g = getattr(ours, name), getattr(optax.losses, name)
    if compiled:
        f = jax.jit(f)
    close(f(q, t), g(q, t), dtype)
    # optax differentiates in half precision; ours are compared with its derivatives of the same numbers in float32.
    wide_q, wide_t = q.astype(jnp.float32), t.astype(jnp.float32)
    both = jax.grad(lambda q, t: f(q, t).astype(jnp.float32).sum(), (0, 1))(q, t)
    expected = jax.jit(jax.grad(lambda q, t: g(q, t).sum(), (0, 1)))(wide_q, wide_t)
    for mine, theirs in zip(both, expected, strict=True):
        close(mine, theirs.astype(dtype), dtype)


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (2, 1), None])
@pytest.mark.parametrize("name", MASKED + DIVERGENCES)
@pytest.mark.parametrize("mask", [None, "examples", "elements"])
def test_axis_and_where(name: str, axis: Any, mask: str | None) -> None:
    q, t = arguments(name, 3, 4, 5)
    shape: tuple[int, ...] = (3, 4, 5)
    if mask == "examples":
        if axis is None:
            pytest.skip("without a class axis there is one example")
        axes = {one % 3 for one in (axis if isinstance(axis, tuple) else (axis,))}
        # Only optax's softmax_cross_entropy takes a mask without the class axes; elsewhere it broadcasts.
        keep = name != "softmax_cross_entropy"
        shape = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
    where = None if mask is None else jnp.asarray(rng.random(shape) < 0.6)
    f, g = getattr(ours, name), getattr(optax.losses, name)
    close(f(q, t, axis=axis, where=where), g(q, t, axis=axis, where=where))
    mine, theirs = (jax.jit(jax.grad(lambda q, h=h: h(q, t, axis=axis, where=where).sum()))(q) for h in (f, g))
    # An example of which nothing counts: optax's softmax over nothing is NaN behind its mask.
    close(mine, jnp.nan_to_num(theirs))


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (2, 1)])
@pytest.mark.parametrize("mask", [None, "examples", "elements"])
def test_integer_labels(axis: Any, mask: str | None) -> None:
    z = scores(3, 4, 5)
    axes = [one % 3 for one in (axis if isinstance(axis, tuple) else (axis,))]
    batch = tuple(n for i, n in enumerate(z.shape) if i not in axes)
    y = jnp.asarray(rng.integers(0, np.prod([z.shape[i] for i in axes]), batch))
    where = None if mask is None else jnp.asarray(rng.random(z.shape if mask == "elements" else batch) < 0.6)
    f, g = (m.softmax_cross_entropy_with_integer_labels for m in (ours, optax.losses))
    close(f(z, y, axis, where), g(z, y, axis, where))
    mine, theirs = (jax.jit(jax.grad(lambda z, h=h: h(z, y, axis, where).sum()))(z) for h in (f, g))
    close(mine, jnp.nan_to_num(theirs))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (2, 3, 0)])
@pytest.mark.parametrize("name", MASKED + DIVERGENCES)
@pytest.mark.parametrize("compiled", [False, True])
def test_without_a_class_the_loss_is_nothing(name: str, shape: tuple[int, ...], compiled: bool) -> None:
    none = jnp.zeros(shape)
    f = jax.jit(getattr(ours, name)) if compiled else getattr(ours, name)
    found, expected = f(none, none), getattr(optax.losses, name)(none, none)
    assert found.shape == expected.shape == shape[:-1]
    assert not found.any()
    assert not expected.any()
    assert jax.grad(lambda z: f(z, none).sum())(none).shape == shape


def test_without_a_class_no_label_counts() -> None:
    none, y = jnp.zeros((2, 0, 3)), jnp.zeros(2, int)
    assert not ours.softmax_cross_entropy_with_integer_labels(none, y, (1, 2)).any()


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint32])
def test_labels_of_every_integer_type(kind: Any) -> None:
    z, y = scores(6, 200), jnp.asarray([0, 1, 2, 100, 120, 127], kind)
    close(
        ours.softmax_cross_entropy_with_integer_labels(z, y),
        optax.losses.softmax_cross_entropy_with_integer_labels(z, y.astype(jnp.int32)),
    )


@pytest.mark.parametrize("label", [-1, 3, -100])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_label_outside_gives_nan_in_loss_and_gradient(label: int, compiled: bool) -> None:
    z, y = scores(2, 3), jnp.asarray([label, 1])

    def loss(z: Any) -> Any:
        return ours.softmax_cross_entropy_with_integer_labels(z, y)

    found = (jax.jit(loss) if compiled else loss)(z)
    gradient = jax.grad(lambda z: loss(z).sum())(z)
    assert np.isnan(found[0])
    assert np.isfinite(found[1])
    assert np.isnan(gradient[0]).all()
    assert np.isfinite(gradient[1]).all()


def test_zero_times_infinity_is_zero() -> None:
    z, t = jnp.asarray([1.0, -INF, 3.0]), jnp.asarray([0.5, 0.0, 0.5])
    expected = np.log(np.exp(1) + np.exp(3)) - 2
    for name in ("softmax_cross_entropy", "safe_softmax_cross_entropy"):
        np.testing.assert_allclose(getattr(ours, name)(z, t), expected, rtol=1e-6)
        assert np.isfinite(jax.grad(getattr(ours, name))(z, t)).all()
    assert np.isfinite(ours.poly_loss_cross_entropy(z, t))
    assert np.isfinite(jax.grad(ours.poly_loss_cross_entropy)(z, t)).all()
    for right in (1.0, 0.0):
        infinite = jnp.asarray(INF if right else -INF)
        assert float(ours.sigmoid_binary_cross_entropy(infinite, right)) == 0.0
        assert float(jax.grad(ours.sigmoid_binary_cross_entropy)(infinite, right)) == 0.0
        assert float(ours.sigmoid_focal_loss(infinite, right, gamma=0.5)) == 0.0
    log_p, log_q = jnp.log(jnp.asarray([0.5, 0.5, 0.0])), jnp.log(jnp.asarray([0.25, 0.75, 0.0]))
    np.testing.assert_allclose(ours.kl_divergence_with_log_targets(log_q, log_p), 0.14384104, rtol=1e-5)
    assert np.isfinite(jax.grad(ours.kl_divergence_with_log_targets)(log_q, log_p)).all()


def test_a_masked_row_has_no_gradient_whatever_it_holds() -> None:
    z = jnp.asarray([[jnp.nan, INF, 1.0], [1.0, 2.0, 3.0]])
    where = jnp.asarray([False, True])
    for f, t in (
        (ours.softmax_cross_entropy, jnp.full((2, 3), 1 / 3)),
        (ours.poly_loss_cross_entropy, jnp.full((2, 3), 1 / 3)),
        (ours.softmax_cross_entropy_with_integer_labels, jnp.asarray([0, 1])),
    ):
        value, gradient = jax.value_and_grad(lambda z, f=f, t=t: f(z, t, where=where).sum())(z)
        assert np.isfinite(value)
        assert (np.asarray(gradient[0]) == 0).all()
        assert np.isfinite(gradient[1]).all()


def test_two_shapes_that_would_both_be_stretched_are_refused() -> None:
    z, y = scores(4, 1), jnp.asarray([0.0, 1.0, 1.0, 0.0])
    for name in (*BINARY, "hinge_loss"):
        with pytest.raises(ShapeError, match=r"\(4, 4\)"):
            getattr(ours, name)(z, y)
    close(ours.sigmoid_binary_cross_entropy(z, 1.0), optax.losses.sigmoid_binary_cross_entropy(z, jnp.asarray(1.0)))
    one, many = scores(3), simplex(5, 3)
    close(ours.softmax_cross_entropy(one, many), optax.losses.softmax_cross_entropy(one, many))


def test_errors_say_what_to_write() -> None:
    z = scores(4, 3)
    with pytest.raises(DtypeError, match="floating"):
        ours.softmax_cross_entropy(jnp.ones((4, 3), int), z)
    with pytest.raises(TypeError, match="integer"):
        ours.softmax_cross_entropy_with_integer_labels(z, jnp.ones(4))
    with pytest.raises(ShapeError, match=r"\(4,\)"):
        ours.softmax_cross_entropy_with_integer_labels(z, jnp.ones((4, 1), int))
    with pytest.raises(AxisError, match="axis"):
        ours.softmax_cross_entropy(z, z, axis=2)
    with pytest.raises(AxisError, match="different"):
        ours.softmax_cross_entropy(z, z, axis=(0, -2))
    with pytest.raises(OptionError, match="axis"):
        ours.softmax_cross_entropy_with_integer_labels(z, jnp.ones(4, int), axis=None)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="where"):
        ours.softmax_cross_entropy(z, z, where=jnp.ones((2, 2, 2, 2), bool))


def test_the_deprecated_name_warns() -> None:
    q, p = arguments("kl_divergence", 2, 3)
    with pytest.warns(DeprecationWarning, match="generalized_kl_divergence"):
        close(ours.convex_kl_divergence(q, p), ours.generalized_kl_divergence(q, p))


@given(
    st.floats(-1e4, 1e4) | st.sampled_from([88.0, -88.8, 90.0, -104.0, 1000.0]),
    st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_focal_has_finite_first_and_second_derivatives(z: float, gamma: float, t: float) -> None:
    def loss(z: Any) -> Any:
        return ours.sigmoid_focal_loss(z, jnp.asarray(t), gamma=gamma)

    x = jnp.asarray(z, jnp.float32)
    assert all(np.isfinite(f(x)) for f in (loss, jax.grad(loss), jax.hessian(loss)))


def test_focal_of_hard_labels_and_its_derivative_by_them() -> None:
    z, t = scores(50), jnp.asarray(rng.integers(0, 2, 50), jnp.float32)
    close(ours.sigmoid_focal_loss(z, t, alpha=0.25), optax.losses.sigmoid_focal_loss(z, t, alpha=0.25))
    found = jax.grad(lambda t: ours.sigmoid_focal_loss(z, t).sum())(t)
    inner = jnp.abs(t - 1e-3)
    beside = jax.grad(lambda t: optax.losses.sigmoid_focal_loss(z, t).sum())(inner)
    np.testing.assert_allclose(found, beside, rtol=0.1, atol=0.05)


def test_under_vmap_and_scan() -> None:
    z, y = scores(6, 4, 5), jnp.asarray(rng.integers(0, 5, (6, 4)))
    f = ours.softmax_cross_entropy_with_integer_labels
    expected = f(z, y)
    close(jax.vmap(f)(z, y), expected)
    _, scanned = jax.lax.scan(lambda carry, x: (carry, f(*x)), 0, (z, y))
    close(scanned, expected)
