"""The metrics of ``keras.metrics`` by the functions here: means of losses over everything that was seen.

Each class is a subclass of Keras's with another function. They are registered as "xent.metrics>BinaryCrossentropy" and
so on: a model that was compiled with one and saved loads with it.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, TypeVar

import keras
from keras import metrics as _keras

from xent.keras.comparison import categorical_hinge, hinge, kl_divergence, mean_squared_error, poisson
from xent.keras.crossentropy import binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy
from xent.keras.focal import binary_focal_crossentropy, categorical_focal_crossentropy

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
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

_T = TypeVar("_T", bound=type)


class _Mean:
    """What the classes share: the function whose values are averaged."""

    _function: ClassVar[Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fn = type(self)._function
        self._direction = "down"  # less is better; Keras knows it of its own functions only


def _register(cls: _T) -> _T:
    """The class under its name in saved models, with the signature of Keras's."""
    cls.__signature__ = inspect.signature(cls.__mro__[2])  # type: ignore[attr-defined]
    return keras.saving.register_keras_serializable("xent.metrics")(cls)  # type: ignore[no-any-return]


@_register
class BinaryCrossentropy(_Mean, _keras.BinaryCrossentropy):
    """``keras.metrics.BinaryCrossentropy`` by ``xent.keras.binary_crossentropy``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> metric = xent.keras.metrics.BinaryCrossentropy()
    >>> metric.update_state([[0.0, 1.0]], [[0.6, 0.4]])
    >>> round(float(metric.result()), 4)
    0.9163
    """

    _function = staticmethod(binary_crossentropy)


@_register
class CategoricalCrossentropy(_Mean, _keras.CategoricalCrossentropy):
    """``keras.metrics.CategoricalCrossentropy`` by ``xent.keras.categorical_crossentropy``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> metric = xent.keras.metrics.CategoricalCrossentropy()
    >>> metric.update_state([[0.0, 1.0, 0.0]], [[0.05, 0.95, 0.0]])
    >>> round(float(metric.result()), 4)
    0.0513
    """

    _function = staticmethod(categorical_crossentropy)


@_register
class SparseCategoricalCrossentropy(_Mean, _keras.SparseCategoricalCrossentropy):
    """``keras.metrics.SparseCategoricalCrossentropy`` by ``xent.keras.sparse_categorical_crossentropy``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> metric = xent.keras.metrics.SparseCategoricalCrossentropy()
    >>> metric.update_state([1], [[0.05, 0.95, 0.0]])
    >>> round(float(metric.result()), 4)
    0.0513
    """

    _function = staticmethod(sparse_categorical_crossentropy)


@_register
class KLDivergence(_Mean, _keras.KLDivergence):
    """``keras.metrics.KLDivergence`` by ``xent.keras.kl_divergence``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> metric = xent.keras.metrics.KLDivergence()
    >>> metric.update_state([[0.5, 0.5]], [[0.25, 0.75]])
    >>> round(float(metric.result()), 4)
    0.1438
    """

    _function = staticmethod(kl_divergence)


@_register
class CategoricalHinge(_Mean, _keras.CategoricalHinge):
    """``keras.metrics.CategoricalHinge`` by ``xent.keras.categorical_hinge``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> metric = xent.keras.metrics.CategoricalHinge()
    >>> metric.update_state([[0.0, 1.0]], [[0.6, 0.4]])
    >>> round(float(metric.result()), 4)
    1.2
    """

    _function = staticmethod(categorical_hinge)


@_register
class Hinge(_Mean, _keras.Hinge):
    """``keras.metrics.Hinge`` by ``xent.keras.hinge``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> metric = xent.keras.metrics.Hinge()
    >>> metric.update_state([[0.0, 1.0]], [[0.6, 0.4]])
    >>> round(float(metric.result()), 4)
    1.1
    """

    _function = staticmethod(hinge)


@_register
class MeanSquaredError(_Mean, _keras.MeanSquaredError):
    """``keras.metrics.MeanSquaredError`` by ``xent.keras.mean_squared_error``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> metric = xent.keras.metrics.MeanSquaredError()
    >>> metric.update_state([[0.0, 1.0]], [[1.0, 1.0]])
    >>> round(float(metric.result()), 4)
    0.5
    """

    _function = staticmethod(mean_squared_error)


@_register
class Poisson(_Mean, _keras.Poisson):
    """``keras.metrics.Poisson`` by ``xent.keras.poisson``.

    Raises what the function raises.

    Examples
    --------
    >>> import xent.keras
    >>> metric = xent.keras.metrics.Poisson()
    >>> metric.update_state([[2.0]], [[1.5]])
    >>> round(float(metric.result()), 4)
    0.6891
    """

    _function = staticmethod(poisson)
