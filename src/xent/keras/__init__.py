"""Keras's losses under Keras's names: ``from xent import keras as losses``, or one changed import, is the migration.

One code over Keras's TensorFlow, JAX and PyTorch backends. Signatures, shapes, reductions and dtypes are those of
``keras.losses``; ``xent.keras.metrics`` is ``keras.metrics``. Every difference is in the guide ("Use it in Keras").
``xent.keras.heads`` holds layers that Keras has not: classifiers with a margin, learned temperatures.
"""

from xent.keras import heads, losses, metrics
from xent.keras.losses import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    MeanSquaredError,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    kl_divergence,
    mean_squared_error,
    poisson,
    sparse_categorical_crossentropy,
)

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
    "heads",
    "hinge",
    "kl_divergence",
    "losses",
    "mean_squared_error",
    "metrics",
    "poisson",
    "sparse_categorical_crossentropy",
]
