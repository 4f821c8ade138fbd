"""What every function of this front end does as Keras does: tensors, dtypes, ranks, masks and reductions.

The only file here that names parts of Keras outside its public interface: its mask on a tensor, and the four steps of
its reduction (``keras.src.losses.loss``). Keras's own layers and metrics speak with a loss through them, so a copy
could only drift.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras
from keras.src import backend as _keras
from keras.src.losses.loss import apply_mask, reduce_values, squeeze_or_expand_to_same_rank

from xent.core.arrays import HALF, Array, namespace
from xent.errors import OptionError, ShapeError

PACKAGE = "xent"

get_mask = _keras.get_keras_mask
set_mask = _keras.set_keras_mask
same_rank = squeeze_or_expand_to_same_rank


def function(call: Callable[..., Array]) -> Callable[..., Array]:
    """A loss function that Keras can save by its name, and call on the symbols of a functional model."""

    @functools.wraps(call)
    def entry(y_true: Any, y_pred: Any, *args: Any, **options: Any) -> Array:
        if isinstance(y_true, keras.KerasTensor) or isinstance(y_pred, keras.KerasTensor):
            return LossOperation(entry, args, options)(y_true, y_pred)
        return call(y_true, y_pred, *args, **options)

    return keras.saving.register_keras_serializable(PACKAGE)(entry)  # type: ignore[no-any-return]


@keras.saving.register_keras_serializable(PACKAGE)
class LossOperation(keras.Operation):
    """A loss function as a node of a functional model."""

    def __init__(
        self, fn: Callable[..., Array], args: Any = (), options: Any = None, *, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.fn, self.args, self.options = fn, tuple(args), dict(options or {})

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """The loss of y_pred against y_true."""
        return self.fn(y_true, y_pred, *self.args, **self.options)

    def compute_output_spec(self, y_true: Any, y_pred: Any) -> keras.KerasTensor:
        """One number an example: y_pred's shape without its axis, the last one where the function takes none."""
        given = inspect.signature(self.fn).bind(y_true, y_pred, *self.args, **self.options)
        given.apply_defaults()
        axis = axis_of(given.arguments.get("axis", -1), y_pred, self.fn.__name__)
        return keras.KerasTensor(y_pred.shape[:axis] + y_pred.shape[axis + 1 :], dtype=y_pred.dtype)

    def get_config(self) -> dict[str, Any]:
        """Name and arguments of the function."""
        fn = keras.saving.serialize_keras_object(self.fn)
        return {"fn": fn, "args": list(self.args), "options": self.options, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LossOperation:
        """The node that ``get_config`` described."""
        return cls(**{**config, "fn": keras.saving.deserialize_keras_object(config["fn"])})


def prediction(y_pred: Any) -> Array:
    """y_pred as a floating tensor; whole numbers in Keras's default type."""
    found = keras.ops.convert_to_tensor(y_pred)
    return found if is_floating(found) else keras.ops.cast(found, keras.config.floatx())


def truth(y_true: Any, y_pred: Array) -> Array:
    """y_true in the type that y_pred is computed in: float32 for half precision, so that it is not rounded."""
    return keras.ops.cast(keras.ops.convert_to_tensor(y_true), computed(y_pred))


def computed(x: Array) -> str:
    """The type of the arithmetic: float32, or float64 for float64."""
    return "float32" if dtype_of(x) in HALF else dtype_of(x)


def widened(x: Array) -> Array:
    """x in the type of the arithmetic."""
    return keras.ops.cast(x, computed(x)) if dtype_of(x) in HALF else x


def dtype_of(x: Array) -> str:
    return str(keras.backend.standardize_dtype(x.dtype))


def is_floating(x: Array) -> bool:
    return bool(keras.backend.is_float_dtype(dtype_of(x)))


def floats(x: Array) -> Array:
    """x as floats that nothing rounds: half precision in float32."""
    return widened(x) if is_floating(x) else keras.ops.cast(x, keras.config.floatx())


def axis_of(axis: Any, x: Array, argument: str) -> int:
    """The axis, counted from 0."""
    rank = len(x.shape)
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise OptionError(
            f"`axis` must be of type `int`; {argument}(axis=)", "an int", f"{axis!r} of type {type(axis).__name__}"
        )
    if not -rank <= axis < rank:
        raise ShapeError(
            f"{argument}(axis=)", f"{-rank} to {rank - 1}" if rank else "an axis", f"{axis} for shape {shape_of(x)}"
        )
    return axis % rank


def classes_of(x: Array, axis: int, argument: str) -> int:
    """The number of classes, which is known where a graph is made, unlike the number of examples."""
    found = shape_of(x)[axis]
    if found is None:
        raise ShapeError(
            f"{argument}(y_pred)",
            "a class axis of known length",
            f"shape {shape_of(x)}, axis={axis}",
            "Write keras.ops.reshape(y_pred, (-1, classes)).",
        )
    return found


def require_same_shape(y_true: Array, y_pred: Array, argument: str, instead: str = "") -> None:
    """Equal shapes, as far as they are known while a graph is made."""
    one, two = shape_of(y_true), shape_of(y_pred)
    if len(one) != len(two) or any(a != b for a, b in zip(one, two, strict=True) if None not in (a, b)):
        raise ShapeError(
            f"{argument}(y_true, y_pred)", "two tensors, which must have the same shape", f"{one} and {two}", instead
        )


def shape_of(x: Array) -> tuple[int | None, ...]:
    """The shape, with None for a length that is not known, or is a symbol, while a graph is made."""
    return tuple(n if isinstance(n, int) else None for n in x.shape)


def classes_last(x: Array, axis: int) -> Array:
    return x if axis == len(x.shape) - 1 else namespace(x).moveaxis(x, axis, -1)


def merged(one: Array | None, other: Array | None) -> Array | None:
    """Where both masks hold; None holds everywhere."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def weights(sample_weight: Any, mask: Array | None, reduction: str | None, dtype: str) -> Array | None:
    """The weights that Keras makes of sample weights and a mask; None: all are 1."""
    weight = None if sample_weight is None else keras.ops.convert_to_tensor(sample_weight, dtype=dtype)
    if weight is not None and not len(weight.shape) and mask is not None:
        # One number for all: Keras writes the product into it, which PyTorch refuses.
        return apply_mask(None, mask, dtype=dtype, reduction=reduction) * weight
    return apply_mask(weight, mask, dtype=dtype, reduction=reduction)


def reduced(values: Array, weight: Array | None, reduction: str | None, dtype: str) -> Array:
    """The values of examples, weighted and reduced as Keras does; an example of weight 0 adds exactly 0."""
    ops = keras.ops
    values = ops.cast(values, dtype)
    if weight is not None:
        values, weight = squeeze_or_expand_to_same_rank(values, weight)
        # Not a product alone: NaN·0 is NaN.
        values = ops.where(weight == 0, ops.zeros_like(values), values) * weight
    return reduce_values(values, weight, reduction)


def parts(like: Array, weight: Array | None, reduction: str | None) -> Array:
    """The derivative of ``reduced`` by the value of each example, in the type and shape of ``like``."""
    ops = keras.ops
    part = ops.ones_like(like) if weight is None else ops.cast(weight, like.dtype)
    if reduction == "sum":
        return part
    own = reduction == "mean_with_sample_weight" and weight is not None
    divisor = ops.sum(part) if own else ops.cast(ops.size(like), like.dtype)
    replicas = reduce_values(ops.ones((1,), dtype=like.dtype), None, reduction)  # what Keras makes of one part of many
    return ops.divide_no_nan(part, divisor) * replicas
