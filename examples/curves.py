"""Compares the curves of one training, run with a framework's own loss and with xent's.

Two programs that round differently drift apart, and training makes the drift grow, so no fixed number of digits can be
asked for. The measure is what the framework's own rounding does: the model is trained once more with its loss in
float64, of the same float32 scores and rounded at the end. xent's curve may be ten times as far from the framework's as
that one is, and not more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: How much further xent may be from the framework than the framework is from its own loss in float64.
FACTOR = 10.0


def same(name: str, theirs: Sequence[float], ours: Sequence[float], exact: Sequence[float]) -> bool:
    """Print the curves of ``name`` and of xent, and whether they are the same within rounding. In nats, by step."""
    a, b, e = (np.asarray(curve, dtype=np.float64) for curve in (theirs, ours, exact))
    print(f"{'step':>6} {name:>12} {'xent':>12} {'difference':>12}")
    for step in _shown(len(a)):
        print(f"{step + 1:>6} {a[step]:12.6f} {b[step]:12.6f} {b[step] - a[step]:12.1e}")
    largest, drift = float(np.abs(b - a).max()), float(np.abs(a - e).max())
    # Where the framework's rounding happens to leave no trace, one rounding of the largest loss is taken for it.
    bound = FACTOR * max(drift, float(np.finfo(np.float32).eps) * float(a.max()))
    found = largest <= bound
    print(
        f"largest difference of the curves {largest:.1e} nats; {name}'s own to its loss in float64 {drift:.1e}, "
        f"xent's to it {float(np.abs(b - e).max()):.1e}; bound {bound:.1e}: "
        f"{'the same' if found else 'NOT THE SAME'} within rounding"
    )
    return found


def _shown(steps: int) -> list[int]:
    """About ten steps of the curve, the first and the last among them."""
    return sorted({round(k * (steps - 1) / 9) for k in range(10)})
