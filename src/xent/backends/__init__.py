"""Finds the backend of an array; never imports a framework that the user has not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from xent.backends.numpy import backend as _numpy
from xent.backends.protocol import Backend
from xent.core.arrays import Array, library

__all__ = ["Backend", "find", "on_arrays"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

#: Where P and Q hold the array that says which framework a call is of.
_HELD = ("scores", "indices", "probs", "values", "log_probs", "hidden")


def find(x: Array) -> Backend:
    """The backend of an array that ``as_array`` let in."""
    if library(x) == "torch":
        from xent.backends.torch import backend

        return backend
    if library(x) == "jax":
        from xent.backends.jax import backend as jax_backend

        return jax_backend
    if library(x) == "tensorflow":
        from xent.backends.tensorflow import backend as tensorflow_backend

        return tensorflow_backend
    return _numpy


def on_arrays(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """A public function of arrays. Those of JAX in memory, outside any transformation, come as views; for those of
    TensorFlow AutoGraph leaves the code as it is."""

    @wraps(function)
    def call(*args: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        if "tensorflow" in sys.modules and any(_of(value, "tensorflow") for value in args or options.values()):
            from xent.backends.tensorflow.compiled import unconverted

            plain: _Result = unconverted(function)(*args, **options)
            return plain
        if "jax" not in sys.modules or not any(map(_of_jax, args or options.values())):
            return function(*args, **options)
        from xent.backends.jax.borrowing import on_views

        found: _Result = on_views(function, args, options)
        return found

    return call


def _of_jax(value: Any) -> bool:
    return _of(value, "jax")


def _of(value: Any, framework: str) -> bool:
    for name in _HELD:
        held = getattr(value, name, None)
        if held is not None and library(held) == framework:
            return True
    return library(value) == framework
