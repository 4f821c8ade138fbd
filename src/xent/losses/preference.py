"""Losses of preference pairs: which of two answers a language model is to find more likely.

DPO is a binary cross-entropy: of the answer yes, with the score β·Δ, where Δ is by how much more the policy prefers
the chosen answer to the rejected one than the reference does. They take log-probabilities of whole answers (N,), which
``sequence_log_probabilities`` makes of scores and tokens. The reference's are constants: no gradient is wanted there.
"""

from __future__ import annotations

from typing import Any

from xent.backends import on_arrays
from xent.core import checks
from xent.core.arrays import Array, namespace, sum_classes
from xent.core.predictions import Logits
from xent.core.reduction import Empty, Reduction
from xent.core.target_steps import FlipCorrection
from xent.core.targets import Indicators, Labels
from xent.errors import OptionError
from xent.functional import cross_entropy
from xent.functional.averaging import reduced
from xent.functional.call import Q_
from xent.functional.sequences import lengths, shifted
from xent.losses.catalogue import member
from xent.losses.language import next_token
from xent.losses.log_ratios import difference

__all__ = ["dpo", "ipo", "robust_dpo", "sequence_lengths", "sequence_log_probabilities", "simpo"]

_RAFAILOV = (
    "Rafailov, Sharma, Mitchell, Ermon, Manning and Finn, Direct Preference Optimization, 2023, arXiv 2305.18290"
)
_BETA = ".1, the paper's"


def sequence_log_probabilities(P: Labels, Q: Q_, *, weight: Any = None, allowed: Any = None) -> Array:
    """log q(answer) = Σ_t w_{t+1}·log q(x_{t+1} | x_1 … x_t) of each sequence: a sum over tokens, not a mean.

    Parameters
    ----------
    P : Labels (…, T)
        The tokens of prompt and answer, as the model read them; position t is asked for token t + 1.
    Q : Logits (…, T, V), Projection with hidden states (…, T, H), or another prediction
    weight : array (…, T), optional
        A mask of the tokens of the answer: 0 for prompt and padding, which ``ignore`` in P says too.
    allowed : bool array (V,), optional
        As of ``language.next_token``.

    Returns
    -------
    array (…), in nats; 0 for an answer without tokens. Divided by ``sequence_lengths`` it is a mean.

    Raises
    ------
    As ``language.next_token``.

    Examples
    --------
    >>> import numpy as np, xent
    >>> P, Q = xent.Labels(np.array([[4, 0, 1, 2]])), xent.Logits(np.zeros((1, 4, 5)))
    >>> answer = np.array([[0, 0, 1, 1]])
    >>> xent.losses.preference.sequence_log_probabilities(P, Q, weight=answer).round(4)
    array([-3.2189])
    """
    each = next_token(P, Q, weight=weight, allowed=allowed, reduction="none")
    return 0.0 - sum_classes(each)


def sequence_lengths(P: Labels, *, weight: Any = None) -> Array:
    """The number (or weight) of the tokens that ``sequence_log_probabilities`` sums over, (…).

    Examples
    --------
    >>> import xent
    >>> xent.losses.preference.sequence_lengths(xent.Labels([[4, 0, 1, 2], [4, 3, -1, -1]], ignore=-1))
    array([3., 1.])
    """
    found = shifted(P, None, None)
    return lengths(found, weight, found.labels)


@member(
    "−(1 − ε)·log σ(β·Δ) − ε·log σ(−β·Δ), Δ = log π(y_w)/ρ(y_w) − log π(y_l)/ρ(y_l)",
    gradient="β·(σ(β·Δ) − 1 + ε) by Δ",
    source=_RAFAILOV + ", equation 7; ε: Mitchell, A note on DPO with noisy preferences, 2023",
    defaults={"beta": _BETA, "smoothing": "0"},
)
@on_arrays
def dpo(
    chosen: Any,
    rejected: Any,
    reference_chosen: Any,
    reference_rejected: Any,
    *,
    beta: float = 0.1,
    smoothing: float = 0.0,
    chosen_length: Any = None,
    rejected_length: Any = None,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Direct preference optimisation: the binary cross-entropy of yes with score β·Δ.

    Parameters
    ----------
    chosen, rejected : float arrays of one shape
        Log-probabilities of the two answers under the policy, at most 0.
    reference_chosen, reference_rejected : float arrays of that shape
        The same under the reference.
    beta : float
        β > 0.
    smoothing : float
        ε in [0, 0.5]: the probability that a pair is the wrong way round. Above 0 this is conservative DPO (cDPO).
    chosen_length, rejected_length : arrays of that shape, optional
        The length-normalised form: each log-ratio is divided by the number of tokens of its answer.
    weight, reduction, denominator, empty
        As of ``cross_entropy``; an example is a pair.

    Raises
    ------
    ProbabilityError
        Log-probabilities above 0: losses have the other sign. NaN where they cannot be read.
    ShapeError, OptionError
        Different shapes; a number out of range; lengths that are not positive, or one of them alone.

    Examples
    --------
    >>> import xent
    >>> round(float(xent.losses.preference.dpo([-20.0], [-30.0], [-22.0], [-29.0])), 4)
    0.5544
    """
    smoothing = checks.require_fraction(smoothing, "dpo(smoothing=)")
    if smoothing > 0.5:
        raise OptionError("dpo(smoothing=)", "a number in [0, 0.5]", f"{smoothing:g}", "Else exchange the answers.")
    z = checks.require_positive(beta, "dpo(beta=)") * difference(
        "dpo", chosen, rejected, (reference_chosen, reference_rejected), (chosen_length, rejected_length)
    )
    # ε of each side is 2·ε of smoothing, whose half goes to either.
    P = Indicators(namespace(z).ones_like(z), smoothing=2.0 * smoothing)
    return cross_entropy(P, Logits(z), weight=weight, reduction=reduction, denominator=denominator, empty=empty)


@member(
    "(−(1 − ε)·log σ(β·Δ) + ε·log σ(−β·Δ))/(1 − 2ε), Δ as of DPO",
    gradient="β·(σ(β·Δ) − (1 − ε)/(1 − 2ε)) by Δ",
    source="Chowdhury, Kini and Natarajan, Provably Robust DPO, 2024, arXiv 2403.00409",
    defaults={"beta": _BETA},
)
@on_arrays
def robust_dpo(
    chosen: Any,
    rejected: Any,
    reference_chosen: Any,
    reference_rejected: Any,
    *,
    rate: float,
    beta: float = 0.1,
    chosen_length: Any = None,
    rejected_length: Any = None,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Robust DPO (rDPO): unbiased where pairs are the wrong way round with probability ε; it may be below zero.

    DPO with the target t = (1 − ε)/(1 − 2ε) > 1 of yes, and 1 − t < 0 of no: see ``FlipCorrection``.

    Parameters
    ----------
    rate : float
        ε in [0, 0.5).

    Others, and errors, as of ``dpo``.

    Examples
    --------
    >>> import xent
    >>> round(float(xent.losses.preference.robust_dpo([-20.0], [-30.0], [-22.0], [-29.0], rate=0.1)), 4)
    0.5169
    """
    z = checks.require_positive(beta, "robust_dpo(beta=)") * difference(
        "robust_dpo", chosen, rejected, (reference_chosen, reference_rejected), (chosen_length, rejected_length)
    )
    return cross_entropy(
        Indicators(namespace(z).ones_like(z)),
        Logits(z),
        target=FlipCorrection(rate),
        weight=weight,
        reduction=reduction,
        denominator=denominator,
        empty=empty,
    )


@member(
    "−log σ(β·(log π(y_w)/|y_w| − log π(y_l)/|y_l|) − γ)",
    gradient="σ(z) − 1 by the score z",
    source="Meng, Xia and Chen, SimPO, 2024, arXiv 2405.14734",
    defaults={"beta": "2, the authors' code", "margin": "γ = .5, the authors' code (.25·β)"},
)
@on_arrays
def simpo(
    chosen: Any,
    rejected: Any,
    *,
    chosen_length: Any,
    rejected_length: Any,
    beta: float = 2.0,
    margin: float = 0.5,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """SimPO: no reference; mean log-probabilities of a token, and the chosen answer has to lead by a margin.

    Parameters
    ----------
    chosen, rejected : float arrays of one shape
        Log-probabilities of the two answers, sums over their tokens.
    chosen_length, rejected_length : arrays of that shape
        The number of tokens of each answer: ``sequence_lengths``.
    beta, margin : float
        β > 0; γ ≥ 0, which is not multiplied by β.

    Others, and errors, as of ``dpo``.

    Examples
    --------
    >>> import xent
    >>> round(float(xent.losses.preference.simpo([-20.0], [-30.0], chosen_length=[10], rejected_length=[12])), 4)
    0.4741
    """
    z = checks.require_positive(beta, "simpo(beta=)") * difference(
        "simpo", chosen, rejected, None, (chosen_length, rejected_length)
    )
    z = z - checks.require_nonnegative(margin, "simpo(margin=)")
    P = Indicators(namespace(z).ones_like(z))
    return cross_entropy(P, Logits(z), weight=weight, reduction=reduction, denominator=denominator, empty=empty)


@member(
    "(Δ − 1/(2β))², Δ as of DPO; not a cross-entropy",
    gradient="2·(Δ − 1/(2β)) by Δ",
    source="Azar, Rowland, Piot, Guo, Calandriello, Valko and Munos, 2023, arXiv 2310.12036, equation 17",
    defaults={"beta": ".1, that of DPO; τ in the paper, which names none"},
)
@on_arrays
def ipo(
    chosen: Any,
    rejected: Any,
    reference_chosen: Any,
    reference_rejected: Any,
    *,
    beta: float = 0.1,
    chosen_length: Any = None,
    rejected_length: Any = None,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """IPO, to compare: a squared error, and no cross-entropy. Parameters and errors as of ``dpo``.

    The paper's Δ is one of sums; some libraries give it means, which here the lengths do.

    Examples
    --------
    >>> import xent
    >>> float(xent.losses.preference.ipo([-20.0], [-30.0], [-22.0], [-29.0]))
    4.0
    """
    delta = difference(
        "ipo", chosen, rejected, (reference_chosen, reference_rejected), (chosen_length, rejected_length)
    )
    lead = delta - 0.5 / checks.require_positive(beta, "ipo(beta=)")
    return reduced(lead * lead, weight=weight, reduction=reduction, denominator=denominator, empty=empty)
