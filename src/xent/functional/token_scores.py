"""What is asked of a model token by token, from one pass over its scores."""

from __future__ import annotations

from typing import Any, NamedTuple

from xent.backends import on_arrays
from xent.core import algebra
from xent.core.arrays import Array
from xent.core.targets import Labels
from xent.errors import KindError, OptionError
from xent.functional.call import Q_
from xent.functional.prepare import prepare
from xent.kernels.protocol import Statistic

_WANTED: frozenset[Statistic] = frozenset({"loss", "entropy", "argmax"})


class TokenScores(NamedTuple):
    """One number for each label."""

    #: log q of the label, in nats; 0 where the label is ignored.
    log_likelihood: Array
    #: H(q) of the whole row, in nats; 0 where the label is ignored.
    entropy: Array
    #: The class that the model holds for the likeliest.
    predicted: Array


def token_scores(P: Any, Q: Q_) -> TokenScores:
    """log q of each label, the entropy of its row and the likeliest class, from one pass over the scores.

    For Labels (…) and a prediction (…, V): what evaluation, and reinforcement learning with its entropy bonus, read of
    a language model. The labels stand where their scores are; ``shift`` moves the tokens of a text there.
    Differentiable in Q, ``predicted`` aside.

    Raises
    ------
    KindError
        P not Labels.
    OptionError
        Labels with smoothing.

    Others as of ``cross_entropy``.

    Examples
    --------
    >>> import numpy as np, xent
    >>> found = xent.losses.language.token_scores(xent.Labels(np.array([1])), xent.Logits(np.array([[0.0, 0.0]])))
    >>> round(float(found.log_likelihood[0]), 4), round(float(found.entropy[0]), 4), int(found.predicted[0])
    (-0.6931, 0.6931, 0)
    """
    if not isinstance(P, Labels):
        raise KindError("P", "Labels", type(P).__name__)
    if P.smoothing:
        raise OptionError(
            "P", "labels without smoothing", f"smoothing={P.smoothing}", "A likelihood is that of the label itself."
        )
    return TokenScores(*_token_scores(P, Q))


@on_arrays
def _token_scores(P: Labels, Q: Q_) -> tuple[Array, Array, Array]:
    call = prepare(P, Q, want=_WANTED)
    with call.backend.quiet():
        found = call.statistics()
        each = {
            name: algebra.row_values({"loss": found[name]}, None, (), None, call.counted, algebra.plain)
            for name in ("loss", "entropy")
        }
        # Not −0 where nothing counts.
        return 0.0 - each["loss"], each["entropy"], found["argmax"]
