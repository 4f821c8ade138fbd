"""The walk over a file's rows: batch by batch, which rows count, and their scores under a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xent.evaluate.admission import check, refused
from xent.evaluate.labels import MISSING, LabelCoder
from xent.evaluate.matrix import Vector, whole_numbers
from xent.evaluate.options import Options
from xent.evaluate.readers import Request, Table
from xent.evaluate.scoring import Codes, Scores, score
from xent.evaluate.source import Source

Mask = npt.NDArray[np.bool_]
_ELEMENTS = 1 << 19  # numbers of Q in a batch: what a few temporaries of it leave in a processor's cache
_MOST_ROWS, _FEWEST_ROWS = 1 << 16, 64


@dataclass(frozen=True)
class Part:
    """A batch with its truths. ``first_row`` is the number of its first row, from 1 over all files."""

    batch: Any
    first_row: int
    truth: Codes | None
    counts: Mask
    bytes: Vector | None
    no_bytes: Mask | None

    @property
    def size(self) -> int:
        """Rows in the batch."""
        return int(self.batch.num_rows)

    def column(self, name: str) -> Any:
        """An Arrow column of the batch."""
        return self.batch.column(self.batch.schema.get_field_index(name))


@dataclass(frozen=True)
class Scored:
    """The rows of a part that one model is judged on. ``places`` are their positions in the part."""

    places: Codes
    rows: Codes
    bytes: Vector | None
    scores: Scores
    refused: int
    first_refused: tuple[int, str] | None


def batch_rows(options: Options, width: int) -> int:
    """Rows to read at a time for K columns."""
    if options.batch_rows is not None:
        return options.batch_rows
    return max(_FEWEST_ROWS, min(_MOST_ROWS, _ELEMENTS // max(1, width)))


def walk(
    table: Table,
    options: Options,
    coder: LabelCoder | None,
    columns: tuple[str, ...],
    first_row: int,
    size: int,
) -> Iterator[Part]:
    """The parts of a file, with ``columns`` of predictions in each batch.

    Raises LabelError for a truth outside the classes, DataError for bytes that are none.
    """
    request = Request(
        numbers=columns,
        text=() if options.id is None else (options.id,),
        integers=() if options.bytes is None else (options.bytes,),
        labels=() if options.truth is None else (options.truth,),
        not_null=() if coder is None else coder.classes,
    )
    for batch in table.batches(request, size):
        truth, counts = None, np.ones(batch.num_rows, dtype=np.bool_)
        if coder is not None:
            assert options.truth is not None
            truth = coder.encode(batch.column(batch.schema.get_field_index(options.truth)), first_row)
            counts = truth != MISSING
        amount, missing = None, None
        if options.bytes is not None:
            held = batch.column(batch.schema.get_field_index(options.bytes))
            amount, missing = whole_numbers(held, options.bytes, first_row)
        yield Part(batch, first_row, truth, counts, amount, missing)
        first_row += batch.num_rows


def score_part(part: Part, source: Source, options: Options) -> Scored:
    """Score the rows of a part that count and can be scored.

    Raises ProbabilityError, NormalizationError or ShapeError where Q is not what it was declared to be.
    """
    q = source.matrix(part.batch, part.first_row)
    places = np.arange(part.size)
    if not part.counts.all():
        places, q = places[part.counts], q[part.counts]
    bad, reason = refused(q, options.holds)
    if part.no_bytes is not None and part.no_bytes[places].any():
        without = part.no_bytes[places]
        if bad is None or np.argmax(without) < np.argmax(bad):
            reason = "no number of bytes"
        bad = without if bad is None else bad | without
    count, first = 0, None
    if bad is not None:
        count, first = int(np.count_nonzero(bad)), (part.first_row + int(places[np.argmax(bad)]), reason)
        places, q = places[~bad], q[~bad]
    rows = places + part.first_row
    check(q, options.holds, rows, source.argument)
    truth = None if part.truth is None else part.truth[places]
    size = None if part.bytes is None else part.bytes[places]
    return Scored(places, rows, size, score(q, truth, options.holds), count, first)
