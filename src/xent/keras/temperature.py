"""Factors of the scores that are learned with the model, or after it, as layers."""

from __future__ import annotations

import math
from typing import Any

import keras

from xent.core import checks
from xent.core.arrays import Array
from xent.keras import manners

_register = keras.saving.register_keras_serializable(manners.PACKAGE)


@_register
class Between(keras.constraints.Constraint):
    """A weight that is brought back into [low, high] after each step."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, w: Array) -> Array:
        """w within the bounds."""
        return keras.ops.clip(w, self.low, self.high)

    def get_config(self) -> dict[str, Any]:
        """The bounds."""
        return {"low": self.low, "high": self.high}


class _Factor(keras.layers.Layer):
    """Of the shape of what it is given, in the type of the arithmetic."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)

    def compute_output_spec(self, scores: Any) -> keras.KerasTensor:
        """The shape of the scores; float32 for half precision."""
        return keras.KerasTensor(scores.shape, dtype=manners.computed(scores))

    def _scalar(self, name: str, start: float, constraint: Any = None) -> Any:
        initializer = keras.initializers.Constant(start)
        return self.add_weight(shape=(), initializer=initializer, constraint=constraint, autocast=False, name=name)


@_register
class LearnedTemperature(_Factor):
    """Scores at a learned temperature: z/τ with τ = exp(log_temperature) > 0.

    Fitted on scores that were held out, with the model fixed, it is temperature scaling. It changes no argmax.

    Parameters
    ----------
    temperature : float
        τ at the start.
    **kwargs
        As of ``keras.layers.Layer``.

    Raises
    ------
    OptionError
        τ not positive.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017 (arXiv 1706.04599), section 4.2.

    Examples
    --------
    >>> import keras
    >>> from xent.keras.heads import LearnedTemperature
    >>> [round(float(z), 4) for z in LearnedTemperature(2.0)(keras.ops.array([3.0, 1.0]))]
    [1.5, 0.5]
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = checks.require_positive(temperature, "LearnedTemperature(temperature)")

    def build(self, scores_shape: Any) -> None:
        """Make log_temperature."""
        self.log_temperature = self._scalar("log_temperature", math.log(self.start))

    def call(self, scores: Array) -> Array:
        """z/τ."""
        z = manners.widened(keras.ops.convert_to_tensor(scores))
        return z * keras.ops.exp(-keras.ops.cast(self.log_temperature, manners.computed(z)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "temperature": self.start}


@_register
class ContrastiveScale(_Factor):
    """Similarities as scores: s·x + b with a learned s = exp(log_scale) > 0, and a learned b where one is given.

    CLIP starts at s = 1/.07 without b and keeps s below 100; SigLIP at s = 10, b = −10.

    Parameters
    ----------
    scale : float
        s at the start.
    bias : float, optional
        b at the start; None: there is none.
    limits : pair of float, optional
        s is brought back between them after each step of an optimiser.
    **kwargs
        As of ``keras.layers.Layer``.

    Raises
    ------
    OptionError
        A number out of range; limits that are none.

    References
    ----------
    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021 (arXiv 2103.00020);
    Zhai, Mustafa, Kolesnikov and Beyer, "Sigmoid Loss for Language Image Pre-Training", 2023 (arXiv 2303.15343).
    """

    def __init__(
        self,
        scale: float = 1 / 0.07,
        bias: float | None = None,
        *,
        limits: tuple[float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start = checks.require_positive(scale, "ContrastiveScale(scale)")
        self.offset = None if bias is None else checks.require_finite(bias, "ContrastiveScale(bias)")
        self.limits = None if limits is None else checks.require_bounds(*limits, "ContrastiveScale(limits=)")

    def build(self, scores_shape: Any) -> None:
        """Make log_scale, and bias where there is one."""
        kept = None if self.limits is None else Between(*map(math.log, self.limits))
        self.log_scale = self._scalar("log_scale", math.log(self.start), kept)
        self.bias = None if self.offset is None else self._scalar("bias", self.offset)

    def call(self, scores: Array) -> Array:
        """s·x + b."""
        x = manners.widened(keras.ops.convert_to_tensor(scores))
        dtype = manners.computed(x)
        scaled = x * keras.ops.exp(keras.ops.cast(self.log_scale, dtype))
        return scaled if self.bias is None else scaled + keras.ops.cast(self.bias, dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        limits = None if self.limits is None else list(self.limits)
        return {**super().get_config(), "scale": self.start, "bias": self.offset, "limits": limits}
