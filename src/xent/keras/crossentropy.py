"""Cross-entropy under Keras's names: of yes/no outcomes, of class probabilities, of class indices."""

from __future__ import annotations

import warnings
from typing import Any

import keras

from xent.core.arrays import Array
from xent.keras import kernel
from xent.keras.kernel import Rows, elements
from xent.keras.labels import class_indices
from xent.keras.manners import (
    axis_of,
    classes_last,
    classes_of,
    dtype_of,
    function,
    prediction,
    require_same_shape,
    set_mask,
    shape_of,
    truth,
)
from xent.keras.probabilities import clipped, normalised, picked, probabilities
from xent.kernels.protocol import HardTarget, SoftTarget


@function
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """Binary cross-entropy, averaged over an axis; ``keras.losses.binary_crossentropy``.

    ℓ = −t·log p − (1 − t)·log(1 − p) of each element, with p = σ(y_pred) or y_pred and t = (1 − ε)·y_true + ε/2; in
    ``xent``'s words Indicators, against Logits or Probabilities.

    Parameters
    ----------
    y_true : tensor of y_pred's shape
        Any numbers.
    y_pred : tensor, floating
        Scores, or probabilities, which are clipped to [1e-7, 1 − 1e-7] (``keras.config.epsilon()``).
    from_logits : bool
        Whether y_pred holds scores.
    label_smoothing : float in [0, 1]
        ε.
    axis : int
        The axis of the mean.

    Returns
    -------
    tensor of y_pred's shape without ``axis``
        In nats, of y_pred's dtype.

    Raises
    ------
    ShapeError
        Shapes that differ.
    ProbabilityError
        A probability outside [0, 1]; where the data cannot be read, its loss and gradient are NaN.

    Examples
    --------
    >>> import xent.keras
    >>> loss = xent.keras.binary_crossentropy([[0.0, 1.0]], [[0.6, 0.4]])
    >>> round(float(loss[0]), 4)
    0.9163
    """
    y_pred = prediction(y_pred)
    value = element_losses(y_true, y_pred, from_logits, label_smoothing, "binary_crossentropy")
    value = keras.ops.mean(value, axis=axis_of(axis, y_pred, "binary_crossentropy"))
    return keras.ops.cast(value, dtype_of(y_pred))


def element_losses(y_true: Any, y_pred: Array, from_logits: bool, label_smoothing: float, argument: str) -> Array:
    """The binary cross-entropy of each element, in float32 at least."""
    t = smoothed(truth(y_true, y_pred), label_smoothing)
    require_same_shape(t, y_pred, argument, "Write keras.ops.expand_dims(y_true, -1) if y_pred is a column.")
    if from_logits:
        return kernel.element_losses(y_pred, "logits", t)
    return kernel.element_losses(clipped(probabilities(y_pred, argument)), "probs", t)


def smoothed(t: Array, label_smoothing: float) -> Array:
    """Yes/no outcomes with a share of the other."""
    return t * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else t


def surprisals(y_pred: Array, from_logits: bool, argument: str) -> tuple[Array, Array]:
    """(−log p, −log(1 − p)) of each element, in float32 at least."""
    if from_logits:
        return elements(y_pred, "logits")
    return elements(clipped(probabilities(y_pred, argument)), "probs")


@function
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """Cross-entropy against class probabilities; ``keras.losses.categorical_crossentropy``.

    ℓ = −Σ_k t_k·log p_k of each row, with p = softmax(y_pred) or y_pred over its sum, and t = (1 − ε)·y_true + ε/K; in
    ``xent``'s words Distribution, against Logits or Probabilities.

    Parameters
    ----------
    y_true : tensor of y_pred's shape
        One-hot rows, or any numbers.
    y_pred : tensor, floating
        Scores, or probabilities. These are divided by the sum of their row, and clipped to [1e-7, 1 − 1e-7].
    from_logits : bool
        Whether y_pred holds scores.
    label_smoothing : float in [0, 1]
        ε.
    axis : int
        The class axis.

    Returns
    -------
    tensor of y_pred's shape without ``axis``
        In nats, of y_pred's dtype. With scores 0·∞ = 0: a class without target mass may have score −inf.

    Raises
    ------
    ShapeError
        Shapes that differ.
    ProbabilityError
        A probability outside [0, 1]; where the data cannot be read, its loss and gradient are NaN.

    Examples
    --------
    >>> import xent.keras
    >>> loss = xent.keras.categorical_crossentropy([[0.0, 1.0, 0.0]], [[0.05, 0.95, 0.0]])
    >>> round(float(loss[0]), 4)
    0.0513
    """
    y_pred = prediction(y_pred)
    if from_logits:
        return keras.ops.cast(categorical_rows(y_true, y_pred, label_smoothing, axis).losses(), dtype_of(y_pred))
    at, t = _categorical(y_true, y_pred, axis, "categorical_crossentropy")
    p = clipped(normalised(probabilities(y_pred, "categorical_crossentropy"), at))
    t = spread(t, label_smoothing, at)
    return keras.ops.cast(-keras.ops.sum(t * keras.ops.log(p), axis=at), dtype_of(y_pred))


def categorical_rows(y_true: Any, y_pred: Array, label_smoothing: float, axis: int) -> Rows:
    """Rows of scores against class probabilities."""
    at, t = _categorical(y_true, y_pred, axis, "categorical_crossentropy")
    classes = classes_of(y_pred, at, "categorical_crossentropy")
    on, off = (1.0 - label_smoothing, label_smoothing / classes) if label_smoothing else (1.0, 0.0)
    return Rows(classes_last(y_pred, at), SoftTarget(classes_last(t, at), on, off))


def spread(t: Array, label_smoothing: float, axis: int) -> Array:
    """Class probabilities with an equal share of every class."""
    if not label_smoothing:
        return t
    return t * (1.0 - label_smoothing) + label_smoothing / classes_of(t, axis, "label_smoothing")


def _categorical(y_true: Any, y_pred: Array, axis: int, argument: str) -> tuple[int, Array]:
    """The class axis and t, checked."""
    at, t = axis_of(axis, y_pred, argument), truth(y_true, y_pred)
    require_same_shape(
        t, y_pred, argument, "Write sparse_categorical_crossentropy if y_true holds the index of the class."
    )
    warn_of_one_class(y_pred, at, argument)
    return at, t


def warn_of_one_class(y_pred: Array, axis: int, argument: str) -> None:
    """A softmax over one class is 1, whatever the model says: Keras warns, and so the loss is 0."""
    if y_pred.shape[axis] == 1:
        message = (
            f"In loss {argument}, expected y_pred.shape to be (batch_size, num_classes) with num_classes > 1. "
            f"Received: y_pred.shape={shape_of(y_pred)}. "
            "Consider using 'binary_crossentropy' if you only have 2 classes."
        )
        warnings.warn(message, SyntaxWarning, stacklevel=4)


@function
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Array:
    """Cross-entropy against class indices; ``keras.losses.sparse_categorical_crossentropy``.

    ℓ = −log p_y of each row, with p = softmax(y_pred) or y_pred over its sum; in ``xent``'s words Labels, against
    Logits or Probabilities.

    Parameters
    ----------
    y_true : tensor of y_pred's shape without ``axis``, or with length 1 there
        Class indices, whole numbers of any type.
    y_pred : tensor, floating
        Scores, or probabilities. These are divided by the sum of their row, and clipped to [1e-7, 1 − 1e-7].
    from_logits : bool
        Whether y_pred holds scores.
    ignore_class : int, optional
        Rows of this label have loss 0 and gradient 0, whatever they hold, and are not part of a mean. Compared in the
        labels' own type.
    axis : int
        The class axis, on every backend.

    Returns
    -------
    tensor of y_pred's shape without ``axis``
        In nats, of y_pred's dtype.

    Raises
    ------
    ShapeError
        y_true does not have one label for each row.
    LabelError
        A label that is no class. Where the data cannot be read, its loss and gradient are NaN.
    ProbabilityError
        A probability outside [0, 1]; where the data cannot be read, its loss and gradient are NaN.

    Examples
    --------
    >>> import xent.keras
    >>> loss = xent.keras.sparse_categorical_crossentropy([1, 2], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])
    >>> [round(float(x), 4) for x in loss]
    [0.0513, 2.3026]
    """
    y_pred = prediction(y_pred)
    rows = sparse_rows(y_true, y_pred, ignore_class, axis)
    found = keras.ops.cast(rows.losses() if from_logits else _of_probabilities(rows), dtype_of(y_pred))
    if rows.counted is not None:
        set_mask(found, rows.counted)
    return found


def sparse_rows(y_true: Any, y_pred: Array, ignore_class: int | None, axis: int) -> Rows:
    """Rows of scores, or of probabilities, against class indices."""
    at = axis_of(axis, y_pred, "sparse_categorical_crossentropy")
    warn_of_one_class(y_pred, at, "sparse_categorical_crossentropy")
    index, counted = class_indices(keras.ops.convert_to_tensor(y_true), y_pred, at, ignore_class)
    return Rows(classes_last(y_pred, at), HardTarget(index), counted)


def _of_probabilities(rows: Rows) -> Array:
    """ℓ of each row of probabilities."""
    ops = keras.ops
    assert isinstance(rows.target, HardTarget)
    p, counted = rows.q, rows.counted
    if counted is not None:
        p = ops.where(ops.expand_dims(counted, -1), p, ops.ones_like(p))  # so that NaN in the others goes nowhere
    found = -ops.log(picked(probabilities(p, "sparse_categorical_crossentropy"), rows.target.index))
    return found if counted is None else ops.where(counted, found, ops.zeros_like(found))
