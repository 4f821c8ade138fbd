"""From Arrow columns to NumPy: Q as rows × classes, numbers as they were stored, nulls as NaN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from xent.errors import ColumnError, DataError, ShapeError

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Vector: TypeAlias = npt.NDArray[np.float64]


def vector(column: Any, name: str, argument: str) -> Floats:
    """One float a row, in the width it was stored in; integers become float64. Text and bools are refused."""
    values = _unpacked(column).to_numpy(zero_copy_only=False)
    if values.dtype.kind == "f":
        return np.asarray(values)
    if values.dtype.kind in "iu":
        return np.asarray(values, dtype=np.float64)
    raise ColumnError(
        argument, f"numbers in column {name!r}", f"values of type {column.type}", "Name a column of numbers."
    )


def wide_matrix(batch: Any, names: Sequence[str], argument: str) -> Floats:
    """K columns as (rows, K). The memory is laid class by class, as the columns are, so that filling it is K copies."""
    parts = [vector(batch.column(batch.schema.get_field_index(name)), name, argument) for name in names]
    held = np.empty((len(names), batch.num_rows), dtype=np.result_type(*parts))
    for row, part in zip(held, parts, strict=True):
        row[:] = part
    return held.T


def list_matrix(column: Any, name: str, argument: str, width: int | None, first_row: int) -> Floats:
    """One list column as (rows, K); a null list is a row of NaN. Raises ShapeError where a row has another length."""
    null = column.is_null().to_numpy(zero_copy_only=False)
    present = column.drop_null() if null.any() else column
    flat = vector(present.flatten(), name, argument)
    lengths = _lengths(present)
    expected = width if width is not None else (int(lengths[0]) if len(lengths) else 0)
    if (lengths != expected).any():
        where = int(np.flatnonzero(~null)[np.argmax(lengths != expected)])
        got = int(lengths[np.argmax(lengths != expected)])
        raise ShapeError(argument, f"{expected} numbers in each list of {name!r}", f"{got} in row {first_row + where}")
    if not null.any():
        return flat.reshape(-1, expected) if expected else np.empty((len(null), 0))
    matrix = np.full((len(null), expected), np.nan, dtype=flat.dtype)
    matrix[~null] = flat.reshape(-1, expected)
    return matrix


def whole_numbers(column: Any, name: str, first_row: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Numbers of bytes as float64, and where one is missing. Raises DataError where one is negative or no integer."""
    values = vector(column, name, "bytes").astype(np.float64)
    missing = np.isnan(values)
    wrong = ~missing & ((values < 0) | (values != np.floor(values)) | np.isinf(values))
    if wrong.any():
        where = int(np.argmax(wrong))
        raise DataError(f"bytes {name!r}", "whole numbers from 0", f"{values[where]:g} in row {first_row + where}")
    return np.where(missing, 0.0, values), missing


def _unpacked(column: Any) -> Any:
    kind = str(column.type)
    return column.dictionary_decode() if kind.startswith("dictionary") else column


def _lengths(column: Any) -> npt.NDArray[np.int64]:
    fixed = getattr(column.type, "list_size", None)
    if fixed is not None:
        return np.full(len(column), fixed, dtype=np.int64)
    return np.asarray(column.value_lengths().to_numpy(zero_copy_only=False), dtype=np.int64)
