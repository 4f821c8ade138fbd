"""Losses over a sample of the classes, for more classes than can be scored at every step."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from xent.core.arrays import Array
from xent.tensorflow.sigmoid import sigmoid_cross_entropy_with_logits
from xent.tensorflow.softmax import softmax_cross_entropy_with_logits


def sampled_softmax_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = True,
    seed: int | None = None,
    name: str | None = "sampled_softmax_loss",
) -> Array:
    """Softmax cross-entropy over the true classes and a sample of the others; ``tf.nn.sampled_softmax_loss``.

    P: Distribution, 1/num_true on each true class. Q: Logits, the scores less log E[count] of each class in a sample,
    so that the gradient is in expectation about that of the full softmax. For training only.

    Parameters
    ----------
    weights : tensor (num_classes, H), or a list of its shards, split as "div" does
    biases : tensor (num_classes,)
    labels : integer tensor (N, num_true)
    inputs : tensor (N, H)
    num_sampled, num_classes, num_true : int
    sampled_values : tuple, optional
        (candidates, expected count of the true, expected count of the sampled) of a ``tf.random.*_candidate_sampler``;
        by default of the log-uniform one, without repetition, with ``seed``.
    remove_accidental_hits : bool
        Whether a sampled class that is a true one takes no part.
    seed : int, optional
    name : str, optional

    Returns
    -------
    tensor (N,) of inputs' dtype
        In nats.

    Raises
    ------
    ValueError, tf.errors.InvalidArgumentError
        What TensorFlow's samplers, look-ups and products raise.

    References
    ----------
    Jean, Cho, Memisevic and Bengio, "On Using Very Large Target Vocabulary for Neural Machine Translation", 2015.

    Examples
    --------
    >>> import tensorflow as tf, xent.tensorflow as losses
    >>> sampled = (tf.constant([1, 2], tf.int64), tf.ones((1, 1)), tf.ones((2,)))
    >>> loss = losses.sampled_softmax_loss(
    ...     tf.zeros((3, 4)), tf.zeros((3,)), [[0]], tf.zeros((1, 4)), 2, 3, sampled_values=sampled
    ... )
    >>> round(float(loss[0]), 4)
    1.0986
    """
    with tf.name_scope(name or "sampled_softmax_loss"):
        scores, truth = _sampled(
            weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
            remove_accidental_hits, seed,
        )  # fmt: skip
        return softmax_cross_entropy_with_logits(labels=tf.stop_gradient(truth), logits=scores)


def nce_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = False,
    name: str | None = "nce_loss",
) -> Array:
    """Noise-contrastive estimation: is a class the true one or a sampled one; ``tf.nn.nce_loss``.

    Σ over the true and the sampled classes of a sigmoid cross-entropy. P: Indicators, 1/num_true on each true class.
    Q: Logits, the scores less log E[count] of each class in a sample.

    Parameters
    ----------
    weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, name
        As of ``sampled_softmax_loss``; the default sampler has no seed of its own.
    remove_accidental_hits : bool
        True makes it the sampled logistic loss.

    Returns
    -------
    tensor (N,) of inputs' dtype
        In nats.

    Raises
    ------
    ValueError, tf.errors.InvalidArgumentError
        What TensorFlow's samplers, look-ups and products raise.

    References
    ----------
    Gutmann and Hyvärinen, "Noise-contrastive estimation", AISTATS 2010.

    Examples
    --------
    >>> import tensorflow as tf, xent.tensorflow as losses
    >>> sampled = (tf.constant([1, 2], tf.int64), tf.ones((1, 1)), tf.ones((2,)))
    >>> loss = losses.nce_loss(
    ...     tf.zeros((3, 4)), tf.zeros((3,)), [[0]], tf.zeros((1, 4)), 2, 3, sampled_values=sampled
    ... )
    >>> round(float(loss[0]), 4)
    2.0794
    """
    with tf.name_scope(name or "nce_loss"):
        scores, truth = _sampled(
            weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
            remove_accidental_hits, None,
        )  # fmt: skip
        return tf.reduce_sum(sigmoid_cross_entropy_with_logits(labels=truth, logits=scores), axis=-1)


def _sampled(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int,
    sampled_values: Any,
    remove_accidental_hits: bool,
    seed: int | None,
) -> tuple[Array, Array]:
    """The corrected scores (N, num_true + num_sampled), the true classes first, and t of each."""
    inputs, labels = tf.convert_to_tensor(inputs), tf.cast(labels, tf.int64)
    if sampled_values is None:
        sampled_values = tf.random.log_uniform_candidate_sampler(
            true_classes=labels,
            num_true=num_true,
            num_sampled=num_sampled,
            unique=True,
            range_max=num_classes,
            seed=seed,
        )
    sampled, true_count, sampled_count = (tf.stop_gradient(x) for x in sampled_values)
    sampled = tf.cast(sampled, tf.int64)
    flat = tf.reshape(labels, (-1,))
    # One look-up for both: a gradient by the weights then has one row for each class that was asked for.
    classes = tf.concat([flat, sampled], 0)
    w = tf.cast(tf.nn.embedding_lookup(weights, classes), inputs.dtype)
    b = tf.cast(tf.nn.embedding_lookup(biases, classes), inputs.dtype)
    count = tf.shape(flat)[0]
    true_w = tf.reshape(w[:count], (-1, num_true, w.shape[-1]))
    true = tf.reduce_sum(inputs[:, None] * true_w, axis=-1) + tf.reshape(b[:count], (-1, num_true))
    others = tf.matmul(inputs, w[count:], transpose_b=True) + b[count:]
    if remove_accidental_hits:
        rows, places, masked = tf.nn.compute_accidental_hits(labels, sampled, num_true=num_true)
        at = tf.stack([tf.cast(rows, tf.int64), places], axis=1)
        # A class that was drawn and is true twice is masked twice, which is still finite in float32.
        shape = tf.shape(others, out_type=tf.int64)
        others += tf.cast(tf.minimum(tf.scatter_nd(at, tf.ones_like(masked), shape), 1.0), others.dtype) * tf.cast(
            others.dtype.min, others.dtype
        )
    true -= tf.math.log(tf.cast(true_count, true.dtype))
    others -= tf.math.log(tf.cast(sampled_count, others.dtype))
    truth = tf.concat([tf.ones_like(true) / num_true, tf.zeros_like(others)], 1)
    return tf.concat([true, others], 1), truth
