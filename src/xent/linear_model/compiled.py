"""Loops that array operations would take several passes for: rows that are mostly zeros, and curvature."""

from __future__ import annotations

import numpy as np

from xent.kernels.cpu.lanes import jit


@jit
def sparse_scores(indptr, indices, data, w, out):  # type: ignore[no-untyped-def]
    """out = X·w of rows in CSR form; w (D, K)."""
    classes = w.shape[1]
    for i in range(out.shape[0]):
        row = out[i]
        row[:] = 0
        for j in range(indptr[i], indptr[i + 1]):
            x, weights = data[j], w[indices[j]]
            for k in range(classes):
                row[k] += x * weights[k]


@jit
def sparse_pull(indptr, indices, data, g, into):  # type: ignore[no-untyped-def]
    """into += Xᵀ·g; into (D, K), in float64."""
    classes = g.shape[1]
    for i in range(g.shape[0]):
        row = g[i]
        for j in range(indptr[i], indptr[i + 1]):
            x, sums = data[j], into[indices[j]]
            for k in range(classes):
                sums[k] += x * row[k]


@jit
def sparse_moments(indptr, indices, data, weight, about, least, sums, squares):  # type: ignore[no-untyped-def]
    """Σ w·(x − a) and Σ w·(x − a)² of each feature, where a is 0 for features that a row does not have."""
    for i in range(weight.size):
        for j in range(indptr[i], indptr[i + 1]):
            feature = indices[j]
            moved = np.float64(data[j]) - about[feature]
            sums[feature] += weight[i] * moved
            square = weight[i] * moved * moved
            squares[feature] += least if square < least and moved != 0 and weight[i] > 0 else square


@jit
def softmax_curvature(q, d, weight, out):  # type: ignore[no-untyped-def]
    """out = w·(q∘d − q·⟨q, d⟩), the second derivative of a softmax's cross-entropy times d, row by row."""
    classes = q.shape[1]
    for i in range(q.shape[0]):
        mean = q[i, 0] * d[i, 0]
        for k in range(1, classes):
            mean += q[i, k] * d[i, k]
        for k in range(classes):
            out[i, k] = weight[i] * q[i, k] * (d[i, k] - mean)
