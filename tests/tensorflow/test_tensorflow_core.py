"""cross_entropy and the measures on TensorFlow's tensors: the values of NumPy and of the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_problems import DTYPES, MODES, PAIRS, as_numpy, held, in_numpy, near, problem, value_and_tape

import xent
from xent.core import reference
from xent.errors import BackendError, LabelError, NormalizationError, ShapeError

#: Half precision is computed in float32; a gradient is rounded to Q's own type.
LOSS = {"float16": 2e-6, "bfloat16": 2e-6, "float32": 2e-6, "float64": 1e-13}
GRADIENT = {"float16": 2e-3, "bfloat16": 1e-2, "float32": 2e-6, "float64": 1e-13}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("P", "Q"), PAIRS)
def test_losses_and_gradients_are_those_of_the_oracle(P: str, Q: str, dtype: str) -> None:
    truth, prediction = problem(P, Q, dtype)
    x, kind = held(prediction), type(prediction)
    losses, gradient = value_and_tape(truth, kind, x, reduction="none")
    exact = as_numpy(truth, prediction)
    assert losses.dtype == (tf.float64 if dtype == "float64" else tf.float32)
    assert gradient.dtype == x.dtype
    np.testing.assert_allclose(in_numpy(losses), reference.losses(*exact), rtol=LOSS[dtype], atol=LOSS[dtype])
    slopes = reference.gradients(*exact)
    np.testing.assert_allclose(in_numpy(gradient), slopes, rtol=GRADIENT[dtype], atol=GRADIENT[dtype])
    value, same = xent.value_and_grad(truth, prediction, reduction="sum")
    np.testing.assert_allclose(float(value), reference.losses(*exact).sum(), rtol=1e-5)
    np.testing.assert_allclose(in_numpy(same), slopes, rtol=GRADIENT[dtype], atol=GRADIENT[dtype])
    assert same.dtype == x.dtype


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("P", "Q"), PAIRS)
def test_every_mode_gives_the_eager_numbers(P: str, Q: str, mode: str) -> None:
    truth, prediction = problem(P, Q)
    x, kind = held(prediction), type(prediction)
    weight = tf.constant([2.0, 0.5, 0.0], tf.float64)[:, None] * tf.ones((3, 4), tf.float64)
    weight = weight[..., None] if P == "yes" else weight

    def f(x: Any) -> Any:
        return value_and_tape(truth, kind, x, weight=weight)

    for found, expected in zip(MODES[mode](f, x)(x), f(x), strict=True):
        near(found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", MODES)
def test_half_precision_in_every_mode(mode: str, dtype: str) -> None:
    truth, prediction = problem("labels", "logits", dtype)
    f = lambda x: value_and_tape(truth, xent.Logits, x)  # noqa: E731
    x = prediction.scores
    (loss, gradient), (value, slope) = MODES[mode](f, x)(x), f(x)
    near(loss, value, LOSS[dtype])
    near(gradient, slope, GRADIENT[dtype])
    assert gradient.dtype == x.dtype


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("mode", ["eager", "xla"])
def test_any_axis(axis: int, mode: str) -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(3, 4, 5))
    y = rng.integers(0, z.shape[axis], np.delete(z.shape, axis))

    def f(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = xent.cross_entropy(xent.Labels(tf.constant(y)), xent.Logits(x, axis=axis))
        return loss, tape.gradient(loss, x)

    run = f if mode == "eager" else MODES[mode](f)
    expected = xent.value_and_grad(xent.Labels(y), xent.Logits(z, axis=axis))
    for found, right in zip(run(tf.constant(z)), expected, strict=True):
        near(found, right)


MEASURES = {
    "kl_divergence": lambda P, Q: xent.kl_divergence(P, Q),
    "js_divergence": lambda P, Q: xent.js_divergence(P, Q),
    "perplexity": lambda P, Q: xent.perplexity(P, Q),
    "squared_error": lambda P, Q: xent.squared_error(P, Q),
    "classification_error": lambda P, Q: xent.classification_error(P, Q),
    "hinge": lambda P, Q: xent.hinge(P, Q),
    "entropy of Q": lambda P, Q: xent.entropy(Q),
    "focal": lambda P, Q: xent.cross_entropy(P, Q, shaping=xent.Focal(2.0, soft="surprisal")),
    "z-loss": lambda P, Q: xent.cross_entropy(P, Q, penalties=[xent.ZLoss(0.1)]),
    "class weights": lambda P, Q: xent.cross_entropy(P, Q, class_weight=[1.0, 2.0, 3.0, 4.0, 5.0]),
}


@pytest.mark.parametrize("P", ["labels", "soft", "teacher"])
@pytest.mark.parametrize("measure", MEASURES)
def test_measures_and_options(measure: str, P: str) -> None:
    truth, prediction = problem(P, "logits")
    f = lambda x: MEASURES[measure](truth, xent.Logits(x))  # noqa: E731
    expected = MEASURES[measure](*as_numpy(truth, prediction))
    near(f(prediction.scores), expected)
    near(MODES["any length"](f, prediction.scores)(prediction.scores), expected)
    near(MODES["xla"](f)(prediction.scores), expected)


def test_measures_of_p_alone_and_of_numbers() -> None:
    p = tf.constant([[0.25, 0.75], [1.0, 0.0]], tf.float64)
    near(xent.entropy(xent.Distribution(p)), xent.entropy(xent.Distribution(p.numpy())))
    near(xent.entropy(xent.Indicators(p)), xent.entropy(xent.Indicators(p.numpy())))
    near(xent.self_information(p), xent.self_information(p.numpy()))
    near(xent.bits(xent.self_information(tf.constant(0.125))), 3.0)
    joint = tf.constant([[[0.5, 0.0], [0.0, 0.5]], [[0.25, 0.25], [0.25, 0.25]]], tf.float64)
    near(xent.mutual_information(joint), [np.log(2), 0.0])
    open_joint = MODES["any length"](xent.mutual_information, tf.zeros((1, 2, 2), tf.float64))
    with pytest.raises(ShapeError, match="class axis"):
        open_joint(joint)
    near(tf.function(xent.mutual_information, input_signature=[tf.TensorSpec([None, 2, 2], tf.float64)])(joint),
         [np.log(2), 0.0])  # fmt: skip


def test_a_projection_and_its_gradients() -> None:
    rng = np.random.default_rng(3)
    hidden, weight, bias = (rng.normal(size=size) for size in ((6, 3), (4, 3), (4,)))
    y = rng.integers(0, 4, 6)
    tensors = [tf.Variable(x) for x in (hidden, weight, bias)]

    def f() -> Any:
        with tf.GradientTape() as tape:
            loss = xent.cross_entropy(xent.Labels(tf.constant(y)), xent.Projection(*tensors))
        return loss, tape.gradient(loss, tensors)

    value, gradients = xent.value_and_grad(xent.Labels(y), xent.Projection(hidden, weight, bias))
    for run in (f, tf.function(f), tf.function(f, jit_compile=True)):
        loss, found = run()
        near(loss, value)
        for one, right in zip(found, gradients, strict=True):
            near(one, right)
    _, same = xent.value_and_grad(xent.Labels(tf.constant(y)), xent.Projection(*tensors))
    for one, right in zip(same, gradients, strict=True):
        near(one, right)


def test_a_variable_is_read_where_the_tape_sees_it() -> None:
    z = tf.Variable([[1.0, 2.0, 3.0]], dtype=tf.float64)
    for run in (lambda f: f, tf.function):

        def f() -> Any:
            with tf.GradientTape() as tape:
                loss = xent.cross_entropy(xent.Labels(tf.constant([2])), xent.Logits(z))
            return tape.gradient(loss, z)

        near(run(f)(), tf.nn.softmax(z) - [[0.0, 0.0, 1.0]])


def test_weights_and_denominator_have_derivatives() -> None:
    truth, prediction = problem("labels", "logits")
    w, d = tf.Variable(tf.fill((3, 4), tf.constant(0.5, tf.float64))), tf.Variable(3.0, dtype=tf.float64)
    with tf.GradientTape() as tape:
        loss = xent.cross_entropy(truth, prediction, weight=w, denominator=d)
    each = xent.cross_entropy(truth, prediction, reduction="none")
    by_w, by_d = tape.gradient(loss, [w, d])
    near(by_w, each / 3.0)
    near(by_d, -tf.reduce_sum(each) * 0.5 / 9.0)


def test_empty_batches_and_what_a_mean_over_nothing_is() -> None:
    y, z = tf.zeros((0,), tf.int32), tf.zeros((0, 3))
    for run in (lambda f: f, tf.function, MODES["xla"]):
        assert run(lambda z: xent.cross_entropy(xent.Labels(y), xent.Logits(z), reduction="none"))(z).shape == (0,)
        assert np.isnan(run(lambda z: xent.cross_entropy(xent.Labels(y), xent.Logits(z)))(z))
        assert run(lambda z: xent.cross_entropy(xent.Labels(y), xent.Logits(z), empty="zero"))(z) == 0.0
        _, gradient = run(lambda z: value_and_tape(xent.Labels(y), xent.Logits, z))(z)
        assert gradient.shape == (0, 3)


def test_integers_and_booleans_of_every_type() -> None:
    z = tf.constant([[1.0, 2.0, 3.0], [0.5, 0.2, 0.1]])
    y = [2, 0]
    expected = xent.cross_entropy(xent.Labels(np.array(y)), xent.Logits(z.numpy()))
    for dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        found = xent.cross_entropy(xent.Labels(tf.constant(y, dtype)), xent.Logits(z))
        near(found, expected, 1e-6)
        inside = tf.function(lambda y: xent.cross_entropy(xent.Labels(y, ignore=0), xent.Logits(z)))
        near(
            inside(tf.constant(y, dtype)),
            xent.cross_entropy(xent.Labels(np.array([2])), xent.Logits(z.numpy()[:1])),
            1e-6,
        )
    one_hot = tf.one_hot(y, 3)
    for dtype in ("bool", "int32", "uint8", "float32"):
        for run in (lambda f: f, tf.function):
            near(
                run(lambda t: xent.cross_entropy(xent.Distribution(t), xent.Logits(z)))(tf.cast(one_hot, dtype)),
                expected,
                1e-6,
            )
            near(run(lambda t: xent.cross_entropy(xent.Indicators(t), xent.Logits(z)))(tf.cast(one_hot, dtype)),
                 xent.cross_entropy(xent.Indicators(one_hot.numpy()), xent.Logits(z.numpy())), 1e-6)  # fmt: skip


def test_bad_data_raises_eagerly_and_is_nan_in_a_graph() -> None:
    z = tf.constant([[1.0, 2.0, 3.0], [0.5, 0.2, 0.1]])
    with pytest.raises(LabelError, match="3 at position"):
        xent.cross_entropy(xent.Labels(tf.constant([0, 3])), xent.Logits(z))
    with pytest.raises(NormalizationError):
        xent.cross_entropy(xent.Distribution(tf.constant([[1.0, 1.0, 0.0]] * 2)), xent.Logits(z))
    bad_labels, bad_rows = tf.constant([0, 3]), tf.constant([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    for mode in ("graph", "xla"):
        for kind, x in ((xent.Labels, bad_labels), (xent.Distribution, bad_rows)):

            def f(z: Any, x: Any, kind: Any = kind) -> Any:
                with tf.GradientTape() as tape:
                    tape.watch(z)
                    losses = xent.cross_entropy(kind(x), xent.Logits(z), reduction="none")
                return losses, tape.gradient(losses, z)

            losses, gradient = MODES[mode](f)(z, x)
            assert np.isfinite(losses[0])
            assert np.isnan(losses[1])
            assert np.isfinite(gradient[0]).all()
            assert np.isnan(gradient[1]).all()


def test_lengths_that_turn_out_to_differ_are_not_broadcast() -> None:
    f = tf.function(
        lambda y, z: xent.cross_entropy(xent.Labels(y), xent.Logits(z)),
        input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, 3], tf.float32)],
    )
    near(f(tf.constant([0]), tf.zeros((1, 3))), np.log(3.0), 1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError):
        f(tf.constant([0]), tf.zeros((4, 3)))
    soft = tf.function(
        lambda t, z: xent.cross_entropy(xent.Distribution(t), xent.Logits(z)),
        input_signature=[tf.TensorSpec([None, 3], tf.float32)] * 2,
    )
    with pytest.raises(tf.errors.InvalidArgumentError):
        soft(tf.constant([[1.0, 0.0, 0.0]]), tf.zeros((4, 3)))


def test_what_is_refused() -> None:
    z = tf.zeros((2, 3))
    with pytest.raises(BackendError, match="arrays of one framework"):
        xent.cross_entropy(xent.Labels([0, 1]), xent.Logits(z))
    with pytest.raises(ShapeError, match="known number of axes"):
        tf.function(lambda z: xent.entropy(xent.Logits(z)), autograph=False, input_signature=[tf.TensorSpec(None)])(z)
    open_classes = [tf.TensorSpec([2, None])]
    with pytest.raises(ShapeError, match="class axis whose length is known"):
        tf.function(lambda z: xent.entropy(xent.Logits(z)), autograph=False, input_signature=open_classes)(z)
    with pytest.raises(BackendError, match="RaggedTensor"):
        xent.Logits(tf.ragged.constant([[1.0], [1.0, 2.0]]))


def test_the_callers_tensors_are_not_written_to() -> None:
    z = tf.random.normal((300, 1000), seed=1)
    before = z.numpy()
    loss, gradient = value_and_tape(xent.Labels(tf.zeros((300,), tf.int64)), xent.Logits, z)
    assert np.array_equal(z.numpy(), before)
    del loss
    kept = gradient.numpy()
    for _ in range(3):
        value_and_tape(xent.Labels(tf.ones((300,), tf.int64)), xent.Logits, z)
    assert np.array_equal(gradient.numpy(), kept), "memory of a gradient that is held was used again"
