"""Sigmoid cross-entropy of independent outcomes."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from xent.core.arrays import Array
from xent.tensorflow.manners import FLOATS, element_losses, finished, given, refuse


def sigmoid_cross_entropy_with_logits(labels: Any = None, logits: Any = None, name: str | None = None) -> Array:
    """Sigmoid cross-entropy of each element; ``tf.nn.sigmoid_cross_entropy_with_logits``. P: Indicators, Q: Logits.

    ℓ = −t·log σ(z) − (1 − t)·log σ(−z).

    Parameters
    ----------
    labels : tensor of logits' shape and dtype
        t, any real numbers.
    logits : tensor of float16, bfloat16, float32 or float64
    name : str, optional

    Returns
    -------
    tensor of logits' shape and dtype
        In nats. 0·∞ = 0: at z = +∞ a certain yes costs nothing.

    Raises
    ------
    ValueError, TypeError, tf.errors.InvalidArgumentError
        What TensorFlow raises, in its words.

    References
    ----------
    TensorFlow, ``tf.nn.sigmoid_cross_entropy_with_logits``.

    Examples
    --------
    >>> import tensorflow as tf, xent.tensorflow as losses
    >>> round(float(losses.sigmoid_cross_entropy_with_logits(labels=[1.0], logits=[0.0])[0]), 4)
    0.6931
    """
    if labels is None or logits is None:
        refuse(tf.nn.sigmoid_cross_entropy_with_logits, labels=labels, logits=logits, name=name)
    z, t = given(logits), given(labels)
    if not _fit(z, t):
        refuse(tf.nn.sigmoid_cross_entropy_with_logits, labels=t, logits=z, name=name)
    return finished(element_losses(z, t, None), z, name)


def weighted_cross_entropy_with_logits(labels: Any, logits: Any, pos_weight: Any, name: str | None = None) -> Array:
    """Sigmoid cross-entropy whose yes side is weighed; ``tf.nn.weighted_cross_entropy_with_logits``.

    ℓ = −v·t·log σ(z) − (1 − t)·log σ(−z). P: Indicators with ``positive_weight=v``, Q: Logits.

    Parameters
    ----------
    labels : tensor of logits' shape and dtype
        t, any real numbers.
    logits : tensor of float16, bfloat16, float32 or float64
    pos_weight : number or tensor that broadcasts to logits
        v, any real numbers.
    name : str, optional

    Returns
    -------
    tensor of logits' shape and dtype
        In nats.

    Raises
    ------
    ValueError, TypeError, tf.errors.InvalidArgumentError
        What TensorFlow raises, in its words.

    References
    ----------
    TensorFlow, ``tf.nn.weighted_cross_entropy_with_logits``.

    Examples
    --------
    >>> import tensorflow as tf, xent.tensorflow as losses
    >>> loss = losses.weighted_cross_entropy_with_logits(labels=[1.0, 0.0], logits=[0.0, 0.0], pos_weight=3.0)
    >>> [round(float(x), 4) for x in loss]
    [2.0794, 0.6931]
    """
    z, t = given(logits), given(labels)
    if not _fit(z, t):
        theirs = tf.nn.weighted_cross_entropy_with_logits
        refuse(theirs, labels=t, logits=z, pos_weight=pos_weight, name=name)
    return finished(element_losses(z, t, tf.convert_to_tensor(pos_weight, dtype=z.dtype)), z, name)


def _fit(z: Array, t: Array) -> bool:
    return z.dtype in FLOATS and t.dtype == z.dtype and z.shape.rank is not None and t.shape.is_compatible_with(z.shape)
