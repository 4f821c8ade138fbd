"""What a linear model is trained with: of a block of scores, the loss and its gradient by them.

A head holds the truth and the weights of all examples and is asked for the rows low … high. Weights are in float64 and
hold whatever factor the mean has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from typing import Any, ClassVar

import numpy as np

from xent.core.predictions import Logits
from xent.core.targets import Distribution, Indicators, Labels
from xent.kernels.cpu import cpu
from xent.kernels.protocol import HardTarget, RowCoefficients, SoftTarget, Target
from xent.linear_model import compiled

Matrix = Any


class Head(ABC):
    """Σ w·L(P, z) over rows, with its gradient by z."""

    #: Whether a constant in all classes changes nothing.
    shift_free: ClassVar[bool] = False

    def __init__(self, truth: Matrix, weight: Matrix, columns: int) -> None:
        #: One class index a row, or a row of numbers (N, K).
        self.truth, self.weight, self.columns = truth, weight, columns

    @property
    def has_curvature(self) -> bool:
        """Whether ``curvature`` is there: the loss is convex in the scores and has a second derivative."""
        return False

    @property
    def stiffness(self) -> float:
        """The second derivative by one score where nothing is known yet, of weight 1."""
        return 0.25 if self.columns == 1 else (self.columns - 1) / self.columns**2

    @abstractmethod
    def value(self, z: Matrix, low: int, high: int) -> tuple[float, Matrix]:
        """(Σ w·L, its gradient by z) of rows low … high."""

    def predicted(self, z: Matrix, low: int, high: int) -> Matrix:
        """What ``curvature`` needs to know of the scores of rows low … high, which may be overwritten: q."""
        raise NotImplementedError

    def curvature(self, q: Matrix, d: Matrix, low: int, high: int) -> Matrix:
        """The second derivative by z, at q, times d, which may be overwritten."""
        raise NotImplementedError

    def some(self, rows: Matrix) -> Head:
        """The head of those rows alone."""
        found = copy(self)
        found.truth, found.weight = self.truth[rows], self.weight[rows]
        return found


class SoftmaxCrossEntropy(Head):
    """−Σ t·log softmax(z)."""

    shift_free = True

    @property
    def has_curvature(self) -> bool:
        return True

    def target(self, low: int, high: int) -> Target:
        truth = self.truth[low:high]
        return HardTarget(truth) if truth.ndim == 1 else SoftTarget(truth)

    def value(self, z: Matrix, low: int, high: int) -> tuple[float, Matrix]:
        weight = self.weight[low:high]
        losses, gradient = cpu.row_fused(z, self.target(low, high), "logits", weight)
        return float(np.dot(weight, losses)), gradient

    def predicted(self, z: Matrix, low: int, high: int) -> Matrix:
        return softmax(z)

    def curvature(self, q: Matrix, d: Matrix, low: int, high: int) -> Matrix:
        compiled.softmax_curvature(q, d, self.weight[low:high], d)
        return d


class SigmoidCrossEntropy(Head):
    """−t·log σ(z) − (1 − t)·log(1 − σ(z)) of every column; the truth is a row of numbers."""

    @property
    def has_curvature(self) -> bool:
        return True

    def value(self, z: Matrix, low: int, high: int) -> tuple[float, Matrix]:
        truth = np.ascontiguousarray(self.truth[low:high], z.dtype)
        losses, slopes = cpu.element_losses(z, "logits", truth, None, slopes=True)
        weight = self.weight[low:high]
        slopes *= weight[:, None]
        return float(np.dot(weight, losses.sum(axis=1, dtype=np.float64))), slopes

    def predicted(self, z: Matrix, low: int, high: int) -> Matrix:
        return sigmoid(z)

    def curvature(self, q: Matrix, d: Matrix, low: int, high: int) -> Matrix:
        d *= q
        d *= 1.0 - q
        d *= self.weight[low:high, None]
        return d


class SoftmaxSquaredError(Head):
    """Σ_k (t_k − q_k)² of q = softmax(z): not convex in z. Its gradient is 2q∘(q − t − ⟨q, q − t⟩)."""

    shift_free = True

    def value(self, z: Matrix, low: int, high: int) -> tuple[float, Matrix]:
        q = softmax(z)
        gap = q - rows_of(self.truth[low:high], self.columns, q.dtype)
        weight = self.weight[low:high]
        slope = q * (gap - (q * gap).sum(axis=1, keepdims=True))
        return float(np.dot(weight, (gap * gap).sum(axis=1))), 2.0 * weight[:, None] * slope


class SigmoidSquaredError(Head):
    """(t − q)² of q = σ(z) of every column: not convex in z. Its gradient is 2(q − t)q(1 − q), which dies where the
    model is sure and wrong."""

    def value(self, z: Matrix, low: int, high: int) -> tuple[float, Matrix]:
        q = sigmoid(z)
        gap = q - self.truth[low:high]
        weight = self.weight[low:high]
        return float(np.dot(weight, (gap * gap).sum(axis=1))), 2.0 * weight[:, None] * gap * q * (1.0 - q)


class Custom(Head):
    """A loss of ``xent.losses``; whether it is convex, or sees a constant in all classes, nobody knows."""

    def __init__(self, truth: Matrix, weight: Matrix, columns: int, loss: Any = None, rows: bool = True) -> None:
        super().__init__(truth, weight, columns)
        self.loss, self.rows = loss, rows

    def value(self, z: Matrix, low: int, high: int) -> tuple[float, Matrix]:
        truth, weight = self.truth[low:high], self.weight[low:high]
        if self.rows:
            P: Any = Labels(truth) if truth.ndim == 1 else Distribution(truth)
        else:
            P, weight = Indicators(truth), weight[:, None]
        found, gradient = self.loss.value_and_grad(P, Logits(z), weight=weight, reduction="sum")
        return float(found), gradient


def softmax(z: Matrix) -> Matrix:
    """q of rows of scores."""
    return cpu.row_gradient(z, None, "logits", RowCoefficients(a=np.ones(len(z), z.dtype)))


def sigmoid(z: Matrix) -> Matrix:
    """q of every score."""
    return np.exp(-cpu.element_statistics(z, "logits")[0])


def rows_of(truth: Matrix, columns: int, dtype: Any) -> Matrix:
    """The truth as rows of numbers."""
    if truth.ndim > 1:
        return truth
    found = np.zeros((len(truth), columns), dtype)
    found[np.arange(len(truth)), truth] = 1
    return found
