"""Random batches, and what it takes for two results to be the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from losses_samples import K, Sample

from xent.losses import Loss

LIBRARIES = ("numpy", "torch")


@st.composite
def batches(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Scores (n, K), labels and probabilities."""
    n = draw(st.integers(1, 4))
    z = draw(hnp.arrays(np.float64, (n, K), elements=st.floats(-20, 20, allow_nan=False, width=32)))
    y = draw(hnp.arrays(np.int64, n, elements=st.integers(0, K - 1)))
    mass = draw(hnp.arrays(np.float64, (n, K), elements=st.sampled_from([0.0, 1e-6, 0.25, 1.0, 3.0])))
    mass[np.arange(n), y] += 0.5
    return z, y, mass / mass.sum(axis=1, keepdims=True)


def close(a: Any, b: Any, *, units: float = 1e-12) -> None:
    """Equal within ``units`` of the largest number, or of 1e-3: of soft targets Σt·p − t is a difference of such."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=units, atol=units * np.max(np.abs(b), initial=1e-3))


def same(mine: tuple[Any, Any], theirs: tuple[Any, Any]) -> None:
    close(mine[0], theirs[0])
    if mine[1] is not None:
        close(mine[1], theirs[1])


def of(loss: Any) -> Sample:
    return Sample("", loss, ())


PLAIN = of(Loss())
