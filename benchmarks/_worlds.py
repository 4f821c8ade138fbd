"""Each framework's own cross-entropy and ours through that framework's front end, as two peers of one step.

Frameworks are imported by the functions that need them, after ``_machine.pin``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

import xent
from benchmarks._rounds import Peer

Kind = Literal["hard", "soft", "binary", "log loss"]
Loss = Callable[[Any, Any], Any]
OWN, OURS = "own", "xent"


@dataclass(frozen=True)
class World:
    """A process: what it is called on the page, the framework of its arrays, its modes, and its variables."""

    name: str
    arrays: Literal["torch", "jax", "tensorflow", "numpy"]
    modes: tuple[str, ...]
    #: Packages that it needs, and the module of ours that it compares.
    needs: tuple[str, ...]
    ours: str
    environment: tuple[tuple[str, str], ...] = ()

    def absent(self) -> str | None:
        """Why it cannot be measured here, or None."""
        missing = [name for name in (*self.needs, self.ours) if find_spec(name) is None]
        return f"{', '.join(missing)}: not installed" if missing else None


WORLDS = {
    "torch": World("PyTorch", "torch", ("eager",), ("torch",), "xent.torch"),
    "jax": World("JAX", "jax", ("jit", "eager"), ("jax",), "xent.backends.jax"),
    "optax": World("optax", "jax", ("jit",), ("jax", "optax"), "xent.optax"),
    "tensorflow": World(
        "TensorFlow", "tensorflow", ("eager", "tf.function", "XLA"), ("tensorflow",), "xent.tensorflow"
    ),
    "keras-tensorflow": World(
        "Keras on TensorFlow",
        "tensorflow",
        ("tf.function",),
        ("tensorflow", "keras"),
        "xent.keras",
        (("KERAS_BACKEND", "tensorflow"),),
    ),
    "keras-jax": World("Keras on JAX", "jax", ("jit",), ("jax", "keras"), "xent.keras", (("KERAS_BACKEND", "jax"),)),
    "keras-torch": World(
        "Keras on PyTorch", "torch", ("eager",), ("torch", "keras"), "xent.keras", (("KERAS_BACKEND", "torch"),)
    ),
    "sklearn": World("scikit-learn", "numpy", ("log_loss",), ("sklearn",), "xent.sklearn"),
}


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    world: str
    mode: str
    kind: Kind
    shape: tuple[int, int]
    #: The shape of a smoke test.
    quick: tuple[int, int] = (16, 10)
    #: Whether its memory is measured too.
    memory: bool = False

    def at(self, quick: bool) -> tuple[int, int]:
        return self.quick if quick else self.shape

    def name(self, quick: bool) -> str:
        return f"{self.mode}, {self.kind}, {'×'.join(map(str, self.at(quick)))}"


_SHAPES = (((2048, 32000), (64, 320)), ((256, 1000), (32, 100)), ((100_000, 1000), (1000, 100)))
_LOG_LOSS = (((1_000_000, 10), (1000, 10)), ((100_000, 1000), (100, 100)))


def rows_of(key: str) -> list[Row]:
    """The rows of a world."""
    if key == "sklearn":
        return [Row(key, "log_loss", "log loss", shape, small, True) for shape, small in _LOG_LOSS]
    kinds: tuple[Kind, ...] = ("hard", "soft", "binary")
    return [
        Row(key, mode, kind, shape, small, memory=shape == _SHAPES[0][0])
        for mode in WORLDS[key].modes
        for kind in kinds
        for shape, small in _SHAPES
    ]


def peers(row: Row, *, quick: bool, threads: int) -> tuple[dict[str, Peer], int]:
    """Own and ours on the same data, each one step; and the bytes of the scores."""
    arrays, step = _STEPS[WORLDS[row.world].arrays]
    z, t = _data(row.at(quick), row.kind)
    size = z.nbytes
    z, t = arrays(z, t, threads)
    pair = dict(zip((OWN, OURS), _LOSSES[row.world](row.kind), strict=True))
    return {name: step(loss, z, t, row.mode) for name, loss in pair.items()}, size


def agree(row: Row, found: dict[str, Peer]) -> None:
    """What is compared has to be the same number.

    Raises
    ------
    RuntimeError
        It is not.
    """
    own, ours = float(found[OWN].call()), float(found[OURS].call())
    for peer in found.values():
        peer.release()
    if not abs(own - ours) <= 1e-4 * abs(own):
        raise RuntimeError(f"{row}: {own} of its own, {ours} of xent")


def _data(shape: tuple[int, int], kind: Kind) -> tuple[Any, Any]:
    """float32 scores N(0, 3²), or probabilities; and the truth."""
    rng = np.random.default_rng(0)
    if kind == "log loss":
        # N(0, 1): scikit-learn and ours clip alike, but nothing is to be clipped.
        return _softmax(rng.standard_normal(shape, np.float32)), rng.integers(0, shape[1], shape[0])
    z = 3 * rng.standard_normal(shape, np.float32)
    if kind == "hard":
        return z, rng.integers(0, shape[1], shape[0])
    if kind == "soft":
        return z, _softmax(3 * rng.standard_normal(shape, np.float32))
    return z, rng.integers(0, 2, shape).astype(np.float32)


def _softmax(z: Any) -> Any:
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p


def _typed(kind: Kind) -> Loss:
    P: Any = {"hard": xent.Labels, "soft": xent.Distribution, "binary": xent.Indicators}[kind]
    return lambda z, t: xent.cross_entropy(P(t), xent.Logits(z))


def _torch_losses(kind: Kind) -> tuple[Loss, Loss]:
    import torch.nn.functional as F

    import xent.torch as X

    if kind == "binary":
        return F.binary_cross_entropy_with_logits, X.binary_cross_entropy_with_logits
    return F.cross_entropy, X.cross_entropy


def _jax_losses(kind: Kind) -> tuple[Loss, Loss]:
    """JAX has no loss of its own: what its users write with jax.nn."""
    import jax
    import jax.numpy as jnp

    def hard(z: Any, y: Any) -> Any:
        return (jax.nn.logsumexp(z, axis=-1) - jnp.take_along_axis(z, y[:, None], axis=-1)[:, 0]).mean()

    def soft(z: Any, t: Any) -> Any:
        return -(t * jax.nn.log_softmax(z)).sum(axis=-1).mean()

    def binary(z: Any, t: Any) -> Any:
        return -(t * jax.nn.log_sigmoid(z) + (1 - t) * jax.nn.log_sigmoid(-z)).mean()

    return {"hard": hard, "soft": soft, "binary": binary}[kind], _typed(kind)


def _optax_losses(kind: Kind) -> tuple[Loss, Loss]:
    import optax as theirs

    from xent import optax as ours

    name = {
        "hard": "softmax_cross_entropy_with_integer_labels",
        "soft": "softmax_cross_entropy",
        "binary": "sigmoid_binary_cross_entropy",
    }[kind]

    def of(module: Any) -> Loss:
        losses = getattr(module, name)
        return lambda z, t: losses(z, t).mean()

    return of(theirs), of(ours)


def _tensorflow_losses(kind: Kind) -> tuple[Loss, Loss]:
    import tensorflow as tf

    from xent import tensorflow as ours

    name = {
        "hard": "sparse_softmax_cross_entropy_with_logits",
        "soft": "softmax_cross_entropy_with_logits",
        "binary": "sigmoid_cross_entropy_with_logits",
    }[kind]

    def of(module: Any) -> Loss:
        losses = getattr(module, name)
        return lambda z, t: tf.reduce_mean(losses(labels=t, logits=z))

    return of(tf.nn), of(ours)


def _keras_losses(kind: Kind) -> tuple[Loss, Loss]:
    import keras.losses as theirs

    from xent import keras as ours

    name = {"hard": "SparseCategoricalCrossentropy", "soft": "CategoricalCrossentropy", "binary": "BinaryCrossentropy"}

    def of(module: Any) -> Loss:
        loss = getattr(module, name[kind])(from_logits=True)
        return lambda z, t: loss(t, z)

    return of(theirs), of(ours)


def _sklearn_losses(kind: Kind) -> tuple[Loss, Loss]:
    from sklearn.metrics import log_loss as theirs

    from xent.sklearn import log_loss as ours

    def of(function: Callable[..., float]) -> Loss:
        # Labels are told, as for a part of the data that may lack one.
        return lambda q, y: function(y, q, labels=np.arange(q.shape[1]))

    return of(theirs), of(ours)


_LOSSES: dict[str, Callable[[Kind], tuple[Loss, Loss]]] = {
    "torch": _torch_losses,
    "jax": _jax_losses,
    "optax": _optax_losses,
    "tensorflow": _tensorflow_losses,
    "keras-tensorflow": _keras_losses,
    "keras-jax": _keras_losses,
    "keras-torch": _keras_losses,
    "sklearn": _sklearn_losses,
}


def _torch_arrays(z: Any, t: Any, threads: int) -> tuple[Any, Any]:
    import torch

    torch.set_num_threads(threads)
    return torch.from_numpy(z).requires_grad_(), torch.from_numpy(t)


def _torch_step(loss: Loss, z: Any, t: Any, mode: str) -> Peer:
    from benchmarks._peers import backward

    return backward(lambda: loss(z, t), z)


def _jax_arrays(z: Any, t: Any, threads: int) -> tuple[Any, Any]:
    """XLA has as many threads as there are processors to which the process is bound."""
    import jax
    import jax.numpy as jnp

    labels = t if t.dtype == np.float32 else t.astype(np.int32)
    z, t = jax.block_until_ready((jnp.asarray(z), jnp.asarray(labels)))
    return z, t


def _jax_step(loss: Loss, z: Any, t: Any, mode: str) -> Peer:
    import jax

    step = jax.value_and_grad(loss)
    step = jax.jit(step) if mode == "jit" else step

    def call() -> Any:
        value, _ = jax.block_until_ready(step(z, t))
        return value

    return Peer(call)


def _tensorflow_arrays(z: Any, t: Any, threads: int) -> tuple[Any, Any]:
    """Its threads are set when it starts."""
    import tensorflow as tf

    return tf.constant(z), tf.constant(t)


def _tensorflow_step(loss: Loss, z: Any, t: Any, mode: str) -> Peer:
    import tensorflow as tf

    def step(z: Any, t: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = loss(z, t)
        return value, tape.gradient(value, z)

    run = step if mode == "eager" else tf.function(step, jit_compile=mode == "XLA")

    def call() -> Any:
        value, _ = run(z, t)
        return value.numpy()

    return Peer(call)


def _numpy_arrays(z: Any, t: Any, threads: int) -> tuple[Any, Any]:
    return z, t


def _numpy_step(loss: Loss, z: Any, t: Any, mode: str) -> Peer:
    return Peer(lambda: loss(z, t))


Arrays = Callable[[Any, Any, int], tuple[Any, Any]]
#: How the data become a framework's arrays, and how a loss of them becomes a step.
_STEPS: dict[str, tuple[Arrays, Callable[[Loss, Any, Any, str], Peer]]] = {
    "torch": (_torch_arrays, _torch_step),
    "jax": (_jax_arrays, _jax_step),
    "tensorflow": (_tensorflow_arrays, _tensorflow_step),
    "numpy": (_numpy_arrays, _numpy_step),
}
