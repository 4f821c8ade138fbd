"""The edges on which frameworks disagree, bad data, types and empty batches: eager, under jit, in gradients."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import xent
from xent import errors

WAYS = pytest.mark.parametrize("way", [lambda f: f, jax.jit], ids=["eager", "jit"])


def both(P: Callable[[Any], Any], z: Any, truth: Any, way: Callable[..., Any] = jax.jit, **options: Any) -> Any:
    """Loss and gradient of scores."""
    f = lambda z, truth: xent.cross_entropy(P(truth), xent.Logits(z), **options)  # noqa: E731
    return way(jax.value_and_grad(f))(jnp.asarray(z), jnp.asarray(truth))


@pytest.mark.parametrize("label", [3, -1, -100, 2**31 - 1])
@pytest.mark.parametrize("classes", [3, 40000])
def test_d5_a_bad_label_raises_in_an_eager_call_and_is_nan_under_jit(label: int, classes: int) -> None:
    label = max(label, classes) if label > 0 else label
    z = jnp.zeros((2, classes), jnp.float32)
    y = jnp.array([1, label])
    with pytest.raises(errors.LabelError, match=r"at position \(1,\)"):
        xent.cross_entropy(xent.Labels(y), xent.Logits(z))
    value, slope = both(xent.Labels, z, y)
    assert np.isnan(value)
    assert np.isnan(slope[1]).all()
    assert np.isfinite(slope[0]).all()
    each = jax.jit(lambda z, y: xent.cross_entropy(xent.Labels(y), xent.Logits(z), reduction="none"))(z, y)
    assert np.isnan(each[1])
    assert each[0] == pytest.approx(np.log(classes))


@WAYS
def test_d6_a_truth_that_sums_to_two(way: Callable[..., Any]) -> None:
    z, p = jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 1.0, 0.0])
    with pytest.raises(errors.NormalizationError):
        xent.cross_entropy(xent.Distribution(p), xent.Logits(z))
    value, slope = both(xent.Distribution, z, p, way)
    assert np.isnan(value)
    assert np.isnan(slope).all()


@WAYS
@pytest.mark.parametrize("name", ["probs", "weight", "denominator"])
def test_other_bad_data_is_nan_where_it_cannot_be_read(name: str, way: Callable[..., Any]) -> None:
    def loss(z: Any, bad: Any) -> Any:
        if name == "probs":
            return xent.cross_entropy(xent.Labels(jnp.array([0])), xent.Probabilities(jax.nn.softmax(z) * bad))
        return xent.cross_entropy(xent.Labels(jnp.array([0])), xent.Logits(z), **{name: -bad})

    z = jnp.array([[0.0, 1.0]])
    value, slope = way(jax.value_and_grad(loss))(z, jnp.asarray(2.0))
    assert np.isnan(value)
    assert np.isnan(slope).all()
    with pytest.raises((errors.DataError, errors.OptionError)):
        loss(z, jnp.asarray(2.0))


@WAYS
def test_d8_no_mass_at_minus_infinity(way: Callable[..., Any]) -> None:
    value, slope = both(xent.Distribution, [1.0, -inf, 3.0], [0.5, 0.0, 0.5], way)
    assert value == pytest.approx(1.126928, abs=1e-6)
    np.testing.assert_allclose(slope, [1 / (1 + np.e**2) - 0.5, 0.0, 0.5 - 1 / (1 + np.e**2)], rtol=1e-6)


@WAYS
@pytest.mark.parametrize(("z", "t"), [(inf, 1.0), (-inf, 0.0)])
def test_d9_a_certain_indicator(z: float, t: float, way: Callable[..., Any]) -> None:
    value, slope = both(xent.Indicators, z, t, way)
    assert (value, slope) == (0.0, 0.0)


@WAYS
def test_d10_a_teacher_without_mass_in_a_class(way: Callable[..., Any]) -> None:
    teacher = jnp.array([0.0, -inf, 0.0])

    def loss(z: Any, teacher: Any) -> Any:
        return xent.kl_divergence(xent.Distribution.from_logits(teacher), xent.Logits(z))

    value, slopes = way(jax.value_and_grad(loss, (0, 1)))(jnp.zeros(3), teacher)
    assert value == pytest.approx(np.log(1.5), abs=1e-6)
    np.testing.assert_allclose(slopes[0], [-1 / 6, 1 / 3, -1 / 6], atol=1e-6)
    np.testing.assert_allclose(slopes[1], 0.0, atol=1e-6)


@WAYS
@pytest.mark.parametrize(("empty", "expected"), [("nan", nan), ("zero", 0.0)])
@pytest.mark.parametrize("rows", [0, 3])
def test_d11_d12_a_mean_over_nothing(rows: int, empty: str, expected: float, way: Callable[..., Any]) -> None:
    P = lambda y: xent.Labels(y, ignore=-100)  # noqa: E731
    z, y = jnp.full((rows, 4), nan), jnp.full(rows, -100)
    value, slope = both(P, z, y, way, empty=empty)
    np.testing.assert_equal(float(value), expected)
    assert slope.shape == z.shape
    assert not np.any(slope)
    np.testing.assert_equal(float(xent.cross_entropy(P(y), xent.Logits(z), empty=empty)), expected)
    with pytest.raises(errors.EmptyError):
        xent.cross_entropy(P(y), xent.Logits(z), empty="raise")
    assert xent.cross_entropy(P(y), xent.Logits(z), reduction="none").shape == (rows,)


@WAYS
@pytest.mark.parametrize("classes", [4, 20000])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("marked", ["ignored", "weight 0"])
def test_d19_a_row_that_does_not_count_is_zero_whatever_it_holds(
    classes: int, reduction: str, marked: str, way: Callable[..., Any]
) -> None:
    z = np.zeros((3, classes), np.float32)
    z[1] = nan
    if marked == "ignored":
        found = both(lambda y: xent.Labels(y, ignore=9), z, [0, 9, 1], way, reduction=reduction)
    else:
        found = both(xent.Labels, z, [0, 2, 1], way, weight=jnp.array([1.0, 0.0, 1.0]), reduction=reduction)
    assert float(found[0]) == pytest.approx(np.log(classes) * (2 if reduction == "sum" else 1), rel=1e-6)
    assert not np.any(found[1][1])
    assert np.all(np.isfinite(found[1]))


def test_an_ignored_row_reaches_no_second_derivative() -> None:
    z = jnp.array([[0.0, 1.0, 2.0], [nan, nan, nan]])
    f = lambda z: xent.cross_entropy(xent.Labels(jnp.array([0, -1]), ignore=-1), xent.Logits(z))  # noqa: E731
    for way in (lambda f: f, jax.jit):
        found = way(jax.hessian(f))(z)
        assert np.all(np.isfinite(found))
        assert not np.any(found[1])
        assert not np.any(found[:, :, 1])
        assert np.any(found[0, :, 0])


@WAYS
def test_nan_scores_that_count_give_nan(way: Callable[..., Any]) -> None:
    value, slope = both(xent.Labels, [[0.0, nan], [0.0, 0.0]], [0, 1], way)
    assert np.isnan(value)
    assert np.isnan(slope[0]).all()
    assert np.isfinite(slope[1]).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("classes", [10, 5000])
def test_half_precision_is_computed_in_single(dtype: str, classes: int) -> None:
    rng = np.random.default_rng(3)
    z = jnp.asarray(rng.standard_normal((16, classes)) * 4, dtype)
    y = jnp.asarray(rng.integers(0, classes, 16))
    wide = np.asarray(z.astype(jnp.float32)).astype(np.float64)
    exact, slope = xent.value_and_grad(xent.Labels(np.asarray(y)), xent.Logits(wide))
    step = {"float16": 2**-11, "bfloat16": 2**-8, "float32": 2**-22}[dtype]
    for way in (lambda f: f, jax.jit):
        value, found = both(xent.Labels, z, y, way)
        assert value.dtype == jnp.float32
        assert found.dtype == z.dtype
        assert float(value) == pytest.approx(float(exact), rel=1e-6)
        np.testing.assert_allclose(np.asarray(found, np.float64), slope, rtol=2 * step, atol=6e-8)
    value, found = xent.value_and_grad(xent.Labels(y), xent.Logits(z))
    assert (value.dtype, found.dtype) == (jnp.float32, z.dtype)
    np.testing.assert_allclose(np.asarray(found, np.float64), slope, rtol=2 * step, atol=6e-8)


def test_a_loss_scale_reaches_a_gradient_in_float16_before_it_is_rounded() -> None:
    z = jnp.asarray(np.zeros((4096, 64)), jnp.float16)
    y = jnp.zeros(4096, int)
    scaled = jax.jit(jax.grad(lambda z: 2.0**15 * xent.cross_entropy(xent.Labels(y), xent.Logits(z))))(z)
    np.testing.assert_allclose(np.asarray(scaled[:, 1], np.float64), 2.0**15 / 4096 / 64, rtol=1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint32", "int32"])
def test_labels_of_every_type(dtype: str) -> None:
    z = jnp.zeros((2, 300))
    y = jnp.array([7, 100]).astype(dtype)
    for way in (lambda f: f, jax.jit):
        value, slope = both(xent.Labels, z, y, way)
        assert float(value) == pytest.approx(np.log(300))
        assert slope[1, 100] < 0 < slope[1, 99]


def test_p_and_q_of_two_frameworks_are_refused() -> None:
    with pytest.raises(errors.BackendError, match="numpy"):
        xent.cross_entropy(xent.Labels([0]), xent.Logits(jnp.zeros((1, 2))))


def test_labels_are_traced_where_scores_are_not() -> None:
    z = jnp.array([[0.0, 1.0, 3.0]])
    each = jax.vmap(lambda y: xent.cross_entropy(xent.Labels(y[None]), xent.Logits(z)))(jnp.arange(3))
    np.testing.assert_allclose(each, -jax.nn.log_softmax(z[0]), rtol=1e-6)
    slope = jax.grad(
        lambda w: xent.cross_entropy(xent.Labels(jnp.array([2])), xent.Logits(z), weight=w, reduction="sum")
    )
    np.testing.assert_allclose(slope(jnp.ones(1)), -jax.nn.log_softmax(z)[:, 2], rtol=1e-5)


def test_nothing_that_was_given_is_written_to() -> None:
    z = jnp.asarray(np.random.default_rng(0).standard_normal((64, 1000)), jnp.float32)
    y, before = jnp.zeros(64, int), np.array(z)
    both(xent.Labels, z, y, lambda f: f)
    both(xent.Labels, z, y, jax.jit)
    xent.value_and_grad(xent.Labels(y), xent.Logits(z))
    np.testing.assert_array_equal(before, z)


@WAYS
def test_information_of_arrays(way: Callable[..., Any]) -> None:
    p = jnp.array([[0.25, 0.25], [0.5, 0.0]])
    found = way(xent.mutual_information)(p)
    assert float(found) == pytest.approx(float(xent.mutual_information(np.asarray(p))), rel=1e-6)
    assert isinstance(found, jax.Array)
    np.testing.assert_allclose(way(xent.self_information)(p[0]), np.log(4.0), rtol=1e-6)
    joint = way(lambda p: xent.entropy(xent.Distribution(p)))(p.reshape(-1))
    assert float(joint) == pytest.approx(1.5 * np.log(2), rel=1e-6)
    error = way(lambda z, y: xent.classification_error(xent.Labels(y), xent.Logits(z)))
    assert float(error(jnp.array([[2.0, 1.0], [2.0, 1.0]]), jnp.array([0, 1]))) == 0.5
    hinge = way(lambda z, y: xent.hinge(xent.Labels(y), xent.Logits(z)))
    assert float(hinge(jnp.array([[1.5, 1.0, -2.0]]), jnp.array([0]))) == 0.5
