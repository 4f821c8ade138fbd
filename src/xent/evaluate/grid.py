"""The state from which calibration is told: forecasts and outcomes summed in cells of the forecast's logit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

CELLS = 8192
_REACH = 18.0  # logits beyond ±18 (1.5e-8 from certainty) share the outer cells

Vector = npt.NDArray[np.float64]


@dataclass
class Grid:
    """n, Σ forecast and Σ outcome in 8192 cells, 1/228 of a nat of logit wide: 200 KB whatever the number of rows.

    Bins of any coarser width are sums of cells, so that the bins can have equal counts without keeping a row.
    """

    n: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(CELLS, dtype=np.int64))
    forecast: Vector = field(default_factory=lambda: np.zeros(CELLS))
    outcome: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(CELLS, dtype=np.int64))

    def update(self, forecast: Vector, outcome: npt.NDArray[np.bool_]) -> None:
        """Take a batch in: probabilities, and whether each came true."""
        with np.errstate(divide="ignore"):
            logit = np.log(forecast) - np.log1p(-np.minimum(forecast, 1.0))
        place = (np.clip(logit, -_REACH, _REACH) + _REACH) * (CELLS / (2 * _REACH))
        cell = np.minimum(place.astype(np.int64), CELLS - 1)
        self.n += np.bincount(cell, minlength=CELLS)
        self.forecast += np.bincount(cell, weights=forecast, minlength=CELLS)
        self.outcome += np.bincount(cell[outcome], minlength=CELLS)

    def merge(self, other: Grid) -> None:
        """Take another state in."""
        self.n += other.n
        self.forecast += other.forecast
        self.outcome += other.outcome
