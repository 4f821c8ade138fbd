"""Shapes as optax takes them: one class axis, several, or all; a mask of examples or of elements."""

from __future__ import annotations

import math
import operator
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from xent.core.arrays import Array
from xent.errors import AxisError, DtypeError, OptionError, ShapeError

Axis: TypeAlias = int | tuple[int, ...] | None


def require_floating(x: Any, argument: str) -> Array:
    """x as a JAX array of floats."""
    if not jnp.issubdtype(jax.dtypes.result_type(x), jnp.floating):
        raise DtypeError(argument, "a floating dtype", str(jax.dtypes.result_type(x)))
    return jnp.asarray(x)


def require_integers(x: Any, argument: str) -> Array:
    """x as a JAX array of integers."""
    if not jnp.issubdtype(jax.dtypes.result_type(x), jnp.integer):
        hint = "For a probability of each class call softmax_cross_entropy."
        raise DtypeError(argument, "an integer dtype", str(jax.dtypes.result_type(x)), hint)
    return jnp.asarray(x)


def together(logits: Array, labels: Array, names: tuple[str, str]) -> tuple[Array, Array]:
    """Both in their common shape. That each should be stretched to fit the other is a mistake, and refused."""
    try:
        shape = jnp.broadcast_shapes(logits.shape, labels.shape)
    except ValueError as error:
        raise ShapeError(names[1], f"a shape that broadcasts to {logits.shape}", str(labels.shape)) from error
    if logits.shape != shape and labels.shape != shape:
        raise ShapeError(
            names[1],
            f"the shape of {names[0]}, {logits.shape}",
            f"{labels.shape}, which would make {shape} of both",
            f"Reshape one of them, for example {names[0]}[..., 0].",
        )
    return jnp.broadcast_to(logits, shape), jnp.broadcast_to(labels, shape)


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The class axes, counted from 0; None: all."""
    if axis is None:
        return tuple(range(ndim))
    if not isinstance(axis, tuple):
        try:
            axis = (operator.index(axis),)
        except TypeError as error:
            raise OptionError("axis=", "an int or a tuple of ints", repr(axis)) from error
    for one in axis:
        if not -ndim <= one < ndim:
            raise AxisError("axis=", f"-{ndim} to {ndim - 1}, for an array of {ndim} axes", str(one))
    found = tuple(one % ndim for one in axis)
    if len(set(found)) != len(found):
        raise AxisError("axis=", "different axes", str(axis))
    return found


def classes_last(x: Array, axes: tuple[int, ...]) -> Array:
    """x with its class axes, in their order, as one last axis."""
    if axes == (x.ndim - 1,):
        return x
    batch = tuple(i for i in range(x.ndim) if i not in axes)
    moved = jnp.transpose(x, batch + axes)
    return moved if len(axes) == 1 else moved.reshape(*(x.shape[i] for i in batch), math.prod(x.shape[i] for i in axes))


def mask_of(where: Any, shape: tuple[int, ...], axes: tuple[int, ...], *, examples: bool) -> Array | None:
    """Which elements count, classes last; None: all. ``examples``: a mask of fewer axes lacks the class axes."""
    if where is None:
        return None
    where = jnp.asarray(where, dtype=bool)
    if examples and where.ndim != len(shape):
        if where.ndim != len(shape) - len(axes):
            raise ShapeError("where=", f"a mask of shape {shape}, or without its class axes", str(where.shape))
        where = jnp.expand_dims(where, axes)
    try:
        where = jnp.broadcast_to(where, shape)
    except ValueError as error:
        raise ShapeError("where=", f"a mask that broadcasts to {shape}", str(where.shape)) from error
    return classes_last(where, axes)
