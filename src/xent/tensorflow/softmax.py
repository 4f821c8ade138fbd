"""Softmax cross-entropy against probabilities and against labels."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from xent.core.arrays import Array, namespace, to_compute
from xent.kernels.protocol import HardTarget, SoftTarget
from xent.tensorflow.manners import FLOATS, finished, given, refuse, row_losses


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: int = -1, name: str | None = None) -> Array:
    """Softmax cross-entropy of each row; ``tf.nn.softmax_cross_entropy_with_logits``. P: Distribution, Q: Logits.

    ℓ = −Σ_k t_k·log p_k with p = softmax(logits) over ``axis``. The gradient by the logits is (Σt)·p − t, which
    TensorFlow's own is only where t sums to one (it is p − t); that by the labels is −log p.

    Parameters
    ----------
    labels : tensor of logits' shape, or with a length of 1 that is broadcast, once both are matrices
        t, any real numbers; cast to the type of the arithmetic.
    logits : tensor (…, K, …) of float16, bfloat16, float32 or float64
    axis : int
        The class axis.
    name : str, optional

    Returns
    -------
    tensor of logits' shape without ``axis``, and of its dtype
        In nats. 0·∞ = 0: a class without mass may have score −inf.

    Raises
    ------
    ValueError, tf.errors.InvalidArgumentError, TypeError
        What TensorFlow raises, in its words.

    References
    ----------
    TensorFlow, ``tf.nn.softmax_cross_entropy_with_logits``.

    Examples
    --------
    >>> import tensorflow as tf, xent.tensorflow as losses
    >>> loss = losses.softmax_cross_entropy_with_logits(labels=[[0.0, 0.0, 1.0]], logits=[[1.0, 2.0, 3.0]])
    >>> round(float(loss[0]), 4)
    0.4076
    """
    arguments = {"labels": labels, "logits": logits, "axis": axis, "name": name}
    theirs = tf.nn.softmax_cross_entropy_with_logits
    if labels is None or logits is None:
        refuse(theirs, **arguments)
    logits, labels = given(logits), given(labels)
    rank = logits.shape.rank
    if logits.dtype not in FLOATS or labels.dtype.is_complex or not rank or labels.shape.rank != rank:
        refuse(theirs, **arguments)
    if not -rank <= axis < rank:
        refuse(theirs, **arguments)
    xp = namespace(logits)
    q, t = xp.moveaxis(logits, axis, -1), tf.cast(xp.moveaxis(labels, axis, -1), to_compute(logits).dtype)
    if not _same(q, t):
        flat, truth = tf.reshape(q, (-1, *q.shape[-1:])), tf.reshape(t, (-1, *t.shape[-1:]))
        if not _broadcasts(truth, flat):
            refuse(theirs, **arguments)
        t = tf.reshape(tf.broadcast_to(truth, tf.shape(flat)), tf.shape(q))
    if not q.shape[-1]:
        return finished(tf.reduce_sum(q, axis=-1), logits, name)
    return finished(row_losses(q, SoftTarget(t)), logits, name)


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Array:
    """Softmax cross-entropy of each row against the index of its class. P: Labels, Q: Logits.

    ``tf.nn.sparse_softmax_cross_entropy_with_logits``: ℓ = −log softmax(logits)_y over the last axis.

    Parameters
    ----------
    labels : integer tensor of logits' shape without its last axis
    logits : tensor (…, K) of float16, bfloat16, float32 or float64
    name : str, optional

    Returns
    -------
    tensor of labels' shape and logits' dtype
        In nats.

    Raises
    ------
    ValueError, tf.errors.InvalidArgumentError, TypeError
        What TensorFlow raises, in its words. A label out of range raises eagerly on the CPU; in a graph and on an
        accelerator it gives NaN loss and NaN gradient.

    References
    ----------
    TensorFlow, ``tf.nn.sparse_softmax_cross_entropy_with_logits``.

    Examples
    --------
    >>> import tensorflow as tf, xent.tensorflow as losses
    >>> loss = losses.sparse_softmax_cross_entropy_with_logits(labels=[2], logits=[[1.0, 2.0, 3.0]])
    >>> round(float(loss[0]), 4)
    0.4076
    """
    arguments = {"labels": labels, "logits": logits, "name": name}
    theirs = tf.nn.sparse_softmax_cross_entropy_with_logits
    if labels is None or logits is None:
        refuse(theirs, **arguments)
    logits, labels = given(logits), given(labels)
    rank = logits.shape.rank
    if logits.dtype not in FLOATS or labels.dtype not in (tf.int32, tf.int64) or not rank or not logits.shape[-1]:
        refuse(theirs, **arguments)
    if labels.shape.rank != rank - 1 or not labels.shape.is_compatible_with(logits.shape[:-1]):
        refuse(theirs, **arguments)
    if _out_of_range(labels, logits.shape[-1]):
        refuse(theirs, **arguments)
    if not (logits.shape.is_fully_defined() and labels.shape.is_fully_defined()):
        labels = namespace(logits).of_shape(labels, logits, rank - 1)
    return finished(row_losses(logits, HardTarget(labels)), logits, name)


def _out_of_range(labels: Array, classes: int) -> bool:
    """Whether labels that can be read are; the others give NaN."""
    if not tf.executing_eagerly() or "device:CPU:" not in labels.device or 0 in labels.shape:
        return False
    return int(tf.reduce_min(labels)) < 0 or int(tf.reduce_max(labels)) >= classes


def _same(q: Array, t: Array) -> bool:
    return bool(q.shape.is_fully_defined() and q.shape == t.shape)


def _broadcasts(t: Array, q: Array) -> bool:
    """Whether rows and classes of t are those of q, or 1, as far as they are known."""
    return all(a is None or b is None or a in (1, b) for a, b in zip(t.shape, q.shape, strict=True))
