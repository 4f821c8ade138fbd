"""The losses in models: compiled, trained, weighted, masked, in mixed precision, saved and loaded again."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_gradient import BACKEND

import xent.keras as ours

LOSSES = (
    ours.BinaryCrossentropy(from_logits=True, label_smoothing=0.1, axis=1, name="b"),
    ours.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3, gamma=1.0, from_logits=True),
    ours.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, axis=1, reduction="sum"),
    ours.CategoricalFocalCrossentropy(alpha=0.5, gamma=1.0, label_smoothing=0.1),
    ours.CategoricalHinge(),
    ours.Hinge(reduction="mean_with_sample_weight"),
    ours.KLDivergence(),
    ours.MeanSquaredError(),
    ours.Poisson(),
    ours.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1, axis=1),
)
#: How Keras runs a model: step by step, in a graph, and compiled (JAX has no graph; PyTorch's compiler takes long).
MODES = [{"run_eagerly": True, "jit_compile": False}] + {
    "torch": [],
    "jax": [{"jit_compile": True}],
    "tensorflow": [{"jit_compile": False}, {"jit_compile": True}],
}[BACKEND]
in_every_mode = pytest.mark.parametrize("mode", MODES, ids=lambda mode: "-".join(f"{k}={v}" for k, v in mode.items()))
RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(24, 4)).astype("float32")
LABELS = RANDOM.integers(0, 3, 24)
ONE_HOT = np.eye(3, dtype="float32")[LABELS]


def model_of(*, softmax: bool = False) -> keras.Model:
    keras.utils.set_random_seed(7)
    activation = "softmax" if softmax else None
    return keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, activation=activation)])


def trained(loss: Any, y: np.ndarray, mode: dict[str, bool], *, softmax: bool = False, **fit: Any) -> list[float]:
    model = model_of(softmax=softmax)
    model.compile(keras.optimizers.SGD(0.5), loss=loss, **mode)
    return list(model.fit(X, y, batch_size=8, epochs=3, shuffle=False, verbose=0, **fit).history["loss"])


@in_every_mode
@pytest.mark.parametrize("name", ["SparseCategoricalCrossentropy", "CategoricalCrossentropy", "BinaryCrossentropy"])
def test_a_model_trains_as_with_keras(name: str, mode: dict[str, bool]) -> None:
    y = LABELS if name.startswith("Sparse") else ONE_HOT
    weighted = [{"sample_weight": RANDOM.uniform(0, 2, 24).astype("float32")}, {"class_weight": {0: 1.0, 2: 3.0}}]
    for fit in [{}, *(weighted if y is LABELS else [])]:
        mine, theirs = (trained(getattr(room, name)(from_logits=True), y, mode, **fit) for room in (ours, keras.losses))
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
        assert mine[-1] < mine[0]


@in_every_mode
def test_probabilities_train_too(mode: dict[str, bool]) -> None:
    """No probability here is near 0 or 1, where Keras's backends go apart."""
    for name, y in (("SparseCategoricalCrossentropy", LABELS), ("CategoricalFocalCrossentropy", ONE_HOT)):
        mine, theirs = (trained(getattr(room, name)(), y, mode, softmax=True) for room in (ours, keras.losses))
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


@in_every_mode
def test_functions_and_metrics_in_compile(mode: dict[str, bool]) -> None:
    model = model_of()
    metrics = [ours.metrics.SparseCategoricalCrossentropy(from_logits=True, name="seen")]
    model.compile("sgd", loss=ours.SparseCategoricalCrossentropy(from_logits=True), metrics=metrics, **mode)
    found = model.evaluate(X, LABELS, batch_size=8, verbose=0, return_dict=True)
    assert found["seen"] == pytest.approx(found["loss"], rel=1e-6)
    model.compile("sgd", loss=ours.categorical_hinge, metrics=[ours.mean_squared_error], **mode)
    assert model.evaluate(X, ONE_HOT, verbose=0)[0] > 0


@in_every_mode
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_computes_the_loss_in_float32(policy: str, mode: dict[str, bool]) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        mine, theirs = (
            trained(room.SparseCategoricalCrossentropy(from_logits=True), LABELS, mode) for room in (ours, keras.losses)
        )
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(mine, theirs, rtol=2e-2)


@in_every_mode
def test_padding_that_a_layer_masks_does_not_count(mode: dict[str, bool]) -> None:
    tokens = np.array([[1, 2, 3, 0], [4, 1, 0, 0]])
    y = np.array([[1, 2, 0, 1], [2, 0, 1, 1]])
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.layers.Input((4,)), keras.layers.Embedding(5, 6, mask_zero=True), keras.layers.Dense(3)]
    )
    model.compile(loss=ours.SparseCategoricalCrossentropy(from_logits=True), **mode)
    z = np.asarray(keras.ops.convert_to_numpy(model(tokens)), "float64")
    each = np.log(np.exp(z).sum(-1)) - np.take_along_axis(z, y[..., None], -1)[..., 0]
    assert model.evaluate(tokens, y, verbose=0) == pytest.approx(each[tokens > 0].mean(), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_a_loss_survives_its_configuration(loss: Any) -> None:
    name = f"xent>{type(loss).__name__}"
    assert keras.saving.get_registered_name(type(loss)) == name
    assert keras.saving.get_registered_object(name) is type(loss)
    for again in (
        type(loss).from_config(loss.get_config()),
        keras.losses.deserialize(keras.losses.serialize(loss)),
        keras.losses.get({"class_name": name, "config": loss.get_config()}),
        pickle.loads(pickle.dumps(loss)),
    ):
        assert type(again) is type(loss)
        assert again.get_config() == loss.get_config()
        assert repr(again) == repr(loss)


@pytest.mark.parametrize("name", ours.metrics.__all__)
def test_metrics_and_functions_survive_their_configuration(name: str) -> None:
    found = getattr(ours.metrics, name)
    if name.islower():
        assert keras.saving.get_registered_name(found) == f"xent>{name}"
        assert keras.losses.deserialize(keras.losses.serialize(found)) is found
        return
    metric = found(name="seen")
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(again) is found
    assert again.get_config() == metric.get_config()


@pytest.mark.parametrize("loss", [LOSSES[2], LOSSES[-1], ours.mean_squared_error], ids=["class", "labels", "function"])
def test_a_saved_model_loads_with_its_loss(loss: Any, tmp_path: Path) -> None:
    model, labels = model_of(), loss is LOSSES[-1]
    metric = ours.metrics.SparseCategoricalCrossentropy(from_logits=True) if labels else ours.metrics.Hinge()
    model.compile("sgd", loss=loss, metrics=[metric])
    y = LABELS if labels else ONE_HOT
    before = model.evaluate(X, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.loss) is type(loss)
    np.testing.assert_allclose(again.evaluate(X, y, verbose=0), before, rtol=1e-6)


def test_a_loss_can_be_a_node_of_a_functional_model(tmp_path: Path) -> None:
    scores, truth = keras.Input((3,)), keras.Input((3,))
    loss = ours.categorical_crossentropy(truth, scores, from_logits=True, label_smoothing=0.1)
    assert tuple(loss.shape) == (None,)
    model = keras.Model([scores, truth], loss)
    found = keras.ops.convert_to_numpy(model([X[:, :3], ONE_HOT]))
    expected = ours.categorical_crossentropy(ONE_HOT, X[:, :3], from_logits=True, label_smoothing=0.1)
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(expected), rtol=1e-6)
    model.save(tmp_path / "node.keras")
    again = keras.models.load_model(tmp_path / "node.keras")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(again([X[:, :3], ONE_HOT])), found, rtol=1e-6)


def test_a_label_that_is_no_class_stops_the_training() -> None:
    """Step by step it is an error that names it; in a compiled step, where nothing can be raised, the loss is NaN."""
    y = np.where(np.arange(24) == 20, 3, LABELS)
    with pytest.raises(ValueError, match="whole numbers 0 to 2"):
        trained(ours.SparseCategoricalCrossentropy(from_logits=True), y, {"run_eagerly": True, "jit_compile": False})
    for mode in MODES[1:]:
        assert np.isnan(trained(ours.SparseCategoricalCrossentropy(from_logits=True), y, mode)).all()
