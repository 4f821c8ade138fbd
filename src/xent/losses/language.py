"""Losses of language models: the cross-entropy of each next token, and what is reported of it.

P is ``Labels(tokens)``, the tokens (…, T) as the model read them, with ``ignore`` for padding and prompts; Q is
``Logits`` (…, T, V) or a ``Projection`` of hidden states (…, T, H). Nothing is to be shifted beforehand: position t is
asked for token t + 1. The labels are shifted and not the scores, of which there may be very many.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xent.backends import find
from xent.core import checks
from xent.core.arrays import Array, as_array, library, namespace, number, to_compute
from xent.core.predictions import LogProbabilities, Probabilities, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.scores import Scores
from xent.core.targets import Labels
from xent.errors import KindError, OptionError
from xent.functional.call import PREDICTIONS, Q_
from xent.functional.information import bits
from xent.functional.sequences import NOTHING, Per, counted, shifted, weights
from xent.functional.token_scores import TokenScores, token_scores
from xent.losses.catalogue import member
from xent.losses.loss import Loss

__all__ = ["TokenScores", "bits_per_byte", "next_token", "perplexity", "shift", "token_count", "token_scores"]


@member(
    "Σ_t w_{t+1}·ℓ(x_{t+1} | x_1 … x_t)/Σ_t w_{t+1}",
    gradient="that of the loss within it: of the cross-entropy a = b = w/Σw at each position; 0 at the last one",
    source="Bengio, Ducharme, Vincent and Jauvin, A Neural Probabilistic Language Model, JMLR 3, 2003",
    defaults={"per": "token: the paper's, exp of which is the perplexity", "loss": "the cross-entropy itself"},
)
def next_token(
    P: Labels,
    Q: Q_,
    *,
    weight: Any = None,
    documents: Any = None,
    cumulative_lengths: Any = None,
    per: Per = "token",
    allowed: Any = None,
    loss: Loss | None = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """The loss of a language model: at position t for token t + 1, its mean over all tokens that are asked for.

    Parameters
    ----------
    P : Labels (…, T)
        The tokens. One that is ignored is not asked for; what follows it is.
    Q : Logits (…, T, V), Projection with hidden states (…, T, H), or another prediction
    weight : number or array (…, T), optional
        Of each token, where the token stands: that of the first one has no use.
    documents : integer array (…, T), optional
        For packed sequences: a number for each token that differs between a document and the next one. The first token
        of a document is not asked for.
    cumulative_lengths : integer array (documents + 1,), optional
        The same for tokens (T,) or (1, T), as 0, n₁, n₁ + n₂, …, T. Numbers that are no such thing give NaN where they
        cannot be read.
    per : "token" or "sequence"
        A mean over tokens, or one over sequences of the mean of each: rows, or documents where they are named.
    allowed : bool array (V,), optional
        Tokens that can be, where the model's vocabulary is larger than the tokenizer's.
    loss : Loss, optional
        Instead of the cross-entropy, for example ``xent.losses.noise.z_loss()``.
    reduction, denominator, empty
        As of ``cross_entropy``. "none" gives shape (…, T − 1), 0 where nothing was asked for. To accumulate gradients
        over micro-batches divide each by ``denominator=`` the sum of their ``token_count``.

    Returns
    -------
    array, in nats, as of ``cross_entropy``.

    Raises
    ------
    KindError, ShapeError
        P not Labels, or without tokens; documents of another shape.
    OptionError
        Both documents and cumulative lengths, lengths that do not go up from 0 to T; smoothing, or a loss with a mask
        of its own, beside ``allowed``. Others as of ``cross_entropy``.

    Examples
    --------
    >>> import numpy as np, xent
    >>> tokens, scores = np.array([2, 0, 1]), np.zeros((3, 4))
    >>> round(float(xent.losses.language.next_token(xent.Labels(tokens), xent.Logits(scores))), 4)
    1.3863
    """
    target, w = shift(P, Q, weight=weight, documents=documents, cumulative_lengths=cumulative_lengths, per=per)
    used = Loss() if loss is None else _require_loss(loss)
    if allowed is not None:
        used = _masked(used, allowed, P)
    found = used(target, Q, weight=w, reduction=reduction, denominator=denominator, empty=empty)
    return found[..., :-1] if reduction == "none" else found


def shift(
    P: Labels,
    Q: Q_,
    *,
    weight: Any = None,
    documents: Any = None,
    cumulative_lengths: Any = None,
    per: Per = "token",
) -> tuple[Labels, Array | None]:
    """What ``next_token`` gives to its loss beside Q: labels (…, T) that are shifted, and their weight.

    For other measures of P and Q, and for the gradient where nothing differentiates. Parameters and errors as of
    ``next_token``.

    Examples
    --------
    >>> import numpy as np, xent
    >>> P, Q = xent.Labels(np.array([2, 0, 1])), xent.Logits(np.zeros((3, 4)))
    >>> P, weight = xent.losses.language.shift(P, Q)
    >>> P.indices[:-1]
    array([0, 1])
    >>> float(xent.value_and_grad(P, Q, weight=weight)[1][0, 0])
    -0.375
    """
    checks.require_prediction(Q, PREDICTIONS)
    found = shifted(P, documents, cumulative_lengths)
    held = _held(Q)
    checks.require_one_library({"P": found.labels, "Q": held})
    return Labels(found.labels, ignore=NOTHING, smoothing=P.smoothing), weights(found, weight, held, per)


def token_count(
    P: Labels,
    *,
    weight: Any = None,
    documents: Any = None,
    cumulative_lengths: Any = None,
    per: Per = "token",
) -> Array:
    """What ``next_token`` divides by: the number (or weight) of the tokens that are asked for, or of sequences.

    Summed over micro-batches it is the ``denominator=`` of each, so that their losses add up to that of one batch.
    Parameters and errors as of ``next_token``.

    Examples
    --------
    >>> import xent
    >>> float(xent.losses.language.token_count(xent.Labels([[5, 3, 8], [7, 1, -1]], ignore=-1)))
    3.0
    """
    found = shifted(P, documents, cumulative_lengths)
    return counted(found, weight, found.labels, per)


def perplexity(nll: Any, tokens: Any) -> Array:
    """Perplexity of a text, exp(Σ nll/Σ tokens): from sums over its batches, never a mean of their perplexities.

    Parameters
    ----------
    nll : number or array of any shape
        The summed loss of each batch in nats: ``next_token(P, Q, reduction="sum")``.
    tokens : number or array of any shape
        ``token_count(P)`` of each batch.

    Raises
    ------
    OptionError
        No tokens at all.

    References
    ----------
    Jelinek, Mercer, Bahl and Baker, "Perplexity: a measure of the difficulty of speech recognition tasks", 1977.

    Examples
    --------
    >>> import math, xent
    >>> round(float(xent.losses.language.perplexity([30 * math.log(2), 10 * math.log(8)], [30, 10])), 4)
    2.8284
    """
    rate = _rate(nll, tokens, "perplexity", "tokens")
    with find(rate).quiet():
        return namespace(rate).exp(rate)


def bits_per_byte(nll: Any, size: Any) -> Array:
    """Bits for each byte of a text, Σ nll/(ln 2·Σ bytes), which models with different tokenizers can be compared by.

    Parameters
    ----------
    nll : number or array of any shape
        The summed loss of each batch in nats, as of ``perplexity``.
    size : number or array of any shape
        The number of bytes of the text of each batch, in UTF-8.

    Raises
    ------
    OptionError
        No bytes at all.

    Examples
    --------
    >>> import math, xent
    >>> round(float(xent.losses.language.bits_per_byte([80 * math.log(2)], [100])), 4)
    0.8
    """
    found: Array = bits(_rate(nll, size, "bits_per_byte", "size"))
    return found


def _rate(nll: Any, units: Any, function: str, name: str) -> Array:
    """Σ nll/Σ units, in the type of the loss."""
    loss, count = as_array(nll, f"{function}(nll)"), as_array(units, f"{function}({name})")
    checks.require_numbers(loss, f"{function}(nll)")
    checks.require_numbers(count, f"{function}({name})")
    xp = namespace(loss)
    total = xp.sum(to_compute(loss))
    if library(count) != library(loss):
        whole = to_compute(count)
        count = xp.asarray(number(namespace(whole).sum(whole)), dtype=total.dtype)
    if find(count).reads(count) and not number(namespace(count).sum(to_compute(count))) > 0:
        raise OptionError(f"{function}({name})", "more than none", f"{count}"[:80])
    return total / xp.astype(xp.sum(to_compute(count)), total.dtype)


def _held(Q: Q_) -> Array:
    if isinstance(Q, Projection):
        return Q.hidden
    if isinstance(Q, LogProbabilities):
        return Q.log_probs
    return Q.probs if isinstance(Q, Probabilities) else Q.scores


def _require_loss(loss: Any) -> Loss:
    if not isinstance(loss, Loss):
        raise KindError("loss=", "a Loss such as xent.losses.noise.z_loss()", repr(loss))
    return loss


def _masked(loss: Loss, allowed: Any, P: Labels) -> Loss:
    scores = Scores() if loss.scores is None else loss.scores
    if scores.allowed is not None:
        raise OptionError("allowed=", "None beside a loss that has a mask", "both")
    if P.smoothing:
        raise OptionError(
            "allowed=",
            "labels without smoothing: a token that cannot be would have a share of it, and the loss be infinite",
            f"Labels(smoothing={P.smoothing:g})",
            "Write loss=xent.losses.noise.label_smoothing(ε, allowed=…), which smooths over the allowed ones.",
        )
    return loss.but(scores=replace(scores, allowed=allowed))
