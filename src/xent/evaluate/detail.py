"""Where the loss comes from: classes, confusions, the spread of the losses, the hardest rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from xent.evaluate.histogram import Histogram
from xent.evaluate.moments import GroupMeans
from xent.evaluate.scoring import Codes, Scores

HARDEST = 20
MOST_CLASSES = 1000
"""Beyond it no confusions are counted: they would need K² counts."""


@dataclass(frozen=True)
class HardRow:
    """One row among the hardest."""

    row: int
    nats: float
    id: Any
    truth: int | None
    predicted: int | None
    probability: float


@dataclass
class Hardest:
    """The rows of the greatest loss; of equal losses the earlier, so that the order of merging does not show."""

    kept: list[HardRow] = field(default_factory=list)

    def update(self, scores: Scores, rows: Codes, truth: Codes | None, ids: Any) -> None:
        """Take a batch in; ``ids`` is an Arrow array of the batch's ids or None."""
        loss = scores.loss
        places = np.arange(len(loss))
        if len(self.kept) == HARDEST:
            places = np.flatnonzero(loss >= self.kept[-1].nats)
        if len(places) > 4 * HARDEST:
            cut = np.partition(loss[places], len(places) - HARDEST)[len(places) - HARDEST]
            places = places[loss[places] >= cut]
        best = places[np.lexsort((rows[places], -loss[places]))][:HARDEST]
        self._take(
            HardRow(
                row=int(rows[i]),
                nats=float(loss[i]),
                id=None if ids is None else ids[int(i)].as_py(),
                truth=None if truth is None else int(truth[i]),
                predicted=None if scores.predicted is None else int(scores.predicted[i]),
                probability=float(scores.probability[i]),
            )
            for i in best
        )

    def merge(self, other: Hardest) -> None:
        """Take another state in."""
        self._take(other.kept)

    def _take(self, rows: Any) -> None:
        self.kept = sorted([*self.kept, *rows], key=lambda r: (-r.nats, r.row))[:HARDEST]


class Detail:
    """The parts of the report that are told of the first model only."""

    def __init__(self, classes: int | None) -> None:
        self.losses = Histogram()
        self.hardest = Hardest()
        self.by_class = GroupMeans(classes) if classes else None
        self.wrong: npt.NDArray[np.int64] | None = np.zeros(classes, dtype=np.int64) if classes else None
        self.confusion: npt.NDArray[np.int64] | None = (
            np.zeros((classes, classes), dtype=np.int64) if classes and classes <= MOST_CLASSES else None
        )

    def update(self, scores: Scores, rows: Codes, truth: Codes | None, ids: Any) -> None:
        """Take a batch in."""
        self.losses.update(scores.loss)
        self.hardest.update(scores, rows, truth, ids)
        if self.by_class is None:
            return
        assert truth is not None and scores.predicted is not None and self.wrong is not None
        self.by_class.update(scores.loss, truth)
        self.wrong += np.bincount(truth[scores.predicted != truth], minlength=len(self.wrong))
        if self.confusion is not None:
            np.add.at(self.confusion.reshape(-1), truth * len(self.wrong) + scores.predicted, 1)

    def merge(self, other: Detail) -> None:
        """Take another state in."""
        self.losses.merge(other.losses)
        self.hardest.merge(other.hardest)
        if self.by_class is not None and other.by_class is not None:
            self.by_class.merge(other.by_class)
        if self.wrong is not None and other.wrong is not None:
            self.wrong += other.wrong
        if self.confusion is not None and other.confusion is not None:
            self.confusion += other.confusion
