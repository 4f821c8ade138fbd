"""One sum, Σ w·ℓ, asked of every front end in its own words: the total, and its gradient by the scores.

Each front end is a function of a Case that answers in NumPy, or None where the framework has no words for the case.
Frameworks are imported by the functions that need them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

import xent

Numbers: TypeAlias = Any
#: The sum and its gradient; the gradient is None where a front end has none, all is None where it has no words.
Answer: TypeAlias = tuple[float, Numbers | None] | None

#: The smoothing of the smoothed case, the weights of the weighted one by class, and the label of an ignored row.
SMOOTHING = 0.1
IGNORED = -1


@dataclass(frozen=True, eq=False)
class Case:
    """A batch as a framework's user has it: ``z`` is float32, scores or probabilities; ``y`` labels (N,) or targets of
    z's shape."""

    name: str
    kind: str  # "labels", "distribution" or "indicators"
    z: Numbers
    y: Numbers
    probs: bool = False
    smoothing: float = 0.0
    class_weight: Numbers | None = None
    counted: Numbers | None = None

    @property
    def labels(self) -> Numbers:
        """Labels with those of ignored rows marked."""
        return self.y if self.counted is None else np.where(self.counted, self.y, IGNORED)

    @property
    def safe(self) -> Numbers:
        """Labels that are all classes."""
        return self.y

    def one_hot(self) -> Numbers:
        """float32 rows, smoothed."""
        k = self.z.shape[-1]
        t = (1 - self.smoothing) * np.eye(k)[self.y] + self.smoothing / k
        return t.astype(np.float32)

    def row_weight(self) -> Numbers | None:
        """What a user multiplies losses by where the framework has no other way."""
        if self.class_weight is not None:
            return self.class_weight[self.y]
        return None if self.counted is None else self.counted.astype(np.float32)


def _core(case: Case, array: Callable[[Numbers], Any]) -> tuple[Any, dict[str, Any]]:
    """P and the options of ``xent.cross_entropy``."""
    if case.kind == "labels":
        ignore = None if case.counted is None else IGNORED
        P: Any = xent.Labels(array(case.labels), ignore=ignore, smoothing=case.smoothing)
    else:
        P = (xent.Distribution if case.kind == "distribution" else xent.Indicators)(array(case.y))
    options = {} if case.class_weight is None else {"class_weight": array(case.class_weight)}
    return P, {**options, "reduction": "sum"}


def _prediction(case: Case, q: Any) -> Any:
    return xent.Probabilities(q) if case.probs else xent.Logits(q)


def core_numpy(case: Case) -> Answer:
    P, options = _core(case, lambda x: x)
    total, gradient = xent.value_and_grad(P, _prediction(case, case.z), **options)
    return float(total), gradient


def _torch(case: Case, loss: Callable[[Any], Any]) -> Answer:
    import torch

    z = torch.tensor(case.z, requires_grad=True)
    total = loss(z)
    (gradient,) = torch.autograd.grad(total, z)
    return float(total.detach()), gradient.numpy()


def core_torch(case: Case) -> Answer:
    import torch

    P, options = _core(case, torch.as_tensor)
    return _torch(case, lambda z: xent.cross_entropy(P, _prediction(case, z), **options))


def _jax(case: Case, loss: Callable[[Any], Any]) -> Answer:
    import jax

    total, gradient = jax.jit(jax.value_and_grad(loss))(case.z)
    return float(total), np.asarray(gradient)


def core_jax(case: Case) -> Answer:
    import jax.numpy as jnp

    P, options = _core(case, jnp.asarray)
    return _jax(case, lambda z: xent.cross_entropy(P, _prediction(case, z), **options))


def _tensorflow(case: Case, loss: Callable[[Any], Any]) -> Answer:
    import tensorflow as tf

    z = tf.constant(case.z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        total = loss(z)
    return float(total), tape.gradient(total, z).numpy()


def core_jax_eager(case: Case) -> Answer:
    import jax
    import jax.numpy as jnp

    with jax.disable_jit():
        P, options = _core(case, jnp.asarray)
        total, gradient = xent.value_and_grad(P, _prediction(case, jnp.asarray(case.z)), **options)
    return float(total), np.asarray(gradient)


def core_tensorflow_xla(case: Case) -> Answer:
    import tensorflow as tf

    P, options = _core(case, tf.constant)

    @tf.function(jit_compile=True)  # type: ignore[misc, unused-ignore]
    def both(z: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(z)
            total = xent.cross_entropy(P, _prediction(case, z), **options)
        return total, tape.gradient(total, z)

    total, gradient = both(tf.constant(case.z))
    return float(total), gradient.numpy()


def core_tensorflow(case: Case) -> Answer:
    import tensorflow as tf

    P, options = _core(case, tf.constant)
    return _tensorflow(case, lambda z: xent.cross_entropy(P, _prediction(case, z), **options))


def torch(case: Case) -> Answer:
    import torch

    import xent.torch as F

    y = torch.as_tensor(case.labels)
    if case.probs:
        return _torch(case, lambda q: F.nll_loss(q.log(), y, reduction="sum"))
    if case.kind == "indicators":
        return _torch(case, lambda z: F.binary_cross_entropy_with_logits(z, y, reduction="sum"))
    weight = None if case.class_weight is None else torch.as_tensor(case.class_weight)
    options = {"reduction": "sum", "weight": weight, "ignore_index": IGNORED, "label_smoothing": case.smoothing}
    return _torch(case, lambda z: F.cross_entropy(z, y, **options))


def _summed(case: Case, losses: Any, total: Callable[[Any], Any]) -> Any:
    weight = case.row_weight()
    return total(losses if weight is None else losses * weight)


def optax(case: Case) -> Answer:
    import jax.numpy as jnp

    from xent import optax as losses

    if case.probs:
        return None
    where = None if case.counted is None else jnp.asarray(case.counted)
    if case.kind == "indicators":
        return _jax(case, lambda z: losses.sigmoid_binary_cross_entropy(z, case.y).sum())
    if case.kind == "distribution" or case.smoothing:
        t = case.y if case.kind == "distribution" else case.one_hot()
        return _jax(case, lambda z: losses.softmax_cross_entropy(z, t).sum())
    weight = 1.0 if case.class_weight is None else case.row_weight()
    f = losses.softmax_cross_entropy_with_integer_labels
    return _jax(case, lambda z: (weight * f(z, case.safe, where=where)).sum())


def tensorflow(case: Case) -> Answer:
    import tensorflow as tf

    from xent import tensorflow as nn

    if case.probs:
        return None
    if case.kind == "indicators":
        return _tensorflow(case, lambda z: tf.reduce_sum(nn.sigmoid_cross_entropy_with_logits(labels=case.y, logits=z)))
    if case.kind == "distribution" or case.smoothing:
        t = case.y if case.kind == "distribution" else case.one_hot()
        return _tensorflow(case, lambda z: tf.reduce_sum(nn.softmax_cross_entropy_with_logits(labels=t, logits=z)))
    f = nn.sparse_softmax_cross_entropy_with_logits
    return _tensorflow(case, lambda z: _summed(case, f(labels=case.safe, logits=z), tf.reduce_sum))


def keras(case: Case) -> Answer:
    import keras

    from xent import keras as losses

    options: dict[str, Any] = {"from_logits": not case.probs, "reduction": "sum"}
    truth, factor = case.y, 1.0
    if case.kind == "indicators":
        # Keras's mean over the last axis is part of the loss.
        loss, factor = losses.BinaryCrossentropy(**options), float(case.z.shape[-1])
    elif case.kind == "distribution":
        loss = losses.CategoricalCrossentropy(**options)
    elif case.smoothing:
        loss = losses.CategoricalCrossentropy(label_smoothing=case.smoothing, **options)
        truth = np.eye(case.z.shape[-1], dtype=np.float32)[case.y]
    else:
        ignore = None if case.counted is None else IGNORED
        loss, truth = losses.SparseCategoricalCrossentropy(ignore_class=ignore, **options), case.labels
    weight = None if case.class_weight is None else case.row_weight()

    def total(z: Any) -> Any:
        return factor * loss(truth, z, sample_weight=weight)

    run = {"torch": _torch, "jax": _jax, "tensorflow": _tensorflow}[keras.backend.backend()]
    answer = run(case, total)
    # Keras normalises probabilities first: by them it is another function, with another gradient.
    return (answer[0], None) if case.probs and answer is not None else answer


def sklearn(case: Case) -> Answer:
    from xent.sklearn import log_loss

    if not case.probs:
        return None
    return float(log_loss(case.labels, case.z, labels=range(case.z.shape[-1]), normalize=False)), None


#: Those of one process; Keras chooses its backend when it is imported, so each of its three has a process of its own.
FRONTS: dict[str, Callable[[Case], Answer]] = {
    "core, NumPy": core_numpy,
    "core, PyTorch": core_torch,
    "core, JAX jit": core_jax,
    "core, JAX eager": core_jax_eager,
    "core, TensorFlow eager": core_tensorflow,
    "core, TensorFlow XLA": core_tensorflow_xla,
    "xent.torch": torch,
    "xent.optax": optax,
    "xent.tensorflow": tensorflow,
    "xent.sklearn": sklearn,
}
