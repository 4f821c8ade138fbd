"""The log-likelihood of a linear model with its first two derivatives, in one pass, and its maximum by Newton's method.

The parameters θ (M, D + 1) are those of the columns that are free: of a softmax all but the base class, whose scores
are 0; of sigmoids all. They multiply u = (Tᵀ(x − μ), 1), in the coordinates of a ``Scaling``. With r = P − q the score
is Σ w·r ⊗ u, and the observed information Σ w·(diag q − q·qᵀ) ⊗ u·uᵀ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_solve
from scipy.special import expit, softmax

from xent.linear_model.examples import Examples
from xent.linear_model.heads import Head, SigmoidCrossEntropy
from xent.linear_model.scaling import Scaling

Matrix = Any

#: Newton's steps at most; near a maximum the third is the last.
_STEPS = 12
#: Scores that change by less than this, in the root mean square, are there; and what rounding may leave of a step.
_THERE, _ROUNDING = 1e-10, 1e-7


@dataclass(frozen=True, eq=False)
class Point:
    """θ, with what a pass says of it; matrices (P, P), P = M·(D + 1), of θ by rows."""

    theta: Matrix
    log_likelihood: float
    score: Matrix
    information: Matrix


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where Newton's method came to, or which way it went."""

    point: Point
    covariance: Matrix
    #: How far the start was, in standard errors.
    distance: float
    #: None at a maximum; otherwise the last step, along which the likelihood rises without end.
    ascent: Matrix | None


class Likelihood:
    """The log-likelihood of examples under a head of the cross-entropy with weights above 0."""

    def __init__(self, examples: Examples, head: Head, scaling: Scaling, free: Sequence[int]) -> None:
        self.examples, self.head, self.scaling, self.free = examples, head, scaling, np.asarray(free)
        self.terms = examples.features + scaling.intercept

    def start(self, W: Matrix, b: Matrix) -> Matrix:
        """θ of a model's coefficients (K, D) and intercepts (K,)."""
        V, c = self.scaling.coordinates(W, b)
        full = np.column_stack([V, c]) if self.scaling.intercept else V
        base = np.delete(full, self.free, axis=0)
        return full[self.free] - base if len(base) else full

    def at(self, theta: Matrix) -> Point:
        """The log-likelihood, its score and the information, in one pass."""

        def part(begin: int, end: int) -> tuple[float, Matrix, Matrix]:
            value, score, information = 0.0, np.zeros_like(theta), self._square()
            for low, high, _ in self.examples.blocks(begin, end):
                u, z = self._rows(low, high, theta)
                loss, g = self.head.value(z, low, high)
                value -= loss
                score -= g[:, self.free].T @ u
                self._add(information, u, self._curvature(z, self.head.weight[low:high]))
            return value, score, information

        found = self.examples.in_parts(theta.size**2, part)
        value = sum(f[0] for f in found)
        score, information = (np.sum([f[i] for f in found], axis=0) for i in (1, 2))
        return Point(theta, value, score.reshape(-1), information.reshape(theta.size, theta.size))

    def spread(self, theta: Matrix) -> Matrix:
        """Σ w·s·sᵀ (P, P) of the scores s of single examples, in one pass."""

        def part(begin: int, end: int) -> Matrix:
            found = self._square()
            for low, high, _ in self.examples.blocks(begin, end):
                u, z = self._rows(low, high, theta)
                g, w = self.head.value(z, low, high)[1][:, self.free], self.head.weight[low:high]
                # g has the weight in it.
                self._add(found, u, lambda a, b, g=g, w=w: g[:, a] * g[:, b] / w)
            return found

        return sum(self.examples.in_parts(theta.size**2, part)).reshape(theta.size, theta.size)

    def maximum(self, theta: Matrix) -> Maximum:
        """Newton's method from near the maximum.

        Far out along a direction in which the data are separable each step goes as far as the one before it, while the
        likelihood hardly grows. So steps are judged by how far they move the scores, and not by the likelihood.
        """
        distance = 0.0
        for taken in range(_STEPS):
            point = self.at(theta)
            try:
                L = np.linalg.cholesky(point.information)
            except np.linalg.LinAlgError:
                # The features are independent: only examples that are certain, to rounding, leave nothing.
                ascent = np.linalg.eigh(point.information)[1][:, 0].reshape(theta.shape)
                return Maximum(point, np.full_like(point.information, np.nan), distance, ascent)
            step = cho_solve((L, True), point.score).reshape(theta.shape)
            if not taken:
                distance = float(np.sqrt(max(point.score @ step.reshape(-1), 0.0)))
            # The coordinates are uncorrelated and of variance 1, so a row's length is how far its score moves.
            moved = float(np.linalg.norm(step, axis=1).max())
            if moved <= _THERE:
                break
            theta = theta + step
        covariance = cho_solve((L, True), np.eye(len(L)))
        return Maximum(point, covariance, distance, None if moved <= _ROUNDING else step)

    def to_features(self) -> Matrix:
        """A (D + 1, D + 1), by which θ's rows become coefficients of the features, the intercept's first."""
        T = self.scaling.T
        if not self.scaling.intercept:
            return T
        found = np.zeros((self.terms, self.terms))
        found[0, :-1], found[0, -1], found[1:, :-1] = -self.scaling.mean @ T, 1.0, T
        return found

    def _rows(self, low: int, high: int, theta: Matrix) -> tuple[Matrix, Matrix]:
        """u and the scores of some rows."""
        u = (self.examples.dense(slice(low, high)) - self.scaling.mean) @ self.scaling.T
        if self.scaling.intercept:
            u = np.column_stack([u, np.ones(len(u))])
        full = np.zeros((self.head.columns, self.terms))
        full[self.free] = theta
        return u, u @ full.T

    def _square(self) -> Matrix:
        """Zeros to sum a matrix of pairs of parameters in."""
        return np.zeros((len(self.free), self.terms) * 2)

    def _curvature(self, z: Matrix, w: Matrix) -> Any:
        """w·(diag q − q·qᵀ) entry by entry; None where it is 0 for every row."""
        if isinstance(self.head, SigmoidCrossEntropy):
            each = w[:, None] * expit(z) * expit(-z)
            return lambda a, b: each[:, a] if a == b else None
        q = softmax(z, axis=1)
        # 1 − q_k would be rounding where a class is certain.
        rest = q @ (1.0 - np.eye(q.shape[1]))
        q, rest = q[:, self.free], rest[:, self.free]
        return lambda a, b: w * q[:, a] * (rest[:, a] if a == b else -q[:, b])

    def _add(self, into: Matrix, u: Matrix, weights: Any) -> None:
        """into[a, :, b, :] += Σ weights(a, b)·u·uᵀ, which is symmetric."""
        for a in range(len(self.free)):
            for b in range(a + 1):
                weight = weights(a, b)
                if weight is None:
                    continue
                found = (u * weight[:, None]).T @ u
                into[a, :, b, :] += found
                if a != b:
                    into[b, :, a, :] += found
