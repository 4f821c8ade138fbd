"""Array operations as one XLA program, inside of a graph that XLA does not compile as a whole."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

import tensorflow as tf

from xent.core.arrays import Array, device_name


def in_graph(x: Array) -> bool:
    """Whether no compiled kernel can read x: while a graph is traced, and on an accelerator."""
    return not tf.executing_eagerly() or device_name(x) != "cpu"


def compiled(function: Callable[..., Any], static: Hashable, *tensors: Array | None) -> Any:
    """``function(static, *tensors)``, for the inside of a custom gradient, which says what its derivatives are.

    XLA compiles a program for each shape. Where a graph is traced for batches of any length that could be one for each
    batch, so there the operations go into the graph as they are: slower, but without pauses.
    """
    # A tape that saw the tensors would have the program hand out everything that it computes on the way.
    tensors = tuple(None if x is None else tf.stop_gradient(x) for x in tensors)
    if all(x is None or x.shape.is_fully_defined() for x in tensors):
        return _program(function, static)(*tensors)
    return function(static, *tensors)


def refuse_forward_mode(x: Array) -> Array:
    """0, through which no derivative goes: forward mode in a graph differentiates what is inside of a custom gradient,
    and would find nothing."""
    why = "xent: TensorFlow has no forward mode for custom gradients in a graph; call it eagerly, or take two tapes."
    return tf.reduce_sum(tf.raw_ops.PreventGradient(input=x[..., :0], message=why))


@cache
def unconverted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which AutoGraph is not to rewrite: nothing here branches on the values of a graph."""
    found: Callable[..., Any] = tf.autograph.experimental.do_not_convert(function)
    return found


@cache
def _program(function: Callable[..., Any], static: Hashable) -> Callable[..., Any]:
    def program(*tensors: Array | None) -> Any:
        return function(static, *tensors)

    found: Callable[..., Any] = tf.function(program, jit_compile=True, autograph=False)
    return found
