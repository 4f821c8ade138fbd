"""``xent predict``: a model of ``xent train`` applied to the rows of a file, as a file that ``xent evaluate`` reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.text import Text

from xent.cli.extras import require_linear_model
from xent.cli.output import check_destination, standard_output, whole_file
from xent.cli.progress import progress_bar
from xent.cli.rows import FileRows, not_numbers, shown
from xent.errors import ColumnError, InputError, OptionError
from xent.evaluate.columns import find_columns, require
from xent.evaluate.readers import open_table
from xent.evaluate.readers.formats import PARQUET
from xent.evaluate.readers.table import arrow
from xent.report.format import count, visible

if TYPE_CHECKING:
    from xent.linear_model import SoftmaxRegression

_PREDICTED = "predicted"


def predict_command(
    model: Annotated[str, typer.Argument(help="A model that xent train wrote.", metavar="MODEL")],
    file: Annotated[str, typer.Argument(help="CSV, Parquet, Arrow IPC or NPZ with its features.", metavar="FILE")],
    out: Annotated[Path, typer.Option(help="Write the predictions, as Parquet.", metavar="FILE")],
    keep: Annotated[
        list[str] | None,
        typer.Option(help="A column to hand on, such as the truth; may be repeated.", metavar="COLUMN"),
    ] = None,
    log_probs: Annotated[
        bool, typer.Option("--log-probs", help="Write log-probabilities l_CLASS instead of probabilities p_CLASS.")
    ] = False,
) -> None:
    """Predict the class of every row: its probability of each class, and the most probable one.

    The features are found by their names.
    """
    check_destination("--out", out, [model, file])
    if not out.name.lower().endswith(PARQUET):
        # By its ending alone xent evaluate knows how to read it.
        raise OptionError("--out", f"a name that ends in {' or '.join(PARQUET)}", repr(out.name))
    require_linear_model()
    from xent.linear_model import load

    estimator = load(model)
    features = _features(estimator, model)
    kept = tuple(dict.fromkeys(keep or ()))
    stem = "l_" if log_probs else "p_"
    columns = [stem + str(name) for name in estimator.classes_.tolist()]
    with closing(open_table(file)) as table:
        for name in kept:
            require(name, table.names, f"--keep in {file}")
            if name in (_PREDICTED, *columns):
                raise OptionError("--keep", "columns other than those written", repr(name), "Rename it first.")
        for name in features:
            require(name, table.names, f"features of {model} in {file}")
        wrong = not_numbers(table, features)
        if wrong:
            raise ColumnError(f"features of {model} in {file}", "columns of one number a row", shown(wrong))
    with progress_bar() as advance:
        rows = FileRows(file, features, keep=kept, width=len(columns), advance=advance)
        with whole_file("--out", out) as path:
            written = _write(_tables(estimator, rows, columns, log=log_probs), path, file)
    with standard_output():
        terminal = Console(markup=False, highlight=False, emoji=False)
        said = f"{out}: {count(written)} rows, {', '.join(_few(columns))}, {_PREDICTED}"
        terminal.print(Text(visible(said)))
        asked = _evaluation(stem, columns, [*kept, _PREDICTED])
        truth = kept[0] if len(kept) == 1 else "COLUMN"
        line = f"xent evaluate {quote(str(out))} --truth {quote(truth)} {asked}"
        terminal.print(Text(visible(line)), soft_wrap=True)


def _features(estimator: SoftmaxRegression, model: str) -> tuple[str, ...]:
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        raise InputError(
            model, "a model that knows its features by name", "one that was fitted to an array",
            "Fit it to a DataFrame, or with xent train.",
        )  # fmt: skip
    if estimator._independent:
        raise InputError(model, "a model of one class a row", "one of independent yes or no")
    return tuple(map(str, names))


def _tables(estimator: SoftmaxRegression, rows: FileRows, columns: Sequence[str], *, log: bool) -> Iterator[Any]:
    """What is written, a batch at a time: the kept columns, those of the classes, the most probable class."""
    from xent.cli.held_out import log_probabilities
    from xent.linear_model.stream import require_finite

    pa = arrow()
    log_q, classes, first = log_probabilities(estimator), pa.array(estimator.classes_.tolist()), 0
    for x, kept in rows.kept():
        if not len(x):
            continue
        require_finite(x, rows, first)
        found = log_q(x)
        best = classes.take(pa.array(found.argmax(axis=1)))
        numbers = found if log else np.exp(found)
        arrays = [*kept.columns, *(pa.array(column) for column in np.ascontiguousarray(numbers.T)), best]
        yield pa.Table.from_arrays(arrays, names=[*kept.schema.names, *columns, _PREDICTED])
        first += len(x)


def _write(tables: Iterator[Any], path: Path, file: str) -> int:
    """Rows written, to Parquet."""
    arrow()
    from pyarrow import parquet

    first = next(tables, None)
    if first is None:
        raise InputError(file, "rows", "none", "The file has columns but no rows.")
    written = 0
    with parquet.ParquetWriter(path, first.schema) as writer:
        for table in (first, *tables):
            writer.write_table(table)
            written += table.num_rows
    return written


def _evaluation(stem: str, columns: list[str], others: list[str]) -> str:
    """The option of ``xent evaluate`` that finds these columns with the classes' names."""
    flag, names = "--log-probs" if stem == "l_" else "--probs", [column.removeprefix(stem) for column in columns]
    try:
        by_pattern = find_columns(stem + "*", [*others, *columns], [], flag)
    except ColumnError:  # numbers and words beside each other, which a pattern refuses
        by_pattern = None
    if by_pattern is not None and sorted(by_pattern.names) == sorted(columns):
        return f"{flag} '{stem}*'"
    return f"{flag} {quote(','.join(columns))} --classes={quote(','.join(names))}"


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= 4 else [*names[:2], "…", names[-1]]
