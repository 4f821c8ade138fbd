"""Calibration: bins of equal counts, the debiased squared error, and what a calibrated model would show by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xent.evaluate.grid import Grid
from xent.evaluate.intervals import clopper_pearson

BINS = 15
_ROWS_A_BIN = 10  # fewer rows than 15 bins of 10 get fewer bins
_RESAMPLES = 9999  # p-values down to 0.0001
_SEED = 20170806  # any fixed number: the same file must give the same p-value

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bins:
    """Rows, mean forecast f̄ and frequency ȳ of each bin, and its range."""

    n: Vector
    forecast: Vector
    came: Vector
    low: Vector
    high: Vector

    @property
    def frequency(self) -> Vector:
        """ȳ of each bin."""
        return self.came / self.n


def equal_count_bins(grid: Grid) -> Bins | None:
    """At most 15 bins of about equal counts; None for fewer than two rows. Every bin has at least two rows."""
    filled = np.flatnonzero(grid.n)
    n = grid.n[filled]
    total = int(n.sum())
    if total < 2:
        return None
    count = max(1, min(BINS, total // _ROWS_A_BIN))
    middle = np.cumsum(n) - n / 2
    group = _join_single_rows(np.minimum((middle * count / total).astype(np.int64), count - 1), n)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    ends = np.append(starts[1:], len(n)) - 1
    sums = [np.add.reduceat(part[filled].astype(np.float64), starts) for part in (grid.n, grid.forecast, grid.outcome)]
    # A bin's range is told by the mean forecasts of its outermost cells, which lie within the data.
    mean = np.clip(grid.forecast[filled] / n, 0.0, 1.0)
    return Bins(sums[0], np.clip(sums[1] / sums[0], 0.0, 1.0), sums[2], mean[starts], mean[ends])


def _join_single_rows(group: npt.NDArray[np.int64], n: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Join each bin of one row to its neighbour: its variance cannot be told from one row."""
    names = np.unique(group)
    sizes = [int(n[group == name].sum()) for name in names]
    joined = group.copy()
    for position, (name, size) in enumerate(zip(names, sizes, strict=True)):
        if size == 1 and len(names) > 1:
            neighbour = names[position - 1] if position else names[1]
            joined[group == name] = joined[group == neighbour][0]
    return joined


def squared_error(n: Vector, forecast: Vector, frequency: Vector) -> Any:
    """Debiased squared calibration error of binned forecasts (Kumar, Liang and Ma 2019)::

        Σ_b n_b/n · [ (f̄_b − ȳ_b)² − ȳ_b(1 − ȳ_b)/(n_b − 1) ]

    The second term is the expected square of the noise in ȳ_b, so that a calibrated model has 0 in the mean; a single
    value may be negative. ``frequency`` may have leading axes, one for each resample.
    """
    noise = frequency * (1 - frequency) / (n - 1)
    return ((np.square(forecast - frequency) - noise) * (n / n.sum())).sum(axis=-1)


def expected_error(n: Vector, forecast: Vector, frequency: Vector) -> Any:
    """The expected calibration error Σ_b n_b/n · |f̄_b − ȳ_b|. It is above 0 for a calibrated model too."""
    return (np.abs(forecast - frequency) * (n / n.sum())).sum(axis=-1)


def calibration(grid: Grid, of: str) -> dict[str, Any] | None:
    """The schema's ``calibration``: both errors beside their null, and the bins with exact intervals.

    The null redraws the outcomes of each bin as Binomial(n_b, f̄_b), 9999 times from a fixed seed: what a model with
    these very forecasts would show if they were true. p-value: (1 + #{null ≥ value}) / 10000.
    """
    bins = equal_count_bins(grid)
    if bins is None:
        return None
    rng = np.random.default_rng(_SEED)
    null = rng.binomial(bins.n.astype(np.int64), bins.forecast, size=(_RESAMPLES, len(bins.n))) / bins.n
    squared = float(squared_error(bins.n, bins.forecast, bins.frequency))
    squared_null = squared_error(bins.n, bins.forecast, null)
    ece_null = expected_error(bins.n, bins.forecast, null)
    low, high = clopper_pearson(bins.came, bins.n)
    # Equal sums may come out a rounding apart; a tie must count as one.
    reached = int(np.count_nonzero(squared_null >= squared - 1e-12))
    return {
        "of": of,
        "squared": {
            "value": squared,
            "null_mean": float(squared_null.mean()),
            "null_high": float(np.quantile(squared_null, 0.95)),
            "p_value": (1 + reached) / (_RESAMPLES + 1),
        },
        "ece": {
            "value": float(expected_error(bins.n, bins.forecast, bins.frequency)),
            "null_mean": float(ece_null.mean()),
            "null_high": float(np.quantile(ece_null, 0.95)),
        },
        "bins": [
            {
                "low": float(bins.low[b]),
                "high": float(bins.high[b]),
                "n": int(bins.n[b]),
                "confidence": float(bins.forecast[b]),
                "frequency": float(bins.frequency[b]),
                "frequency_low": float(low[b]),
                "frequency_high": float(high[b]),
            }
            for b in range(len(bins.n))
        ],
    }
