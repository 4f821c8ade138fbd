"""GAN losses that are no cross-entropies, to compare with those of ``gan``: hinge and least squares."""

from __future__ import annotations

from typing import Any

from xent.backends import on_arrays
from xent.core import checks
from xent.core.arrays import Array, to_compute
from xent.core.predictions import Logits
from xent.core.reduction import Empty, Reduction
from xent.functional import hinge
from xent.functional.averaging import reduced
from xent.losses.catalogue import member
from xent.losses.two_samples import no, together, yes

__all__ = ["hinge_discriminator", "hinge_generator", "least_squares_discriminator", "least_squares_generator"]

_MIYATO = "Miyato, Kataoka, Koyama and Yoshida, Spectral Normalization for GANs, 2018, arXiv 1802.05957"
_MAO = "Mao, Li, Xie, Lau, Wang and Smolley, Least Squares GANs, 2016, arXiv 1611.04076"


@member(
    "mean max(0, 1 − D(x)) + mean max(0, 1 + D(G(z)))",
    gradient="−1 and +1 over the number of each, 0 beyond the margin",
    source=_MIYATO,
)
@on_arrays
def hinge_discriminator(
    real: Any,
    fake: Any,
    *,
    real_weight: Any = None,
    fake_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Any:
    """The hinge loss of a discriminator, to compare. Parameters, results and errors as of ``gan.discriminator``.

    Examples
    --------
    >>> import xent
    >>> float(xent.losses.gan.hinge_discriminator([-5.0, 1.5], [4.0, -3.0]))
    5.5
    """
    how: dict[str, Any] = {"reduction": reduction, "denominator": denominator, "empty": empty}
    of_real = hinge(*yes(real), weight=real_weight, **how)
    return together(of_real, hinge(*no(fake), weight=fake_weight, **how), reduction)


@member("−mean D(G(z))", gradient="−1 over their number", source=_MIYATO)
@on_arrays
def hinge_generator(
    fake: Any,
    *,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """The generator's loss beside a hinge discriminator, to compare; bounded by nothing.

    Parameters, results and errors as of ``gan.discriminator``.

    Examples
    --------
    >>> import xent
    >>> float(xent.losses.gan.hinge_generator([4.0, -3.0]))
    -0.5
    """
    x = to_compute(Logits(fake).scores)
    return reduced(-x, weight=weight, reduction=reduction, denominator=denominator, empty=empty)


@member(
    "mean (D(x) − b)²/2 + mean (D(G(z)) − a)²/2, b = 1 and a = 0",
    gradient="D(x) − b and D(G(z)) − a over the number of each",
    source=_MAO + ", equations 2 and 9",
    defaults={"real_target": "b = 1, the paper's and TF-GAN's", "fake_target": "a = 0, the same"},
)
@on_arrays
def least_squares_discriminator(
    real: Any,
    fake: Any,
    *,
    real_target: float = 1.0,
    fake_target: float = 0.0,
    real_weight: Any = None,
    fake_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Any:
    """The least-squares loss of a discriminator (LSGAN), to compare. Scores are not squashed.

    Parameters, results and errors as of ``gan.discriminator``; the targets are a and b of the formula.

    Examples
    --------
    >>> import xent
    >>> float(xent.losses.gan.least_squares_discriminator([3.0], [-1.0]))
    2.5
    """
    how: dict[str, Any] = {"reduction": reduction, "denominator": denominator, "empty": empty}
    of_real = reduced(_half_square(real, real_target), weight=real_weight, **how)
    return together(of_real, reduced(_half_square(fake, fake_target), weight=fake_weight, **how), reduction)


@member(
    "mean (D(G(z)) − c)²/2, c = 1",
    gradient="D(G(z)) − c over their number",
    source=_MAO + ", equations 2 and 9",
    defaults={"target": "c = 1, the paper's and TF-GAN's"},
)
@on_arrays
def least_squares_generator(
    fake: Any,
    *,
    target: float = 1.0,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """The generator's loss beside a least-squares discriminator, to compare.

    Parameters, results and errors as of ``gan.discriminator``.

    Examples
    --------
    >>> import xent
    >>> float(xent.losses.gan.least_squares_generator([3.0]))
    2.0
    """
    x = _half_square(fake, target)
    return reduced(x, weight=weight, reduction=reduction, denominator=denominator, empty=empty)


def _half_square(scores: Any, target: float) -> Array:
    x = to_compute(Logits(scores).scores) - checks.require_finite(target, "target=")
    return x * x / 2.0
