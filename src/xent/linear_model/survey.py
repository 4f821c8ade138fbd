"""The first pass over a file: its classes, the truth and weight of each row, and whether its features are numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from xent.errors import DataError, InputError, LabelError, WeightError
from xent.linear_model.stream import Holdout, Labelled, Source, require_finite

Matrix = Any

#: A column of more names is taken for one of identifiers.
_MOST_CLASSES = 2**16


@dataclass(frozen=True, eq=False)
class Survey:
    """What the first pass found. ``truth`` and ``weight`` are of the rows that are not held out, in their order."""

    rows: int
    classes: Matrix
    truth: Matrix
    weight: Matrix
    #: Of every feature, truth and weight of every row: the same for the same data only.
    digest: str


def survey(source: Source, holdout: Holdout) -> Survey:
    """Read a file once.

    Raises
    ------
    DataError, WeightError
        A row without a truth, or without a finite number for a feature or a weight.
    LabelError
        A class whose rows are all held out; more than 65,536 classes.
    InputError
        No rows to train with, of one class only, or all of weight zero.
    """
    index: dict[Any, int] = {}
    truths, weights = [np.empty(0, np.int32)], [np.empty(0)]
    digests = [hashlib.blake2b(digest_size=16) for _ in range(3)]
    rows = 0
    for batch in source.labelled():
        require_finite(batch.x, source, rows)
        codes, weight = _codes(batch, index, source, rows), _weights(batch, source, rows)
        x = np.ascontiguousarray(batch.x, np.float64)
        for digest, array in zip(digests, (x, codes, weight), strict=True):
            digest.update(array)
        kept = ~holdout.mask(rows, len(codes))
        truths.append(codes[kept])
        weights.append(weight[kept])
        rows += len(codes)
    digests[0].update(repr((source.features, list(index))).encode())
    truth, weight = np.concatenate(truths), np.concatenate(weights)
    classes, place = _sorted(list(index), typed=source.typed)
    _check(source, holdout, rows, classes[place], truth, weight)
    return Survey(rows, classes, place[truth], weight, "".join(d.hexdigest() for d in digests))


def _codes(batch: Labelled, index: dict[Any, int], source: Source, first: int) -> Matrix:
    """Each row's class as its number in the order in which classes came."""
    missing = np.flatnonzero(batch.codes < 0)
    if missing.size:
        raise DataError(
            source.name, "a truth in every row", f"none in row {first + int(missing[0]) + 1}", "Leave the row out."
        )
    table = np.array([index.setdefault(name, len(index)) for name in batch.names], np.int32)
    if len(index) > _MOST_CLASSES:
        raise LabelError(
            source.name,
            f"at most {_MOST_CLASSES:,} classes",
            f"more by row {first + len(batch.codes)}",
            "Name the column of classes; this one seems to hold identifiers.",
        )
    return table[batch.codes]


def _weights(batch: Labelled, source: Source, first: int) -> Matrix:
    if batch.weight is None:
        return np.ones(len(batch.codes))
    weight = np.ascontiguousarray(batch.weight, np.float64)
    wrong = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if wrong.size:
        raise WeightError(
            source.name, "weights that are finite and 0 or more", f"{weight[wrong[0]]} in row {first + wrong[0] + 1}"
        )
    return weight


def _sorted(names: list[Any], *, typed: bool) -> tuple[Matrix, Matrix]:
    """The classes in order, and the place there of each name. Text that a CSV file wrote as whole numbers is those."""
    if not typed and all(_whole(name) for name in names):
        names = [int(name) for name in names]
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names), np.int64)
    place[order] = np.arange(len(names))
    return np.array([names[i] for i in order]), place


def _whole(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) <= 18 and str(int(text)) == text


def _check(source: Source, holdout: Holdout, rows: int, names: Matrix, truth: Matrix, weight: Matrix) -> None:
    """Raises where the rows are not enough to train with; ``names`` in the order of the numbers in ``truth``."""
    if not rows:
        raise InputError(source.name, "rows", "none", "The file has columns but no rows.")
    if not len(truth):
        raise InputError(source.name, "rows to train with", f"{rows}, all held out", "Write a smaller --holdout.")
    counts = np.bincount(truth, minlength=len(names))
    if len(names) < 2:
        raise InputError(source.name, "at least two classes", f"1 class: {names[0]!s}")
    if not counts.all():
        raise LabelError(
            source.name,
            "every class among the rows to train with",
            f"{names[int(np.argmin(counts))]!s} in held-out rows only (--holdout {holdout.share:g})",
            "Write another --seed, or --holdout 0.",
        )
    if not weight.any():
        raise InputError(source.name, "an example that counts", "weights that are all zero")
