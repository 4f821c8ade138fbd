"""The public function: files and a question in, an evaluation out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
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
from xent.evaluate.source import Source, check_same_classes, find_source
from xent.evaluate.summary import Summary
from xent.evaluate.walk import Part, Scored, batch_rows, score_part, walk

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the rows done and the rows in all, where the format says how many."""


def evaluate(files: str | Sequence[str], options: Options, *, progress: Progress | None = None) -> Evaluation:
    """Judge predictions in files by their cross-entropy.

    Reads the files in batches: memory does not grow with their length, but for 30 bytes a row of an ``against`` file.
    The loss of a row is −log q(truth), in nats; the figure is its mean over the rows that count.

    Rows whose truth is missing or ignored are *ignored*; rows whose prediction is NaN are *refused*; both are counted.

    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "scores.csv")
    >>> _ = path.write_text("label,z_cat,z_dog\\ncat,2.0,0.0\\ndog,1.0,1.0\\n")
    >>> found = evaluate(str(path), Options("logits", "z_*", truth="label"))
    >>> round(found.to_dict()["loss"]["nats"]["value"], 4)  # (log(1 + e⁻²) + log 2) / 2
    0.41
    >>> folder.cleanup()

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
    return _Run(paths, options, progress).evaluation()


@dataclass
class _Total:
    """Rows to walk in all; None once a file does not say how many it has."""

    rows: int | None = 0

    def add(self, rows: int | None) -> None:
        """Count a file in."""
        self.rows = None if self.rows is None or rows is None else self.rows + rows


class _Run:
    """One evaluation in progress: every file is looked at before one is walked, and only one is open at a time."""

    def __init__(self, paths: list[str], options: Options, progress: Progress | None) -> None:
        self._paths = paths
        self._options = options
        self._progress = progress
        self._done, self._total = 0, _Total()
        b_file, b_columns = None, None
        if options.against is not None:
            b_file, b_columns = _file_or_columns(options.against, paths[0])
        self._a, b = self._survey(paths, options.columns, b_columns)
        if b_file is not None:
            b, _ = self._survey([b_file], options.columns, None)
        classes = self._a.classes
        self._coder = None
        if classes is not None:
            assert options.truth is not None, "Options asks for it where there are classes"
            counted = self._a.counted and (b is None or b.counted)
            self._coder = LabelCoder(classes, options.ignore, options.truth, counted=counted)
        self._rows = Rows()
        self._summary = self._new_summary()
        self._detail = Detail(len(classes) if classes else None)
        self._rival = None
        if b is not None:
            comparison = Comparison(options.floor, has_errors=options.kind != "tokens")
            check_same_classes(b, self._a)
            self._rival = Against(b, b_file, Rows(), self._new_summary(), comparison)

    def _survey(self, paths: list[str], columns: str, against: str | None) -> tuple[Source, Source | None]:
        """The sources of one or two patterns, which must be the same in every file; counts the rows."""
        first: tuple[Source, Source | None] | None = None
        for path in paths:
            with closing(open_table(path)) as table:
                _check_columns(table, self._options)
                b = None
                if against is not None:
                    b = find_source(table, against, self._options, f"--against {against!r}")
                found = find_source(table, columns, self._options), b
                self._total.add(table.rows)
            if first is None:
                first = found
            _check_same(first[0], found[0], paths[0], path)
            if first[1] is not None and found[1] is not None:
                _check_same(first[1], found[1], paths[0], path)
            if not found[0].counted:  # one file in another order is enough to make a class's number uncertain
                first = replace(first[0], counted=False), first[1]
        assert first is not None, "evaluate() asks for a file"
        return first

    def _new_summary(self) -> Summary:
        return Summary(self._options.kind, self._options.floor, has_bytes=self._options.bytes is not None)

    def evaluation(self) -> Evaluation:
        """Walk the files and read the result off the states."""
        rival = self._rival
        held = self._hold(rival, rival.file) if rival is not None and rival.file is not None else None
        columns = self._a.columns
        if rival is not None and held is None:
            columns = tuple(dict.fromkeys(columns + rival.source.columns))
        size = batch_rows(self._options, max(len(columns), self._a.width))
        first_row = 1
        for path in self._paths:
            with closing(open_table(path)) as table:
                for part in walk(table, self._options, self._coder, columns, first_row, size):
                    self._take(part, held)
                    first_row += part.size
        if held is not None:
            held.finish()
        self._check_rows()
        return Evaluation(
            options=self._options,
            files=tuple(self._paths),
            a=self._a,
            rows=self._rows,
            summary=self._summary,
            detail=self._detail,
            rival=rival,
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

    def _compare(self, rival: Against, part: Part, scored: Scored, held: Held | None) -> None:
        loss_a, wrong_a = spread(part.size, scored)
        if held is None:
            other = score_part(part, rival.source, self._options)
            rival.rows.update(part, other)
            rival.summary.update(other.scores, other.rows, other.bytes)
            loss_b, wrong_b = spread(part.size, other)
        else:
            positions = held.find(part)
            loss_b, wrong_b = held.loss[positions], held.wrong[positions]
        both = ~(np.isnan(loss_a) | np.isnan(loss_b))
        rival.comparison.update(loss_a[both], loss_b[both], wrong_a[both], wrong_b[both])

    def _hold(self, rival: Against, path: str) -> Held:
        held = Held(path, self._options.id)
        columns = rival.source.columns
        size = batch_rows(self._options, max(len(columns), rival.source.width))
        with closing(open_table(path)) as table:
            for part in walk(table, self._options, self._coder, columns, 1, size):
                scored = score_part(part, rival.source, self._options)
                rival.rows.update(part, scored)
                rival.summary.update(scored.scores, scored.rows, scored.bytes)
                held.add(part, scored)
                self._advance(part.size)
        held.close()
        return held

    def _advance(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total.rows)

    def _check_rows(self) -> None:
        names = ", ".join(self._paths)
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


def _check_same(first: Source, other: Source, first_path: str, path: str) -> None:
    """Raises ColumnError where a later file has other columns."""
    if (other.columns, other.width, other.layout) != (first.columns, first.width, first.layout):
        raise ColumnError(
            first.argument,
            f"the same columns in every file, {', '.join(first.columns[:8])} as in {first_path}",
            f"{', '.join(other.columns[:8])} in {path}",
            "List the columns with commas, or evaluate the files apart.",
        )


def _file_or_columns(against: str, first_path: str) -> tuple[str | None, str | None]:
    """What ``against`` is: (file, None) or (None, columns)."""
    with closing(open_table(first_path)) as table:
        is_column = against in table.names
    if os.path.exists(against):
        if is_column:
            hint = f"Write ./{against} for the file."
            raise OptionError("--against", "a file or a column", f"{against!r}, which is both", hint)
        return against, None
    if has_known_ending(against) and not is_column:
        got = f"{against!r}, which is no file here"
        raise InputError("--against", "a file or columns", got, "Check the path.")
    return None, against
