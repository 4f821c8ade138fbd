"""Which column was taken for which class: a line that shows a wrong order before the figures are believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from xent.report.format import shorten

_WIDEST = 24
"""Columns of the terminal that one name may take."""


def mapping(result: Mapping[str, Any], width: int) -> list[str]:
    """“Classes: z_cat is cat, z_dog is dog, …”, a line for each model, with as many pairs as ``width`` holds.

    Nothing where the rows have no classes, or where each column is called as its class.
    """
    classes, second = result["input"]["classes"], result["comparison"]
    if classes is None:
        return []
    models = [("Classes" if second is None else "Classes of A", result["input"]["columns"])]
    if second is not None:
        models.append(("Classes of B", second["columns"]))
    return [
        _line(f"{head}: ", _pairs(result["kind"], columns, classes), width)
        for head, columns in models
        if columns != classes
    ]


def _pairs(kind: str, columns: Sequence[str], classes: Sequence[str]) -> list[str]:
    names = [shorten(name, _WIDEST) for name in classes]
    if kind == "binary":
        return [f"{shorten(columns[0], _WIDEST)} is the probability of {names[1]}"]
    if len(columns) == 1:  # one list column: a class is a place in the list
        places = [f"{shorten(columns[0], _WIDEST)}[{index}]" for index in range(len(names))]
    else:
        places = [shorten(column, _WIDEST) for column in columns]
    return [f"{place} is {name}" for place, name in zip(places, names, strict=True)]


def _line(head: str, pairs: Sequence[str], width: int) -> str:
    line = head + pairs[0]
    for index, pair in enumerate(pairs[1:], start=2):
        longer = f"{line}, {pair}"
        if cell_len(longer) + (3 if index < len(pairs) else 0) > width:
            return line + ", …"
        line = longer
    return line
