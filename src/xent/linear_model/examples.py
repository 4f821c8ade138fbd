"""The rows of X, a block at a time: a block stays in cache from its scores to its part of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from xent.kernels.cpu import narrow
from xent.kernels.cpu.threads import run
from xent.linear_model import compiled

Matrix = Any
_Found = TypeVar("_Found")

#: A block is so small that its rows stay in a cache, and so large that the calls for it cost little.
_BLOCK_BYTES, _LEAST_ROWS, _MOST_ROWS = 2**22, 256, 16384
#: Up to so many multiplications OpenBLAS multiplies without packing, which for few columns takes longer than the
#: product; and the least rows for which more calls pay.
_UNPACKED, _WORTH_A_CALL = 10**6, 500
#: Sums of one part are made by one thread, so that a result does not depend on how many threads there are.
_PARTS, _PART_NUMBERS = 8, 2**23
#: The squares of what varies sum to so much at least, which is next to nothing, so that it does not pass for constant.
LEAST = 1e-300


class Block(Protocol):
    """Some rows of X."""

    def scores(self, w: Matrix, shift: Matrix | None) -> Matrix:
        """X·w + shift in an array of its own; w (D, K), shift (K,) or None for none."""
        ...

    def pull(self, g: Matrix, into: Matrix) -> None:
        """into += Xᵀ·g, into (D, K) in float64."""
        ...

    def moments(self, weight: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """(a, Σ w·(x − a), Σ w·(x − a)²) of each feature in float64, a being a value of a row that counts, or 0: what
        does not vary has no squares, and what varies has at least ``LEAST``."""
        ...


class DenseBlock:
    """Rows of an array."""

    def __init__(self, x: Matrix) -> None:
        self.x = x

    def scores(self, w: Matrix, shift: Matrix | None) -> Matrix:
        if narrow.takes(self.x, w):
            return narrow.product(self.x, w, shift)
        return _shifted(self.x @ w, shift)

    def pull(self, g: Matrix, into: Matrix) -> None:
        rows = _UNPACKED // max(1, into.size)
        if rows < _WORTH_A_CALL:
            rows = max(1, len(g))
        for low in range(0, len(g), rows):
            # As (K, D), the shape in which BLAS is faster.
            into += (g[low : low + rows].T @ self.x[low : low + rows]).T

    def moments(self, weight: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        # Of a row of the largest weight: were it far from the others, it would make the variance as large.
        about = self.x[int(weight.argmax())].astype(np.float64)
        moved = self.x - about
        sums = weight @ moved
        moved *= moved
        squares = weight @ moved
        small = np.flatnonzero(squares < LEAST)
        if small.size:
            varies = (self.x[:, small][weight > 0.0] != about[small]).any(axis=0)
            squares[small] = np.where(varies, LEAST, 0.0)
        return about, sums, squares


class SparseBlock:
    """Rows in CSR form."""

    def __init__(self, indptr: Matrix, indices: Matrix, data: Matrix, features: int) -> None:
        self.indptr, self.indices, self.data, self.features = indptr, indices, data, features

    def scores(self, w: Matrix, shift: Matrix | None) -> Matrix:
        out = np.empty((len(self.indptr) - 1, w.shape[1]), w.dtype)
        compiled.sparse_scores(self.indptr, self.indices, self.data, w, out)
        return _shifted(out, shift)

    def pull(self, g: Matrix, into: Matrix) -> None:
        compiled.sparse_pull(self.indptr, self.indices, self.data, g, into)

    def moments(self, weight: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        about, sums, squares = np.zeros((3, self.features))
        first, row = self.indptr[0], int(weight.argmax())
        # Beside zeros a feature varies by as much as its values.
        whole = np.bincount(self.indices[first : self.indptr[-1]], minlength=self.features) == len(weight)
        own = slice(self.indptr[row], self.indptr[row + 1])
        about[self.indices[own]] = self.data[own]
        about *= whole
        compiled.sparse_moments(self.indptr, self.indices, self.data, weight, about, LEAST, sums, squares)
        return about, sums, squares


def _shifted(z: Matrix, shift: Matrix | None) -> Matrix:
    """z + shift, in place of z."""
    if shift is not None:
        z += shift
    return z


class Examples:
    """X (N, D), dense or in CSR form, float32 or float64."""

    #: Whether so much memory as X takes may be taken for what is made of it.
    in_memory: ClassVar[bool] = True

    def __init__(self, X: Matrix) -> None:
        self.sparse = not isinstance(X, np.ndarray)
        if self.sparse and not X.has_canonical_format:
            # The moments of a feature take each of its numbers for one row's.
            X = X.copy()
            X.sum_duplicates()
        self.X = X
        self.count, self.features = X.shape
        self.dtype = X.dtype
        numbers = X.nnz if self.sparse else X.size
        #: What a pass over them costs, in numbers.
        self.numbers = numbers
        row = max(1, numbers // max(1, self.count)) * self.dtype.itemsize
        #: Rows of a block at most.
        self.most = int(min(max(_BLOCK_BYTES // row, _LEAST_ROWS), _MOST_ROWS))

    def block(self, begin: int, end: int) -> Block:
        if not self.sparse:
            return DenseBlock(self.X[begin:end])
        indptr = self.X.indptr
        return SparseBlock(indptr[begin : end + 1], self.X.indices, self.X.data, self.features)

    def blocks(self, begin: int, end: int) -> Iterator[tuple[int, int, Block]]:
        for low in range(begin, end, self.most):
            high = min(low + self.most, end)
            yield low, high, self.block(low, high)

    def in_parts(self, numbers: int, work: Callable[[int, int], _Found]) -> list[_Found]:
        """work(begin, end) of each part of the rows, over threads; ``numbers``: how many a part's result has."""
        parts = max(1, min(_PARTS, _PART_NUMBERS // max(1, numbers), -(-self.count // self.most)))
        if self.count > 2 * _LEAST_ROWS:
            parts = max(parts, 2)
        found: list[Any] = [None] * parts

        def some(first: int, last: int) -> None:
            for part in range(first, last):
                found[part] = work(self.count * part // parts, self.count * (part + 1) // parts)

        run(parts, self.numbers, some)
        return found

    def some(self, rows: Matrix) -> Examples:
        """Those rows alone, as a copy."""
        return Examples(self.X[rows])

    def dense(self, rows: Matrix) -> Matrix:
        """Those rows as an array in float64."""
        found = self.X[rows]
        return np.asarray(found.toarray() if self.sparse else found, np.float64)
