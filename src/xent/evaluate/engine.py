"""The public function: files and a question in, an evaluation out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
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
from xent.evaluate.result import Evaluation, Rows
from xent.evaluate.source import Source, aligned, find_source
from xent.evaluate.summary import Summary
from xent.evaluate.walk import Part, Scored, batch_rows, score_part, walk

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the rows done and the rows in all, where the format says how many."""


def evaluate(files: str | Sequence[str], options: Options, *, progress: Progress | None = None) -> Evaluation:
    """Judge predictions in files by their cross-entropy.

    Reads the files in batches: memory does not grow with their length (but for ``against`` a file: some 30 bytes a row).
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


class _Run:
    """One evaluation in progress."""

    def __init__(
        self, tables: list[Table], options: Options, progress: Progress | None, stack: ExitStack
    ) -> None:
        self.tables = tables
        self.options = options
        self._progress = progress
        for table in tables:
            _check_columns(table, options)
        self.a = _same_everywhere(tables, options.columns, options)
        self.classes = self.a.classes
        self.coder = None
        if self.classes is not None:
            assert options.truth is not None
            self.coder = LabelCoder(self.classes, options.ignore, options.truth)
        self.rows = Rows()
        self.summary_a = self._summary()
        self.detail = Detail(len(self.classes) if self.classes else None)
        self.b: Source | None = None
        self.b_table: Table | None = None
        self.summary_b: Summary | None = None
        self.comparison: Comparison | None = None
        if options.against is not None:
            self._find_b(options.against, stack)
        total = [table.rows for table in tables] + ([self.b_table.rows] if self.b_table else [])
        self._total = None if None in total else sum(n for n in total if n is not None)
        self._done = 0

    def _summary(self) -> Summary:
        return Summary(self.options.kind, self.options.floor, has_bytes=self.options.bytes is not None)

    def _find_b(self, against: str, stack: ExitStack) -> None:
        options = self.options
        if os.path.exists(against):
            if against in self.tables[0].names:
                raise OptionError(
                    "--against",
                    "a file or a column",
                    f"{against!r}, which is both",
                    f"Write ./{against} for the file.",
                )
            self.b_table = stack.enter_context(closing(open_table(against)))
            _check_columns(self.b_table, options)
            found = find_source(self.b_table, options.columns, options)
        elif has_known_ending(against) and against not in self.tables[0].names:
            raise InputError(
                "--against", "a file or columns", f"{against!r}, which is no file here", "Check the path."
            )
        else:
            found = _same_everywhere(self.tables, against, options, f"--against {against!r}")
        self.b = aligned(found, self.a)
        self.summary_b = self._summary()
        self.comparison = Comparison(options.floor, has_errors=options.kind != "tokens")

    def evaluation(self) -> Evaluation:
        """Walk the files and read the result off the states."""
        held = self._hold_b() if self.b_table is not None else None
        columns = self.a.columns
        if self.b is not None and held is None:
            columns = tuple(dict.fromkeys(columns + self.b.columns))
        first_row = 1
        for table in self.tables:
            width = max(len(columns), self.a.width)
            for part in walk(
                table, self.options, self.coder, columns, first_row, batch_rows(self.options, width)
            ):
                self._take(part, held)
                first_row += part.size
        if held is not None:
            held.finish()
        self._check_rows()
        return Evaluation(
            options=self.options,
            files=tuple(table.path for table in self.tables),
            a=self.a,
            rows=self.rows,
            summary_a=self.summary_a,
            detail=self.detail,
            b=self.b,
            b_file=None if self.b_table is None else self.b_table.path,
            summary_b=self.summary_b,
            comparison=self.comparison,
        )

    def _take(self, part: Part, held: Held | None) -> None:
        scored = score_part(part, self.a, self.options)
        self.rows.update(part, scored)
        self.summary_a.update(scored.scores, scored.truth, scored.rows, scored.bytes)
        ids = None
        if self.options.id is not None:
            ids = part.column(self.options.id)
            if len(scored.places) < part.size:
                ids = ids.filter(_mask(part, scored))
        self.detail.update(scored.scores, scored.rows, scored.truth, ids)
        if self.b is not None:
            self._compare(part, scored, held)
        self._advance(part.size)

    def _compare(self, part: Part, scored: Scored, held: Held | None) -> None:
        assert self.b is not None and self.summary_b is not None and self.comparison is not None
        loss_a, wrong_a = spread(part.size, scored)
        if held is None:
            other = score_part(part, self.b, self.options)
            self.summary_b.update(other.scores, other.truth, other.rows, other.bytes)
            loss_b, wrong_b = spread(part.size, other)
        else:
            positions = held.find(part)
            loss_b, wrong_b = held.loss[positions], held.wrong[positions]
        both = ~(np.isnan(loss_a) | np.isnan(loss_b))
        self.comparison.update(loss_a[both], loss_b[both], wrong_a[both], wrong_b[both])

    def _hold_b(self) -> Held:
        assert self.b is not None and self.b_table is not None and self.summary_b is not None
        held = Held(self.b_table.path, self.options.id)
        size = batch_rows(self.options, max(len(self.b.columns), self.b.width))
        for part in walk(self.b_table, self.options, self.coder, self.b.columns, 1, size):
            scored = score_part(part, self.b, self.options)
            self.summary_b.update(scored.scores, scored.truth, scored.rows, scored.bytes)
            held.add(part, scored)
            self._advance(part.size)
        held.close()
        return held

    def _advance(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total)

    def _check_rows(self) -> None:
        names = ", ".join(table.path for table in self.tables)
        rows = self.rows
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
        if (
            self.summary_a.bytes is not None
            and self.summary_a.bytes.y == 0.0
            and not self.summary_a.bytes.infinite
        ):
            raise InputError(f"bytes {self.options.bytes!r}", "bytes in some row", "0 in every row")


def _mask(part: Part, scored: Scored) -> object:
    from xent.evaluate.readers.table import arrow

    mask = np.zeros(part.size, dtype=np.bool_)
    mask[scored.places] = True
    return arrow().array(mask)


def _check_columns(table: Table, options: Options) -> None:
    """Raises ColumnError where truth, id or bytes is missing or a list."""
    for flag, name in (("--truth", options.truth), ("--id", options.id), ("--bytes", options.bytes)):
        if name is None:
            continue
        require(name, table.names, f"{flag} in {table.path}")
        if table.is_list(name):
            raise ColumnError(f"{flag} in {table.path}", f"one value a row in {name!r}", "a list column")


def _same_everywhere(
    tables: Sequence[Table], pattern: str, options: Options, argument: str | None = None
) -> Source:
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
