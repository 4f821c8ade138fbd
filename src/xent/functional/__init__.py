"""The public functions."""

from xent.functional.comparison import classification_error, hinge, squared_error
from xent.functional.cross_entropy import cross_entropy, explain, value_and_grad
from xent.functional.divergences import js_divergence, kl_divergence
from xent.functional.information import (
    bits,
    entropy,
    mutual_information,
    perplexity,
    self_information,
)

__all__ = [
    "bits",
    "classification_error",
    "cross_entropy",
    "entropy",
    "explain",
    "hinge",
    "js_divergence",
    "kl_divergence",
    "mutual_information",
    "perplexity",
    "self_information",
    "squared_error",
    "value_and_grad",
]
