"""Cross-entropy, done once: H(P, Q) = −Σ P log Q.

P, the truth, is ``Labels``, ``Distribution`` or ``Indicators``; Q, the prediction, is ``Logits``, ``LogProbabilities``,
``Probabilities`` or ``Projection``. ``cross_entropy(P, Q)`` works for every pair, in nats, on the
arrays of NumPy, PyTorch, JAX and TensorFlow.
"""

import typing as _typing

from xent import errors, memory
from xent.core.penalties import Penalty, ZLoss
from xent.core.predictions import Logits, LogProbabilities, Probabilities, Projection
from xent.core.shaping import Focal, Shaping
from xent.core.targets import Distribution, Indicators, Labels
from xent.errors import XentError
from xent.functional import (
    bits,
    classification_error,
    cross_entropy,
    entropy,
    explain,
    hinge,
    js_divergence,
    kl_divergence,
    mutual_information,
    perplexity,
    self_information,
    squared_error,
    value_and_grad,
)

if _typing.TYPE_CHECKING:
    from xent import losses
    from xent.dialects import convert, which

__version__ = "0.1.0"

__all__ = [
    "Distribution",
    "Focal",
    "Indicators",
    "Labels",
    "LogProbabilities",
    "Logits",
    "Penalty",
    "Probabilities",
    "Projection",
    "Shaping",
    "XentError",
    "ZLoss",
    "bits",
    "classification_error",
    "convert",
    "cross_entropy",
    "entropy",
    "errors",
    "explain",
    "hinge",
    "js_divergence",
    "kl_divergence",
    "losses",
    "memory",
    "mutual_information",
    "perplexity",
    "self_information",
    "squared_error",
    "value_and_grad",
    "which",
]

_LATER = frozenset({"convert", "which"})
"""Names that a training run does not need: their room is imported when one of them is first used."""


def __getattr__(name: str) -> _typing.Any:
    if name == "losses":
        import importlib

        return importlib.import_module("xent.losses")
    if name in _LATER:
        from xent import dialects

        return getattr(dialects, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
