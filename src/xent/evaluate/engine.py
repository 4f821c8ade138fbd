"""The public function: files and a question in, an evaluation out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from xent.errors import ColumnError, InputError, OptionError
from xent.evaluate.columns import require
from xent.evaluate.comparison import Comparison
from xent.evaluate.detail import Detail
from xent.evaluate.join import Held, spread
from xent.evaluate.labels import LabelCoder
from xent.evaluate.options import Options
from xent.evaluate.readers import Table, open_table
from xent.evaluate.readers.formats import has_known_ending
from xent.evaluate.result import Against, Evaluation, Rows
from xent.evaluate.source import Source, aligned, find_source
from xent.evaluate.summary import Summary
from xent.evaluate.walk import Part, Scored, batch_rows, score_part, walk

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the rows done and the rows in all, where the format says how many."""


def evaluate(files: str | Sequence[str], options: Options, *, progress: Progress | None = None) -> Evaluation:
    """Judge predictions in files by their cross-entropy.

    Reads the files in batches: memory does not grow with their length, but for 30 bytes a row of an ``against`` file.
    The loss of a row is −log q(truth), in nats; the figure is its mean over the rows that count.

    Rows whose truth is missing or ignored are *ignored*; rows whose prediction is NaN are *refused*; both are counted.

    Raises
        OptionError         a choice that does not fit the others
        ColumnError         a column that is not there, or holds something else
        UnreadableFileError a file that is missing, truncated or not of its format
        LabelError          a truth outside the classes
        ProbabilityError    predictions that are not what they were declared to be
        InputError          no rows to judge; files that do not pair
        MissingExtraError   pyarrow or scipy is not installed
    """
    paths = [files] if isinstance(files, str) else list(files)
    if not paths:
        raise OptionError("files", "one file or more", "none")
    with ExitStack() as stack:
        tables = [stack.enter_context(closing(open_table(path))) for path in paths]
        return _Run(tables, options, progress, stack).evaluation()


@dataclass
class _Rival:
    """The second model: where its predictions are, and its states. ``table`` is None where they are in A's files."""

    source: Source
    table: Table | None
    summary: Summary
    comparison: Comparison

    def result(self) -> Against:
        """Its states at the end of the walk."""
        file = None if self.table is None else self.table.path
        return Against(self.source, file, self.summary, self.comparison)


class _Run:
    """One evaluation in progress."""

    def __init__(self, tables: list[Table], options: Options, progress: Progress | None, stack: ExitStack) -> None:
        self._tables = tables
        self._options = options
        self._progress = progress
        for table in tables:
            _check_columns(table, options)
        self._a = _same_everywhere(tables, options.columns, options)
        classes = self._a.classes
        self._coder = None
        if classes is not None:
            assert options.truth is not None, "Options asks for it where there are classes"
            self._coder = LabelCoder(classes, options.ignore, options.truth)
        self._rows = Rows()
        self._summary = self._new_summary()
        self._detail = Detail(len(classes) if classes else None)
        self._rival = None if options.against is None else self._find_rival(options.against, stack)
        counts = [table.rows for table in tables]
        if self._rival is not None and self._rival.table is not None:
            counts.append(self._rival.table.rows)
        self._total = None if None in counts else sum(n for n in counts if n is not None)
        self._done = 0

    def _new_summary(self) -> Summary:
        return Summary(self._options.kind, self._options.floor, has_bytes=self._options.bytes is not None)

    def _find_rival(self, against: str, stack: ExitStack) -> _Rival:
        options, table = self._options, None
        is_column = against in self._tables[0].names
        if os.path.exists(against):
            if is_column:
                hint = f"Write ./{against} for the file."
                raise OptionError("--against", "a file or a column", f"{against!r}, which is both", hint)
            table = stack.enter_context(closing(open_table(against)))
            _check_columns(table, options)
            found = find_source(table, options.columns, options)
        elif has_known_ending(against) and not is_column:
            got = f"{against!r}, which is no file here"
            raise InputError("--against", "a file or columns", got, "Check the path.")
        else:
            found = _same_everywhere(self._tables, against, options, f"--against {against!r}")
        comparison = Comparison(options.floor, has_errors=options.kind != "tokens")
        return _Rival(aligned(found, self._a), table, self._new_summary(), comparison)

    def evaluation(self) -> Evaluation:
        """Walk the files and read the result off the states."""
        rival = self._rival
        held = self._hold(rival, rival.table) if rival is not None and rival.table is not None else None
        columns = self._a.columns
        if rival is not None and held is None:
            columns = tuple(dict.fromkeys(columns + rival.source.columns))
        size = batch_rows(self._options, max(len(columns), self._a.width))
        first_row = 1
        for table in self._tables:
            for part in walk(table, self._options, self._coder, columns, first_row, size):
                self._take(part, held)
                first_row += part.size
        if held is not None:
            held.finish()
        self._check_rows()
        return Evaluation(
            options=self._options,
            files=tuple(table.path for table in self._tables),
            a=self._a,
            rows=self._rows,
            summary=self._summary,
            detail=self._detail,
            rival=None if rival is None else rival.result(),
        )

    def _take(self, part: Part, held: Held | None) -> None:
        scored = score_part(part, self._a, self._options)
        self._rows.update(part, scored)
        self._summary.update(scored.scores, scored.rows, scored.bytes)
        ids = None
        if self._options.id is not None:
            ids = part.column(self._options.id)
            if len(scored.places) < part.size:
                ids = ids.take(scored.places)
        self._detail.update(scored.scores, scored.rows, ids)
        if self._rival is not None:
            self._compare(self._rival, part, scored, held)
        self._advance(part.size)

    def _compare(self, rival: _Rival, part: Part, scored: Scored, held: Held | None) -> None:
        loss_a, wrong_a = spread(part.size, scored)
        if held is None:
            other = score_part(part, rival.source, self._options)
            rival.summary.update(other.scores, other.rows, other.bytes)
            loss_b, wrong_b = spread(part.size, other)
        else:
            positions = held.find(part)
            loss_b, wrong_b = held.loss[positions], held.wrong[positions]
        both = ~(np.isnan(loss_a) | np.isnan(loss_b))
        rival.comparison.update(loss_a[both], loss_b[both], wrong_a[both], wrong_b[both])

    def _hold(self, rival: _Rival, table: Table) -> Held:
        held = Held(table.path, self._options.id)
        size = batch_rows(self._options, max(len(rival.source.columns), rival.source.width))
        for part in walk(table, self._options, self._coder, rival.source.columns, 1, size):
            scored = score_part(part, rival.source, self._options)
            rival.summary.update(scored.scores, scored.rows, scored.bytes)
            held.add(part, scored)
            self._advance(part.size)
        held.close()
        return held

    def _advance(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total)

    def _check_rows(self) -> None:
        names = ", ".join(table.path for table in self._tables)
        rows, size = self._rows, self._summary.bytes
        if rows.read == 0:
            raise InputError(names, "rows to evaluate", "none", "The file has columns but no rows.")
        if rows.used == 0:
            reason = f"; row {rows.first_refused[0]}: {rows.first_refused[1]}" if rows.first_refused else ""
            raise InputError(
                names,
                "a row that counts",
                f"{rows.ignored} ignored (no truth) and {rows.refused} refused{reason}",
                "Check the truth column and the predictions.",
            )
        if self._rival is not None and self._rival.comparison.floored.n == 0:
            raise InputError("--against", "rows that count for both models", "none", "Check B's predictions.")
        if size is not None and size.y == 0.0 and not size.infinite:
            raise InputError(f"bytes {self._options.bytes!r}", "bytes in some row", "0 in every row")


def _check_columns(table: Table, options: Options) -> None:
    """Raises ColumnError where truth, id or bytes is missing or a list."""
    for flag, name in (("--truth", options.truth), ("--id", options.id), ("--bytes", options.bytes)):
        if name is None:
            continue
        require(name, table.names, f"{flag} in {table.path}")
        if table.is_list(name):
            raise ColumnError(f"{flag} in {table.path}", f"one value a row in {name!r}", "a list column")


def _same_everywhere(tables: Sequence[Table], pattern: str, options: Options, argument: str | None = None) -> Source:
    """The source of a pattern, which must be the same in every file."""
    first = find_source(tables[0], pattern, options, argument)
    for table in tables[1:]:
        other = find_source(table, pattern, options, argument)
        if (other.columns, other.width, other.layout) != (first.columns, first.width, first.layout):
            raise ColumnError(
                first.argument,
                f"the same columns in every file, {', '.join(first.columns[:8])} as in {tables[0].path}",
                f"{', '.join(other.columns[:8])} in {table.path}",
                "List the columns with commas, or evaluate the files apart.",
            )
    return first
