"""One neuron, q = σ(w·x + c), and two losses of it: values, gradients and Hessians for any number of weights at once.

The examples are twenty students: hours of study, and whether they passed. The bias c is that at the mean of the hours.
Weights are arrays (..., 2) of w and c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import xent

Array = Any

HOURS = np.array(
    [0.5, 0.75, 1, 1.25, 1.5, 1.75, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 4, 4.25, 4.5, 4.75, 5, 5.5]
)  # fmt: skip
PASSED = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1])
#: The inputs of the neuron: the hours less their mean, and a one.
INPUTS = np.stack([HOURS - HOURS.mean(), np.ones(len(HOURS))], axis=1)
#: How strongly the inputs themselves bend a loss of the score.
_BEND = float(np.linalg.eigvalsh(INPUTS.T @ INPUTS / len(HOURS)).max())

LOSSES = {"cross-entropy": xent.cross_entropy, "squared error": xent.squared_error}


def sigmoid(z: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, -z))


def value(name: str, weights: Array) -> Array:
    """The mean loss of the twenty examples."""
    z = np.asarray(weights) @ INPUTS.T
    P = xent.Indicators(np.broadcast_to(PASSED, z.shape))
    return LOSSES[name](P, xent.Logits(z), reduction="none").mean(axis=-1)


def by_score(name: str, z: Array, y: Array) -> tuple[Array, Array]:
    """First and second derivative of a loss by the score."""
    p = sigmoid(z)
    slope = p * (1 - p)
    if name == "cross-entropy":
        return p - y, slope
    return 2 * (p - y) * slope, 2 * slope * (slope + (p - y) * (1 - 2 * p))


def gradient(name: str, weights: Array) -> Array:
    """(..., 2)."""
    return by_score(name, np.asarray(weights) @ INPUTS.T, PASSED)[0] @ INPUTS / len(PASSED)


def hessian(name: str, weights: Array) -> Array:
    """(..., 2, 2): the mean of ℓ″(z)·x·xᵀ."""
    bend = by_score(name, np.asarray(weights) @ INPUTS.T, PASSED)[1]
    return np.einsum("...n,ni,nj->...ij", bend, INPUTS, INPUTS) / len(PASSED)


def least_bend(name: str, weights: Array) -> Array:
    """The smallest eigenvalue of the Hessian: below 0 the loss is not convex there."""
    return np.linalg.eigvalsh(hessian(name, weights))[..., 0]


def error(weights: Array) -> Array:
    """The share of the students for whom the likelier answer is wrong."""
    return ((np.asarray(weights) @ INPUTS.T > 0) != PASSED).mean(axis=-1)


def step_length(name: str) -> float:
    """1/L, with L the most that the loss bends anywhere: the step with which descent is sure not to climb."""
    z = np.linspace(-12, 12, 24001)
    return 1 / (_BEND * max(float(np.abs(by_score(name, z, y)[1]).max()) for y in (0, 1)))


@dataclass(frozen=True, eq=False)
class Descent:
    """What plain gradient descent passed: ``weights`` (S + 1, 2) from the start on, after 0, 1, …, S steps."""

    name: str
    weights: Array

    @property
    def values(self) -> Array:
        return value(self.name, self.weights)

    def until(self, reached: Array) -> int | None:
        """The first step at which ``reached`` (S + 1,) is true."""
        return int(np.argmax(reached)) if reached.any() else None


def descents(name: str, starts: Array, steps: int) -> list[Descent]:
    """Gradient descent from each start (S, 2), with the step that the loss allows."""
    length = step_length(name)
    weights = np.empty((steps + 1, len(starts), 2))
    weights[0] = starts
    for step in range(steps):
        weights[step + 1] = weights[step] - length * gradient(name, weights[step])
    return [Descent(name, weights[:, s]) for s in range(len(starts))]


def plane(across: float, up: float, count: int) -> tuple[Array, Array, Array]:
    """A grid of weights around zero: w (count,), c (count,), and both as (count, count, 2), c first."""
    w, c = np.linspace(-across, across, count), np.linspace(-up, up, count)
    return w, c, np.stack(np.meshgrid(w, c), axis=-1)
