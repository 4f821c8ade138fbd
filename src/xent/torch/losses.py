"""Losses that own parameters or state, as modules: classifiers with a margin, a learned temperature.

``torch.nn`` has none of these names. A head holds the classifiers of a model that is trained with a margin; called with
labels it gives the loss, and ``scores`` gives what the model says in use, without the margin.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Literal

import torch
from torch import nn

from xent.core import checks
from xent.core.arrays import Array
from xent.core.margins import Boundary
from xent.core.reduction import REDUCTIONS, Reduction
from xent.core.targets import Labels
from xent.losses import face
from xent.losses.heads import of_cosines, prediction, with_margin
from xent.losses.loss import Loss
from xent.torch.manners import autocasts
from xent.torch.temperature import ContrastiveScale, LearnedTemperature

__all__ = [
    "AdaFaceHead",
    "ContrastiveScale",
    "CurricularFaceHead",
    "LearnedTemperature",
    "MagFaceHead",
    "MarginHead",
]


class MarginHead(nn.Module):
    """The classifiers of a model, trained with a margin: L = loss(labels, hidden·weightᵀ), in nats.

    The arithmetic is float32 for half precision, under autocast too.

    Parameters
    ----------
    in_features, classes : int
        H and K.
    loss : Loss
        One of ``xent.losses.margins``, or another. One whose margin is meant for cosines, also one of your own, is
        given those of hidden states and classifiers, unless its scores say what to ``normalize``.
    centres : int
        Classifiers of each class, of which the nearest counts (sub-center ArcFace); ``weight`` then has K·centres
        rows.
    ignore : int, optional
        A label that does not count.
    reduction : "none", "sum" or "mean"
    device, dtype
        Of the classifiers.

    Raises
    ------
    KindError, OptionError
        A loss that is none; numbers out of range; several centres beside a loss that needs hidden states.

    References
    ----------
    Deng, Guo, Xue and Zafeiriou, "ArcFace", 2019 (arXiv 1801.07698); Deng, Guo, Liu, Gong and Zafeiriou, "Sub-center
    ArcFace", 2020.

    Examples
    --------
    >>> import torch, xent
    >>> from xent.torch.losses import MarginHead
    >>> head = MarginHead(8, 5, xent.losses.margins.arcface(scale=16.0), centres=2)
    >>> hidden = torch.randn(4, 8)
    >>> head(hidden, torch.tensor([0, 1, 2, 3])).backward()
    >>> head.scores(hidden).shape
    torch.Size([4, 5])
    """

    weight: nn.Parameter

    def __init__(
        self,
        in_features: int,
        classes: int,
        loss: Loss,
        *,
        centres: int = 1,
        ignore: int | None = None,
        reduction: Reduction = "mean",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        checks.require_choice(reduction, REDUCTIONS, "reduction=")
        self.in_features = checks.require_count(in_features, f"{type(self).__name__}(in_features)")
        self.classes = checks.require_count(classes, f"{type(self).__name__}(classes)", least=2)
        self.centres = checks.require_count(centres, f"{type(self).__name__}(centres=)")
        self.loss, self._cosines = of_cosines(loss, self.centres)
        self.ignore, self.reduction = ignore, reduction
        self.weight = nn.Parameter(
            torch.empty(self.classes * self.centres, self.in_features, device=device, dtype=dtype)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Directions that are uniform on the sphere, and lengths of about 1."""
        nn.init.normal_(self.weight, std=self.in_features**-0.5)

    def forward(self, hidden: Array, labels: Array, *, weight: Array | None = None) -> Array:
        """The loss of hidden states (…, H) for labels (…); ``weight`` is one number an example."""
        with _single(hidden):
            P = Labels(labels, ignore=self.ignore)
            Q = self._prediction(hidden, P)
            return self._current(P, Q)(P, Q, weight=weight, reduction=self.reduction)

    def scores(self, hidden: Array) -> Array:
        """The scores (…, K) of the model in use, without the margin."""
        with _single(hidden):
            found: Array = self.loss.at_inference(self._prediction(hidden)).scores
            return found

    def extra_repr(self) -> str:
        """Sizes and loss."""
        several = f", centres={self.centres}" if self.centres > 1 else ""
        return f"{self.in_features}, {self.classes}, loss={self.loss.name or 'of your own'}{several}"

    def _current(self, P: Labels, Q: Any) -> Loss:
        """The loss of this batch; where there is a state and the module trains, it is brought up to date first."""
        return self.loss

    def _prediction(self, hidden: Array, P: Labels | None = None) -> Any:
        return prediction(hidden, self.weight, self.centres, self._cosines, P)

    def _keep(self, **state: Array) -> None:
        with torch.no_grad():
            for name, value in state.items():
                getattr(self, name).copy_(value)


class AdaFaceHead(MarginHead):
    """Classifiers that are trained by AdaFace, with the running mean and deviation of ‖x‖ as buffers.

    They move in training mode alone, with each call, before its loss is made.

    Parameters
    ----------
    in_features, classes : int
    m, h, scale, boundary
        As of ``xent.losses.face.adaface``.
    rate : float
        The weight of a batch in the state: .01 in the authors' settings.
    mean, std : float
        The state at the start.
    ignore, reduction, device, dtype
        As of ``MarginHead``.

    Raises
    ------
    OptionError
        A number out of range.

    References
    ----------
    Kim, Jain and Liu, "AdaFace", 2022 (arXiv 2204.00964).
    """

    mean: Array
    std: Array

    def __init__(
        self,
        in_features: int,
        classes: int,
        *,
        m: float = 0.4,
        h: float = 0.333,
        scale: float = 64.0,
        boundary: Literal["continue", "clip"] = "continue",
        rate: float = 0.01,
        mean: float = 20.0,
        std: float = 100.0,
        ignore: int | None = None,
        reduction: Reduction = "mean",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        loss = face.adaface(mean, std, m=m, h=h, scale=scale, boundary=boundary)
        super().__init__(in_features, classes, loss, ignore=ignore, reduction=reduction, device=device, dtype=dtype)
        self.rate = checks.require_fraction(rate, "AdaFaceHead(rate=)")
        self.register_buffer("mean", torch.tensor(float(mean), device=device))
        self.register_buffer("std", torch.tensor(float(std), device=device))

    def _current(self, P: Labels, Q: Any) -> Loss:
        if self.training:
            mean, std = face.adaface_state(P, Q, self.mean, self.std, rate=self.rate)
            self._keep(mean=mean, std=std)
        return with_margin(self.loss, mean=self.mean, std=self.std)


class MagFaceHead(MarginHead):
    """Classifiers that are trained by MagFace; the length of a hidden state is then the quality of its image.

    Parameters
    ----------
    in_features, classes : int
    shortest, longest, least, most, coefficient, scale, boundary
        As of ``xent.losses.face.magface``.
    ignore, reduction, device, dtype
        As of ``MarginHead``.

    Raises
    ------
    OptionError
        A number out of range.

    References
    ----------
    Meng, Zhao, Huang and Zhou, "MagFace", 2021 (arXiv 2103.06627).
    """

    def __init__(
        self,
        in_features: int,
        classes: int,
        *,
        shortest: float = 10.0,
        longest: float = 110.0,
        least: float = 0.45,
        most: float = 0.8,
        coefficient: float = 35.0,
        scale: float = 64.0,
        boundary: Literal["easy", "linear", "continue"] = "easy",
        ignore: int | None = None,
        reduction: Reduction = "mean",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        loss = face.magface(shortest, longest, least, most, coefficient, scale, boundary=boundary)
        super().__init__(in_features, classes, loss, ignore=ignore, reduction=reduction, device=device, dtype=dtype)


class CurricularFaceHead(MarginHead):
    """Classifiers that are trained by CurricularFace, with t, the running mean of the cosine at the truth, as a buffer.

    It moves in training mode alone, with each call, before its loss is made (as in the authors' code).

    Parameters
    ----------
    in_features, classes : int
    m, scale, boundary
        As of ``xent.losses.face.curricularface``.
    rate : float
        The weight of a batch in t: .01 in the paper.
    ignore, reduction, device, dtype
        As of ``MarginHead``.

    Raises
    ------
    OptionError
        A number out of range.

    References
    ----------
    Huang, Wang, Tai, Liu, Shen, Li, Li and Huang, "CurricularFace", 2020 (arXiv 2004.00288).
    """

    t: Array

    def __init__(
        self,
        in_features: int,
        classes: int,
        *,
        m: float = 0.5,
        scale: float = 64.0,
        boundary: Boundary = "linear",
        rate: float = 0.01,
        ignore: int | None = None,
        reduction: Reduction = "mean",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        loss = face.curricularface(0.0, m, scale, boundary=boundary, normalize=True)
        super().__init__(in_features, classes, loss, ignore=ignore, reduction=reduction, device=device, dtype=dtype)
        self.rate = checks.require_fraction(rate, "CurricularFaceHead(rate=)")
        self.register_buffer("t", torch.tensor(0.0, device=device))

    def _current(self, P: Labels, Q: Any) -> Loss:
        if self.training:
            self._keep(t=face.curricularface_state(P, Q, self.t, rate=self.rate))
        return with_margin(self.loss, t=self.t)


def _single(x: Array) -> Any:
    """Without autocast, which would multiply hidden states and classifiers in half precision."""
    return torch.autocast(x.device.type, enabled=False) if autocasts(x) else nullcontext()
