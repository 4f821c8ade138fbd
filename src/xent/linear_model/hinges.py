"""Hinge losses, and the smooth losses above them that a solver can walk along.

max_j a_j is the limit of T·log Σ_j exp(a_j/T), which lies above it by at most T·log K. At a temperature T a hinge is so
T times the cross-entropy of scores with a margin, divided by T.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.predictions import Logits
from xent.core.targets import Distribution, Indicators, Labels
from xent.functional import hinge
from xent.kernels.cpu import cpu
from xent.kernels.protocol import HardTarget
from xent.linear_model import compiled
from xent.linear_model.heads import Head, rows_of, sigmoid, softmax

Matrix = Any


class Hinge(Head):
    """A head with kinks at temperature 0, where its gradient is a subgradient and it has no curvature, and without them
    above."""

    temperature = 0.0


class SoftmaxHinge(Hinge):
    """max_j (z_j + 1[j ≠ y]) − z_y, in expectation over the truth."""

    shift_free = True

    @property
    def has_curvature(self) -> bool:
        # Of a soft truth it is a sum over its classes, each with a margin of its own.
        return bool(self.truth.ndim == 1)

    def value(self, z: Matrix, low: int, high: int) -> tuple[float, Matrix]:
        truth, weight = self.truth[low:high], self.weight[low:high]
        if not self.temperature:
            return self._with_kinks(z, truth, weight)
        if truth.ndim == 1:
            return self._smooth(z, truth, weight)
        total, slope = 0.0, np.zeros_like(z)
        for k in range(self.columns):
            value, part = self._smooth(z.copy(), np.full(len(z), k), weight * truth[:, k])
            total += value
            slope += part
        return total, slope

    def predicted(self, z: Matrix, low: int, high: int) -> Matrix:
        return softmax(self._heated(z, self.truth[low:high]))

    def curvature(self, q: Matrix, d: Matrix, low: int, high: int) -> Matrix:
        compiled.softmax_curvature(q, d, self.weight[low:high] / self.temperature, d)
        return d

    def _heated(self, z: Matrix, index: Matrix) -> Matrix:
        """(z_j + 1[j ≠ y] − 1)/T, in place."""
        z[np.arange(len(z)), index] -= 1.0
        z /= self.temperature
        return z

    def _smooth(self, z: Matrix, index: Matrix, weight: Matrix) -> tuple[float, Matrix]:
        losses, slope = cpu.row_fused(self._heated(z, index), HardTarget(index), "logits", weight)
        return self.temperature * float(np.dot(weight, losses)), slope

    def _with_kinks(self, z: Matrix, truth: Matrix, weight: Matrix) -> tuple[float, Matrix]:
        P = Labels(truth) if truth.ndim == 1 else Distribution(truth)
        losses = hinge(P, Logits(z), reduction="none")
        mass = rows_of(truth, self.columns, z.dtype)
        slope = -mass * weight[:, None]
        rows = np.arange(len(z))
        for k in range(self.columns):
            rival = z + 1.0
            rival[:, k] -= 1.0
            slope[rows, rival.argmax(axis=1)] += weight * mass[:, k]
        return float(np.dot(weight, losses)), slope


class SigmoidHinge(Hinge):
    """max(0, 1 − (2t − 1)·z) of every column; for a soft truth t·max(0, 1 − z) + (1 − t)·max(0, 1 + z)."""

    @property
    def has_curvature(self) -> bool:
        return True

    def value(self, z: Matrix, low: int, high: int) -> tuple[float, Matrix]:
        t, weight, T = self.truth[low:high], self.weight[low:high], self.temperature
        if T:
            losses = T * (t * np.logaddexp(0.0, (1.0 - z) / T) + (1.0 - t) * np.logaddexp(0.0, (1.0 + z) / T))
            slope = (1.0 - t) * sigmoid((1.0 + z) / T) - t * sigmoid((1.0 - z) / T)
        else:
            losses = hinge(Indicators(t), Logits(z), reduction="none")
            slope = (1.0 - t) * (z > -1.0) - t * (z < 1.0)
        return float(np.dot(weight, losses.sum(axis=1, dtype=np.float64))), weight[:, None] * slope

    def predicted(self, z: Matrix, low: int, high: int) -> Matrix:
        """The second derivative by every score."""
        t, T = self.truth[low:high].astype(z.dtype), z.dtype.type(self.temperature)
        below, above = sigmoid((1 - z) / T), sigmoid((1 + z) / T)
        return (t * below * (1 - below) + (1 - t) * above * (1 - above)) / T

    def curvature(self, q: Matrix, d: Matrix, low: int, high: int) -> Matrix:
        d *= q
        d *= self.weight[low:high, None]
        return d
