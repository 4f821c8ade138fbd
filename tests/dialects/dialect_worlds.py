"""Run a written call in its own framework: the same data in every library, the value, and the gradient by the scores.

Probabilities and log-probabilities are made of the scores inside, so that a gradient is always one by the scores.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROWS, CLASSES = 6, 4
_rng = np.random.default_rng(7)
X = _rng.normal(size=(ROWS, CLASSES))
HARD = _rng.integers(CLASSES, size=ROWS)
_soft = _rng.gamma(1.0, size=(ROWS, CLASSES))
_yes = _rng.integers(2, size=(ROWS, CLASSES)).astype(float)

#: What the names in a call stand for; ``target`` is one-hot, soft or yes/no by case.
DATA = {
    "labels": HARD,
    "signs": 2 * _yes - 1,
    "class_weight": np.array([0.5, 2.0, 1.5, 0.25]),
    "sample_weight": _rng.uniform(0.5, 2.0, ROWS),
    "element_weight": _rng.uniform(0.5, 2.0, (ROWS, CLASSES)),
    "pos_weight": np.array([2.0, 0.5, 3.0, 1.5]),
    "classifier": _rng.normal(size=(CLASSES, CLASSES)),
    "bias": _rng.normal(size=CLASSES),
    "counts": _rng.poisson(3.0, (ROWS, CLASSES)).astype(float),
    "log_target": np.log(_soft / _soft.sum(-1, keepdims=True)),
    "mask": np.array([True, True, False, True])[None, :] | np.eye(CLASSES, dtype=bool)[HARD],
}
TARGETS = {
    "soft": _soft / _soft.sum(-1, keepdims=True),
    "masked": _soft * DATA["mask"] / (_soft * DATA["mask"]).sum(-1, keepdims=True),
    "one-hot": np.eye(CLASSES)[HARD],
    "yes/no": _yes,
    "shares": _rng.uniform(size=(ROWS, CLASSES)),
}


Loss = Callable[[Any], tuple[Any, Any]]


@dataclass(frozen=True)
class World:
    """One library: how its arrays are made, how a function is differentiated, and what its own names are."""

    array: Callable[[np.ndarray], Any]
    #: (value, gradient) of a function that gives (number, value)
    differentiated: Callable[[Loss, Any], tuple[Any, Any]]
    total: Callable[[Any], Any]
    names: Callable[[], dict[str, Any]]
    softmax: str
    log_softmax: str
    sigmoid: str
    exp: str
    inside: Callable[[], AbstractContextManager[Any]] = nullcontext


def _torch() -> World:
    import torch

    def differentiated(f: Loss, x: Any) -> tuple[Any, Any]:
        x = x.clone().requires_grad_()
        number, value = f(x)
        return value.detach(), torch.autograd.grad(number, x)[0]

    return World(
        torch.tensor,
        differentiated,
        torch.sum,
        lambda: {"torch": torch},
        "torch.softmax(x, -1)",
        "torch.log_softmax(x, -1)",
        "torch.sigmoid(x)",
        "torch.exp(x)",
    )


def _jax() -> World:
    import jax
    import jax.numpy as jnp
    import optax

    def differentiated(f: Loss, x: Any) -> tuple[Any, Any]:
        gradient, value = jax.grad(f, has_aux=True)(x)
        return value, gradient

    return World(
        jnp.asarray,
        differentiated,
        jnp.sum,
        lambda: {"jax": jax, "jnp": jnp, "optax": optax},
        "jax.nn.softmax(x)",
        "jax.nn.log_softmax(x)",
        "jax.nn.sigmoid(x)",
        "jnp.exp(x)",
        lambda: jax.enable_x64(True),
    )


def _tensorflow() -> World:
    import tensorflow as tf

    def differentiated(f: Loss, x: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            number, value = f(x)
        return value, tape.gradient(number, x)

    return World(
        tf.constant,
        differentiated,
        tf.reduce_sum,
        lambda: {"tf": tf},
        "tf.nn.softmax(x)",
        "tf.nn.log_softmax(x)",
        "tf.sigmoid(x)",
        "tf.exp(x)",
    )


class _Float64:
    """Keras computes in its ``floatx``."""

    def __enter__(self) -> None:
        import keras

        self.before = keras.config.floatx()
        keras.config.set_floatx("float64")

    def __exit__(self, *_: object) -> None:
        import keras

        keras.config.set_floatx(self.before)


def _keras() -> World:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError("these tests run Keras on TensorFlow, its default")
    ours = _tensorflow()
    return World(
        ours.array,
        ours.differentiated,
        ours.total,
        lambda: {"keras": keras},
        "keras.ops.softmax(x)",
        "keras.ops.log_softmax(x)",
        "keras.ops.sigmoid(x)",
        "keras.ops.exp(x)",
        _Float64,
    )


def _numpy() -> World:
    import scipy.special
    import sklearn.metrics

    def value(f: Loss, x: Any) -> tuple[Any, Any]:
        return f(x)[1], None

    return World(
        np.asarray,
        value,
        np.sum,
        lambda: {"np": np, "scipy": scipy, "sklearn": sklearn},
        "scipy.special.softmax(x, -1)",
        "scipy.special.log_softmax(x, -1)",
        "scipy.special.expit(x)",
        "np.exp(x)",
    )


WORLDS = {
    "torch": _torch,
    "optax": _jax,
    "tensorflow": _tensorflow,
    "keras": _keras,
    "sklearn": _numpy,
    "numpy": _numpy,
}
_MADE: dict[str, World] = {}


def world(name: str) -> World:
    """The library of a framework, imported once."""
    if name not in _MADE:
        _MADE[name] = WORLDS[name]()
    return _MADE[name]


def run(
    name: str,
    lines: Sequence[str],
    imports: Sequence[str] | None = None,
    *,
    target: str,
    binary: bool,
    ignored: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """(value, gradient by the scores of a fixed mixture of its numbers) of a call; no gradient in NumPy."""
    where = world(name)
    *before, last = lines

    def called(x: Any) -> tuple[Any, Any]:
        names = {key: where.array(value) for key, value in DATA.items()}
        if ignored:
            names["labels"] = where.array(np.where(np.arange(ROWS) % 3 == 1, -100, HARD))
        names |= {"target": where.array(TARGETS[target]), "x": x, **where.names()}
        for made, text in {
            "probs": where.sigmoid if binary else where.softmax,
            "log_probs": where.log_softmax,
            "rates": where.exp,
            "scores": "x",
            "log_rates": "x",
            "hidden": "x",
        }.items():
            names[made] = eval(text, names)
        if imports is not None:  # nothing but what the call says that it needs
            names = {key: value for key, value in names.items() if key not in where.names()}
        exec("\n".join([*(imports or ["import xent"]), *before]), names)
        value = eval(last, names)
        mixture = np.cos(np.arange(math.prod(np.shape(value)))).reshape(np.shape(value))
        return where.total(value * where.array(mixture)) if mixture.ndim else value, value

    with where.inside():
        value, gradient = where.differentiated(called, where.array(X))
        return np.asarray(value), None if gradient is None else np.asarray(gradient)
