"""S1: margins that are not the same for every example: by the length of the hidden state, by how far training is.

What is learned of a batch (a mean length, a mean cosine) is given to them as a number or as a scalar of a framework,
which is a constant to what is differentiated. They keep nothing themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from xent.core import checks
from xent.core.arrays import Array, beside, detached, namespace
from xent.core.margins import Angular, Boundary, Margin


@dataclass(frozen=True, eq=False)
class AdaFace(Margin):
    """cos(θ − m·ẑ) − m·(1 + ẑ) with ẑ = h·(‖x‖ − μ)/(σ + 10⁻³), kept in [−1, 1]: a short hidden state is taken for an
    image of low quality, and hard examples of low quality weigh less.

    ẑ is a constant: no gradient goes through the length.

    Parameters
    ----------
    mean, std : number or scalar of a framework
        μ and σ of the lengths so far.
    m, h : float
        m from 0 to π in radians; h > 0, which brings most ẑ into (−1, 1).
    boundary : "continue" or "clip"
        What holds where θ − m·ẑ leaves [0, π]. "continue": the formula. "clip": the angle stays at 0 or π, without a
        gradient (the authors' code).

    Raises
    ------
    OptionError
        m outside [0, π], h ≤ 0, σ < 0, a state that is not one number, another boundary.

    References
    ----------
    Kim, Jain and Liu, "AdaFace: Quality Adaptive Margin for Face Recognition", 2022 (arXiv 2204.00964), equations 13
    to 18.
    """

    mean: Any = 20.0
    std: Any = 100.0
    m: float = 0.4
    h: float = 0.333
    boundary: Literal["continue", "clip"] = "continue"

    needs_norm: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", checks.require_scalar(self.mean, "AdaFace(mean)"))
        object.__setattr__(self, "std", checks.require_scalar(self.std, "AdaFace(std)", least=0.0))
        object.__setattr__(self, "m", checks.require_angle(self.m, "AdaFace(m)"))
        object.__setattr__(self, "h", checks.require_positive(self.h, "AdaFace(h)"))
        checks.require_choice(self.boundary, ("continue", "clip"), "AdaFace(boundary=)")

    def _turn(self, theta: Array, norm: Array | None) -> tuple[Array, Array]:
        """θ − m·ẑ, and ẑ."""
        assert norm is not None
        length = detached(norm)
        z = (length - beside(self.mean, length)) / (beside(self.std, length) + 1e-3) * self.h
        z = _clipped(z, -1.0, 1.0)
        return theta - self.m * z, z

    def value(self, theta: Array, norm: Array | None) -> Array:
        xp = namespace(theta)
        angle, z = self._turn(theta, norm)
        found = xp.cos(angle)
        if self.boundary == "clip":
            found = xp.where(angle < 0, 1.0, xp.where(angle > math.pi, -1.0, found))
        return found - self.m * (1.0 + z)

    def derivative(self, theta: Array, norm: Array | None) -> Array:
        xp = namespace(theta)
        angle, _ = self._turn(theta, norm)
        slope = -xp.sin(angle)
        return xp.where((angle < 0) | (angle > math.pi), 0.0, slope) if self.boundary == "clip" else slope


@dataclass(frozen=True)
class MagFace(Margin):
    """cos(θ + m(a)) with a = ‖x‖, kept in [l_a, u_a], and m(a) on the line from (l_a, l_m) to (u_a, u_m): a longer
    hidden state has a larger margin. The gradient goes through the length; ``Magnitude`` is what pulls that up.

    Parameters
    ----------
    shortest, longest : float
        l_a and u_a, 0 < l_a < u_a.
    least, most : float
        l_m and u_m, from 0 to π in radians.
    boundary : "easy", "linear" or "continue"
        "easy": cos θ wherever cos θ ≤ 0 (the authors' default). "linear": cos θ − m·sin m where θ + m > π (their
        other choice). "continue": the formula.

    Raises
    ------
    OptionError
        Bounds that are none, a margin outside [0, π], another boundary.

    References
    ----------
    Meng, Zhao, Huang and Zhou, "MagFace: A Universal Representation for Face Recognition and Quality Assessment", 2021
    (arXiv 2103.06627), equation 3.
    """

    shortest: float = 10.0
    longest: float = 110.0
    least: float = 0.45
    most: float = 0.8
    boundary: Literal["easy", "linear", "continue"] = "easy"

    needs_norm: ClassVar[bool] = True

    def __post_init__(self) -> None:
        shortest, longest = checks.require_bounds(self.shortest, self.longest, "MagFace(shortest, longest)")
        object.__setattr__(self, "shortest", shortest)
        object.__setattr__(self, "longest", longest)
        object.__setattr__(self, "least", checks.require_angle(self.least, "MagFace(least)"))
        object.__setattr__(self, "most", checks.require_angle(self.most, "MagFace(most)"))
        checks.require_choice(self.boundary, ("easy", "linear", "continue"), "MagFace(boundary=)")

    @property
    def _rise(self) -> float:
        return (self.most - self.least) / (self.longest - self.shortest)

    def _margin(self, norm: Array | None) -> Array:
        assert norm is not None
        return self._rise * (_clipped(norm, self.shortest, self.longest) - self.shortest) + self.least

    def _turned(self, theta: Array, m: Array, turned: Array, plain: Array) -> Array:
        """``turned`` where θ has the margin, ``plain`` where it has not."""
        xp = namespace(theta)
        if self.boundary == "continue":
            return turned
        has = theta < math.pi / 2 if self.boundary == "easy" else theta + m <= math.pi
        return xp.where(has, turned, plain)

    def value(self, theta: Array, norm: Array | None) -> Array:
        xp = namespace(theta)
        m = self._margin(norm)
        plain = xp.cos(theta) - m * xp.sin(m) if self.boundary == "linear" else xp.cos(theta)
        return self._turned(theta, m, xp.cos(theta + m), plain)

    def derivative(self, theta: Array, norm: Array | None) -> Array:
        xp = namespace(theta)
        m = self._margin(norm)
        return self._turned(theta, m, -xp.sin(theta + m), -xp.sin(theta))

    def by_norm(self, theta: Array, norm: Array) -> Array:
        xp = namespace(theta)
        m = self._margin(norm)
        plain = -(xp.sin(m) + m * xp.cos(m)) if self.boundary == "linear" else xp.zeros_like(theta)
        slope = self._rise * self._turned(theta, m, -xp.sin(theta + m), plain)
        return xp.where((norm >= self.shortest) & (norm <= self.longest), slope, 0.0)


@dataclass(frozen=True, eq=False)
class CurricularFace(Margin):
    """cos(θ + m) at the truth; and cos θ_j·(t + cos θ_j) for every other class that is nearer than that, which weighs
    hard classes little at first (t near 0) and much later on.

    Parameters
    ----------
    t : number or scalar of a framework
        The running mean of the cosine at the truth.
    m : float
        m from 0 to π in radians.
    boundary : "linear", "continue", "clip" or "easy"
        As of ``Angular``; "linear" in the authors' code.

    Raises
    ------
    OptionError
        m outside [0, π], a state that is not one number, another boundary.

    References
    ----------
    Huang, Wang, Tai, Liu, Shen, Li, Li and Huang, "CurricularFace: Adaptive Curriculum Learning Loss for Deep Face
    Recognition", 2020 (arXiv 2004.00288), equations 7 to 11.
    """

    t: Any = 0.0
    m: float = 0.5
    boundary: Boundary = "linear"

    changes_others: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "t", checks.require_scalar(self.t, "CurricularFace(t)"))
        object.__setattr__(self, "m", checks.require_angle(self.m, "CurricularFace(m)"))
        self._turn()

    def _turn(self) -> Angular:
        return Angular(1.0, self.m, 0.0, self.boundary)

    def value(self, theta: Array, norm: Array | None) -> Array:
        return self._turn().value(theta, norm)

    def derivative(self, theta: Array, norm: Array | None) -> Array:
        return self._turn().derivative(theta, norm)

    def _hard(self, cosines: Array, theta: Array) -> Array:
        """Classes that are nearer than the truth with its margin. What is infinite is left as it is."""
        xp = namespace(cosines)
        return (cosines > xp.cos(theta + self.m)[..., None]) & xp.isfinite(cosines)

    def others(self, cosines: Array, theta: Array) -> Array:
        xp = namespace(cosines)
        hard = self._hard(cosines, theta)
        c = xp.where(hard, cosines, 0.0)
        return xp.where(hard, c * (beside(self.t, c) + c), cosines)

    def others_derivative(self, cosines: Array, theta: Array) -> Array:
        xp = namespace(cosines)
        hard = self._hard(cosines, theta)
        c = xp.where(hard, cosines, 0.0)
        return xp.where(hard, beside(self.t, c) + 2.0 * c, 1.0)


def _clipped(x: Array, low: float, high: float) -> Array:
    """x in [low, high]; NaN stays NaN, and the derivative at both ends is 1."""
    xp = namespace(x)
    return xp.where(x < low, low, xp.where(x > high, high, x))
