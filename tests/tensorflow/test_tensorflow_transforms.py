"""TensorFlow's own means: tapes in tapes, forward mode, vectorized_map, loops, saved models."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_problems import MODES, PAIRS, held, in_numpy, near, problem, value_and_tape

import xent

RUNS = {"eager": lambda f, *x: f, **MODES}


def hessian(P: Any, kind: type, x: Any) -> Any:
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        gradient = value_and_tape(P, kind, x, reduction="sum")[1]
    return outer.jacobian(gradient, x, experimental_use_pfor=False)


def by_differences(f: Any, x: Any, step: float = 1e-5) -> Any:
    """The Jacobian of f at x by central differences."""
    flat, found = x.numpy().reshape(-1), []
    for i in range(flat.size):
        for sign in (1, -1):
            moved = flat.copy()
            moved[i] += sign * step
            found.append(in_numpy(f(tf.constant(moved.reshape(x.shape)))))
    up, down = np.array(found[::2]), np.array(found[1::2])
    return np.moveaxis((up - down) / (2 * step), 0, -1).reshape(*found[0].shape, *x.shape)


@pytest.mark.parametrize(
    ("P", "Q"), [pair for pair in PAIRS if pair[1] == "logits"] + [("labels", "probs"), ("yes", "probs")]
)
def test_second_derivatives(P: str, Q: str) -> None:
    truth, prediction = problem(P, Q, shape=(2,))
    kind, x = type(prediction), held(prediction)
    if Q == "logits":
        expected = by_differences(lambda x: value_and_tape(truth, kind, x, reduction="sum")[1], x)
    else:

        def slope(x: Any) -> Any:  # beside the simplex, where the core takes no probabilities
            t = in_numpy(truth.indices) if P == "labels" else in_numpy(truth.values)
            if P == "yes":
                return (1 - t) / (1 - in_numpy(x)) - t / in_numpy(x)
            smooth = np.eye(5)[t] * 0.9 + 0.02
            return -smooth / in_numpy(x)

        expected = by_differences(slope, x, 1e-7)
    found = hessian(truth, kind, x)
    np.testing.assert_allclose(in_numpy(found), expected, rtol=2e-5, atol=2e-6)
    near(tf.function(lambda x: hessian(truth, kind, x), jit_compile=True)(x), found)


def test_third_derivative() -> None:
    P, x = xent.Labels(tf.constant([1])), tf.constant([[0.3, 0.1, -0.4]], tf.float64)

    def second(x: Any) -> Any:
        return tf.linalg.trace(tf.reshape(hessian(P, xent.Logits, x), (3, 3)))

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = second(x)
    np.testing.assert_allclose(tape.gradient(value, x).numpy(), by_differences(second, x), rtol=1e-6, atol=1e-8)


def test_the_targets_derivative_and_the_mixed_one() -> None:
    z = tf.constant([[0.3, 0.1, -0.4], [1.0, 0.0, 2.0]], tf.float64)
    s = tf.constant([[0.5, -0.2, 0.1], [0.0, 0.3, 0.3]], tf.float64)

    def loss(s: Any, z: Any) -> Any:
        return xent.cross_entropy(xent.Distribution(tf.nn.softmax(s)), xent.Logits(z), reduction="sum")

    def plain(s: Any, z: Any) -> Any:
        return -tf.reduce_sum(tf.nn.softmax(s) * tf.nn.log_softmax(z))

    def mixed(f: Any, s: Any, z: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(s)
            with tf.GradientTape() as inner:
                inner.watch(z)
                value = f(s, z)
            slope = inner.gradient(value, z) * tf.constant([[1.0, 2.0, 3.0]], tf.float64)
        return outer.gradient(slope, s)

    near(mixed(loss, s, z), mixed(plain, s, z))
    near(tf.function(lambda s, z: mixed(loss, s, z), jit_compile=True)(s, z), mixed(plain, s, z))


def jvp(P: str, Q: str) -> tuple[Any, Any, Any]:
    """The derivative along a direction in forward mode as a function of the array; the array; and what it should be."""
    truth, prediction = problem(P, Q)
    kind, x = type(prediction), held(prediction)
    v = tf.constant(np.random.default_rng(5).normal(size=x.shape))

    def forward_mode(x: Any) -> Any:
        with tf.autodiff.ForwardAccumulator(x, v) as forward:
            loss = xent.cross_entropy(truth, kind(x))
        return forward.jvp(loss)

    return forward_mode, x, tf.reduce_sum(value_and_tape(truth, kind, x)[1] * v)


FORWARD = [("labels", "logits"), ("soft", "logits"), ("yes", "logits"), ("teacher", "log_probs"), ("yes", "probs")]


@pytest.mark.parametrize(("P", "Q"), FORWARD)
def test_forward_mode(P: str, Q: str) -> None:
    forward_mode, x, expected = jvp(P, Q)
    near(forward_mode(x), expected)


@pytest.mark.parametrize(("P", "Q"), FORWARD)
def test_forward_mode_in_a_graph_is_refused_and_not_zero(P: str, Q: str) -> None:
    forward_mode, x, _ = jvp(P, Q)
    with pytest.raises(LookupError, match="no forward mode for custom gradients in a graph"):
        MODES["graph"](forward_mode)(x)


@pytest.mark.parametrize("outer", ["eager", "graph", "xla"])
@pytest.mark.parametrize(("P", "Q"), [("labels", "logits"), ("soft", "logits"), ("yes", "logits"), ("labels", "probs")])
def test_vectorized_map(P: str, Q: str, outer: str) -> None:
    truth, prediction = problem(P, Q)
    kind, x = type(prediction), held(prediction)
    y = truth.indices if P == "labels" else truth.probs if P == "soft" else truth.values

    def of_one(pair: Any) -> Any:
        mine = type(truth)(pair[0], smoothing=truth.smoothing)
        return value_and_tape(mine, kind, pair[1])

    losses, gradients = RUNS[outer](lambda: tf.vectorized_map(of_one, (y, x)))()
    for i in range(3):
        loss, gradient = of_one((y[i], x[i]))
        near(losses[i], loss)
        near(gradients[i], gradient)


def test_tf_gradients_and_a_while_loop() -> None:
    P, x = xent.Labels(tf.constant([1])), tf.constant([[0.3, 0.1, -0.4]], tf.float64)

    @tf.function
    def descent(x: Any) -> Any:
        for _ in tf.range(3):
            x -= tf.gradients(xent.cross_entropy(P, xent.Logits(x)), x)[0]
        return x

    expected = x
    for _ in range(3):
        expected -= value_and_tape(P, xent.Logits, expected)[1]
    near(descent(x), expected)


def test_a_saved_model_computes_the_loss_where_python_is_not(tmp_path: Path) -> None:
    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, 3], tf.float32)])
        def loss(self, y: Any, z: Any) -> Any:
            return xent.cross_entropy(xent.Labels(y), xent.Logits(z))

    model = Model()
    y, z = tf.constant([2, 0], tf.int64), tf.constant([[1.0, 2.0, 3.0], [0.5, 0.2, 0.1]])
    expected = model.loss(y, z)
    tf.saved_model.save(model, str(tmp_path / "model"))
    near(tf.saved_model.load(str(tmp_path / "model")).loss(y, z), expected)


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_nothing_of_the_size_of_the_scores_is_kept_for_the_gradient(mode: str) -> None:
    """Of the tensors that the forward graph hands to the backward one, only the scores themselves are of that size."""
    rows, classes = 7, 11
    z, y = tf.Variable(tf.zeros((rows, classes))), tf.zeros((rows,), tf.int64)
    forward = MODES[mode](lambda: xent.cross_entropy(xent.Labels(y), xent.Logits(z)))
    with tf.GradientTape() as tape:
        loss = forward()
    assert tape.gradient(loss, z).shape == (rows, classes)
    made = [
        output
        for op in forward.get_concrete_function().graph.get_operations()
        for output in op.outputs
        if output.shape.rank == 2 and output.shape[-1] == classes
    ]
    # The scores, under one name or another, and nothing that was computed from them.
    assert {x.op.type for x in made} <= {"ReadVariableOp", "Identity", "IdentityN", "StopGradient", "PreventGradient"}


def test_a_target_that_no_tape_watches_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = importlib.import_module("xent.backends.tensorflow.rows")
    asked = []
    slope = rows.target_slope
    monkeypatch.setattr(rows, "target_slope", lambda *x: asked.append(1) or slope(*x))
    t, z = tf.constant([[0.25, 0.75]]), tf.constant([[1.0, 2.0]])
    for watched, times in (([z], 0), ([t, z], 1)):
        with tf.GradientTape() as tape:
            tape.watch(watched)
            loss = xent.cross_entropy(xent.Distribution(t), xent.Logits(z))
        gradients = tape.gradient(loss, watched)
        assert len(asked) == times
    near(gradients[0], -tf.nn.log_softmax(z), 1e-6)


def test_eagerly_nothing_of_the_size_of_the_scores_is_made_before_the_gradient() -> None:
    from xent.kernels.cpu.buffers import pool

    z, y = tf.zeros((600, 1000)), tf.zeros((600,), tf.int64)
    xent.memory.empty()
    before = sum(pool.sizes()[1])
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = xent.cross_entropy(xent.Labels(y), xent.Logits(z))
    assert sum(pool.sizes()[1]) == before
    gradient = tape.gradient(loss, z)
    lent = sum(pool.sizes()[1]) - before
    assert 600 * 1000 * 4 <= lent < 1.1 * 600 * 1000 * 4, "the gradient is TensorFlow's without a copy"
    del gradient
    assert sum(pool.sizes()[1]) == before


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("kind", ["labels", "distribution", "yes"])
def test_jacobians_as_a_tape_makes_them(graph: bool, kind: str) -> None:
    """A tape takes the backward of an eager loss into a graph of its own."""
    rng = np.random.default_rng(0)
    z, y = tf.constant(rng.normal(size=(4, 3))), tf.constant([0, 2, 1, 1])
    hot = tf.one_hot(y, 3, dtype=tf.float64)
    P = {"labels": xent.Labels(y), "distribution": xent.Distribution(hot), "yes": xent.Indicators(hot)}[kind]

    def both() -> Any:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(z)
            loss = xent.cross_entropy(P, xent.Logits(z), reduction="none")
            rows = tf.reshape(loss, (4, -1))
        return tape.jacobian(loss, z), tape.batch_jacobian(rows, z)

    whole, by_row = tf.function(both)() if graph else both()
    q = tf.sigmoid(z) if kind == "yes" else tf.nn.softmax(z)
    slope = (q - hot).numpy()
    if kind == "yes":
        near(by_row, np.einsum("ik,kj->ikj", slope, np.eye(3)), 1e-12)
        near(tf.reduce_sum(whole, axis=(0, 1)), slope, 1e-12)
    else:
        near(by_row[:, 0], slope, 1e-12)
        near(whole, np.einsum("in,nk->ink", np.eye(4), slope), 1e-12)


@pytest.mark.parametrize("mode", ["forward", "tape"])
def test_the_derivative_by_a_truth_of_elements(mode: str) -> None:
    z, t = tf.constant([0.5, -1.0, 3.0], tf.float64), tf.constant([0.3, 0.6, 1.0], tf.float64)

    def loss(t: Any) -> Any:
        return xent.cross_entropy(xent.Indicators(t), xent.Logits(z), positive_weight=2.0, reduction="none")

    yes, no = np.logaddexp(0, -z.numpy()), np.logaddexp(0, z.numpy())
    if mode == "forward":
        with tf.autodiff.ForwardAccumulator(t, tf.ones_like(t)) as accumulator:
            value = loss(t)
        found = accumulator.jvp(value)
    else:
        with tf.GradientTape() as tape:
            tape.watch(t)
            value = loss(t)
        found = tape.gradient(value, t)
    np.testing.assert_allclose(found, 2 * yes - no, rtol=1e-14)
