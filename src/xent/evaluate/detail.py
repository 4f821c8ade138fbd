"""Where the loss comes from: classes, confusions, the spread of the losses, the hardest rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xent.evaluate.histogram import Histogram
from xent.evaluate.moments import GroupMeans, Vector
from xent.evaluate.scoring import Codes, Judged, Scores

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

    def update(self, scores: Scores, rows: Codes, ids: Any) -> None:
        """Take a batch in; ``ids`` is an Arrow array of the batch's ids or None."""
        loss, judged = scores.loss, scores.judged
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
                truth=None if judged is None else int(judged.truth[i]),
                predicted=None if judged is None else int(judged.predicted[i]),
                probability=float(scores.probability[i]),
            )
            for i in best
        )

    def merge(self, other: Hardest) -> None:
        """Take another state in."""
        self._take(other.kept)

    def _take(self, rows: Any) -> None:
        self.kept = sorted([*self.kept, *rows], key=lambda r: (-r.nats, r.row))[:HARDEST]


class PerClass:
    """Loss, errors and confusions of each of K classes."""

    def __init__(self, classes: int) -> None:
        self.loss = GroupMeans(classes)
        self.wrong = np.zeros(classes, dtype=np.int64)
        self.confusion = np.zeros((classes, classes), dtype=np.int64) if classes <= MOST_CLASSES else None

    def update(self, loss: Vector, judged: Judged) -> None:
        """Take a batch in."""
        self.loss.update(loss, judged.truth)
        self.wrong += np.bincount(judged.truth[judged.wrong], minlength=len(self.wrong))
        if self.confusion is not None:
            np.add.at(self.confusion.reshape(-1), judged.truth * len(self.wrong) + judged.predicted, 1)

    def merge(self, other: PerClass) -> None:
        """Take another state in."""
        self.loss.merge(other.loss)
        self.wrong += other.wrong
        if self.confusion is not None:
            assert other.confusion is not None, "states of the same classes"
            self.confusion += other.confusion


class Detail:
    """The parts of the report that are told of the first model only. ``classes`` is None for tokens."""

    def __init__(self, classes: int | None) -> None:
        self.losses = Histogram()
        self.hardest = Hardest()
        self.per_class = PerClass(classes) if classes else None

    def update(self, scores: Scores, rows: Codes, ids: Any) -> None:
        """Take a batch in."""
        self.losses.update(scores.loss)
        self.hardest.update(scores, rows, ids)
        if self.per_class is not None:
            assert scores.judged is not None, "classes are judged"
            self.per_class.update(scores.loss, scores.judged)

    def merge(self, other: Detail) -> None:
        """Take another state in."""
        self.losses.merge(other.losses)
        self.hardest.merge(other.hardest)
        if self.per_class is not None:
            assert other.per_class is not None, "states of the same kind"
            self.per_class.merge(other.per_class)
