"""What a batch of labels says before its scores are read: which rows count, with which weight, and their sum."""

from __future__ import annotations

import numpy as np

from xent.kernels.cpu.lanes import LANES, jit


@jit
def weigh(index, classes, ignore, weights, mean, out):  # type: ignore[no-untyped-def]
    """The weight of each row's loss to ``out``: w[y], or 1 where ``weights`` is None; 0 for an ignored row.

    Returns what their sum is to be divided by: Σ w[y] for a mean, 1 for a sum; −1 where a label is no class.
    """
    bad = np.int64(0)
    total = 0.0
    if weights is None:
        counted = np.int64(0)
        for i in range(index.size):
            k = index[i]
            counts = np.int64(k != ignore)
            bad += counts & (np.int64(k < 0) | np.int64(k >= classes))
            counted += counts
            out[i] = counts
        total = float(counted)
    else:
        for i in range(index.size):
            k = index[i]
            counts, inside = k != ignore, k >= 0 and k < classes
            bad += counts and not inside
            w = weights[k] if inside and counts else weights.dtype.type(0)
            out[i] = w
            total += w
    if bad:
        return -1.0
    return total if mean else 1.0


@jit
def weighted_sum(losses, weights):  # type: ignore[no-untyped-def]
    """Σ w·ℓ in float64, with 0·∞ = 0; always in the same order."""
    lanes = np.zeros(LANES)
    parts = losses.size // LANES
    for b in range(parts):
        loss, w = losses[b * LANES : b * LANES + LANES], weights[b * LANES : b * LANES + LANES]
        for i in range(LANES):
            lanes[i] += 0.0 if w[i] == 0 else np.float64(loss[i]) * w[i]
    total = 0.0
    for i in range(LANES):
        total += lanes[i]
    for i in range(parts * LANES, losses.size):
        total += 0.0 if weights[i] == 0 else np.float64(losses[i]) * weights[i]
    return total
