"""optax's losses, in its names and manners, over xent's core.

Change the import and nothing else::

    from xent import optax as losses   # was: import optax as losses

A loss an example, in the dtype that optax returns; reduce as before. docs/how-to/jax.md has the few inputs for which
optax contradicts the mathematics, and what is given here.
"""

from __future__ import annotations

from xent.optax.binary import hinge_loss, sigmoid_binary_cross_entropy, sigmoid_focal_loss
from xent.optax.divergence import (
    convex_kl_divergence,
    generalized_kl_divergence,
    kl_divergence,
    kl_divergence_with_log_targets,
)
from xent.optax.softmax import (
    poly_loss_cross_entropy,
    safe_softmax_cross_entropy,
    softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels,
)

__all__ = [
    "convex_kl_divergence",
    "generalized_kl_divergence",
    "hinge_loss",
    "kl_divergence",
    "kl_divergence_with_log_targets",
    "poly_loss_cross_entropy",
    "safe_softmax_cross_entropy",
    "sigmoid_binary_cross_entropy",
    "sigmoid_focal_loss",
    "softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
]
