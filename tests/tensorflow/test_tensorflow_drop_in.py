"""xent.tensorflow beside tf.nn: signatures, values, gradients, samplers, refusals."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_problems import DTYPES, INF, NAN, near

import xent.tensorflow as ours

CLASSES, HIDDEN, ROWS, TRUE, SAMPLED = 50, 8, 6, 2, 20


@pytest.mark.parametrize("name", ours.__all__)
def test_signatures_are_tensorflows(name: str) -> None:
    mine, theirs = (inspect.signature(getattr(library, name)).parameters.values() for library in (ours, tf.nn))
    assert [(p.name, p.default, p.kind) for p in mine] == [(p.name, p.default, p.kind) for p in theirs]


def pair(dtype: str, shape: tuple[int, ...] = (4, 7)) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return tf.cast(tf.constant(rng.random(shape)), dtype), tf.cast(tf.constant(rng.normal(size=shape) * 3), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_and_types_beside_tensorflows(dtype: str) -> None:
    """Also of labels that are no distribution, negative ones among them. The error is at most TensorFlow's own."""
    labels, logits = pair(dtype)
    tolerance = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 2e-6, "float64": 1e-13}[dtype]
    index = tf.argmax(labels, -1)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("softmax_cross_entropy_with_logits", {"labels": labels}),
        ("softmax_cross_entropy_with_logits", {"labels": labels - tf.cast(0.5, dtype), "axis": 0}),
        ("softmax_cross_entropy_with_logits", {"labels": tf.cast(labels > 0.5, tf.int32)}),
        ("sparse_softmax_cross_entropy_with_logits", {"labels": index}),
        ("sigmoid_cross_entropy_with_logits", {"labels": labels * 3}),
        ("weighted_cross_entropy_with_logits", {"labels": labels, "pos_weight": 2.5}),
        ("weighted_cross_entropy_with_logits", {"labels": labels, "pos_weight": labels[0]}),
    ]
    for name, options in calls:
        found = getattr(ours, name)(logits=logits, **options)
        expected = getattr(tf.nn, name)(logits=logits, **options)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), name
        near(found, expected, tolerance)


def test_gradients_beside_tensorflows() -> None:
    labels, logits = pair("float64")
    labels /= tf.reduce_sum(labels, -1, keepdims=True)
    for name, inputs in (
        ("softmax_cross_entropy_with_logits", (labels, logits)),
        ("sigmoid_cross_entropy_with_logits", (labels, logits)),
        ("weighted_cross_entropy_with_logits", (labels, logits, labels[0])),
    ):
        found = []
        for library in (ours, tf.nn):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                loss = getattr(library, name)(*inputs)
            found.append(tape.gradient(loss, inputs))
        for mine, theirs in zip(*found, strict=True):
            near(mine, theirs)


class Normal:
    """Random numbers in float32, which is what the samplers' counts are in."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def normal(self, size: Any) -> Any:
        return self.rng.normal(size=size).astype(np.float32)

    def integers(self, low: int, high: int, size: Any) -> Any:
        return self.rng.integers(low, high, size)


@pytest.mark.parametrize("hits", [True, False])
@pytest.mark.parametrize("sharded", [True, False])
@pytest.mark.parametrize("name", ["sampled_softmax_loss", "nce_loss"])
def test_sampled_losses_beside_tensorflows(name: str, sharded: bool, hits: bool) -> None:
    rng = Normal(2)
    weights = [tf.Variable(rng.normal(size=(CLASSES // 2, HIDDEN))) for _ in range(2)]
    biases, inputs = tf.Variable(rng.normal(size=CLASSES)), tf.constant(rng.normal(size=(ROWS, HIDDEN)))
    labels = tf.constant(rng.integers(0, CLASSES, (ROWS, TRUE)))
    sampled = tf.random.log_uniform_candidate_sampler(labels, TRUE, SAMPLED, True, CLASSES, seed=3)
    assert np.isin(labels, sampled[0]).any(), "an accidental hit"
    given = weights if sharded else [tf.Variable(tf.concat(weights, 0))]
    found = []
    for library in (ours, tf.nn):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = getattr(library, name)(
                given if sharded else given[0], biases, labels, inputs, SAMPLED, CLASSES,
                num_true=TRUE, sampled_values=sampled, remove_accidental_hits=hits,
            )  # fmt: skip
        found.append((loss, *map(tf.convert_to_tensor, tape.gradient(loss, [inputs, biases, *given]))))
    for mine, theirs in zip(*found, strict=True):
        near(mine, theirs, 2e-5)


def test_one_seed_draws_the_same_sample() -> None:
    rng = Normal(2)
    weights, biases = rng.normal(size=(CLASSES, HIDDEN)), rng.normal(size=CLASSES)
    inputs, labels = rng.normal(size=(ROWS, HIDDEN)), rng.integers(0, CLASSES, (ROWS, 1))
    for name, options in (("sampled_softmax_loss", {"seed": 5}), ("nce_loss", {})):
        found = []
        for library in (ours, tf.nn):
            tf.random.set_seed(1)
            call = getattr(library, name)
            found.append(call(weights, biases, labels, inputs, SAMPLED, CLASSES, **options))
        near(found[0], found[1], 2e-6)


def test_the_sampled_softmax_in_a_graph() -> None:
    rng = Normal(2)
    weights, biases = tf.constant(rng.normal(size=(CLASSES, HIDDEN))), tf.constant(rng.normal(size=CLASSES))
    inputs, labels = tf.constant(rng.normal(size=(ROWS, HIDDEN))), tf.constant(rng.integers(0, CLASSES, (ROWS, 1)))
    sampled = tf.random.log_uniform_candidate_sampler(labels, 1, SAMPLED, True, CLASSES, seed=3)

    def f(labels: Any, inputs: Any) -> Any:
        return ours.sampled_softmax_loss(weights, biases, labels, inputs, SAMPLED, CLASSES, sampled_values=sampled)

    open_batch = [tf.TensorSpec([None, 1], tf.int64), tf.TensorSpec([None, HIDDEN], tf.float32)]
    near(tf.function(f, input_signature=open_batch)(labels, inputs), f(labels, inputs), 2e-6)


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "no labels": ("softmax_cross_entropy_with_logits", {"labels": None, "logits": [[1.0, 2.0]]}),
    "sparse, no logits": ("sparse_softmax_cross_entropy_with_logits", {"labels": [0], "logits": None}),
    "sigmoid of nothing": ("sigmoid_cross_entropy_with_logits", {}),
    "integer logits": ("softmax_cross_entropy_with_logits", {"labels": [[1, 0]], "logits": [[1, 2]]}),
    "float labels": ("sparse_softmax_cross_entropy_with_logits", {"labels": [0.0], "logits": [[1.0, 2.0]]}),
    "no classes": ("sparse_softmax_cross_entropy_with_logits", {"labels": [0], "logits": [[]]}),
    "two types": ("sigmoid_cross_entropy_with_logits", {"labels": np.ones(2), "logits": np.ones(2, np.float32)}),
    "label beyond": ("sparse_softmax_cross_entropy_with_logits", {"labels": [2], "logits": [[1.0, 2.0]]}),
    "axis": ("softmax_cross_entropy_with_logits", {"labels": [[1.0, 0.0]], "logits": [[1.0, 2.0]], "axis": 3}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_tensorflows(case: str) -> None:
    name, arguments = REFUSED[case]
    with pytest.raises(Exception, match=r".") as theirs:
        getattr(tf.nn, name)(**arguments)
    with pytest.raises(type(theirs.value)) as mine:
        getattr(ours, name)(**arguments)
    assert str(mine.value) == str(theirs.value)


def test_labels_are_matched_where_lengths_are_unknown() -> None:
    f = tf.function(
        lambda y, z: ours.sparse_softmax_cross_entropy_with_logits(y, z),
        input_signature=[tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None, 3], tf.float32)],
    )
    y, z = tf.constant([[0, 1]]), tf.random.normal((1, 2, 3), seed=1)
    near(f(y, z), tf.nn.sparse_softmax_cross_entropy_with_logits(y, z), 1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError):
        f(tf.transpose(y), z)
    g = tf.function(
        lambda t, z: ours.softmax_cross_entropy_with_logits(t, z), input_signature=[tf.TensorSpec([None, 3])] * 2
    )
    t = tf.constant([[1.0, 0.0, 0.0]])
    near(g(t, z[0]), tf.nn.softmax_cross_entropy_with_logits(t, z[0]), 1e-6)


def test_nan_and_infinity_stay_in_their_rows() -> None:
    z = tf.constant([[NAN, 0.0], [1.0, 2.0], [INF, 0.0]])
    loss = ours.softmax_cross_entropy_with_logits(labels=tf.constant([[0.0, 1.0]] * 3), logits=z)
    np.testing.assert_allclose(loss, [NAN, 0.3132617, INF], rtol=1e-6)
