"""The objectives of linear models by their formulas, in NumPy and float64, and problems to try them on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax, softmax

import xent

Matrix = Any


@dataclass
class Problem:
    """Examples with a truth (N, K): rows of a distribution, or of independent yes and no; or (N, 1) of one column."""

    X: Matrix
    T: Matrix
    weight: Matrix
    C: float
    kind: str
    intercept: bool

    def target(self) -> Any:
        """The truth as ``fit`` takes it."""
        if self.kind == "labels":
            return self.T.argmax(axis=1)
        if self.kind == "one column":
            return self.T[:, 0].astype(int)
        return xent.Indicators(self.T) if self.kind == "indicators" else xent.Distribution(self.T)

    @property
    def joint(self) -> bool:
        return self.kind in ("labels", "distribution")

    def loss(self, z: Matrix) -> Matrix:
        """The cross-entropy of each example."""
        if self.joint:
            return -(self.T * log_softmax(z, axis=1)).sum(axis=1)
        return -(self.T * log_expit(z) + (1 - self.T) * log_expit(-z)).sum(axis=1)

    def value(self, W: Matrix, b: Matrix, l1_ratio: float = 0.0) -> float:
        s = self.weight.sum()
        penalty = (1 - l1_ratio) / 2 * (W**2).sum() + l1_ratio * np.abs(W).sum()
        return float(self.weight @ self.loss(self.X @ W.T + b) / s + penalty / (self.C * s))

    def slope(self, W: Matrix, b: Matrix, ridge: float = 1.0) -> tuple[Matrix, Matrix]:
        """The derivatives by W and b, with that share of the squares."""
        z = self.X @ W.T + b
        s = self.weight.sum()
        q = softmax(z, axis=1) if self.joint else expit(z)
        g = self.weight[:, None] / s * (q - self.T)
        return g.T @ self.X + ridge * W / (self.C * s), g.sum(axis=0)

    def best(self) -> float:
        """The least value, by SciPy's trust region with exact second derivatives."""
        D, K = self.X.shape[1], self.T.shape[1]
        x = np.column_stack([self.X, np.ones(len(self.X))]) if self.intercept else self.X
        F, s = x.shape[1], self.weight.sum()
        ridge = np.repeat(1.0 / (self.C * s), F) * (np.arange(F) < D)

        def parts(u: Matrix) -> tuple[Matrix, Matrix]:
            U = u.reshape(K, F)
            return U[:, :D], U[:, D] if self.intercept else np.zeros(K)

        def jac(u: Matrix) -> Matrix:
            by_W, by_b = self.slope(*parts(u))
            return (np.column_stack([by_W, by_b]) if self.intercept else by_W).ravel()

        def hess(u: Matrix) -> Matrix:
            W, b = parts(u)
            z = self.X @ W.T + b
            if self.joint:
                q = softmax(z, axis=1)
                inner = np.einsum("ij,jk->ijk", q, np.eye(K)) - np.einsum("ij,ik->ijk", q, q)
            else:
                q = expit(z)
                inner = np.einsum("ij,jk->ijk", q * (1 - q), np.eye(K))
            found = np.einsum("i,ijk,ia,ib->jakb", self.weight / s, inner, x, x).reshape(K * F, K * F)
            return found + np.diag(np.tile(ridge, K))

        found = minimize(
            lambda u: self.value(*parts(u)),
            np.zeros(K * F),
            jac=jac,
            hess=hess,
            method="trust-exact",
            options={"gtol": 1e-11, "maxiter": 1000, "max_trust_radius": 1e6, "initial_trust_radius": 1.0},
        )
        return float(found.fun)


def problem(
    seed: int,
    n: int = 40,
    D: int = 4,
    K: int = 3,
    *,
    C: float = 1.0,
    kind: str = "labels",
    spread: float = 0.0,
    weighted: bool = True,
    intercept: bool = True,
) -> Problem:
    """A problem that cannot be separated, with features of scales 10^−spread … 10^spread about means of their size."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-spread, spread, D)
    X = (rng.normal(size=(n, D)) + rng.normal(size=D)) * scale
    K = 1 if kind == "one column" else K
    z = (X / scale) @ rng.normal(size=(D, K)) + rng.normal(size=K)
    if kind == "labels":
        y = (z + rng.gumbel(size=(n, K))).argmax(axis=1)
        y[:K] = np.arange(K)
        T = np.eye(K)[y]
    elif kind == "distribution":
        T = softmax(z + rng.normal(size=(n, K)), axis=1)
    else:
        T = (z + rng.logistic(size=(n, K)) > 0).astype(float)
        T[:2] = [[0.0], [1.0]]
    weight = rng.uniform(0.2, 3.0, n) if weighted else np.ones(n)
    return Problem(X, T, weight, C, kind, intercept)
