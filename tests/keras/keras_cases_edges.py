"""Where Keras's backends contradict one another or the mathematics: ours is one value on all of them.

The numbers D2 … D17 are those of the guide ("Use it in Keras").
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
from keras_gradient import BACKEND, value_and_gradient

import xent.keras as ours
from xent.errors import LabelError, ProbabilityError, ShapeError

both = pytest.mark.parametrize("compiled", [False, True], ids=["called", "compiled"])
SCORES = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]], "float32")
CROSS_ENTROPY = (math.log(1 + math.e + math.e**2) - 0.0, math.log(math.exp(0.5) + math.exp(-1) + 1) - 0.5)  # of class 0


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@both
def test_d2_scores_are_never_clipped(compiled: bool) -> None:
    z = np.array([[-50.0], [200.0]], "float32")
    loss = lambda z: ours.binary_crossentropy(np.array([[1.0], [0.0]], "float32"), z, from_logits=True)  # noqa: E731
    value, gradient = value_and_gradient(loss, z, compiled=compiled)
    assert value.tolist() == [50.0, 200.0]
    assert gradient.tolist() == [[-1.0], [1.0]]


@both
def test_focal_loss_of_scores_is_not_clipped(compiled: bool) -> None:
    """Keras: 50 where TensorFlow compiles, 16.118 elsewhere."""
    y = np.ones((1, 1), "float32")
    loss = lambda z: ours.binary_focal_crossentropy(y, z, from_logits=True)  # noqa: E731
    value, gradient = value_and_gradient(loss, np.array([[-50.0]], "float32"), compiled=compiled)
    assert value.tolist() == [50.0]
    assert gradient.tolist() == [[-1.0]]


@both
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_d27_a_confident_focal_loss_has_no_gradient(compiled: bool, gamma: float) -> None:
    """Keras: NaN for γ below 1, of scores not on PyTorch."""
    y = np.array([[1.0, 0.0]], "float32")
    for x, scores in ((np.array([[100.0, -100.0]], "float32"), True), (y, False)):
        loss = lambda x, s=scores: ours.binary_focal_crossentropy(y, x, from_logits=s, gamma=gamma)  # noqa: E731
        value, gradient = value_and_gradient(loss, x, compiled=compiled)
        assert value.tolist() == [0.0]
        assert gradient.tolist() == [[0.0, 0.0]]


def test_infinite_scores_have_their_losses() -> None:
    y = np.array([[1.0, 0.0]], "float32")
    z = np.array([[np.inf, -np.inf]], "float32")
    assert value_and_gradient(lambda z: ours.binary_crossentropy(y, z, from_logits=True), z)[0].tolist() == [0.0]
    p = np.array([[0.5, 0.0, 0.5]], "float32")
    z = np.array([[1.0, -np.inf, 3.0]], "float32")
    value, gradient = value_and_gradient(lambda z: ours.categorical_crossentropy(p, z, from_logits=True), z)
    np.testing.assert_allclose(value, [1.1269280], rtol=1e-6)
    np.testing.assert_allclose(gradient, softmax(z.astype("float64")) - p, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_d3_one_is_a_probability_in_half_precision_too(dtype: str) -> None:
    y = keras.ops.cast(np.array([[1.0, 0.0]]), dtype)
    p = keras.ops.cast(np.array([[1.0, 0.0]]), dtype)
    assert 0.0 <= float(ours.binary_crossentropy(y, p)[0]) < 2e-7
    assert 0.0 <= float(ours.BinaryCrossentropy(dtype=dtype)(y, p)) < 2e-7
    assert 0.0 <= float(ours.categorical_crossentropy(y, p)[0]) < 2e-7


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize(("label", "says"), [(3, "y_true - 1"), (-1, "ignore_class=-1"), (-100, "ignore_class=-100")])
def test_d5_a_label_that_is_no_class_is_refused(label: int, says: str, from_logits: bool) -> None:
    y_pred = SCORES if from_logits else softmax(SCORES)
    with pytest.raises(LabelError, match=says):
        ours.sparse_categorical_crossentropy(np.array([0, label]), y_pred, from_logits=from_logits)
    with pytest.raises(LabelError, match=r"at position \(1,\)"):
        ours.SparseCategoricalCrossentropy(from_logits=from_logits)(np.array([[0.0], [label]], "float32"), y_pred)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("label", [3, -100, 1.5])
def test_d5_or_is_nan_where_it_cannot_be_read(label: float, from_logits: bool) -> None:
    y_pred = SCORES if from_logits else softmax(SCORES)

    def loss(z: Any) -> Any:
        # Of the prediction's own kind, so that it is a part of the graph and not a constant that can be read.
        y = keras.ops.stop_gradient(z[:, 0] * 0 + keras.ops.convert_to_tensor(np.array([0, label], "float32")))
        return ours.sparse_categorical_crossentropy(y, z, from_logits=from_logits)

    value, gradient = value_and_gradient(loss, y_pred, compiled=True)
    np.testing.assert_allclose(value, [CROSS_ENTROPY[0], np.nan], rtol=1e-6)
    assert np.isfinite(gradient[0]).all()
    assert np.isnan(gradient[1]).any()


def test_a_label_between_two_classes_is_refused() -> None:
    with pytest.raises(LabelError, match="categorical_crossentropy"):
        ours.sparse_categorical_crossentropy(np.array([0.0, 1.5], "float32"), SCORES, from_logits=True)


@both
def test_d6_the_gradient_is_that_of_the_value(compiled: bool) -> None:
    """Of a target whose row sums to two TensorFlow's gradient is p − t; the value's own is 2p − t."""
    t = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]], "float32")
    loss = lambda z: ours.categorical_crossentropy(t, z, from_logits=True)  # noqa: E731
    value, gradient = value_and_gradient(loss, SCORES, compiled=compiled)
    np.testing.assert_allclose(value, [2 * CROSS_ENTROPY[0] - 1.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(gradient, t.sum(-1, keepdims=True) * softmax(SCORES) - t, atol=1e-6)


@pytest.mark.parametrize("jit", [False, True])
def test_d13_a_model_that_ends_in_softmax_has_one_loss(jit: bool) -> None:
    """The probabilities as they are, clipped, whether compiled or not: −log 1e-7. Scores: from_logits=True."""
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Activation("softmax")])
    x, y = np.array([[-50.0, 0.0, 3.0]], "float32"), np.array([[1.0, 0.0, 0.0]], "float32")
    compiled = jit and BACKEND != "torch"
    model.compile(loss=ours.CategoricalCrossentropy(), jit_compile=compiled, run_eagerly=not jit)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(-math.log(1e-7), rel=1e-6)
    scores = keras.Sequential([keras.layers.Input((3,)), keras.layers.Activation("linear")])
    scores.compile(loss=ours.CategoricalCrossentropy(from_logits=True), jit_compile=compiled, run_eagerly=not jit)
    assert scores.evaluate(x, y, verbose=0) == pytest.approx(53.0485873, rel=1e-6)


def test_d14_a_neighbour_of_the_ignored_class_is_not_ignored() -> None:
    z = keras.ops.cast(np.zeros((3, 1010)), "bfloat16")
    y = np.array([1001, 1002, 1000])
    found = ours.sparse_categorical_crossentropy(y, z, from_logits=True, ignore_class=1001)
    assert [float(x) > 6.0 for x in found] == [False, True, True]
    assert float(found[0]) == 0.0


def test_labels_are_not_rounded_to_the_type_of_the_loss() -> None:
    z = np.zeros((1, 300), "float32")
    z[0, 257] = 50.0
    loss = ours.SparseCategoricalCrossentropy(from_logits=True, dtype="bfloat16")
    assert float(loss(np.array([257]), z)) < 1e-6
    assert float(loss(np.array([256]), z)) == 50.0


@pytest.mark.parametrize(
    ("name", "y_true"),
    [
        ("binary_crossentropy", [[1.0, 0.0, 0.0]]),
        ("binary_focal_crossentropy", [[1.0, 0.0, 0.0]]),
        ("categorical_crossentropy", [[1.0, 0.0, 0.0]]),
        ("categorical_focal_crossentropy", [[1.0, 0.0, 0.0]]),
        ("sparse_categorical_crossentropy", [0]),
    ],
)
def test_d17_scores_given_as_probabilities_are_refused(name: str, y_true: Any) -> None:
    y, z = np.array(y_true), np.array([[5.0, -3.0, 1.0]], "float32")
    with pytest.raises(ProbabilityError, match=rf"{name}\(y_pred\).*from_logits=True"):
        getattr(ours, name)(y, z)
    value, gradient = value_and_gradient(lambda z: getattr(ours, name)(y, z), z, compiled=True)
    assert np.isnan(value).all()
    assert np.isnan(gradient).any()
    assert np.isfinite(value_and_gradient(lambda z: getattr(ours, name)(y, z, from_logits=True), z)[0]).all()


def test_probabilities_may_be_off_by_rounding() -> None:
    p = np.array([[1.0 + 1e-5, -1e-6]], "float32")
    assert 0.0 <= float(ours.binary_crossentropy(np.array([[1.0, 0.0]]), p)[0]) < 1e-6


def test_every_class_axis_works_on_every_backend() -> None:
    z = np.random.default_rng(3).normal(size=(2, 4, 3)).astype("float32")
    y = np.array([[0, 1, 3], [2, 2, 1]])
    for from_logits in (True, False):
        q = z if from_logits else np.moveaxis(softmax(np.moveaxis(z, 1, -1)), -1, 1)
        mine = ours.SparseCategoricalCrossentropy(from_logits=from_logits, axis=1, reduction=None)
        got, _ = value_and_gradient(lambda q, mine=mine: mine(y, q), q)
        expected = -np.log(np.take_along_axis(softmax(np.moveaxis(z, 1, -1)), y[..., None], -1)[..., 0])
        np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_smoothing_spreads_over_the_class_axis() -> None:
    z = np.random.default_rng(4).normal(size=(2, 4, 3)).astype("float32")
    t = np.moveaxis(np.eye(4, dtype="float32")[np.array([[0, 1, 3], [2, 2, 1]])], -1, 1)
    along = ours.categorical_crossentropy(t, z, from_logits=True, label_smoothing=0.1, axis=1)
    last = ours.categorical_crossentropy(
        np.moveaxis(t, 1, -1), np.moveaxis(z, 1, -1), from_logits=True, label_smoothing=0.1
    )
    np.testing.assert_allclose(keras.ops.convert_to_numpy(along), keras.ops.convert_to_numpy(last), rtol=1e-6)


@both
def test_d19_an_example_that_does_not_count_has_no_loss_and_no_gradient(compiled: bool) -> None:
    z = np.array([[1.0, 2.0, 3.0], [np.nan, 0.0, 1.0]], "float32")
    ignoring = ours.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    weighted = ours.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    for loss in (
        lambda z: ignoring(np.array([0, -1]), z),
        lambda z: weighted(np.array([0, 1]), z, sample_weight=np.array([1.0, 0.0], "float32")),
    ):
        value, gradient = value_and_gradient(loss, z, compiled=compiled)
        np.testing.assert_allclose(value, CROSS_ENTROPY[0], rtol=1e-6)
        assert gradient[1].tolist() == [0.0, 0.0, 0.0]


def test_a_mean_over_nothing_is_zero() -> None:
    loss = ours.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1)
    value, gradient = value_and_gradient(lambda z: loss(np.array([1, 1]), z), SCORES)
    assert float(value) == 0.0
    assert not gradient.any()


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="must have the same shape"):
        ours.binary_crossentropy(np.zeros(4, "float32"), np.zeros((4, 1), "float32"))
    with pytest.raises(ShapeError, match="sparse_categorical_crossentropy"):
        ours.categorical_crossentropy(np.zeros(2, "float32"), SCORES)
    with pytest.raises(ShapeError, match="Write categorical_crossentropy"):
        ours.sparse_categorical_crossentropy(np.eye(3)[:2], SCORES)
    with pytest.raises(ShapeError, match="-2 to 1"):
        ours.categorical_crossentropy(np.eye(3)[:2], SCORES, axis=5)
    if BACKEND == "tensorflow":
        # TensorFlow gives what is raised in a graph another type, and keeps its words.
        with pytest.raises(Exception, match="known length"):
            value_and_gradient(
                lambda z: ours.categorical_crossentropy(z, z, from_logits=True, axis=0), SCORES, compiled=True
            )
    with pytest.warns(SyntaxWarning, match="binary_crossentropy"):
        ours.sparse_categorical_crossentropy(np.array([0, 0]), SCORES[:, :1], from_logits=True)
