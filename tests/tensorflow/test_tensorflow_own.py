"""TensorFlow's own tests of its losses, their inputs and expected values taken as data, run against ours.

From the repository tensorflow/tensorflow, under tensorflow/python: kernel_tests/nn_ops/xent_op_test_base.py,
kernel_tests/nn_ops/sparse_xent_op_test_base.py (kernel_tests/sparse_xent_op_test_base.py before), ops/nn_xent_test.py
and ops/nn_test.py. What is not carried over: session placeholders of unknown rank, which the losses refuse
(testLabelsPlaceholderScalar, testScalarHandling), and which operations stand in a graph. Where TensorFlow expects what
is not the mathematics, the case is in the guide's table, and ``CONTRADICTIONS`` here has both values.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_problems import NAN, in_numpy

import xent.tensorflow as ours

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "tensorflow.md"
BOTH = [[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0]]
SOFT = [[0.0, 0.0, 0.0, 1.0], [0.0, 0.5, 0.5, 0.0]]
#: Of each type: what TensorFlow's assertAllCloseAccordingToType allows.
CLOSE = {"float16": 1e-2, "bfloat16": 1e-2, "float32": 1e-5, "float64": 1e-6}
RUNS = {"eager": lambda f: f, "graph": tf.function, "xla": lambda f: tf.function(f, jit_compile=True)}


def forward_and_back(loss: Any, labels: Any, logits: Any, **options: Any) -> tuple[Any, Any]:
    logits = tf.convert_to_tensor(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = loss(labels=labels, logits=logits, **options)
    return found, tape.gradient(found, logits)


def softmax(z: Any, axis: int = -1) -> Any:
    e = np.exp(z - np.max(z, axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def close(found: Any, expected: Any, tolerance: float) -> None:
    np.testing.assert_allclose(in_numpy(found), expected, rtol=tolerance, atol=tolerance)


# xent_op_test_base.py


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("dtype", CLOSE)
def test_half_bfloat16_float_double(dtype: str, run: str) -> None:
    labels, logits = tf.constant(SOFT, dtype), tf.constant(BOTH, dtype)
    f = RUNS[run](lambda t, z: forward_and_back(ours.softmax_cross_entropy_with_logits, t, z))
    loss, gradient = f(labels, logits)
    p = softmax(np.array(BOTH))
    close(loss, [1.3862944, 1.9401897], CLOSE[dtype])
    close(gradient, p - SOFT, CLOSE[dtype])
    assert loss.dtype == gradient.dtype == logits.dtype


def test_np_xent() -> None:
    loss, gradient = forward_and_back(ours.softmax_cross_entropy_with_logits, np.array(SOFT), np.array(BOTH))
    close(loss, [1.3862, 1.9401], 1e-3)
    close(gradient, [[0.25, 0.25, 0.25, -0.75], [0.0321, -0.4129, -0.2632, 0.6439]], 1e-3)


def test_labels_broadcast() -> None:
    """The rows of labels; the third case of the source is labels of one number a row, in CONTRADICTIONS."""
    labels, logits = np.float16([[0.0, 0.0, 0.0, 1.0]]), np.float16(BOTH)
    loss, gradient = forward_and_back(ours.softmax_cross_entropy_with_logits, labels, logits)
    p = softmax(np.array(BOTH))
    close(loss, -np.log(p[:, 3]), 1e-2)
    close(gradient, p - [0, 0, 0, 1], 1e-2)
    loss, gradient = forward_and_back(
        ours.softmax_cross_entropy_with_logits, np.float16([[1.0]]), np.float16([[1.0], [2.0]])
    )
    close(loss, [0.0, 0.0], 0.0)
    close(gradient, [[0.0], [0.0]], 0.0)


def test_shape_mismatch() -> None:
    labels, logits = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], [[0.0, 1.0], [2.0, 3.0]]
    with pytest.raises(tf.errors.InvalidArgumentError):
        ours.softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    with pytest.raises(ValueError, match=r"."):
        tf.function(lambda: ours.softmax_cross_entropy_with_logits(labels=labels, logits=logits), autograph=False)()


GRADIENT_LABELS = [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.5]
GRADIENT_LOGITS = [0.1, 0.2, 0.3, 0.4, 0.1, 0.4, 0.9, 1.6, 0.1, 0.8, 2.7, 6.4]


def numeric(f: Any, x: Any) -> tuple[Any, Any]:
    return tf.test.compute_gradient(f, [tf.constant(x, tf.float64)], delta=1e-4)


@pytest.mark.parametrize("by", ["logits", "labels"])
def test_gradient_and_gradient_label_with_v2(by: str) -> None:
    given = {"labels": np.reshape(GRADIENT_LABELS, (3, 4)), "logits": np.reshape(GRADIENT_LOGITS, (3, 4))}

    def f(x: Any) -> Any:
        return ours.softmax_cross_entropy_with_logits(**{**given, by: x})

    (analytic,), (numerical,) = numeric(f, given[by])
    close(analytic, numerical, 5e-8)


def test_second_gradient() -> None:
    labels = np.array(GRADIENT_LABELS) / 3

    def slope(z: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = tf.reduce_sum(ours.softmax_cross_entropy_with_logits(labels=labels, logits=z))
        return tape.gradient(loss, z)

    # Σt = 1 here, of the labels as the source has them: a single row of twelve classes.
    assert labels.sum() == pytest.approx(1.0)
    (analytic,), (numerical,) = numeric(slope, GRADIENT_LOGITS)
    close(analytic, numerical, 5e-8)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_3d(axis: int) -> None:
    labels = np.float32(
        [
            [[0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0]],
            [[0.0, 0.5, 0.5, 0.0], [0.5, 0.5, 0.0, 0.0]],
            [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
        ]
    )
    logits = np.float32([[[1, 1, 1, 1], [1, 2, 3, 4]], [[2, 3, 4, 5], [6, 7, 8, 9]], [[5, 4, 3, 2], [1, 2, 3, 4]]])
    loss = ours.softmax_cross_entropy_with_logits(labels=labels, logits=logits, axis=axis)
    close(loss, -np.sum(labels * np.log(softmax(logits, axis)), axis), 1e-5)


def test_zero_dimension() -> None:
    empty = np.zeros((0, 2, 4), np.float32)
    assert ours.softmax_cross_entropy_with_logits(labels=empty, logits=empty).shape == (0, 2)


# sparse_xent_op_test_base.py


@pytest.mark.parametrize("label", ["int32", "int64"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_sparse_float_double_half(dtype: str, label: str) -> None:
    for labels in ([3, 0], [0, 3]):
        loss, gradient = forward_and_back(
            ours.sparse_softmax_cross_entropy_with_logits, np.array(labels, label), np.array(BOTH, dtype)
        )
        p = softmax(np.array(BOTH))
        close(loss, -np.log(p[[0, 1], labels]), CLOSE[dtype])
        close(gradient, p - np.eye(4)[labels], CLOSE[dtype])


def test_sparse_single_class() -> None:
    loss, gradient = forward_and_back(
        ours.sparse_softmax_cross_entropy_with_logits, np.array([0, 0, 0]), np.float32([[1.0], [-1.0], [0.0]])
    )
    close(loss, [0.0, 0.0, 0.0], 0.0)
    close(gradient, [[0.0]] * 3, 0.0)


def test_sparse_invalid_labels() -> None:
    """testInvalidLabelException on the CPU; testInvalidLabelNans where nothing can be raised: in a graph."""
    labels, logits = [4, 3, 0, -1], [[1.0] * 4, [1.0] * 4, [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Received a label value of"):
        ours.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    f = tf.function(lambda: forward_and_back(ours.sparse_softmax_cross_entropy_with_logits, labels, logits))
    loss, gradient = f()
    close(loss, [NAN, 1.3862, 3.4420, NAN], 1e-3)
    close(gradient, [[NAN] * 4, [0.25, 0.25, 0.25, -0.75], [-0.968, 0.087, 0.237, 0.6439], [NAN] * 4], 1e-3)


def test_sparse_shape_mismatch_scalar_vector_empty() -> None:
    sparse = ours.sparse_softmax_cross_entropy_with_logits
    with pytest.raises(ValueError, match=r"rank"):
        sparse(labels=[[0, 2]], logits=[[0.0, 1.0], [2.0, 3.0], [2.0, 3.0]])
    with pytest.raises(ValueError, match="cannot be a scalar"):
        sparse(labels=tf.constant(0), logits=tf.constant(1.0))
    assert float(sparse(labels=tf.constant(0), logits=tf.constant([1.0]))) == 0.0
    loss, gradient = forward_and_back(sparse, np.zeros((0,), np.int32), np.zeros((0, 3)))
    assert (loss.shape, gradient.shape) == ((0,), (0, 3))


@pytest.mark.parametrize("order", [1, 2])
def test_sparse_gradients(order: int) -> None:
    labels = tf.constant([3, 0, 1])
    logits = GRADIENT_LOGITS if order == 1 else [0.3, 0.4, 0.1, 1.2, 0.1, 1.9, 0.1, 0.7, 0.8, 0.2, 1.3, 1.3]

    def loss(z: Any) -> Any:
        return ours.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=z)

    def slope(z: Any) -> Any:
        return forward_and_back(ours.sparse_softmax_cross_entropy_with_logits, labels, z)[1]

    (analytic,), (numerical,) = numeric(loss if order == 1 else slope, np.reshape(logits, (3, 4)))
    close(analytic, numerical, 5e-8)


@pytest.mark.parametrize(
    ("labels", "logits"),
    [
        ([[3], [0]], [[BOTH[0]], [BOTH[1]]]),
        ([[3, 2], [0, 3]], [[[1.0] * 4, [2.0] * 4], [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]]),
    ],
)
def test_sparse_high_dim(labels: Any, logits: Any) -> None:
    loss, gradient = forward_and_back(ours.sparse_softmax_cross_entropy_with_logits, labels, tf.constant(logits))
    p, hot = softmax(np.array(logits)), np.eye(4)[np.array(labels)]
    close(loss, -np.log((p * hot).sum(-1)), 1e-5)
    close(gradient, p - hot, 1e-5)


# nn_xent_test.py

X = [-100.0, -2.0, -2.0, 0.0, 2.0, 2.0, 2.0, 100.0]
Y = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.5, 1.0]
BINARY = {
    "sigmoid": (lambda t, z: ours.sigmoid_cross_entropy_with_logits(labels=t, logits=z), 1.0),
    "weighted": (lambda t, z: ours.weighted_cross_entropy_with_logits(labels=t, logits=z, pos_weight=3.0), 3.0),
}


@pytest.mark.parametrize("shape", [(8,), (2, 2, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", BINARY)
def test_logistic_output(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    loss, weight = BINARY[name]
    found = loss(tf.constant(Y, dtype, shape), tf.constant(X, dtype, shape))
    p = np.clip(1 / (1 + np.exp(-np.array(X))), 1e-4, 1 - 1e-4)  # as the source has it: within its tolerance
    expected = -np.array(Y) * weight * np.log(p) - (1 - np.array(Y)) * np.log(1 - p)
    np.testing.assert_allclose(
        in_numpy(found), expected.reshape(shape), rtol=1e-6 if dtype == "float32" else 1e-3, atol=1e-3
    )
    assert found.dtype == dtype


@pytest.mark.parametrize("name", BINARY)
def test_logistic_gradient_and_shape_error(name: str) -> None:
    loss, _ = BINARY[name]
    (analytic,), (numerical,) = numeric(lambda z: loss(tf.constant(Y, tf.float64, (4, 2)), z), np.reshape(X, (4, 2)))
    close(analytic, numerical, 1e-7)
    with pytest.raises(ValueError, match="must have the same shape"):
        loss([1, 2, 3], [[2, 1]])


def test_gradient_at_zero() -> None:
    z, t = tf.constant([0.0, 0.0], tf.float64), tf.constant([0.0, 1.0], tf.float64)
    _, gradient = forward_and_back(ours.sigmoid_cross_entropy_with_logits, t, z)
    close(gradient, [0.5, -0.5], 0.0)


def test_construction_named() -> None:
    names = []

    def f() -> Any:
        for loss, options, name in (
            (ours.sigmoid_cross_entropy_with_logits, {}, "mylogistic"),
            (ours.weighted_cross_entropy_with_logits, {"pos_weight": 3.0}, "mybce"),
        ):
            found = loss(labels=tf.constant(Y), logits=tf.constant(X), name=name, **options)
            names.append(found.op.name)
        return found

    tf.function(f, autograph=False).get_concrete_function()
    assert names == ["mylogistic", "mybce"]


# Where TensorFlow expects what is not the mathematics.

THIRD = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]])


def gradient_of(loss: Any, labels: Any, logits: Any) -> Any:
    return forward_and_back(loss, tf.constant(labels), tf.constant(logits))[1]


def last(loss: Any, labels: Any, logits: Any) -> Any:
    return loss(labels=tf.constant(labels), logits=tf.constant(logits))


INF = math.inf
SOFTMAX, SIGMOID, WEIGHTED = (
    "softmax_cross_entropy_with_logits",
    "sigmoid_cross_entropy_with_logits",
    "weighted_cross_entropy_with_logits",
)
#: Row of the guide's table: function, what is measured, labels, logits, TensorFlow's value, ours.
CONTRADICTIONS: dict[str, tuple[str, Any, Any, Any, Any, Any]] = {
    "T1": (SOFTMAX, gradient_of, [[1.0, 1.0, 0.0]], [[1.0, 2.0, 3.0]],
           [softmax(np.array([1.0, 2.0, 3.0])) - [1, 1, 0]], [2 * softmax(np.array([1.0, 2.0, 3.0])) - [1, 1, 0]]),
    "T2": (SOFTMAX, gradient_of, [[-1.0], [0.0], [1.0], [1.0]], [[1.0], [-1.0], [0.0], [1.0]],
           [[2.0], [1.0], [0.0], [0.0]], [[0.0]] * 4),
    "T3": (SOFTMAX, gradient_of, [[0.0], [2.0], [0.25]], THIRD,
           softmax(THIRD) - [[0.0], [2.0], [0.25]], softmax(THIRD) * [[0], [8], [1]] - [[0.0], [2.0], [0.25]]),
    "T4": (SOFTMAX, last, [[0.5, 0.0, 0.5]], [[1.0, -INF, 3.0]], [NAN], [1.1269280110429725]),
    "T5": (SIGMOID, last, [1.0], [INF], [NAN], [0.0]),
    "T6": (WEIGHTED, lambda loss, t, z: loss(labels=tf.constant(t), logits=tf.constant(z), pos_weight=2.0),
           [1.0], [INF], [NAN], [0.0]),
    "T7": (SOFTMAX, last, [[1.0, 0.0]], [[INF, 0.0]], [NAN], [0.0]),
    "T8": (SOFTMAX, last, np.array([[1.0, 0.0]]), np.array([[40.0, 0.0]]), [0.0], [math.log1p(math.exp(-40.0))]),
}  # fmt: skip


def test_the_guide_lists_every_contradiction_and_no_other() -> None:
    assert re.findall(r"^\| (T\d+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE) == list(CONTRADICTIONS)


@pytest.mark.parametrize("row", CONTRADICTIONS)
def test_a_contradiction_is_one(row: str) -> None:
    """TensorFlow still says what the table says, and ours is the other value."""
    name, measured, labels, logits, theirs, mine = CONTRADICTIONS[row]
    np.testing.assert_allclose(measured(getattr(tf.nn, name), labels, logits), theirs, rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(measured(getattr(ours, name), labels, logits), mine, rtol=1e-6, atol=1e-30)
