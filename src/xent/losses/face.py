"""Margins that keep a state, or follow the length of the hidden state: AdaFace, MagFace, CurricularFace.

A loss keeps nothing between calls, so the state is given to it, and one more batch makes the next:

    mean, std = adaface_state(P, Q, mean, std)
    adaface(mean, std)(P, Q)

``xent.torch.losses`` and ``xent.keras.heads`` have modules that own classifiers and state.
"""

from __future__ import annotations

from typing import Any, Literal

from xent.core import checks
from xent.core.adaptive_margins import AdaFace, CurricularFace, MagFace
from xent.core.arrays import Array
from xent.core.margins import Boundary
from xent.core.penalties import Magnitude
from xent.core.predictions import Logits, Projection
from xent.core.scores import Scores
from xent.core.targets import Labels
from xent.functional.running import updated_cosine, updated_lengths
from xent.losses.catalogue import member
from xent.losses.loss import Loss

__all__ = ["adaface", "adaface_state", "curricularface", "curricularface_state", "magface"]


@member(
    "CE with s·(cos(θ_y − m·ẑ) − m·(1 + ẑ)), s·cos θ_j; ẑ = h·(‖x‖ − μ)/(σ + 10⁻³) in [−1, 1]",
    gradient="(a·p − b·t)·s, at the truth times ∂f(θ), ẑ a constant",
    source="Kim, Jain and Liu, AdaFace, 2022, arXiv 2204.00964",
    places="S1",
    defaults={
        "mean": "20, the authors' code at the start",
        "std": "100, the same",
        "m": ".4, the paper's",
        "h": ".333, the paper's",
        "scale": "64, the paper's",
        "boundary": "continue: the paper's formula; “clip”: the authors' code",
    },
)
def adaface(
    mean: Any = 20.0,
    std: Any = 100.0,
    *,
    m: float = 0.4,
    h: float = 0.333,
    scale: float = 64.0,
    boundary: Literal["continue", "clip"] = "continue",
) -> Loss:
    """AdaFace, for a Projection without a bias. ``adaface_state`` gives mean and std of the lengths so far.

    The authors' code also keeps lengths in [.001, 100] and cosines in [−.999, .999]; here both are as they are.

    Raises
    ------
    OptionError
        A number out of range, see ``AdaFace``.
    """
    return Loss(scores=Scores(normalize="both", margin=AdaFace(mean, std, m, h, boundary), scale=scale))


def adaface_state(P: Labels, Q: Projection, mean: Any, std: Any, *, rate: float = 0.01) -> tuple[Array, Array]:
    """Mean and standard deviation of ‖x‖ after one more batch: (1 − rate)·old + rate·new of each.

    Examples that do not count are left out; the deviation of fewer than two stays what it was.

    Parameters
    ----------
    P : Labels
    Q : Projection
    mean, std : number or scalar of Q's framework
    rate : float
        .01 in the authors' settings (1, the batch alone, in their class).

    Returns
    -------
    two scalars of Q's framework, constants to what it differentiates

    Raises
    ------
    KindError, OptionError
        Another P or Q; a rate outside [0, 1].

    Examples
    --------
    >>> import numpy as np, xent
    >>> P, Q = xent.Labels([0, 1]), xent.Projection(np.array([[3.0, 4.0], [0.0, 7.0]]), np.eye(2))
    >>> mean, std = xent.losses.face.adaface_state(P, Q, 20.0, 100.0, rate=0.5)
    >>> round(float(mean), 4), round(float(std), 4)
    (13.0, 50.7071)
    """
    return updated_lengths(P, Q, mean, std, checks.require_fraction(rate, "adaface_state(rate=)"))


@member(
    "CE with s·cos(θ_y + m(a)), s·cos θ_j + λ·(a/u_a² + 1/a); a = ‖x‖ in [l_a, u_a], m on the line from l_m to u_m",
    gradient="(a·p − b·t)·s, at the truth times ∂f(θ, ‖x‖); + w·λ·(1/u_a² − 1/a²) by ‖x‖",
    source="Meng, Zhao, Huang and Zhou, MagFace, 2021, arXiv 2103.06627",
    places="S1 S4",
    defaults={
        "shortest": "10, the authors' settings",
        "longest": "110, the same",
        "least": ".45, the same",
        "most": ".8, the same",
        "coefficient": "35, the same",
        "scale": "64, the same",
        "boundary": "easy, the authors' code",
    },
)
def magface(
    shortest: float = 10.0,
    longest: float = 110.0,
    least: float = 0.45,
    most: float = 0.8,
    coefficient: float = 35.0,
    scale: float = 64.0,
    *,
    boundary: Literal["easy", "linear", "continue"] = "easy",
) -> Loss:
    """MagFace, for a Projection without a bias: the length of a hidden state becomes the quality of its image.

    Raises
    ------
    OptionError
        A number out of range, see ``MagFace`` and ``Magnitude``.
    """
    margin = MagFace(shortest, longest, least, most, boundary)
    scores = Scores(normalize="both", margin=margin, scale=scale)
    return Loss(scores=scores, penalties=(Magnitude(coefficient, shortest, longest),))


@member(
    "CE with s·cos(θ_y + m); s·cos θ_j·(t + cos θ_j) where cos θ_j > cos(θ_y + m), else s·cos θ_j",
    gradient="(a·p − b·t)·s, at the truth times ∂f(θ), at hard classes times t + 2·cos θ_j",
    source="Huang, Wang, Tai, Liu, Shen, Li, Li and Huang, CurricularFace, 2020, arXiv 2004.00288",
    places="S1",
    defaults={
        "t": "0, the start",
        "m": ".5, the paper's",
        "scale": "64, the paper's",
        "boundary": "linear, the authors' code",
    },
)
def curricularface(
    t: Any = 0.0,
    m: float = 0.5,
    scale: float = 64.0,
    *,
    boundary: Boundary = "linear",
    normalize: bool = False,
) -> Loss:
    """CurricularFace. ``curricularface_state`` gives t, the mean cosine at the truth so far.

    With ``normalize`` Q is a Projection, whose scores are made cosines; without, Logits are cosines.

    Raises
    ------
    OptionError
        A number out of range, see ``CurricularFace``.
    """
    margin = CurricularFace(t, m, boundary)
    return Loss(scores=Scores(normalize="both" if normalize else None, margin=margin, scale=scale))


def curricularface_state(P: Labels, Q: Logits | Projection, t: Any, *, rate: float = 0.01) -> Array:
    """t after one more batch: (1 − rate)·t + rate·(mean of cos θ at the truth).

    The authors' code takes the new t for the loss of the same batch.

    Parameters
    ----------
    P : Labels
    Q : Projection, or Logits that are cosines
    t : number or scalar of Q's framework
    rate : float
        .01 in the paper.

    Returns
    -------
    scalar of Q's framework, a constant to what it differentiates

    Raises
    ------
    KindError, OptionError
        Another P or Q; a rate outside [0, 1].

    Examples
    --------
    >>> import xent
    >>> P, Q = xent.Labels([0, 1]), xent.Logits([[0.5, 0.1], [0.0, 0.7]])
    >>> round(float(xent.losses.face.curricularface_state(P, Q, 0.0)), 4)
    0.006
    """
    return updated_cosine(P, Q, t, checks.require_fraction(rate, "curricularface_state(rate=)"))
