"""F(W, b) = Σ w·L(P, X·Wᵀ + b)/s + (λ₂/2)·‖W‖² + λ₁·‖W‖₁, and what solvers ask of it: value, gradient, curvature.

Each is one pass over the examples: of a block of rows the scores, what the head makes of them, and their part of the
result, while the block is in cache. s = Σ w, λ₁ + λ₂ = 1/(C·s).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from xent.linear_model.examples import Block, Examples
from xent.linear_model.heads import Head
from xent.linear_model.scaling import Scaling

Matrix = Any
#: W (D, K) and b as a block takes them.
Operands: TypeAlias = tuple[Matrix, Matrix | None]

#: Probabilities are kept for the products of one step up to so many bytes, and made again beyond.
_KEPT = 2**28


class Objective:
    """F in the coordinates of a ``Scaling``, as a function of one vector: V by rows, then c where there is one.

    ``penalty`` is λ₂ and ``sparsity`` λ₁. Value, gradient and curvature are those of F without λ₁·‖W‖₁, which has
    none; in coordinates of a diagonal it is ⟨``thresholds``, |v|⟩.
    """

    def __init__(self, examples: Examples, head: Head, scaling: Scaling, penalty: float, sparsity: float = 0.0) -> None:
        self.examples, self.head, self.scaling = examples, head, scaling
        self.penalty, self.sparsity = penalty, sparsity
        self.columns, self.features = head.columns, examples.features
        self.intercept = scaling.intercept
        self._ones = np.empty(0)
        #: How many passes over the examples were made, with gradients and with products.
        self.passes = 0.0

    @property
    def size(self) -> int:
        return int(self.columns * (self.features + self.intercept))

    def split(self, v: Matrix) -> tuple[Matrix, Matrix]:
        """(V, c)."""
        inner = self.columns * self.features
        c = v[inner:] if self.intercept else np.zeros(self.columns)
        return v[:inner].reshape(self.columns, self.features), c

    def joined(self, V: Matrix, c: Matrix) -> Matrix:
        return np.concatenate([V.reshape(-1), c]) if self.intercept else V.reshape(-1).copy()

    def weights(self, v: Matrix) -> tuple[Matrix, Matrix]:
        """(W, b)."""
        return self.scaling.weights(*self.split(v))

    def start(self, W: Matrix, b: Matrix) -> Matrix:
        """The vector of W and b."""
        return self.joined(*self.scaling.coordinates(np.asarray(W, np.float64), np.asarray(b, np.float64)))

    @property
    def thresholds(self) -> Matrix:
        """λ₁ in the units of each coordinate; none of c."""
        assert self.scaling.T.ndim == 1
        each = np.broadcast_to(self.sparsity * self.scaling.T, (self.columns, self.features))
        return self.joined(each, np.zeros(self.columns))

    def sparse_part(self, v: Matrix) -> float:
        """λ₁·‖W‖₁."""
        return float(self.thresholds @ np.abs(v)) if self.sparsity else 0.0

    def __call__(self, v: Matrix) -> tuple[float, Matrix]:
        """(F, its gradient), without λ₁·‖W‖₁."""
        W, b = self.weights(v)
        value, by_W, by_b = self.data_term(W, b)
        value += 0.5 * self.penalty * float(np.vdot(W, W))
        # The penalty is a function of W alone: at fixed c it has no part in b.
        return value, self._pulled(by_W, by_b, W)

    def noise(self, value: float) -> float:
        """How far two values about this one differ by rounding."""
        return 8.0 * float(np.finfo(self.examples.dtype).eps) * abs(value)

    def data_term(self, W: Matrix, b: Matrix) -> tuple[float, Matrix, Matrix]:
        """Σ w·L/s with its derivatives by W and b."""
        self.passes += 1
        operands = self.operands(W, b)

        def part(begin: int, end: int) -> tuple[float, Matrix, Matrix]:
            total, by_w, by_b = 0.0, np.zeros((self.features, self.columns)), np.zeros(self.columns)
            for low, high, block in self.examples.blocks(begin, end):
                value, g = self.head.value(block.scores(*operands), low, high)
                total += value
                block.pull(g, by_w)
                by_b += self._column_sums(g)
            return total, by_w, by_b

        found = self.examples.in_parts(self.columns * self.features, part)
        by_W = sum((f[1] for f in found[1:]), start=found[0][1]).T
        return sum(f[0] for f in found), by_W, sum(f[2] for f in found)

    def curvature(self, v: Matrix) -> Callable[[Matrix], Matrix]:
        """d ↦ F″(v)·d, for a head that has a second derivative."""
        at = self.operands(*self.weights(v))
        kept: dict[int, Matrix] = {}
        size = self.examples.count * self.columns * self.examples.dtype.itemsize
        keep = self.examples.in_memory and size <= _KEPT

        def predicted(low: int, high: int, block: Block) -> Matrix:
            if low in kept:
                return kept[low]
            q = self.head.predicted(block.scores(*at), low, high)
            if keep:
                kept[low] = q
            return q

        def times(d: Matrix) -> Matrix:
            self.passes += 1
            D, c = self.weights(d)
            direction = self.operands(D, c)

            def part(begin: int, end: int) -> tuple[Matrix, Matrix]:
                by_w, by_b = np.zeros((self.features, self.columns)), np.zeros(self.columns)
                for low, high, block in self.examples.blocks(begin, end):
                    q = predicted(low, high, block)
                    g = self.head.curvature(q, block.scores(*direction), low, high)
                    block.pull(g, by_w)
                    by_b += self._column_sums(g)
                return by_w, by_b

            found = self.examples.in_parts(self.columns * self.features, part)
            by_W = sum((f[0] for f in found[1:]), start=found[0][0]).T
            return self._pulled(by_W, sum(f[1] for f in found), D)

        return times

    def _column_sums(self, g: Matrix) -> Matrix:
        """Σ over rows, by BLAS: NumPy goes through memory against its order."""
        ones = self._ones
        if len(ones) < len(g):
            # Another thread may be doing the same for a block of another length.
            ones = self._ones = np.ones(len(g), self.examples.dtype)
        return ones[: len(g)] @ g

    def operands(self, W: Matrix, b: Matrix) -> Operands:
        """W and b as a block takes them: (D, K) side by side, in the type of X."""
        dtype = self.examples.dtype
        return np.ascontiguousarray(W.T, dtype), b.astype(dtype) if self.intercept else None

    def _pulled(self, by_W: Matrix, by_b: Matrix, W: Matrix) -> Matrix:
        by_V, by_c = self.scaling.gradient(by_W, by_b)
        if self.penalty:
            by_V = by_V + self.penalty * self.scaling.gradient(W, np.zeros(self.columns))[0]
        return self.joined(by_V, by_c)
