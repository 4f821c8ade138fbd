"""S1 at the truth: a margin makes the score of the true class smaller while a model is trained, so that it has to be
clearer than it would otherwise. At inference it is left out.

A member says what takes the place of cos θ, the cosine between the hidden state and the classifier of the true class,
as a function f(θ). That has a bounded derivative where cos θ ↦ f has none: from a Projection the gradient is
f′(θ)·∂θ, with |∂θ/∂x| = 1/‖x‖.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from xent.core import checks, loss_values
from xent.core.arrays import Array, as_array, library, look_up, namespace
from xent.core.values import Inspector
from xent.errors import OptionError

#: How near to 0 and π an angle may be where it is differentiated by its cosine.
_NEAR = 1e-4

Boundary: TypeAlias = Literal["continue", "linear", "clip", "easy"]
Gradient: TypeAlias = Literal["true", "straight-through"]


class Margin(ABC):
    """f(θ), the score of the true class in place of cos θ."""

    #: Whether f reads the length of the hidden state, which a Projection has and scores have not.
    needs_norm: ClassVar[bool] = False
    #: Whether the cosines of the other classes change too.
    changes_others: ClassVar[bool] = False
    #: Whether it is meant for cosines; not for f(θ) times the lengths of hidden state and classifier.
    cosines: ClassVar[bool] = True

    @abstractmethod
    def value(self, theta: Array, norm: Array | None) -> Array:
        """f(θ); ``norm`` is ‖x‖ where the margin needs it."""

    @abstractmethod
    def derivative(self, theta: Array, norm: Array | None) -> Array:
        """f′(θ)."""

    def by_norm(self, theta: Array, norm: Array) -> Array:
        """∂f/∂‖x‖, for a margin that needs it."""
        return namespace(theta).zeros_like(theta)

    def others(self, cosines: Array, theta: Array) -> Array:
        """What takes the place of the cosines (…, K) of the other classes; θ (…) is that of the truth, a constant."""
        return cosines

    def others_derivative(self, cosines: Array, theta: Array) -> Array:
        """Its derivative by each of the cosines."""
        return namespace(cosines).ones_like(cosines)


@dataclass(frozen=True, eq=False)
class Shift:
    """An additive margin: z_y − m. Not a function of the angle: it works on scores of every kind.

    With m > 0 on plain scores it is SM-Softmax (soft margin); on cosines, scaled, AM-Softmax and CosFace; with one m a
    class, larger for rare ones, LDAM. The functions of these names take m ≥ 0; here it may be below zero.

    Parameters
    ----------
    margin : number or array (K,)
        m; an array holds that of each class.
    cosines : bool
        Whether m is meant for cosines: then a Projection has to be normalised.

    Raises
    ------
    OptionError
        A number that is not finite; of an array that can be read only in a call, there.

    References
    ----------
    Liang, Wang, Lei, Liao and Li, "Soft-Margin Softmax for Deep Classification", 2017; Wang, Cheng, Liu and Liu,
    "Additive Margin Softmax for Face Verification", 2018 (arXiv 1801.05599); Wang, Wang, Zhou, Ji, Gong, Zhou, Li and
    Liu, "CosFace", 2018 (arXiv 1801.09414).
    """

    margin: Any
    cosines: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if getattr(self.margin, "shape", ()) or isinstance(self.margin, (list, tuple)):
            object.__setattr__(self, "margin", as_array(self.margin, "Shift(margin)"))
            if library(self.margin) == "numpy":
                loss_values.finite(self.margin, "Shift(margin)", Inspector(reads=True))
        else:
            object.__setattr__(self, "margin", checks.require_finite(self.margin, "Shift(margin)"))


@dataclass(frozen=True)
class Angular(Margin):
    """cos(m₁θ + m₂) − m₃: ArcFace is (1, m, 0), CosFace (1, 0, m), SphereFace without its steps (m, 0, 0).

    "ArcFace" has four meanings in the code of others, which differ once m₁θ + m₂ > π and in the gradient; here both
    are choices with a name.

    Parameters
    ----------
    m1, m2, m3 : float
        m₁ > 0, m₂ from 0 to π in radians, m₃.
    boundary : "continue", "linear", "clip" or "easy"
        What holds where m₁θ + m₂ > π. "continue": the formula, which rises again there (Paddle, insightface).
        "linear": cos θ − m₂·sin m₂ − m₃, for m₁ = 1 (the fallback of PyTorch Metric Learning; it jumps). "clip": cos π
        (AdaFace's code). "easy": f is cos θ wherever cos θ ≤ 0 ("easy margin").
    grad : "true" or "straight-through"
        f′(θ); or −sin θ, as if there were no margin (insightface since December 2022).

    Raises
    ------
    OptionError
        A margin that is not finite, m₁ ≤ 0, m₂ outside [0, π], another boundary or gradient; "linear" for another m₁.

    References
    ----------
    Deng, Guo, Xue and Zafeiriou, "ArcFace", 2019 (arXiv 1801.07698), equation 4.
    """

    m1: float = 1.0
    m2: float = 0.5
    m3: float = 0.0
    boundary: Boundary = "continue"
    grad: Gradient = "true"

    def __post_init__(self) -> None:
        object.__setattr__(self, "m1", checks.require_positive(self.m1, "Angular(m1)"))
        object.__setattr__(self, "m2", checks.require_angle(self.m2, "Angular(m2)"))
        object.__setattr__(self, "m3", checks.require_finite(self.m3, "Angular(m3)"))
        checks.require_choice(self.boundary, ("continue", "linear", "clip", "easy"), "Angular(boundary=)")
        checks.require_choice(self.grad, ("true", "straight-through"), "Angular(grad=)")
        if self.boundary == "linear" and self.m1 != 1.0:
            raise OptionError(
                "Angular(boundary=)",
                '"continue", "clip" or "easy" where m1 is not 1: "linear" is of cos(θ + m₂)',
                f'"linear" with m1={self.m1:g}',
            )

    def value(self, theta: Array, norm: Array | None) -> Array:
        xp = namespace(theta)
        angle = self.m1 * theta + self.m2
        found = xp.cos(angle)
        if self.boundary == "linear":
            found = xp.where(angle > math.pi, xp.cos(theta) - self.m2 * math.sin(self.m2), found)
        elif self.boundary == "clip":
            found = xp.where(angle > math.pi, -1.0, found)
        elif self.boundary == "easy":
            return xp.where(theta < math.pi / 2, found - self.m3, xp.cos(theta))
        return found - self.m3

    def derivative(self, theta: Array, norm: Array | None) -> Array:
        xp = namespace(theta)
        plain = -xp.sin(theta)
        if self.grad == "straight-through":
            return plain
        angle = self.m1 * theta + self.m2
        found = -self.m1 * xp.sin(angle)
        if self.boundary == "linear":
            return xp.where(angle > math.pi, plain, found)
        if self.boundary == "clip":
            return xp.where(angle > math.pi, 0.0, found)
        return xp.where(theta < math.pi / 2, found, plain) if self.boundary == "easy" else found


@dataclass(frozen=True)
class LargeMargin(Margin):
    """L-Softmax: (λ·cos θ + ψ(θ))/(1 + λ) with ψ(θ) = (−1)^k·cos mθ − 2k, k = ⌊mθ/π⌋, which falls from 1 to 1 − 2m.

    Parameters
    ----------
    m : int
        1, 2, 3 or 4. 1 is the softmax itself.
    blend : float
        λ ≥ 0, large at first and smaller as training goes on (``annealed``).

    Raises
    ------
    OptionError
        m not among 1 … 4, λ negative.

    References
    ----------
    Liu, Wen, Yu and Yang, "Large-Margin Softmax Loss for Convolutional Neural Networks", 2016 (arXiv 1612.02295),
    equations 6 and 7; with normalised classifiers, Liu, Wen, Yu, Li, Raj and Song, "SphereFace", 2017
    (arXiv 1704.08063).
    """

    m: int = 4
    blend: float = 0.0

    cosines: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.m not in (1, 2, 3, 4):
            raise OptionError("LargeMargin(m)", "1, 2, 3 or 4", repr(self.m))
        object.__setattr__(self, "blend", checks.require_nonnegative(self.blend, "LargeMargin(blend)"))

    def annealed(self, step: int, *, base: float = 1000.0, gamma: float = 0.12, power: float = 1.0, least: float = 5.0
                 ) -> LargeMargin:  # fmt: skip
        """The margin at a step of training: λ = max(least, base·(1 + γ·step)^−power), with SphereFace's defaults.

        L-Softmax's own are base 1000, γ 2.5e-5, power 35, least 0.
        """
        return LargeMargin(self.m, max(least, base * (1.0 + gamma * step) ** -power))

    def _sector(self, theta: Array) -> tuple[Array, Array]:
        """k, and (−1)^k."""
        xp = namespace(theta)
        k = sum((xp.where(theta * self.m >= j * math.pi, 1.0, xp.zeros_like(theta)) for j in range(1, self.m)),
                start=xp.zeros_like(theta))  # fmt: skip
        return k, xp.cos(math.pi * k)

    def value(self, theta: Array, norm: Array | None) -> Array:
        xp = namespace(theta)
        k, sign = self._sector(theta)
        return (self.blend * xp.cos(theta) + sign * xp.cos(self.m * theta) - 2.0 * k) / (1.0 + self.blend)

    def derivative(self, theta: Array, norm: Array | None) -> Array:
        xp = namespace(theta)
        _, sign = self._sector(theta)
        slope = self.blend * xp.sin(theta) + self.m * sign * xp.sin(self.m * theta)
        return -slope / (1.0 + self.blend)


@dataclass(frozen=True)
class OfCosine:
    """f(arccos c) with its derivative by c, as ``Backend.apply`` takes it.

    The derivative of an angle by its cosine, −1/sin θ, has no bound at θ = 0 and π; nearer to them than 1e-4 the
    derivative is that at 1e-4, which is the limit where there is one. The bounded derivative is that by a hidden state:
    a Projection has it.

    A cosine is taken for ±1 where rounding left it outside by ``room`` at most, see ``room_of_cosines``; farther
    out it is none, and the angle is NaN.
    """

    margin: Margin
    room: float

    def theta(self, c: Array) -> Array:
        xp = namespace(c)
        inside = xp.where(c > 1.0, 1.0, xp.where(c < -1.0, -1.0, c))
        return xp.where(xp.abs(c) > 1.0 + self.room, float("nan"), xp.acos(inside))

    def value(self, c: Array) -> Array:
        return self.margin.value(self.theta(c), None)

    def derivative(self, c: Array) -> Array:
        return self._derivative(self.theta(c))

    def both(self, c: Array) -> tuple[Array, Array]:
        """(value, derivative)."""
        theta = self.theta(c)
        return self.margin.value(theta, None), self._derivative(theta)

    def _derivative(self, theta: Array) -> Array:
        xp = namespace(theta)
        theta = xp.where(theta < _NEAR, _NEAR, xp.where(theta > math.pi - _NEAR, math.pi - _NEAR, theta))
        return -self.margin.derivative(theta, None) / xp.sin(theta)


def shift_of(margin: Shift, index: Array) -> Any:
    """m of each truth."""
    return look_up(margin.margin, index) if getattr(margin.margin, "ndim", 0) else margin.margin
