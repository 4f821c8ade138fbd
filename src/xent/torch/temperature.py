"""Factors of the scores that are learned with the model, or after it."""

from __future__ import annotations

import math

import torch
from torch import nn

from xent.core import checks
from xent.core.arrays import Array, to_compute


class ContrastiveScale(nn.Module):
    """Similarities as scores: s·x + b with a learned s = exp(log_scale) > 0, and a learned b where one is given.

    CLIP starts at s = 1/.07 without b and keeps s below 100; SigLIP at s = 10, b = −10. In nats.

    Parameters
    ----------
    scale : float
        s at the start.
    bias : float, optional
        b at the start; None: there is none.
    limits : pair of float, optional
        s is kept between them. Outside the gradient is 0; ``clamp_`` brings the parameter itself back, after each step
        of an optimiser (as open_clip does).

    Raises
    ------
    OptionError
        A number out of range; limits that are none.

    References
    ----------
    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021 (arXiv 2103.00020);
    Zhai, Mustafa, Kolesnikov and Beyer, "Sigmoid Loss for Language Image Pre-Training", 2023 (arXiv 2303.15343).

    Examples
    --------
    >>> import torch
    >>> from xent.torch.losses import ContrastiveScale
    >>> round(ContrastiveScale(10.0, bias=-10.0)(torch.tensor(0.5)).item(), 4)
    -5.0
    """

    def __init__(
        self, scale: float = 1 / 0.07, bias: float | None = None, *, limits: tuple[float, float] | None = None
    ) -> None:
        super().__init__()
        start = checks.require_positive(scale, "ContrastiveScale(scale)")
        self.limits = None if limits is None else checks.require_bounds(*limits, "ContrastiveScale(limits=)")
        self.log_scale = nn.Parameter(torch.tensor(math.log(start)))
        if bias is None:
            self.register_parameter("bias", None)
        else:
            self.bias = nn.Parameter(torch.tensor(checks.require_finite(bias, "ContrastiveScale(bias)")))

    @property
    def scale(self) -> Array:
        """s."""
        return torch.exp(self._kept(to_compute(self.log_scale)))

    def forward(self, similarities: Array) -> Array:
        """s·x + b; float32 for half precision."""
        scaled = to_compute(similarities) * self.scale
        return scaled if self.bias is None else scaled + to_compute(self.bias)

    def clamp_(self) -> None:
        """Bring the parameter back within the limits."""
        with torch.no_grad():
            self.log_scale.copy_(self._kept(self.log_scale))

    def extra_repr(self) -> str:
        """The limits."""
        return "" if self.limits is None else f"limits={self.limits}"

    def _kept(self, x: Array) -> Array:
        return x if self.limits is None else torch.clamp(x, *map(math.log, self.limits))


class LearnedTemperature(nn.Module):
    """Scores at a learned temperature: z/τ with τ = exp(log_temperature) > 0.

    Fitted on scores that were held out, with the model fixed, it is temperature scaling. It changes no argmax.

    Parameters
    ----------
    temperature : float
        τ at the start.

    Raises
    ------
    OptionError
        τ not positive.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017 (arXiv 1706.04599), section 4.2.

    Examples
    --------
    >>> import torch
    >>> from xent.torch.losses import LearnedTemperature
    >>> [round(z, 4) for z in LearnedTemperature(2.0)(torch.tensor([3.0, 1.0])).tolist()]
    [1.5, 0.5]
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        start = checks.require_positive(temperature, "LearnedTemperature(temperature)")
        self.log_temperature = nn.Parameter(torch.tensor(math.log(start)))

    @property
    def temperature(self) -> Array:
        """τ."""
        return torch.exp(to_compute(self.log_temperature))

    def forward(self, scores: Array) -> Array:
        """z/τ; float32 for half precision."""
        return to_compute(scores) * torch.exp(-to_compute(self.log_temperature))
