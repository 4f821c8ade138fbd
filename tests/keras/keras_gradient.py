"""A loss and its gradient on whichever backend Keras has in this process, as it is called and as it is compiled."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

BACKEND = keras.backend.backend()
assert os.environ.get("KERAS_BACKEND") == BACKEND, "these cases run in a process of their own, one for each backend"

Loss = Callable[[Any], Any]


def value_and_gradient(loss: Loss, x: np.ndarray, *, compiled: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(loss(x), the gradient of its sum by x), in float64.

    ``compiled``: under ``jax.jit``, in a ``tf.function``; for PyTorch, which Keras does not compile on its own, under
    ``torch.compile`` without code generation.
    """
    value, gradient = {"torch": _torch, "jax": _jax, "tensorflow": _tensorflow}[BACKEND](loss, x, compiled)
    return _wide(value), _wide(gradient)


def _wide(x: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(x, "float32" if _half(x) else x.dtype)), np.float64)


def _half(x: Any) -> bool:
    return keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")


def _torch(loss: Loss, x: np.ndarray, compiled: bool) -> tuple[Any, Any]:
    import torch

    z = keras.ops.convert_to_tensor(x).detach().clone().requires_grad_()
    if compiled:
        torch._dynamo.reset()  # or the eighth lambda of a test is no longer compiled
        with warnings.catch_warnings():
            # PyTorch's compiler looks at what PyTorch warns of (.grad of inner tensors, autograd functions).
            warnings.simplefilter("ignore")
            value = torch.compile(loss, backend="aot_eager")(z)
    else:
        value = loss(z)
    (gradient,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), gradient


def _jax(loss: Loss, x: np.ndarray, compiled: bool) -> tuple[Any, Any]:
    import jax

    z = keras.ops.convert_to_tensor(x)

    def both(z: Any) -> tuple[Any, Any]:
        value, pull = jax.vjp(loss, z)
        return value, pull(jax.numpy.ones_like(value))[0]

    # jax.vjp traces even where nothing is compiled; a value that may raise is asked for without it.
    if not compiled:
        loss(z)
    return jax.jit(both)(z) if compiled else both(z)


def _tensorflow(loss: Loss, x: np.ndarray, compiled: bool) -> tuple[Any, Any]:
    import tensorflow as tf

    def both(z: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = loss(z)
        return value, tape.gradient(value, z)

    z = keras.ops.convert_to_tensor(x)
    if not compiled:
        return both(z)
    unknown = tf.TensorSpec([None, *z.shape[1:]], z.dtype)  # as in model.fit: the batch is not known
    return tf.function(both, input_signature=[unknown])(z)
