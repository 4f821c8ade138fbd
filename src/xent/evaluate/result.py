"""An evaluation: the states at the end of the walk, and the dictionary of the published schema."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xent import __version__
from xent.evaluate.comparison import Comparison
from xent.evaluate.detail import Detail, HardRow
from xent.evaluate.intervals import Interval, of_mean
from xent.evaluate.options import Options
from xent.evaluate.source import Source
from xent.evaluate.summary import BITS, Summary
from xent.evaluate.walk import Part, Scored

SCHEMA = "xent.evaluation/1"
_SHOWN_BINS = 60
_MOST_CLASSES = 1000
_CONFUSION_CLASSES = 50
_MOST_CONFUSIONS = 20


@dataclass
class Rows:
    """Where the rows went."""

    read: int = 0
    used: int = 0
    ignored: int = 0
    refused: int = 0
    first_refused: tuple[int, str] | None = None

    def update(self, part: Part, scored: Scored) -> None:
        """Count a part, as one model sees it."""
        self.read += part.size
        self.used += len(scored.places)
        self.refused += scored.refused
        self.ignored += part.size - int(np.count_nonzero(part.counts))
        if self.first_refused is None:
            self.first_refused = scored.first_refused

    def to_dict(self) -> dict[str, Any]:
        """The schema's ``rows``."""
        first = self.first_refused
        return {
            "read": self.read,
            "used": self.used,
            "ignored": self.ignored,
            "refused": self.refused,
            "first_refused": None if first is None else {"row": first[0], "reason": first[1]},
        }


@dataclass(frozen=True, eq=False)
class Against:
    """The second model. ``file`` is None where its predictions are columns of the same files.

    ``rows`` counts the rows as this model sees them, which need not be those that the first one scores.
    """

    source: Source
    file: str | None
    rows: Rows
    summary: Summary
    comparison: Comparison


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What ``evaluate`` found. ``to_dict`` gives the schema of docs/reference/evaluation-json.md."""

    options: Options
    files: tuple[str, ...]
    a: Source
    rows: Rows
    summary: Summary
    detail: Detail
    rival: Against | None = None

    def to_dict(self) -> dict[str, Any]:
        """Numbers as JSON holds them; infinite and undefined ones as the strings "inf", "-inf" and "nan"."""
        options = self.options
        summary = self.summary.to_dict()
        found: dict[str, Any] = {
            "schema": SCHEMA,
            "version": __version__,
            "kind": options.kind,
            "input": {
                "files": list(self.files),
                "truth": options.truth,
                "id": options.id,
                "bytes": options.bytes,
                "holds": options.holds,
                "name": self.a.name,
                "columns": list(self.a.columns),
                "classes": None if self.a.classes is None else list(self.a.classes),
            },
            "rows": self.rows.to_dict(),
            **summary,
            "baseline": self._baseline(),
            "classes": self._classes(),
            "confusion": self._confusion(),
            "confusions": self._confusions(),
            "losses": self._losses(),
            "hardest": [self._hard_row(row) for row in self.detail.hardest.kept],
            "comparison": self._comparison(),
        }
        plain = to_json(found)
        assert isinstance(plain, dict)
        return plain

    def _baseline(self) -> dict[str, float] | None:
        if self.detail.per_class is None:
            return None
        groups = self.detail.per_class.loss
        counts = (groups.n + groups.infinite).astype(np.float64)
        frequency = counts[counts > 0] / counts.sum()
        nats = float(-(frequency * np.log(frequency)).sum()) + 0.0
        loss = self.summary.loss.value
        return {
            "nats": nats,
            "bits": nats * BITS,
            "error": float(1 - frequency.max()),
            "skill": 1 - loss / nats if nats > 0 else math.nan,
        }

    def _classes(self) -> list[dict[str, Any]] | None:
        if self.detail.per_class is None or self.a.classes is None:
            return None
        groups, wrong = self.detail.per_class.loss, self.detail.per_class.wrong
        states = [(index, groups.of(index)) for index in np.flatnonzero(groups.n + groups.infinite).tolist()]
        states.sort(key=lambda pair: (-pair[1].value, pair[0]))
        return [
            {
                "name": self.a.classes[index],
                "n": state.total,
                "nats": of_mean(state, 0.0),
                "error": float(wrong[index] / state.total),
            }
            for index, state in states[:_MOST_CLASSES]
        ]

    def _counts(self) -> npt.NDArray[np.int64] | None:
        return None if self.detail.per_class is None else self.detail.per_class.confusion

    def _confusion(self) -> dict[str, Any] | None:
        counts = self._counts()
        if counts is None or len(counts) > _CONFUSION_CLASSES or self.a.classes is None:
            return None
        return {"names": list(self.a.classes), "counts": counts.tolist()}

    def _confusions(self) -> list[dict[str, Any]] | None:
        counts, names = self._counts(), self.a.classes
        if counts is None or names is None:
            return None
        wrong = counts.copy()
        np.fill_diagonal(wrong, 0)
        flat = wrong.reshape(-1)
        order = np.argsort(-flat, kind="stable")[:_MOST_CONFUSIONS]
        return [
            {"truth": names[i // len(names)], "predicted": names[i % len(names)], "n": int(flat[i])}
            for i in order
            if flat[i]
        ]

    def _losses(self) -> dict[str, Any]:
        losses = self.detail.losses
        edges, counts = losses.linear(_SHOWN_BINS)
        quantiles = {str(q): losses.quantile(q) for q in (0.5, 0.9, 0.99)}
        return {"edges": edges, "counts": counts, "quantiles": quantiles}

    def _hard_row(self, row: HardRow) -> dict[str, Any]:
        def name(code: int | None) -> str | None:
            return None if code is None or self.a.classes is None else self.a.classes[code]

        return {
            "row": row.row,
            "id": row.id if row.id is None or isinstance(row.id, (int, float)) else str(row.id),
            "truth": name(row.truth),
            "predicted": name(row.predicted),
            "nats": row.nats,
            "probability": row.probability,
        }

    def _comparison(self) -> dict[str, Any] | None:
        rival = self.rival
        if rival is None:
            return None
        name_a = self.a.name if rival.file is None else ", ".join(self.files)
        name_b = rival.source.name if rival.file is None else rival.file
        unit = "token" if self.options.kind == "tokens" else "row"
        return {
            "holds": self.options.holds,
            "name": name_b,
            "columns": list(rival.source.columns),
            "files": list(self.files) if rival.file is None else [rival.file],
            "summary": {"rows": rival.rows.to_dict(), **rival.summary.to_dict()},
            **rival.comparison.to_dict(name_a, name_b, unit, used=(self.rows.used, rival.rows.used)),
        }


def to_json(value: Any) -> Any:
    """Intervals as objects, NumPy numbers as Python's, and numbers that JSON lacks as strings."""
    if isinstance(value, Interval):
        value = vars(value)
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value
