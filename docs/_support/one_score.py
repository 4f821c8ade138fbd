"""Losses of other inputs than one P and Q that have one natural number, as functions of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import xent
from xent import losses

_TRANSITION = (0.7 * np.eye(3) + 0.1).tolist()
_FAR = np.linspace(-6.0, 6.0, 41)
_COSINE = np.cos(np.linspace(3.0, 0.15, 41))


@dataclass(frozen=True)
class Curve:
    """A loss over one number x, a tensor of one element."""

    title: str
    loss: Callable[[Any], Any]
    shown: str = ""
    grid: Any = None
    #: What it is compared with, by name.
    beside: tuple[str, Callable[[Any], Any]] | None = None

    def points(self) -> tuple[Any, dict[str, tuple[list[float], list[float]]]]:
        """x, and value and derivative of each line at each."""
        grid = _FAR if self.grid is None else self.grid
        named = [] if self.beside is None else [self.beside]
        return grid, {name: _followed(loss, grid) for name, loss in (*named, ("this loss", self.loss))}


def _followed(loss: Callable[[Any], Any], grid: Any) -> tuple[list[float], list[float]]:
    values, slopes = [], []
    for number in grid:
        x = torch.tensor([number], dtype=torch.float64, requires_grad=True)
        value = loss(x)
        values.append(value.item())
        slopes.append(torch.autograd.grad(value.sum(), x)[0].item())
    return values, slopes


def _of(number: float) -> Any:
    return torch.tensor([number], dtype=torch.float64)


def _classes(loss: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """Class 0 of three has the score x, as in the other figures."""
    return lambda x: loss(xent.Labels(torch.tensor([0])), xent.Logits(torch.stack((x, _of(0.2), _of(-0.4)), dim=-1)))


def _angle(loss: losses.Loss, length: float) -> Callable[[Any], Any]:
    """x is the cosine to the classifier of the truth; that to the other class is 0."""

    classifiers = torch.eye(3, dtype=torch.float64)[[0, 2]]

    def at(x: Any) -> Any:
        hidden = length * torch.stack((x, torch.sqrt(1.0 - x * x), 0.0 * x), dim=-1)
        return loss(xent.Labels(torch.tensor([0])), xent.Projection(hidden, classifiers))

    return at


def _pair(x: Any) -> Any:
    """The softmax's cross-entropy of a yes at the score x."""
    return torch.nn.functional.softplus(-x).sum()


def _curves() -> dict[str, Curve]:
    gan, other, p = losses.gan, losses.gan_compared, losses.preference
    # log-probabilities, so below 0
    zero, two, low = _of(0.0), _of(2.0), _of(-100.0)
    cross = ("cross-entropy", _classes(xent.cross_entropy))
    cosines = ("without margin", _angle(losses.Loss(scores=losses.Scores(normalize="both", scale=4.0)), 1.0))
    fake, ratio = "score of a fake", "log-ratio of chosen and rejected"
    far = np.linspace(-40.0, 40.0, 41)
    image = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    adaface, magface = losses.face.adaface(scale=4.0), losses.face.magface(scale=4.0)
    forward = _classes(lambda P, Q: xent.cross_entropy(P, losses.noise.forward_correction(Q, _TRANSITION)))
    y, n = xent.Indicators(torch.ones(1, 1)), [50]
    return {
        "noise.forward_correction": Curve("score of the label", forward, f"transition = {_TRANSITION}", beside=cross),
        "mixing.mixup": Curve(
            "score of the first label",
            _classes(lambda P, Q: losses.mixing.mixup(P, xent.Labels(torch.tensor([1])), Q, 0.7)),
            "λ = 0.7, the second label at 0.2",
            beside=cross,
        ),
        "imbalance.distribution_balanced": Curve(
            "score of a yes",
            lambda x: losses.imbalance.distribution_balanced(y, xent.Logits(x[:, None]), n, 1000),
            "50 of 1000 examples",
            beside=("cross-entropy", _pair),
        ),
        "face.adaface": Curve(
            "cosine of the truth", _angle(adaface, 20.0), "scale = 4, ‖x‖ = 20 = μ", _COSINE, beside=cosines
        ),
        "face.magface": Curve(
            "cosine of the truth", _angle(magface, 60.0), "scale = 4, ‖x‖ = 60", _COSINE, beside=cosines
        ),
        "contrastive.siglip": Curve(
            "cosine of a pair",
            lambda x: losses.contrastive.siglip(image, torch.stack((x, torch.sqrt(1 - x * x)), dim=-1)),
            "one image and its text, scale 10, bias −10",
            _COSINE,
        ),
        "gan.discriminator": Curve(fake, lambda x: gan.discriminator(two, x), "a real at 2"),
        "gan.minimax_generator": Curve(fake, gan.minimax_generator),
        "gan.non_saturating_generator": Curve(fake, gan.non_saturating_generator),
        "gan.relativistic_discriminator": Curve(fake, lambda x: gan.relativistic_discriminator(zero, x), "a real at 0"),
        "gan.relativistic_generator": Curve(fake, lambda x: gan.relativistic_generator(zero, x), "a real at 0"),
        "gan_compared.hinge_discriminator": Curve(fake, lambda x: other.hinge_discriminator(two, x), "a real at 2"),
        "gan_compared.hinge_generator": Curve(fake, other.hinge_generator),
        "gan_compared.least_squares_discriminator": Curve(
            fake, lambda x: other.least_squares_discriminator(two, x), "a real at 2"
        ),
        "gan_compared.least_squares_generator": Curve(fake, other.least_squares_generator),
        "preference.dpo": Curve(ratio, lambda x: p.dpo(x + low, low, low, low), "beta = 0.1", far),
        "preference.robust_dpo": Curve(
            ratio, lambda x: p.robust_dpo(x + low, low, low, low, rate=0.1), "beta = 0.1, rate = 0.1", far
        ),
        "preference.simpo": Curve(
            "difference of the mean log-probabilities",
            lambda x: p.simpo(x + low, low, chosen_length=_of(1.0), rejected_length=_of(1.0)),
            "beta = 2, margin = 0.5",
        ),
        "preference.ipo": Curve(ratio, lambda x: p.ipo(x + low, low, low, low), "beta = 0.1", far),
        "fenchel_young.sparsemax_loss": Curve(
            "score of the truth", _classes(losses.fenchel_young.sparsemax_loss()), beside=cross
        ),
        "fenchel_young.entmax_loss": Curve(
            "score of the truth", _classes(losses.fenchel_young.entmax_loss()), "alpha = 1.5", beside=cross
        ),
    }


CURVES = _curves()
