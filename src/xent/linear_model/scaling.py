"""Coordinates in which a linear model is easy to train, whatever the scales of its features: W = V·Tᵀ, b = u·c − W·μ.

T·Tᵀ = (κ·Σ + λ·I)⁻¹ with Σ the covariance of the features, κ the curvature of the loss at the start and λ that of the
penalty; u = κ^−½. The second derivative by (V, c) is then about the identity, and half of the gradient's square about
what is left to gain. Where there are too many features for a matrix of theirs, T is diagonal. μ is taken off by
arithmetic on W and b: X is read as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from xent.errors import DataError
from xent.linear_model.examples import Examples

Matrix = Any

#: So many features may have a full matrix, of so many products.
_FULL, _PRODUCTS = 768, 2e9
#: A feature that varies by less than so much of its size is constant: float64 holds hardly more of it.
VARIES = 64.0 * float(np.finfo(np.float64).eps)
#: A variance below this is not one of whole digits, or coefficients of such a feature are more than float32 holds.
_LEAST_VARIANCE, _LEAST_OF_FLOAT32 = 1e-280, 1e-64


class ConstantFeatureWarning(UserWarning):
    """A feature varies by so little beside its mean that it is taken for constant."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """W = V·Tᵀ and b = u·c − W·μ; ``T`` (D, D), or (D,) for a diagonal. Where a row is 0, a feature stays out.
    ``hidden``: the features that vary, but by so little beside their mean that they stay out."""

    mean: Matrix
    T: Matrix
    u: float
    intercept: bool
    hidden: tuple[int, ...] = ()

    def weights(self, V: Matrix, c: Matrix) -> tuple[Matrix, Matrix]:
        """(W, b)."""
        W = V * self.T if self.T.ndim == 1 else V @ self.T.T
        return W, self.u * c - W @ self.mean if self.intercept else c

    def coordinates(self, W: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
        """(V, c); without the weights of features that stay out, which are then in c."""
        if self.T.ndim == 1:
            V = np.divide(W, self.T, out=np.zeros_like(W), where=np.broadcast_to(self.T != 0.0, W.shape))
        else:
            V = np.linalg.lstsq(self.T, W.T, rcond=None)[0].T
        return V, (b + W @ self.mean) / self.u if self.intercept else b

    def gradient(self, by_W: Matrix, by_b: Matrix) -> tuple[Matrix, Matrix]:
        """The derivatives by V and c, from those by W and b."""
        if self.intercept:
            by_W = by_W - np.outer(by_b, self.mean)
        return by_W * self.T if self.T.ndim == 1 else by_W @ self.T, self.u * by_b


def plain(features: int, intercept: bool) -> Scaling:
    """The coordinates of X itself."""
    return Scaling(np.zeros(features), np.ones(features), 1.0, intercept)


def scaling_of(examples: Examples, weight: Matrix, intercept: bool, penalty: float, bend: float, *, full: bool = True
               ) -> Scaling:  # fmt: skip
    """The coordinates for weighted examples; λ is ``penalty``, κ ``bend``. ``full``: not a diagonal alone."""
    mean, variance = moments(examples, weight)
    center = mean if intercept else np.zeros_like(mean)
    with np.errstate(over="ignore", invalid="ignore"):
        variance = variance + (mean - center) ** 2
    least = _LEAST_VARIANCE if examples.dtype == np.float64 else _LEAST_OF_FLOAT32
    _require_squares(variance, least=0.0 if penalty else least)
    seen = varies(np.sqrt(variance), center)
    hidden = tuple(np.flatnonzero(~seen & (variance > 0.0)).tolist())
    variance = np.where(seen, variance, 0.0)
    u = bend**-0.5
    # A feature that does not vary stays out: what it could do the intercept does.
    unit = np.where(variance > 0.0, 1.0 / np.sqrt(np.where(variance > 0.0, bend * variance + penalty, 1.0)), 0.0)
    if not full or examples.features > _FULL:
        return Scaling(mean, unit, u, intercept, hidden)
    step = max(1, examples.count // _sample(examples.features))
    chosen = np.arange(0, examples.count, step)
    some = weight[chosen]
    gram = bend * _gram(examples.dense(chosen), some / (float(some.sum()) or 1.0), center, unit)
    # The diagonal is that of all rows, which a choice of them may have missed.
    found = np.sqrt(np.maximum(np.diag(gram), 1e-12))
    wanted = np.sqrt(bend * variance) * unit
    gram *= np.outer(wanted / found, wanted / found)
    gram[np.diag_indices(len(unit))] = 1.0
    return Scaling(mean, _inverse_root(gram, unit), u, intercept, hidden)


def _sample(features: int) -> int:
    """How many rows are enough for a matrix of the features."""
    return int(min(max(8192, 128 * features), _PRODUCTS / features**2))


def _gram(x: Matrix, weight: Matrix, center: Matrix, unit: Matrix) -> Matrix:
    """Σ w·(x − μ)(x − μ)ᵀ in units."""
    x = (x - center) * unit
    return (x * weight[:, None]).T @ x


def _inverse_root(gram: Matrix, unit: Matrix) -> Matrix:
    """T of a second derivative in units."""
    size = len(unit)
    gram[np.diag_indices(size)] += max(size * 1e-10, 1e-7)
    factor = np.linalg.cholesky(gram)
    return unit[:, None] * np.linalg.solve(factor, np.eye(size)).T


def varies(size: Matrix, center: Matrix) -> Matrix:
    """Whether a feature of such a standard deviation about its center is more than a constant with rounding."""
    return size > VARIES * np.abs(center)


def moments(examples: Examples, weight: Matrix) -> tuple[Matrix, Matrix]:
    """(The mean of each feature, its variance), by one pass, whatever the mean: Chan, Golub and LeVeque, "Updating
    Formulae and a Pairwise Algorithm for Computing Sample Variances", COMPSTAT 1982."""

    def part(begin: int, end: int) -> _Moments:
        found = _Moments(0.0, np.zeros(examples.features), np.zeros(examples.features))
        for low, high, block in examples.blocks(begin, end):
            total = float(weight[low:high].sum())
            if total > 0.0:
                about, sums, squares = block.moments(weight[low:high])
                moved = sums / total
                found = found.with_others(_Moments(total, about + moved, squares - moved * sums))
        return found

    # What is too large to be squared is refused by its variance.
    with np.errstate(over="ignore", invalid="ignore"):
        parts = examples.in_parts(examples.features, part)
        found = parts[0]
        for other in parts[1:]:
            found = found.with_others(other)
        return found.mean, np.maximum(found.squares, 0.0) / found.total


@dataclass(frozen=True, eq=False)
class _Moments:
    """Of some rows the sum of their weights, the mean of each feature, and Σ w·(x − mean)²."""

    total: float
    mean: Matrix
    squares: Matrix

    def with_others(self, other: _Moments) -> _Moments:
        if not other.total or not self.total:
            return self if self.total else other
        apart, share = other.mean - self.mean, other.total / (self.total + other.total)
        between = apart * apart * (share * self.total)
        return _Moments(self.total + other.total, self.mean + share * apart, self.squares + other.squares + between)


def _require_squares(variance: Matrix, *, least: float) -> None:
    """Refuse features whose squares float64 does not hold."""
    wrong = np.flatnonzero(~np.isfinite(variance) | ((variance > 0.0) & (variance < least)))
    if wrong.size:
        size = "less" if np.isfinite(variance[wrong[0]]) else "more"
        raise DataError(
            "fit(X)",
            f"features that vary by {math.sqrt(least):g} to 1e+150",
            f"one that varies by {size}, number {wrong[0]} counted from 0",
            "Write it in another unit.",
        )
