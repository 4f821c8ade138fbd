"""Where a model's predictions are: its columns, how they are laid out, and the classes they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xent.errors import ColumnError, OneClassError, OptionError
from xent.evaluate.columns import Columns, find_columns
from xent.evaluate.matrix import Floats, list_matrix, vector, wide_matrix
from xent.evaluate.options import Options
from xent.evaluate.readers import Request, Table

_FLAG = {
    "logits": "--logits",
    "probs": "--probs",
    "log_probs": "--log-probs",
    "prob": "--prob",
    "log_likelihood": "--log-likelihood",
}


@dataclass(frozen=True)
class Source:
    """One model's Q. ``width`` is K; ``classes`` names them, or is None for tokens.

    ``columns`` and ``classes`` are parallel where the layout is wide. ``counted`` says that a class has a number: its
    place among the columns, which a glob over words does not keep.
    """

    argument: str
    name: str
    columns: tuple[str, ...]
    layout: str  # "wide", "list" or "single"
    width: int
    classes: tuple[str, ...] | None
    counted: bool = True

    def matrix(self, batch: Any, first_row: int) -> Floats:
        """Q of a batch: (N, K), or (N,) for a single number a row."""
        if self.layout == "wide":
            return wide_matrix(batch, self.columns, self.argument)
        column = batch.column(batch.schema.get_field_index(self.columns[0]))
        if self.layout == "single":
            return vector(column, self.columns[0], self.argument)
        return list_matrix(column, self.columns[0], self.argument, self.width, first_row)


def find_source(table: Table, pattern: str, options: Options, argument: str | None = None) -> Source:
    """Resolve a pattern in a file.

    Raises ColumnError where it matches nothing usable, OneClassError for a softmax over one column, OptionError where
    ``classes`` has another number of names.
    """
    argument = argument or f"{_FLAG[options.holds]} {pattern!r}"
    taken = [c for c in (options.truth, options.id, options.bytes) if c is not None]
    columns = find_columns(pattern, table.names, taken, argument)
    if options.kind != "classes":
        return _single(table, columns, options, argument)
    lists = [name for name in columns.names if table.is_list(name)]
    if len(columns.names) == 1:
        if not lists:
            raise OneClassError(
                argument,
                "two classes or more: several columns or one list column",
                f"one column {columns.names[0]!r}",
                "One probability a row, of the second of two classes, is --prob; one score a row must go through the "
                "sigmoid first, 1/(1+exp(-score)), and is then --prob too.",
            )
        width = _list_width(table, columns.names[0], argument)
        names = tuple(str(index) for index in range(width))
        layout = "list"
    else:
        if lists:
            raise ColumnError(argument, "columns of one number a row, or one list column", f"a list in {lists[0]!r}")
        width, layout = len(columns.names), "wide"
        assert columns.classes is not None, "several columns always have names"
        names = columns.classes
    if width < 2:
        raise OneClassError(argument, "two classes or more", f"lists of {width}", "Use --prob for one probability.")
    if options.classes is None:
        return Source(argument, columns.pattern, columns.names, layout, width, names, counted=not columns.moved)
    columns = _named(columns, width, options.classes)
    return Source(argument, columns.pattern, columns.names, layout, width, options.classes)


def _named(columns: Columns, width: int, classes: tuple[str, ...]) -> Columns:
    """The columns in the order of ``--classes``: by the names they carry, else one after another."""
    if len(classes) != width:
        raise OptionError("--classes", f"{width} names, one for each class of {columns.pattern!r}", f"{len(classes)}")
    paired = columns.reordered(classes)
    if paired is not None:
        return paired
    if columns.moved:
        assert columns.stored is not None
        raise OptionError(
            "--classes",
            f"the names in the columns of {columns.pattern!r}, or columns whose order is certain",
            f"other names, and two orders: in the file {_few(columns.stored)}; sorted {_few(columns.names)}",
            f"List the columns in the order of the names, with commas: {','.join(columns.stored[:3])}"
            + (",…" if len(columns.stored) > 3 else ""),
        )
    return columns


def _single(table: Table, columns: Columns, options: Options, argument: str) -> Source:
    if len(columns.names) != 1 or table.is_list(columns.names[0]):
        raise ColumnError(
            argument,
            "one column of one number a row",
            f"{len(columns.names)} columns or a list",
            "Name one column.",
        )
    classes = None
    if options.kind == "binary":
        classes = options.classes or ("0", "1")
    return Source(argument, columns.pattern, columns.names, "single", 1, classes)


def _list_width(table: Table, name: str, argument: str) -> int:
    """The length of the first list that is not null."""
    for batch in table.batches(Request((name,)), 1024):
        present = batch.column(0).drop_null()
        if len(present):
            return len(present[0])
    raise ColumnError(argument, f"a list in some row of {name!r}", "none", "Is the file empty?")


def check_same_classes(b: Source, a: Source) -> None:
    """Raises ColumnError where two models do not have the same classes in the same order."""
    if a.classes != b.classes or a.width != b.width:
        raise ColumnError(
            b.argument,
            f"the classes of A, {_few(a.classes)}",
            _few(b.classes),
            "Both models must have the same classes; name them with --classes where the columns do not.",
        )


def _few(names: Sequence[str] | None) -> str:
    if names is None:
        return "none"
    return f"{len(names)}: " + ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
