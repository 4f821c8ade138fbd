"""The oracle of the inference tests: a log-likelihood, its maximum and its second derivative, from the formulas."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
from scipy.optimize import minimize
from scipy.special import log_expit, log_softmax, softmax

# A context of its own, as in support.oracle.
mp = mpmath.mp.clone()
mp.dps = 50


class Oracle:
    """A softmax with its first class as base, or independent sigmoids; ``truth`` (N, K) and design Z (N, T)."""

    def __init__(self, Z: Any, truth: Any, weight: Any = None, sigmoids: bool = False) -> None:
        self.Z, self.truth = np.asarray(Z, np.float64), np.asarray(truth, np.float64)
        self.weight = np.ones(len(self.Z)) if weight is None else np.asarray(weight, np.float64)
        self.sigmoids = sigmoids
        self.shape = (self.truth.shape[1] - (not sigmoids), self.Z.shape[1])
        # Newton's method on a numerical second derivative, from where a quasi-Newton method came to.
        beta = minimize(lambda b: (-self.value(b), -self.slopes(b)), np.zeros(self.shape).ravel(), jac=True).x
        for _ in range(6):
            beta = beta + np.linalg.solve(self.information(beta), self.slopes(beta))
        self.beta = beta.reshape(self.shape)
        self.covariance = np.linalg.inv(self.information(beta))

    def scores(self, beta: Any) -> Any:
        z = self.Z @ np.reshape(beta, self.shape).T
        return z if self.sigmoids else np.column_stack([np.zeros(len(z)), z])

    def value(self, beta: Any) -> float:
        z = self.scores(beta)
        if self.sigmoids:
            logs = self.truth * log_expit(z) + (1 - self.truth) * log_expit(-z)
        else:
            logs = self.truth * log_softmax(z, axis=1)
        return float(self.weight @ logs.sum(axis=1))

    def each(self, beta: Any) -> Any:
        """The score of every example (N, P)."""
        z = self.scores(beta)
        r = self.truth - 1 / (1 + np.exp(-z)) if self.sigmoids else (self.truth - softmax(z, axis=1))[:, 1:]
        return np.einsum("nm,nt->nmt", r, self.Z).reshape(len(r), -1)

    def slopes(self, beta: Any) -> Any:
        return self.weight @ self.each(beta)

    def information(self, beta: Any) -> Any:
        """By differences of the score, of fourth order."""
        beta, h = np.ravel(beta), 1e-3 / np.repeat(np.abs(self.Z).max(axis=0)[None], self.shape[0], axis=0).ravel()
        rows = []
        for j in range(len(beta)):
            e = np.eye(len(beta))[j] * h[j]
            near, far = (self.slopes(beta + k * e) - self.slopes(beta - k * e) for k in (1, 2))
            rows.append((far - 8 * near) / (12 * h[j]))
        found = np.array(rows)
        return (found + found.T) / 2

    def robust(self) -> Any:
        each = self.each(self.beta)
        return self.covariance @ (each * self.weight[:, None]).T @ each @ self.covariance


def exact_logit(Z: Any, y: Any) -> tuple[list[float], list[float]]:
    """(β, standard errors) of a binary logit in 50 digits, by Newton's method."""
    Z, y = mp.matrix(np.asarray(Z).tolist()), [int(v) for v in y]
    n, p = Z.rows, Z.cols
    beta = mp.matrix(p, 1)
    for _ in range(30):
        q = [1 / (1 + mp.exp(-sum(Z[i, j] * beta[j] for j in range(p)))) for i in range(n)]
        score = mp.matrix([sum((y[i] - q[i]) * Z[i, j] for i in range(n)) for j in range(p)])
        information = mp.matrix(p, p)
        for j in range(p):
            for k in range(p):
                information[j, k] = sum(q[i] * (1 - q[i]) * Z[i, j] * Z[i, k] for i in range(n))
        step = mp.lu_solve(information, score)
        beta += step
        if max(abs(step[j] / beta[j]) for j in range(p)) < mp.mpf(10) ** -30:
            break
    else:
        raise ArithmeticError("Newton's method has not come to an end")
    inverse = information**-1
    return [float(b) for b in beta], [float(mp.sqrt(inverse[j, j])) for j in range(p)]
