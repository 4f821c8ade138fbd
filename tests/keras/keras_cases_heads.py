"""Layers that own what a loss learns: as the library computes, trained in models, saved, in mixed precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_cases_models import MODES
from keras_gradient import BACKEND, value_and_gradient

import xent
from xent import losses
from xent.errors import OptionError
from xent.keras import heads

H, K, N = 5, 4, 24
RANDOM = np.random.default_rng(2)
LABELS = np.arange(N) % K
X = (RANDOM.normal(size=(K, 6))[LABELS] * 2 + 0.3 * RANDOM.normal(size=(N, 6))).astype("float32")
HIDDEN = RANDOM.normal(size=(N, H)).astype("float32")
MAGFACE = {"shortest": 1.0, "longest": 4.0, "least": 0.1, "most": 0.4, "coefficient": 0.5, "scale": 8.0}
HEADS = {
    "arcface": lambda **o: heads.MarginHead(K, losses.margins.arcface(scale=8.0), **o),
    "l_softmax": lambda **o: heads.MarginHead(K, losses.margins.l_softmax(2), **o),
    "centres": lambda **o: heads.MarginHead(K, losses.margins.cosface(scale=8.0), centres=2, **o),
    "adaface": lambda **o: heads.AdaFaceHead(K, scale=8.0, mean=2.0, std=1.0, **o),
    "magface": lambda **o: heads.MagFaceHead(K, **(MAGFACE | o)),
    "curricularface": lambda **o: heads.CurricularFaceHead(K, scale=8.0, **o),
}
STATES = {"adaface": ("mean", "std"), "curricularface": ("t",)}
every = pytest.mark.parametrize("name", HEADS)


def numbers(x: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(x), np.float64)


def state_of(head: Any, name: str) -> list[float]:
    return [float(numbers(getattr(head, each))) for each in STATES.get(name, ())]


def loss_of(name: str, head: Any, state: list[float]) -> tuple[losses.Loss, Any]:
    """The library's loss and NumPy prediction."""
    Q: Any = xent.Projection(HIDDEN.astype(float), numbers(head.kernel).T)
    if name == "centres":
        return losses.margins.cosface(scale=8.0), losses.margins.sub_center(Q, 2, normalize=True)
    if name == "adaface":
        return losses.face.adaface(*state, scale=8.0), Q
    if name == "magface":
        return losses.face.magface(**MAGFACE), Q
    if name == "curricularface":
        return losses.face.curricularface(*state, scale=8.0, normalize=True), Q
    if name == "l_softmax":
        return losses.margins.l_softmax(2), Q
    return losses.margins.arcface(scale=8.0, normalize=True), Q


@every
def test_scores_are_those_of_the_library(name: str) -> None:
    keras.utils.set_random_seed(1)
    head = HEADS[name]()
    plain = numbers(head(HIDDEN))
    start = state_of(head, name)
    with_labels = numbers(head(HIDDEN, LABELS, training=False))
    assert state_of(head, name) == start
    trained = numbers(head(HIDDEN, LABELS, training=True))
    loss, Q = loss_of(name, head, state_of(head, name))
    P = xent.Labels(LABELS)
    np.testing.assert_allclose(plain, loss.at_inference(Q).scores, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(with_labels, plain)
    np.testing.assert_allclose(trained, loss.in_training(P, Q).scores, rtol=1e-4, atol=1e-5)
    if name in STATES:
        assert state_of(head, name) != start
        if name == "adaface":
            norm = np.linalg.norm(HIDDEN.astype(float), axis=1)
            expected = [0.99 * 2 + 0.01 * norm.mean(), 0.99 + 0.01 * norm.std(ddof=1)]
        else:
            w = numbers(head.kernel).T[LABELS]
            norms = np.linalg.norm(HIDDEN.astype(float), axis=1) * np.linalg.norm(w, axis=1)
            expected = [0.01 * ((HIDDEN * w).sum(axis=1) / norms).mean()]
        np.testing.assert_allclose(state_of(head, name), expected, rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_gradient_is_that_of_the_library(compiled: bool) -> None:
    keras.utils.set_random_seed(1)
    head = HEADS["arcface"]()
    head(HIDDEN)

    def loss(hidden: Any) -> Any:
        return xent.keras.sparse_categorical_crossentropy(LABELS, head(hidden, LABELS, training=True), from_logits=True)

    value, gradient = value_and_gradient(loss, HIDDEN, compiled=compiled)
    exact, (slope, _, _) = losses.margins.arcface(scale=8.0, normalize=True).value_and_grad(
        xent.Labels(LABELS), xent.Projection(HIDDEN.astype(float), numbers(head.kernel).T), reduction="none"
    )
    np.testing.assert_allclose(value, exact, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-3, atol=1e-5)


def test_magface_adds_the_penalty_of_the_library_while_it_trains() -> None:
    keras.utils.set_random_seed(1)
    head = heads.MagFaceHead(K, ignore=-1, **MAGFACE)
    labels = np.where(np.arange(N) < 4, -1, LABELS)
    head(HIDDEN, labels, training=False)
    assert head.losses == []
    scores = head(HIDDEN, labels, training=True)
    P, Q = xent.Labels(labels, ignore=-1), xent.Projection(HIDDEN.astype(float), numbers(head.kernel).T)
    plain = xent.cross_entropy(P, xent.Logits(numbers(scores)))
    (penalty,) = head.losses
    np.testing.assert_allclose(plain + numbers(penalty), losses.face.magface(**MAGFACE)(P, Q), rtol=1e-5)


def model_of(name: str, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(7)
    x, y = keras.Input((6,)), keras.Input((), dtype="int32")
    return keras.Model([x, y], HEADS[name](**options)(keras.layers.Dense(H)(x), y))


@pytest.mark.parametrize(
    ("name", "mode"), [*((name, MODES[-1]) for name in HEADS), *(("curricularface", mode) for mode in MODES[1:-1])]
)
def test_a_model_trains_and_is_saved(name: str, mode: dict[str, bool], tmp_path: Path) -> None:
    model = model_of(name)
    head = model.layers[-1]
    start = state_of(head, name)
    loss = xent.keras.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss=loss, **mode)
    history = model.fit([X, LABELS], LABELS, batch_size=12, epochs=15, shuffle=False, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
    assert name not in STATES or state_of(head, name) != start
    state = state_of(head, name)
    scores = model.predict([X, LABELS], verbose=0)
    assert (scores.argmax(-1) == LABELS).mean() > 0.9
    assert state_of(head, name) == state
    # In use without the margin: the labels are not looked at.
    np.testing.assert_allclose(model.predict([X, (LABELS + 1) % K], verbose=0), scores, rtol=1e-6)
    model.save(tmp_path / "model.keras")
    other = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(other.predict([X, LABELS], verbose=0), scores, rtol=1e-6)
    assert state_of(other.layers[-1], name) == state
    assert other.layers[-1].get_config() == head.get_config()


@pytest.mark.skipif(BACKEND == "torch", reason="its half precision on a CPU is bfloat16")
def test_under_a_mixed_policy_the_head_computes_in_float32() -> None:
    head = HEADS["arcface"](dtype="mixed_float16")
    hidden = keras.ops.cast(HIDDEN, "float16")
    found = head(hidden, LABELS, training=True)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert keras.backend.standardize_dtype(head.kernel.dtype) == "float32"
    Q = xent.Projection(numbers(hidden), numbers(head.kernel).T)
    exact = losses.margins.arcface(scale=8.0, normalize=True).in_training(xent.Labels(LABELS), Q).scores
    np.testing.assert_allclose(numbers(found), exact, rtol=1e-4, atol=1e-5)


def test_temperature_and_scale_are_layers() -> None:
    for layer, expected, parameters in (
        (heads.LearnedTemperature(2.0), [1.5, 0.5], 1),
        (heads.ContrastiveScale(10.0, -10.0, limits=(1.0, 100.0)), [20.0, 0.0], 2),
        (heads.ContrastiveScale(3.0), [9.0, 3.0], 1),
    ):
        np.testing.assert_allclose(numbers(layer(np.array([3.0, 1.0], "float32"))), expected, rtol=1e-6, atol=1e-5)
        other = type(layer).from_config(layer.get_config())
        assert other.get_config() == layer.get_config()
        assert len(layer.trainable_variables) == parameters


def test_a_temperature_is_learned_and_a_scale_kept(tmp_path: Path) -> None:
    z = np.random.default_rng(3).normal(size=(512, 3)).astype("float32") * 2
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    x = keras.Input((3,))
    model = keras.Model(x, heads.LearnedTemperature()(x))
    model.compile(keras.optimizers.Adam(0.1), loss=xent.keras.CategoricalCrossentropy(from_logits=True))
    model.fit(3 * z, p, batch_size=512, epochs=60, verbose=0)
    assert float(np.exp(numbers(model.layers[-1].log_temperature))) == pytest.approx(3.0, rel=0.1)
    model.save(tmp_path / "model.keras")
    other = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(other.predict(z, verbose=0), model.predict(z, verbose=0), rtol=1e-6)
    model = keras.Model(x, heads.ContrastiveScale(99.0, limits=(1.0, 100.0))(x))
    model.compile(keras.optimizers.SGD(10.0), loss=xent.keras.CategoricalCrossentropy(from_logits=True))
    model.fit(z * 1e-3, np.eye(3)[z.argmax(1)], batch_size=512, epochs=5, verbose=0)
    assert float(np.exp(numbers(model.layers[-1].log_scale))) == pytest.approx(100.0, rel=1e-5)


def test_what_cannot_be_saved_or_be_a_layer_is_refused() -> None:
    with pytest.raises(OptionError, match="scores alone"):
        heads.MarginHead(K, losses.imbalance.focal())
    with pytest.raises(OptionError, match=r"lengths of hidden states.*loop of your own"):
        heads.MarginHead(K, losses.face.magface())
    for loss in (
        losses.Loss(scores=losses.Scores(scale=2.0)),
        losses.margins.arcface().but(scores=losses.Scores(scale=2.0)),
    ):
        with pytest.raises(OptionError, match="save"):
            heads.MarginHead(K, loss).get_config()
