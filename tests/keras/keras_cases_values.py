"""Where Keras agrees with itself, ours is Keras's: values, gradients, dtypes, weights, masks, reductions."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import numpy as np
import pytest
from keras_gradient import BACKEND, value_and_gradient

import xent.keras as ours

CLASSES = (
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "Hinge",
    "KLDivergence",
    "MeanSquaredError",
    "Poisson",
    "SparseCategoricalCrossentropy",
)
FUNCTIONS = tuple(name for name in ours.__all__ if name.islower() and name not in ("heads", "losses", "metrics"))
RANDOM = np.random.default_rng(5)
SCORES = RANDOM.normal(size=(6, 5)).astype("float32")
PROBABILITIES = (lambda e: e / e.sum(-1, keepdims=True))(np.exp(SCORES)).astype("float32")
ONE_HOT = np.eye(5, dtype="float32")[RANDOM.integers(0, 5, 6)]
SOFT = RANDOM.dirichlet(np.ones(5), 6).astype("float32")
YES = RANDOM.integers(0, 2, (6, 5)).astype("float32")
LABELS = RANDOM.integers(0, 5, 6)

#: Class, its options, y_true and y_pred.
CASES: dict[str, tuple[str, dict[str, Any], np.ndarray, np.ndarray]] = {
    "binary": ("BinaryCrossentropy", {}, YES, PROBABILITIES),
    "binary, scores": ("BinaryCrossentropy", {"from_logits": True}, YES, SCORES),
    "binary, smoothed": ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, YES, SCORES),
    "binary, soft, axis 0": ("BinaryCrossentropy", {"axis": 0}, SOFT, PROBABILITIES),
    "categorical": ("CategoricalCrossentropy", {}, ONE_HOT, PROBABILITIES),
    "categorical, rows that sum to less": ("CategoricalCrossentropy", {}, SOFT, PROBABILITIES * 0.5),
    "categorical, scores": ("CategoricalCrossentropy", {"from_logits": True}, SOFT, SCORES),
    "categorical, smoothed": ("CategoricalCrossentropy", {"label_smoothing": 0.1}, ONE_HOT, PROBABILITIES),
    "categorical, scores, axis 0": (
        "CategoricalCrossentropy",
        {"from_logits": True, "axis": 0},
        SOFT / SOFT.sum(0),
        SCORES,
    ),
    "sparse": ("SparseCategoricalCrossentropy", {}, LABELS, PROBABILITIES),
    "sparse, scores": ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS, SCORES),
    "sparse, column": ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS[:, None], SCORES),
    "sparse, ignoring": ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 2}, LABELS, SCORES),
    "sparse, probabilities, ignoring": (
        "SparseCategoricalCrossentropy",
        {"ignore_class": -1},
        np.where(LABELS == 2, -1, LABELS),
        PROBABILITIES,
    ),
    "sparse, sequences": (
        "SparseCategoricalCrossentropy",
        {"from_logits": True},
        LABELS.reshape(2, 3),
        SCORES.reshape(2, 3, 5),
    ),
    "binary focal": ("BinaryFocalCrossentropy", {}, YES, PROBABILITIES),
    "binary focal, scores, balanced": (
        "BinaryFocalCrossentropy",
        {"from_logits": True, "apply_class_balancing": True, "gamma": 1.5, "label_smoothing": 0.1},
        YES,
        SCORES,
    ),
    "binary focal without focus": ("BinaryFocalCrossentropy", {"gamma": 0.0}, YES, PROBABILITIES),
    "categorical focal": ("CategoricalFocalCrossentropy", {}, ONE_HOT, PROBABILITIES),
    "categorical focal, scores": (
        "CategoricalFocalCrossentropy",
        {"from_logits": True, "alpha": [0.1, 0.2, 0.3, 0.4, 0.5], "label_smoothing": 0.1},
        SOFT,
        SCORES,
    ),
    "divergence": ("KLDivergence", {}, SOFT, PROBABILITIES),
    "hinge of 0 and 1": ("Hinge", {}, YES, SCORES),
    "hinge of -1 and 1": ("Hinge", {}, 2 * YES - 1, SCORES),
    "categorical hinge": ("CategoricalHinge", {}, ONE_HOT, SCORES),
    "squares": ("MeanSquaredError", {}, SOFT, SCORES),
    "Poisson": ("Poisson", {}, YES, PROBABILITIES),
}
#: A graph does not know the length of axis 0. PyTorch's compiler takes seconds for each.
COMPILED = (
    set(CASES) - {"categorical, scores, axis 0"}
    if BACKEND != "torch"
    else {"binary, scores", "categorical, scores", "sparse", "sparse, ignoring"}
)
WEIGHTS = {"none": None, "a number": 2.5, "rows": np.array([1.0, 0.0, 2.0, 3.0, 0.5, 1.0], "float32")}


def each(weight: Any) -> Any:
    """One number for all as one for each row: with a mask, Keras on PyTorch takes no other."""
    return np.full(6, weight, "float32") if isinstance(weight, float) else weight


@pytest.mark.parametrize(
    ("case", "compiled"), [*((case, False) for case in CASES), *((case, True) for case in CASES if case in COMPILED)]
)
def test_value_and_gradient_are_those_of_keras(case: str, compiled: bool) -> None:
    name, options, y_true, y_pred = CASES[case]
    mine, theirs = (getattr(room, name)(**options, reduction="sum") for room in (ours, keras.losses))
    # Keras's own labels are compared with the class that it ignores as floats, which these small ones survive.
    got = value_and_gradient(lambda z: mine(y_true, z), y_pred, compiled=compiled)
    expected = value_and_gradient(lambda z: theirs(y_true, z), y_pred)
    np.testing.assert_allclose(got[0], expected[0], rtol=3e-6)
    np.testing.assert_allclose(got[1], expected[1], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("reduction", ["mean", "mean_with_sample_weight", "sum", None])
@pytest.mark.parametrize("case", ["binary, scores", "sparse, scores", "sparse, ignoring"])
def test_weights_and_reductions_are_those_of_keras(case: str, reduction: str | None, weight: str) -> None:
    name, options, y_true, y_pred = CASES[case]
    mine, theirs = (getattr(room, name)(**options, reduction=reduction) for room in (ours, keras.losses))
    w, masks = WEIGHTS[weight], "ignore_class" in options
    got = value_and_gradient(lambda z: mine(y_true, z, sample_weight=w), y_pred)
    expected = value_and_gradient(lambda z: theirs(y_true, z, sample_weight=each(w) if masks else w), y_pred)
    assert got[0].shape == expected[0].shape
    np.testing.assert_allclose(got[0], expected[0], rtol=3e-6)
    np.testing.assert_allclose(got[1], expected[1], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight", "sum"])
@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_mask_counts_as_it_does_in_keras(reduction: str, weight: str) -> None:
    from keras.src.backend import set_keras_mask

    def loss(room: Any, w: Any) -> np.ndarray:
        y_pred = keras.ops.convert_to_tensor(SCORES)
        set_keras_mask(y_pred, keras.ops.convert_to_tensor([True, False, True, True, False, True]))
        found = room.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1, reduction=reduction)
        return np.asarray(keras.ops.convert_to_numpy(found(LABELS, y_pred, sample_weight=w)))

    np.testing.assert_allclose(loss(ours, WEIGHTS[weight]), loss(keras.losses, each(WEIGHTS[weight])), rtol=3e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("case", [next(key for key, case in CASES.items() if case[0] == name) for name in CLASSES])
def test_dtypes_are_those_of_keras(case: str, dtype: str) -> None:
    """Of the function, which takes y_pred as it is, and of the class, which casts. Half precision is rounded once."""
    name, options, y_true, y_pred = CASES[case]
    loss = getattr(ours, name)(**options, dtype=dtype)(y_true, y_pred)
    assert keras.backend.standardize_dtype(loss.dtype) == dtype
    exact = getattr(ours, name)(**options)(y_true, y_pred)
    rounding = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 1e-6}[dtype]
    np.testing.assert_allclose(
        float(keras.ops.cast(loss, "float32")), float(exact), rtol=rounding, atol=2e-2 if dtype == "bfloat16" else 1e-3
    )


@pytest.mark.parametrize("name", CLASSES)
def test_signatures_of_losses_are_those_of_keras(name: str) -> None:
    assert inspect.signature(getattr(ours, name)) == inspect.signature(getattr(keras.losses, name))
    assert issubclass(getattr(ours, name), getattr(keras.losses, name))


def test_public_names() -> None:
    assert set(ours.__all__) == {*CLASSES, *FUNCTIONS, "heads", "losses", "metrics"}
    assert sorted(name.replace("_", "") for name in FUNCTIONS) == sorted(name.lower() for name in CLASSES)
    assert set(ours.losses.__all__) == {*CLASSES, *FUNCTIONS}
    assert set(ours.metrics.__all__) == {*FUNCTIONS, *(name for name in CLASSES if "Focal" not in name)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_of_functions_are_those_of_keras(name: str) -> None:
    def plain(function: Any) -> list[tuple[str, Any, Any]]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]

    assert plain(getattr(ours, name)) == plain(getattr(keras.losses, name))
    assert getattr(ours.metrics, name) is getattr(ours.losses, name) is getattr(ours, name)


@pytest.mark.parametrize("name", [name for name in CLASSES if "Focal" not in name])
def test_metrics_are_those_of_keras(name: str) -> None:
    _, options, y_true, y_pred = next(case for case in CASES.values() if case[0] == name)
    assert inspect.signature(getattr(ours.metrics, name)) == inspect.signature(getattr(keras.metrics, name))
    mine, theirs = (getattr(room, name)(**options) for room in (ours.metrics, keras.metrics))
    assert isinstance(mine, getattr(keras.metrics, name))
    for weight in (None, WEIGHTS["rows"]):
        for metric in (mine, theirs):
            metric.update_state(y_true, y_pred, sample_weight=weight)
    np.testing.assert_allclose(float(mine.result()), float(theirs.result()), rtol=3e-6)
    assert mine._direction == "down"
