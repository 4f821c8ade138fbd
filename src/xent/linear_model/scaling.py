"""Coordinates in which a linear model is easy to train, whatever the scales of its features: W = V·Tᵀ, b = c − W·μ.

With Σ the covariance of the features, κ the curvature of the loss and λ that of the penalty, T·Tᵀ = (Σ + (λ/κ)·I)⁻¹
makes the second derivative by (V, c) nearly a multiple of the identity. Where there are too many features for a matrix
of theirs T is diagonal. μ is taken off by arithmetic on W and b: X is read as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xent.linear_model.examples import Examples

Matrix = Any

#: So many features may have a full matrix, of so many products.
_FULL, _PRODUCTS = 768, 2e9


@dataclass(frozen=True, eq=False)
class Scaling:
    """W = V·Tᵀ and b = c − W·μ; ``T`` (D, D), or (D,) for a diagonal. Where a row is 0, a feature stays out."""

    mean: Matrix
    T: Matrix
    intercept: bool

    def weights(self, V: Matrix, c: Matrix) -> tuple[Matrix, Matrix]:
        """(W, b)."""
        W = V * self.T if self.T.ndim == 1 else V @ self.T.T
        return W, c - W @ self.mean if self.intercept else c

    def coordinates(self, W: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
        """(V, c); without the weights of features that stay out, which are then in c."""
        if self.T.ndim == 1:
            V = np.divide(W, self.T, out=np.zeros_like(W), where=np.broadcast_to(self.T != 0.0, W.shape))
        else:
            V = np.linalg.lstsq(self.T, W.T, rcond=None)[0].T
        return V, b + W @ self.mean if self.intercept else b

    def gradient(self, by_W: Matrix, by_b: Matrix) -> Matrix:
        """∂/∂V at fixed c, from the derivatives by W and b."""
        if self.intercept:
            by_W = by_W - np.outer(by_b, self.mean)
        return by_W * self.T if self.T.ndim == 1 else by_W @ self.T


def plain(features: int, intercept: bool) -> Scaling:
    """The coordinates of X itself."""
    return Scaling(np.zeros(features), np.ones(features), intercept)


def scaling_of(examples: Examples, weight: Matrix, intercept: bool, ratio: float, *, full: bool) -> Scaling:
    """The coordinates for weighted examples; ``ratio`` = λ/κ, ``full``: also for how features go together."""
    total = float(weight.sum())
    sums, squares = _moments(examples, weight)
    mean = sums / total
    center = mean if intercept else np.zeros_like(mean)
    variance = np.maximum(squares / total - center * (2.0 * mean - center), 0.0)
    # What is left of a constant feature is rounding.
    rounding = np.finfo(np.float64).eps * 8 * squares / total
    variance = np.where(variance > rounding, variance, 0.0)
    # A feature that does not vary stays out: what it could do the intercept does.
    unit = np.where(variance > 0.0, 1.0 / np.sqrt(np.where(variance > 0.0, variance + ratio, 1.0)), 0.0)
    if not full or examples.features > _FULL:
        return Scaling(mean, unit, intercept)
    factor = np.linalg.cholesky(_correlation(examples, weight, center, unit, ratio))
    T = unit[:, None] * np.linalg.solve(factor, np.eye(len(unit))).T
    return Scaling(mean, T, intercept)


def _moments(examples: Examples, weight: Matrix) -> tuple[Matrix, Matrix]:
    """(Σ w·x, Σ w·x²) of each feature."""

    def part(begin: int, end: int) -> tuple[Matrix, Matrix]:
        sums, squares = np.zeros(examples.features), np.zeros(examples.features)
        for low, high, block in examples.blocks(begin, end):
            block.moments(weight[low:high], sums, squares)
        return sums, squares

    found = examples.in_parts(examples.features, part)
    return np.sum([s for s, _ in found], axis=0), np.sum([q for _, q in found], axis=0)


def _correlation(examples: Examples, weight: Matrix, center: Matrix, unit: Matrix, ratio: float) -> Matrix:
    """The features' second moments in units, with the penalty's part: positive definite. Of so many rows as it takes;
    it need not be exact."""
    features = examples.features
    step = max(1, examples.count // int(min(max(8192, 128 * features), _PRODUCTS / features**2)))
    chosen = np.arange(0, examples.count, step)
    w, x = weight[chosen], (examples.dense(chosen) - center) * unit
    gram = (x * w[:, None]).T @ x / (float(w.sum()) or 1.0)
    # The diagonal is that of all rows, which a choice of them may have missed.
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-12))
    gram = gram / np.outer(scale, scale)
    share = 1.0 - ratio * unit**2
    gram *= np.outer(np.sqrt(np.maximum(share, 0.0)), np.sqrt(np.maximum(share, 0.0)))
    gram[np.diag_indices(features)] = 1.0
    floor = max(features * 1e-10, 1e-7)
    gram[np.diag_indices(features)] += floor
    return gram
