"""Real files for the tests of ``xent.evaluate``, in every format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, ipc, parquet

ENDINGS = ("parquet", "csv", "arrow", "npz")


def write(path: Path, columns: Mapping[str, Any]) -> str:
    """Write columns to a file of the format that its ending says; the path as text."""
    if path.suffix == ".npz":
        np.savez(path, **{name: np.asarray(values) for name, values in columns.items()})
        return str(path)
    table = pa.table({name: as_arrow(values) for name, values in columns.items()})
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=1000)
    elif path.suffix == ".csv":
        csv.write_csv(table, path)
    elif path.suffix == ".arrow":
        with ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=1000)
    else:
        raise ValueError(f"no such format: {path}")
    return str(path)


def as_arrow(values: Any) -> pa.Array:
    """An Arrow array; a 2-D array becomes a list column."""
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return pa.array(list(values), type=pa.list_(pa.from_numpy_dtype(values.dtype)))
    return values if isinstance(values, pa.Array) else pa.array(values)


def model(rows: int = 2000, classes: int = 5, seed: int = 0, dtype: str = "float64") -> tuple[Any, Any]:
    """Logits (rows, classes) and truths drawn from their softmax: a calibrated model."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, classes)).astype(dtype)
    gumbel = rng.gumbel(size=logits.shape)
    return logits, np.argmax(logits + gumbel, axis=1)


def wide(matrix: Any, prefix: str = "z_") -> dict[str, Any]:
    """Columns prefix0, prefix1, … of a matrix."""
    return {f"{prefix}{k}": np.ascontiguousarray(matrix[:, k]) for k in range(matrix.shape[1])}
