"""The losses of ``keras.losses`` by the functions here, and those functions.

Each class is a subclass of Keras's, so that its constructor, configuration, ``repr`` and ``isinstance`` are inherited.
It is registered, as "xent>BinaryCrossentropy" and so on: a model that was saved with it loads with it.
"""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import losses as _keras

from xent.backends import find
from xent.core.arrays import Array
from xent.keras import manners
from xent.keras.comparison import categorical_hinge, hinge, kl_divergence, mean_squared_error, poisson
from xent.keras.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_rows,
    sparse_categorical_crossentropy,
    sparse_rows,
)
from xent.keras.focal import binary_focal_crossentropy, categorical_focal_crossentropy
from xent.keras.kernel import Rows

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "Hinge",
    "KLDivergence",
    "MeanSquaredError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "hinge",
    "kl_divergence",
    "mean_squared_error",
    "poisson",
    "sparse_categorical_crossentropy",
]

_register = keras.saving.register_keras_serializable(manners.PACKAGE)


class _Loss:
    """What the classes share: the function, and how its values are weighted and reduced."""

    _function: ClassVar[Any]
    #: Whether y_true holds class indices, which no floating type may round.
    _indices: ClassVar[bool] = False

    name: str
    reduction: str | None
    dtype: str
    _fn_kwargs: dict[str, Any]

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Array:
        """The reduced loss of y_pred against y_true."""
        mask = manners.get_mask(y_pred)
        with keras.name_scope(self.name):
            y_pred = keras.ops.convert_to_tensor(y_pred, dtype=self.dtype)
            y_true = keras.ops.convert_to_tensor(y_true, dtype=None if self._indices else self.dtype)
            y_true, y_pred = manners.same_rank(y_true, y_pred)
            fused = self._fused(y_true, y_pred, sample_weight, mask)
            if fused is not None:
                return fused
            values = self.call(y_true, y_pred)
            weight = self._weights(sample_weight, manners.merged(mask, manners.get_mask(values)))
            return manners.reduced(values, weight, self.reduction, self.dtype)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """The loss of each example."""
        return type(self)._function(y_true, y_pred, **self._fn_kwargs)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._fn_kwargs.items())
        return f"xent.keras.{type(self).__name__}({options})"

    def _weights(self, sample_weight: Any, mask: Array | None) -> Array | None:
        return manners.weights(sample_weight, mask, self.reduction, self.dtype)

    def _rows(self, y_true: Array, y_pred: Array) -> Rows | None:
        """The rows of scores whose losses these are; None for other losses."""
        return None

    def _fused(self, y_true: Array, y_pred: Array, sample_weight: Any, mask: Array | None) -> Array | None:
        """The reduced loss, whose gradient is made in the same pass; None where a backend has no use for that."""
        if self.reduction in (None, "none") or not find(y_pred).fuses(y_pred):
            return None
        rows = self._rows(y_true, y_pred)
        if rows is None:
            return None
        weight = self._weights(sample_weight, manners.merged(mask, rows.counted))
        shape = tuple(rows.q.shape[:-1])
        if 0 in shape or not shape or (weight is not None and tuple(weight.shape) != shape):
            return None
        part = manners.parts(keras.ops.empty(shape, dtype=manners.computed(rows.q)), weight, self.reduction)
        found = rows.total(part, lambda losses: manners.reduced(losses, weight, self.reduction, self.dtype))
        return None if found is None else keras.ops.cast(found, self.dtype)


@_register
class BinaryCrossentropy(_Loss, _keras.BinaryCrossentropy):
    """``keras.losses.BinaryCrossentropy`` by ``xent.keras.binary_crossentropy``, in nats.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.BinaryCrossentropy()([[0.0, 1.0]], [[0.6, 0.4]])), 4)
    0.9163
    """

    _function = staticmethod(binary_crossentropy)


@_register
class CategoricalCrossentropy(_Loss, _keras.CategoricalCrossentropy):
    """``keras.losses.CategoricalCrossentropy`` by ``xent.keras.categorical_crossentropy``, in nats.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.CategoricalCrossentropy()([[0.0, 1.0, 0.0]], [[0.05, 0.95, 0.0]])), 4)
    0.0513
    """

    _function = staticmethod(categorical_crossentropy)

    def _rows(self, y_true: Array, y_pred: Array) -> Rows | None:
        if not self.from_logits:
            return None
        return categorical_rows(y_true, y_pred, self.label_smoothing, self.axis)


@_register
class SparseCategoricalCrossentropy(_Loss, _keras.SparseCategoricalCrossentropy):
    """``keras.losses.SparseCategoricalCrossentropy`` by ``xent.keras.sparse_categorical_crossentropy``, in nats.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.SparseCategoricalCrossentropy()([1], [[0.05, 0.95, 0.0]])), 4)
    0.0513
    """

    _function = staticmethod(sparse_categorical_crossentropy)
    _indices = True

    def _rows(self, y_true: Array, y_pred: Array) -> Rows | None:
        if not self.from_logits:
            return None
        return sparse_rows(y_true, y_pred, self.ignore_class, self._fn_kwargs.get("axis", -1))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; ``axis`` among them, which Keras leaves out."""
        return {**super().get_config(), **{k: v for k, v in self._fn_kwargs.items() if k == "axis"}}


@_register
class BinaryFocalCrossentropy(_Loss, _keras.BinaryFocalCrossentropy):
    """``keras.losses.BinaryFocalCrossentropy`` by ``xent.keras.binary_focal_crossentropy``, in nats.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.BinaryFocalCrossentropy()([[0.0, 1.0]], [[0.6, 0.4]])), 4)
    0.3299
    """

    _function = staticmethod(binary_focal_crossentropy)


@_register
class CategoricalFocalCrossentropy(_Loss, _keras.CategoricalFocalCrossentropy):
    """``keras.losses.CategoricalFocalCrossentropy`` by ``xent.keras.categorical_focal_crossentropy``, in nats.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.CategoricalFocalCrossentropy()([[0.0, 0.0, 1.0]], [[0.1, 0.85, 0.05]])), 4)
    0.6759
    """

    _function = staticmethod(categorical_focal_crossentropy)


@_register
class KLDivergence(_Loss, _keras.KLDivergence):
    """``keras.losses.KLDivergence`` by ``xent.keras.kl_divergence``, in nats.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    _function = staticmethod(kl_divergence)


@_register
class CategoricalHinge(_Loss, _keras.CategoricalHinge):
    """``keras.losses.CategoricalHinge`` by ``xent.keras.categorical_hinge``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.CategoricalHinge()([[0.0, 1.0]], [[0.6, 0.4]])), 4)
    1.2
    """

    _function = staticmethod(categorical_hinge)


@_register
class Hinge(_Loss, _keras.Hinge):
    """``keras.losses.Hinge`` by ``xent.keras.hinge``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.Hinge()([[0.0, 1.0]], [[0.6, 0.4]])), 4)
    1.1
    """

    _function = staticmethod(hinge)


@_register
class MeanSquaredError(_Loss, _keras.MeanSquaredError):
    """``keras.losses.MeanSquaredError`` by ``xent.keras.mean_squared_error``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.MeanSquaredError()([[0.0, 1.0]], [[1.0, 1.0]])), 4)
    0.5
    """

    _function = staticmethod(mean_squared_error)


@_register
class Poisson(_Loss, _keras.Poisson):
    """``keras.losses.Poisson`` by ``xent.keras.poisson``, in nats.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> round(float(xent.keras.Poisson()([[2.0]], [[1.5]])), 4)
    0.6891
    """

    _function = staticmethod(poisson)
