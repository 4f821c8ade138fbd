"""Class indices as Keras takes them: of any number type, with an axis of length one or without."""

from __future__ import annotations

import keras

from xent.core.arrays import Array, device_of, first_position, namespace, to_index
from xent.errors import LabelError, ShapeError
from xent.keras.kernel import reads
from xent.keras.manners import classes_of, is_floating, shape_of

_NAME = "sparse_categorical_crossentropy"


def class_indices(y_true: Array, y_pred: Array, axis: int, ignore_class: int | None) -> tuple[Array, Array | None]:
    """(index of each row, which rows count); an index that is no class is −1.

    ``ignore_class`` is compared in the labels' own type. Where the data can be read, a label that is no class raises.
    """
    xp = namespace(y_true)
    y = _without_class_axis(y_true, y_pred, axis)
    classes = classes_of(y_pred, axis, _NAME)
    counted = None if ignore_class is None else y != ignore_class
    index = to_index(y)
    good = (index >= 0) & (index < classes)
    if is_floating(y):
        good = good & (xp.astype(index, y.dtype) == y)
    if reads(y_true):
        bad = ~good if counted is None else ~good & counted
        if 0 not in tuple(bad.shape) and bool(xp.any(bad)):
            at = first_position(bad)
            label = float(y[at])
            raise LabelError(
                f"{_NAME}(y_true)",
                f"whole numbers 0 to {classes - 1}, for the {classes} classes of y_pred",
                f"{label:g} at position {at}",
                _advice(label, classes),
            )
    nowhere = xp.asarray(-1, dtype=index.dtype, device=device_of(index))
    index = xp.where(good, index, nowhere)
    return (index, None) if counted is None else (xp.where(counted, index, 0 * index), counted)


def _advice(label: float, classes: int) -> str:
    if not label.is_integer():
        return "Write categorical_crossentropy if y_true holds a probability for each class."
    if label == classes:
        return "Write y_true - 1 if yours count from 1."
    return f"Write ignore_class={int(label)} if such examples do not count."


def _without_class_axis(y_true: Array, y_pred: Array, axis: int) -> Array:
    """y_true of y_pred's shape without its class axis."""
    truth, scores = shape_of(y_true), shape_of(y_pred)
    expected = scores[:axis] + scores[axis + 1 :]
    if len(truth) == len(scores):
        # Keras takes the axis of length one where the classes are, or last.
        for at in (axis, len(truth) - 1):
            if truth[at] == 1 and _fit(truth[:at] + truth[at + 1 :], expected):
                return keras.ops.squeeze(y_true, axis=at)
    if not _fit(truth, expected):
        raise ShapeError(
            f"{_NAME}(y_true)",
            f"one label for each row of y_pred, shape {expected}",
            f"shape {truth} for y_pred of shape {scores}",
            "Write categorical_crossentropy if y_true holds a probability for each class."
            if _fit(truth, scores)
            else f"Is axis={axis} the class axis?",
        )
    return y_true


def _fit(one: tuple[int | None, ...], two: tuple[int | None, ...]) -> bool:
    """Whether two shapes are equal, as far as they are known."""
    return len(one) == len(two) and all(a == b for a, b in zip(one, two, strict=True) if None not in (a, b))
