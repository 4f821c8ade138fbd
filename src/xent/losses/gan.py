"""GAN losses: the discriminator answers yes or no, "is this real?", and the generator wants a yes.

They take a discriminator's scores D(x) of real samples and D(G(z)) of fake ones, arrays of any shape; real and fake
need not be as many. Each term is a mean of its own, Σ w·ℓ/Σ w. Hinge and least squares, which are no cross-entropies,
are in ``gan_compared`` and have their names here too.
"""

from __future__ import annotations

from typing import Any, Literal

from xent.backends import find, on_arrays
from xent.core import checks
from xent.core.arrays import Array, to_compute
from xent.core.predictions import Logits
from xent.core.reduction import Empty, Reduction
from xent.functional import cross_entropy
from xent.functional.averaging import reduced
from xent.losses.catalogue import member
from xent.losses.gan_compared import (
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
)
from xent.losses.two_samples import no, together, yes

__all__ = [
    "discriminator",
    "hinge_discriminator",
    "hinge_generator",
    "least_squares_discriminator",
    "least_squares_generator",
    "minimax_generator",
    "non_saturating_generator",
    "relativistic_discriminator",
    "relativistic_generator",
]

_GOODFELLOW = (
    "Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville and Bengio, Generative Adversarial Nets, "
    "2014, arXiv 1406.2661"
)
_RELATIVISTIC = "Jolicoeur-Martineau, The relativistic discriminator, 2018, arXiv 1807.00734"


@member(
    "mean −log σ(D(x)) + mean −log(1 − σ(D(G(z))))",
    gradient="σ(D) − t over the number of each, t = 1 − smoothing/2 for the real and 0 for the fake",
    source=_GOODFELLOW + "; smoothing: Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, 2016, arXiv 1606.03498",
    defaults={"smoothing": "0; .25 in TF-GAN (a real target of .875), .2 for the .9 of Salimans et al."},
)
@on_arrays
def discriminator(
    real: Any,
    fake: Any,
    *,
    smoothing: float = 0.0,
    real_weight: Any = None,
    fake_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Any:
    """The discriminator's loss: binary cross-entropy with yes for real samples and no for fake ones.

    Parameters
    ----------
    real, fake : float arrays of any shape
        D(x) and D(G(z)), scores.
    smoothing : float
        One-sided: the real target is 1 − smoothing/2, the fake one stays 0.
    real_weight, fake_weight : array, optional
        Of each sample, as ``weight`` of ``cross_entropy``.
    reduction, denominator, empty
        As of ``cross_entropy``, for each of the two terms; for "none" the result is the pair of them.

    Raises
    ------
    OptionError
        Smoothing outside [0, 1]. Others as of ``cross_entropy``.

    Examples
    --------
    >>> import xent
    >>> real, fake = [-5.0, 1.4, 12.5, 2.7], [10.0, 4.4, -5.5, 3.6]
    >>> round(float(xent.losses.gan.discriminator(real, fake, smoothing=0.25)), 5)
    6.19637
    """
    how: dict[str, Any] = {"reduction": reduction, "denominator": denominator, "empty": empty}
    of_real = cross_entropy(*yes(real, smoothing), weight=real_weight, **how)
    return together(of_real, cross_entropy(*no(fake), weight=fake_weight, **how), reduction)


@member(
    "mean log(1 − σ(D(G(z))))",
    gradient="−σ(D) over their number: 0 where the discriminator is sure of a fake",
    source=_GOODFELLOW + ", equation 1",
)
@on_arrays
def minimax_generator(
    fake: Any,
    *,
    real: Any = None,
    weight: Any = None,
    real_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Any:
    """The generator's loss of the minimax game: minus the cross-entropy of the answer no.

    With the scores of ``real`` samples it is the value of the whole game, minus the discriminator's loss, whose
    gradient by the generator is the same. TF-GAN puts 1 in their place and so adds −softplus(−1). For
    ``reduction="none"`` that is the pair of both terms.

    Parameters, results and errors as of ``discriminator``; ``weight`` is of the fake samples.

    Examples
    --------
    >>> import xent
    >>> round(float(xent.losses.gan.minimax_generator([10.0, 4.4, -5.5, 3.6])), 5)
    -4.51082
    """
    how: dict[str, Any] = {"reduction": reduction, "denominator": denominator, "empty": empty}
    of_fake = -cross_entropy(*no(fake), weight=weight, **how)
    if real is None:
        return of_fake
    return together(-cross_entropy(*yes(real), weight=real_weight, **how), of_fake, reduction)


@member(
    "mean −log σ(D(G(z)))",
    gradient="σ(D) − 1 over their number: −1 where the discriminator is sure of a fake",
    source=_GOODFELLOW + ", section 3",
)
@on_arrays
def non_saturating_generator(
    fake: Any,
    *,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """The generator's loss in use: the cross-entropy of the answer yes for what it made.

    Parameters, results and errors as of ``discriminator``.

    Examples
    --------
    >>> import xent
    >>> round(float(xent.losses.gan.non_saturating_generator([10.0, 4.4, -5.5, 3.6])), 5)
    1.38582
    """
    return cross_entropy(*yes(fake), weight=weight, reduction=reduction, denominator=denominator, empty=empty)


def _relative(
    mine: Any, theirs: Any, weight: Any, other_weight: Any, terms: str, how: dict[str, Any]
) -> tuple[Array, Array]:
    """−log σ(mine − mean theirs) and −log(1 − σ(theirs − mean mine)), each reduced."""
    checks.require_choice(terms, ("sum", "mean"), "terms=")
    mine, theirs = Logits(mine).scores, Logits(theirs).scores
    checks.require_one_library({"real": mine, "fake": theirs})
    with find(mine).quiet():
        over_theirs = to_compute(mine) - reduced(theirs, weight=other_weight)
        over_mine = to_compute(theirs) - reduced(mine, weight=weight)
    of_mine = cross_entropy(*yes(over_theirs), weight=weight, **how)
    return of_mine, cross_entropy(*no(over_mine), weight=other_weight, **how)


@member(
    "mean −log σ(D(x) − mean D(G(z))) + mean −log(1 − σ(D(G(z)) − mean D(x)))",
    gradient="σ − 1 and σ over the number of each, and minus their means through the means",
    source=_RELATIVISTIC,
    defaults={"terms": "sum: the paper's formula, and TF-GAN; the author's code halves (mean)"},
)
@on_arrays
def relativistic_discriminator(
    real: Any,
    fake: Any,
    *,
    terms: Literal["sum", "mean"] = "sum",
    real_weight: Any = None,
    fake_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Any:
    """The relativistic average discriminator's loss (RaGAN): is this more real than fakes are on average?

    Both means are differentiated too, and are weighted as the samples are.

    Parameters
    ----------
    real, fake : float arrays of any shape
        D(x) and D(G(z)), scores.
    terms : "sum" or "mean"
        The sum of the two terms, or half of it.
    real_weight, fake_weight, reduction, denominator, empty
        As of ``discriminator``.

    Raises
    ------
    OptionError
        Another ``terms``. Others as of ``cross_entropy``.

    Examples
    --------
    >>> import xent
    >>> real, fake = [-2.0, 0.4, 12.5, 2.7], [10.0, 4.4, -5.5, 3.6]
    >>> round(float(xent.losses.gan.relativistic_discriminator(real, fake)), 5)
    4.39011
    """
    how: dict[str, Any] = {"reduction": reduction, "denominator": denominator, "empty": empty}
    of_real, of_fake = _relative(real, fake, real_weight, fake_weight, terms, how)
    return together(of_real, of_fake, reduction, 0.5 if terms == "mean" else 1.0)


@member(
    "mean −log σ(D(G(z)) − mean D(x)) + mean −log(1 − σ(D(x) − mean D(G(z))))",
    gradient="σ − 1 and σ over the number of each, and minus their means through the means",
    source=_RELATIVISTIC,
    defaults={"terms": "sum: the paper's formula, and TF-GAN; the author's code halves (mean)"},
)
@on_arrays
def relativistic_generator(
    real: Any,
    fake: Any,
    *,
    terms: Literal["sum", "mean"] = "sum",
    real_weight: Any = None,
    fake_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Any:
    """The generator's loss beside it: the discriminator's with real and fake exchanged.

    Parameters, results and errors as of ``relativistic_discriminator``; real samples come first here too.

    Examples
    --------
    >>> import xent
    >>> real, fake = [-2.0, 0.4, 12.5, 2.7], [10.0, 4.4, -5.5, 3.6]
    >>> round(float(xent.losses.gan.relativistic_generator(real, fake)), 5)
    4.94011
    """
    how: dict[str, Any] = {"reduction": reduction, "denominator": denominator, "empty": empty}
    of_fake, of_real = _relative(fake, real, fake_weight, real_weight, terms, how)
    return together(of_real, of_fake, reduction, 0.5 if terms == "mean" else 1.0)
