"""One model's figures as a state that merges: update with scores, merge with another part, read off the schema."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xent.evaluate.calibration import calibration
from xent.evaluate.grid import Grid
from xent.evaluate.intervals import Interval, of_mean, of_ratio, wilson
from xent.evaluate.moments import Mean, Ratio, Vector
from xent.evaluate.options import Kind
from xent.evaluate.scoring import Codes, Scores

BITS = 1 / math.log(2)


class Summary:
    """Loss, entropy, error, Brier score and calibration of one model over the rows it has seen."""

    def __init__(self, kind: Kind, floor: float, *, has_bytes: bool) -> None:
        self.kind = kind
        self.floor = floor
        self.loss = Mean()
        self.floored = Mean()
        self.entropy = Mean()
        self.gap = Mean()
        self.brier = Mean()
        self.wrong = 0
        self.grid = Grid()
        self.bytes = Ratio() if has_bytes else None
        self.first_infinite: int | None = None

    def update(self, scores: Scores, rows: Codes, size: Vector | None) -> None:
        """Take a batch in: scores, row numbers and bytes."""
        if not len(rows):
            return
        self.loss.update(scores.loss)
        self.floored.update(floored(scores.loss, self.floor))
        infinite = np.isposinf(scores.loss)
        if infinite.any():
            self._saw_infinite(int(rows[infinite].min()))
        if self.bytes is not None:
            assert size is not None, "bytes were asked for"
            self.bytes.update(scores.loss, size)
        judged = scores.judged
        if judged is None:
            return
        self.entropy.update(judged.entropy)
        self.gap.update(scores.loss - judged.entropy)
        self.brier.update(judged.brier)
        self.wrong += int(np.count_nonzero(judged.wrong))
        self.grid.update(judged.forecast, judged.outcome)

    def merge(self, other: Summary) -> None:
        """Take another state in."""
        self.loss.merge(other.loss)
        self.floored.merge(other.floored)
        self.entropy.merge(other.entropy)
        self.gap.merge(other.gap)
        self.brier.merge(other.brier)
        self.wrong += other.wrong
        self.grid.merge(other.grid)
        if self.bytes is not None and other.bytes is not None:
            self.bytes.merge(other.bytes)
        if other.first_infinite is not None:
            self._saw_infinite(other.first_infinite)

    def _saw_infinite(self, row: int) -> None:
        self.first_infinite = row if self.first_infinite is None else min(row, self.first_infinite)

    def to_dict(self) -> dict[str, Any]:
        """The fields of the schema that both models have, as plain numbers."""
        loss = of_mean(self.loss, 0.0)
        out: dict[str, Any] = {
            "loss": {
                "nats": loss,
                "bits": loss.scaled(BITS),
                "infinite_rows": self.loss.infinite,
                "first_infinite": self.first_infinite,
                "floor": self._floor(),
            },
            "perplexity": loss.exp(),
            "bits_per_byte": None if self.bytes is None else of_ratio(self.bytes, BITS),
            "error": None,
            "entropy": None,
            "confidence": None,
            "brier": None,
            "calibration": None,
        }
        if self.kind != "tokens":
            out["error"] = {**vars(wilson(self.wrong, self.loss.total)), "wrong": self.wrong}
            out["entropy"] = of_mean(self.entropy, 0.0)
            gap = of_mean(self.gap)
            out["confidence"] = {**vars(gap), "verdict": verdict(gap)}
            out["brier"] = of_mean(self.brier, 0.0)
            out["calibration"] = calibration(self.grid, "yes" if self.kind == "binary" else "top label")
        return out

    def _floor(self) -> dict[str, Any] | None:
        if not self.loss.infinite:
            return None
        nats = of_mean(self.floored, 0.0)
        return {"probability": self.floor, "nats": nats, "bits": nats.scaled(BITS)}


def floored(loss: Vector, floor: float) -> Vector:
    """The losses with every probability of a truth raised to the floor."""
    return np.minimum(loss, -math.log(floor))


def verdict(gap: Interval) -> str:
    """What loss − entropy says: a model that loses more than its own entropy is surer than it should be."""
    if gap.low > 0:
        return "overconfident"
    if gap.high < 0:
        return "underconfident"
    return "cannot tell"
