"""TensorFlow's losses under TensorFlow's names: one changed import is the whole migration.

Signatures, shapes, broadcasting, dtypes and errors are those of ``tf.nn``, and so are the values, but where TensorFlow
contradicts the mathematics: every difference is in the guide ("TensorFlow").
"""

from xent.tensorflow.sampled import nce_loss, sampled_softmax_loss
from xent.tensorflow.sigmoid import sigmoid_cross_entropy_with_logits, weighted_cross_entropy_with_logits
from xent.tensorflow.softmax import softmax_cross_entropy_with_logits, sparse_softmax_cross_entropy_with_logits

__all__ = [
    "nce_loss",
    "sampled_softmax_loss",
    "sigmoid_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits",
    "sparse_softmax_cross_entropy_with_logits",
    "weighted_cross_entropy_with_logits",
]
