"""How far a model is from the best one, by what can be computed at it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, log_softmax, logsumexp, softmax, xlog1py, xlogy

from xent.linear_model.heads import SoftmaxCrossEntropy, rows_of
from xent.linear_model.objective import Objective
from xent.linear_model.solvers import conjugate_gradients

Matrix = Any

#: Newton's steps on the intercept at most, and what is left of its gradient that is rounding.
_STEPS, _ROUNDING = 100, 1e-15
#: Digits and products of the system of a Newton decrement.
_EXACT, _PRODUCTS = 1e-8, 2000


class SoftmaxLink:
    """What the bound needs of ℓ(z) = log Σ exp(z) − ⟨t, z⟩."""

    def loss(self, z: Matrix, t: Matrix) -> Matrix:
        return logsumexp(z, axis=1) - (t * z).sum(axis=1)

    def predicted(self, z: Matrix) -> Matrix:
        return softmax(z, axis=1)

    def curvature(self, q: Matrix, w: Matrix) -> Matrix:
        """Σ w·(diag q − q·qᵀ)."""
        return np.diag(w @ q) - q.T @ (w[:, None] * q)

    def divergence(self, p: Matrix, z: Matrix) -> Matrix:
        """KL(p‖q), q of the scores."""
        return (xlogy(p, p) - p * log_softmax(z, axis=1)).sum(axis=1)


class SigmoidLink:
    """The same of ℓ(z) = Σ log(1 + exp(z)) − t·z, over independent columns."""

    def loss(self, z: Matrix, t: Matrix) -> Matrix:
        return (np.logaddexp(0.0, z) - t * z).sum(axis=1)

    def predicted(self, z: Matrix) -> Matrix:
        return expit(z)

    def curvature(self, q: Matrix, w: Matrix) -> Matrix:
        return np.diag(w @ (q * (1.0 - q)))

    def divergence(self, p: Matrix, z: Matrix) -> Matrix:
        own = xlogy(p, p) + xlog1py(1.0 - p, -p)
        return (own + p * np.logaddexp(0.0, -z) + (1.0 - p) * np.logaddexp(0.0, z)).sum(axis=1)


def duality_gap(objective: Objective, W: Matrix, b: Matrix) -> float:
    """An upper bound of F(W, b) − min F, of a cross-entropy with a penalty.

    By Fenchel's duality: residuals g with Σ w·g = 0, where there is an intercept, bound F from below by
    −Σ w·ℓ*(g) − R*(−Σ w·g·xᵀ). Those of the model are made so by Newton's method on b alone; without a square in the
    penalty R they are made smaller too, so that R* is finite. What is left of Σ w·g is rounding, and not in the bound.

    References
    ----------
    Boyd and Vandenberghe, "Convex Optimization", 2004, section 5.
    """
    head, ridge, sparsity = objective.head, objective.penalty, objective.sparsity
    X, w = objective.examples.X, head.weight
    t = rows_of(head.truth, head.columns, np.float64)
    link = SoftmaxLink() if isinstance(head, SoftmaxCrossEntropy) else SigmoidLink()
    z = X @ W.T + b
    lost = 0.0
    if objective.intercept:
        best = settled(link, z, t, w)
        lost = max(float(w @ (link.loss(z, t) - link.loss(best, t))), 0.0)
        z = best
    q = link.predicted(z)
    pull = -np.asarray(X.T @ (w[:, None] * (q - t))).T
    if not ridge:
        # The dual point is s·g: that of the probabilities s·q + (1 − s)·t.
        s = min(1.0, sparsity / max(float(np.abs(pull).max(initial=0.0)), np.finfo(float).tiny))
        lost += float(w @ link.divergence(s * q + (1.0 - s) * t, z)) if s < 1.0 else 0.0
        return lost + float((sparsity * np.abs(W) - W * (s * pull)).sum())
    inside = np.clip(pull, -sparsity, sparsity)
    apart = W - (pull - inside) / ridge
    return lost + float((0.5 * ridge * apart**2 + sparsity * np.abs(W) - W * inside).sum())


def settled(link: SoftmaxLink | SigmoidLink, z: Matrix, t: Matrix, w: Matrix) -> Matrix:
    """z + b with the b at which Σ w·ℓ is least."""
    value = float(w @ link.loss(z, t))
    for _ in range(_STEPS):
        q = link.predicted(z)
        left = w @ (q - t)
        if float(np.abs(left).max()) <= _ROUNDING:
            break
        step = -np.linalg.lstsq(link.curvature(q, w), left, rcond=None)[0]
        step /= max(1.0, float(np.abs(step).max()))
        there = float(w @ link.loss(z + step, t))
        if there > value + _ROUNDING * abs(value):
            break
        z, value = z + step, there
    return z


def newton_decrement(objective: Objective, v: Matrix) -> float:
    """½·gᵀ·H⁻¹·g, by conjugate gradients: by how much a step of Newton's method promises to lower the objective.

    The distance to the optimum where F is a parabola, which it is near to one; not a bound.

    References
    ----------
    Boyd and Vandenberghe, "Convex Optimization", 2004, section 9.5.
    """
    _, gradient = objective(v)
    if objective.head.shift_free:
        # What the loss does not see has no curvature, and its gradient is rounding.
        V, c = objective.split(gradient)
        gradient = objective.joined(V if objective.penalty else V - V.mean(axis=0), c - c.mean())
    if not gradient.any():
        return 0.0
    step = conjugate_gradients(objective.curvature(v), gradient, _EXACT, _PRODUCTS)
    return 0.5 * float(gradient @ step)
