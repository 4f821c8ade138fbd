"""The edges at which frameworks disagree (D5 … D19 of the guide), on TensorFlow's tensors, in every mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_problems import INF, MODES, NAN, near, value_and_tape

import xent
from xent.errors import LabelError, OneClassError, ShapeError

RUNS: dict[str, Callable[..., Any]] = {"eager": lambda f, *x: f, "graph": MODES["graph"], "xla": MODES["xla"]}


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return RUNS[request.param]


def both(run: Callable[..., Any], P: Any, z: Any, kind: type = xent.Logits, **options: Any) -> tuple[Any, Any]:
    z = tf.constant(z, tf.float64)
    return run(lambda z: value_and_tape(P, kind, z, reduction="none", **options))(z)


def test_d5_labels_out_of_range(run: Callable[..., Any]) -> None:
    for label in (3, -1, -100):
        P = xent.Labels(tf.constant([label]))
        if run is RUNS["eager"]:
            with pytest.raises(LabelError):
                both(run, P, [[1.0, 2.0, 3.0]])
        else:
            loss, gradient = both(run, P, [[1.0, 2.0, 3.0]])
            assert np.isnan(loss).all()
            assert np.isnan(gradient).all()


def test_d8_no_mass_on_an_impossible_class(run: Callable[..., Any]) -> None:
    loss, gradient = both(run, xent.Distribution(tf.constant([[0.5, 0.0, 0.5]])), [[1.0, -INF, 3.0]])
    near(loss, tf.constant([1.1269280110429725], tf.float64))
    p = 1 / (1 + np.exp(2))
    near(gradient, tf.constant([[p - 0.5, 0.0, 0.5 - p]], tf.float64))
    loss, gradient = both(run, xent.Labels(tf.constant([1])), [[1.0, -INF, 3.0]])
    near(loss, [INF])
    near(gradient, tf.constant([[p, -1.0, 1 - p]], tf.float64))


def test_d9_certainty_in_a_sigmoid_and_in_a_softmax(run: Callable[..., Any]) -> None:
    loss, gradient = both(run, xent.Indicators(tf.constant([1.0, 0.0])), [INF, -INF])
    near(loss, [0.0, 0.0])
    near(gradient, [0.0, 0.0])
    loss, gradient = both(run, xent.Labels(tf.constant([0, 1])), [[INF, 0.0], [INF, 0.0]])
    near(loss, [0.0, INF])
    near(gradient, [[0.0, 0.0], [1.0, -1.0]])


def test_undefined_softmax_is_nan(run: Callable[..., Any]) -> None:
    rows = [[NAN, 0.0, 1.0], [INF, INF, 0.0], [-INF, -INF, -INF]]
    loss, gradient = both(run, xent.Labels(tf.constant([1, 2, 0])), rows)
    assert np.isnan(loss).all()
    assert np.isnan(gradient).all()


def test_near_certainty_does_not_cancel(run: Callable[..., Any]) -> None:
    loss, gradient = both(run, xent.Labels(tf.constant([0])), [[40.0, 0.0]])
    np.testing.assert_allclose(loss, [np.log1p(np.exp(-40.0))], rtol=1e-14)
    r = np.exp(-40.0)
    np.testing.assert_allclose(gradient, [[-r / (1 + r), r / (1 + r)]], rtol=1e-14)


def test_ties_at_the_peak(run: Callable[..., Any]) -> None:
    loss, gradient = both(run, xent.Labels(tf.constant([0, 2])), [[2.0, 2.0, 1.0], [2.0, 2.0, 1.0]])
    p = np.exp([2.0, 2.0, 1.0]) / np.exp([2.0, 2.0, 1.0]).sum()
    near(loss, -np.log(p[[0, 2]]))
    near(gradient, [p - [1, 0, 0], p - [0, 0, 1]])


def test_d10_a_teacher_without_mass_somewhere(run: Callable[..., Any]) -> None:
    log_p = tf.constant([[np.log(0.5), -INF, np.log(0.5)]])
    z = tf.constant([[1.0, 2.0, 3.0]], tf.float64)
    P = xent.Distribution.from_log_probs(log_p)
    found = run(lambda z: xent.kl_divergence(P, xent.Logits(z)))(z)
    near(found, xent.kl_divergence(xent.Distribution(np.array([[0.5, 0.0, 0.5]])), xent.Logits(z.numpy())))


def test_d11_d12_nothing_counts(run: Callable[..., Any]) -> None:
    z = tf.constant([[1.0, 2.0]], tf.float64)
    P = xent.Labels(tf.constant([-1]), ignore=-1)
    for empty, expected in (("nan", NAN), ("zero", 0.0)):
        loss, gradient = run(lambda z, e=empty: value_and_tape(P, xent.Logits, z, empty=e))(z)
        np.testing.assert_array_equal(loss, expected)
        np.testing.assert_array_equal(gradient, [[0.0, 0.0]])


def test_d16_d18_shapes_are_not_guessed() -> None:
    with pytest.raises(ShapeError):
        xent.cross_entropy(xent.Indicators(tf.zeros(4)), xent.Logits(tf.zeros((4, 1))))
    with pytest.raises(OneClassError):
        xent.cross_entropy(xent.Labels(tf.zeros(4, tf.int32)), xent.Logits(tf.zeros((4, 1))))


def test_d19_a_row_that_does_not_count_has_zero_loss_and_gradient(run: Callable[..., Any]) -> None:
    rows = [[1.0, 2.0, 3.0], [NAN, NAN, 1.0], [INF, INF, -INF]]
    P = xent.Labels(tf.constant([2, -7, -7]), ignore=-7)
    loss, gradient = both(run, P, rows)
    near(loss[:1], tf.constant([0.4076059644443804], tf.float64))
    np.testing.assert_array_equal(loss[1:], [0.0, 0.0])
    np.testing.assert_array_equal(gradient[1:], np.zeros((2, 3)))
    w = tf.constant([1.0, 0.0, 0.0], tf.float64)
    loss, gradient = both(run, xent.Labels(tf.constant([2, 0, 1])), rows, weight=w)
    np.testing.assert_array_equal(loss[1:], [0.0, 0.0])
    np.testing.assert_array_equal(gradient[1:], np.zeros((2, 3)))

    def second(z: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(z)
            first = value_and_tape(P, xent.Logits, z)[1] * tf.constant(np.arange(9.0).reshape(3, 3))
        return outer.gradient(first, z)

    found = run(second)(tf.constant(rows, tf.float64))
    np.testing.assert_array_equal(found[1:], np.zeros((2, 3)))
    assert np.isfinite(found).all()
    assert (np.abs(found[0]) > 0).all()


def test_probabilities_of_zero(run: Callable[..., Any]) -> None:
    q = [[0.0, 1.0], [0.0, 1.0]]
    loss, gradient = both(run, xent.Labels(tf.constant([0, 1])), q, kind=xent.Probabilities)
    near(loss, [INF, 0.0])
    near(gradient, [[-INF, 0.0], [0.0, -1.0]])


@pytest.mark.parametrize("measure", ["soft", "binary", "entropy"])
def test_xla_does_not_add_all_numbers_one_after_the_other(measure: str) -> None:
    # As one sum of 16 million numbers each of these is off by 5e-5 or more: half a bit in twenty.
    rng = np.random.default_rng(0)
    z = rng.normal(scale=3.0, size=(512, 32_000)).astype(np.float32)
    t = rng.random(z.shape).astype(np.float32)
    truth = {"soft": t / t.sum(-1, keepdims=True), "binary": t < 0.5, "entropy": t}[measure]

    def result(z: Any, t: Any) -> Any:
        if measure == "entropy":
            return xent.entropy(xent.Logits(z))
        P = xent.Distribution(t) if measure == "soft" else xent.Indicators(t)
        return xent.cross_entropy(P, xent.Logits(z))

    found = tf.function(result, jit_compile=True)(tf.constant(z), tf.constant(truth))
    assert float(found) == pytest.approx(float(result(z, truth)), rel=3e-6)
