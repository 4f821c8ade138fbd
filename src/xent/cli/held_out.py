"""The rows that were held out, predicted and judged: what ``xent evaluate`` would say of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xent.cli.progress import progress_bar
from xent.cli.rows import FileRows
from xent.evaluate import Options, evaluate
from xent.evaluate.readers.table import arrow

if TYPE_CHECKING:
    from xent.linear_model import SoftmaxRegression
    from xent.linear_model.stream import Holdout


def judge(model: SoftmaxRegression, rows: FileRows, holdout: Holdout, name: str, folder: Path) -> dict[str, Any]:
    """The result of an evaluation (``docs/reference/evaluation-json.md``), with row numbers of the whole file.

    ``name`` stands for the model; predictions wait in a file in ``folder`` that is taken away again.
    """
    classes = tuple(str(c) for c in model.classes_.tolist())
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder) as place:
        path = str(Path(place, "held-out.parquet"))
        numbers = _write(model, rows, holdout, classes, path)
        with progress_bar() as advance:
            options = Options("log_probs", "log_probs", truth="truth", classes=classes)
            result = evaluate(path, options, progress=advance).to_dict()
    result["input"] |= {"files": [rows.name], "truth": rows.truth, "name": name, "columns": [name]}
    for item in result["hardest"]:
        item["row"] = int(numbers[item["row"] - 1]) + 1
    if result["loss"]["first_infinite"] is not None:
        result["loss"]["first_infinite"] = int(numbers[result["loss"]["first_infinite"] - 1]) + 1
    return result


def _write(model: SoftmaxRegression, rows: FileRows, holdout: Holdout, classes: tuple[str, ...], path: str) -> Any:
    """Log-probabilities and truth of the rows held out. Returns which rows of the file they are, from 0."""
    pa = arrow()
    from pyarrow import parquet

    schema = pa.schema([("truth", pa.string()), ("log_probs", pa.list_(pa.float64(), len(classes)))])
    place = {name: index for index, name in enumerate(model.classes_.tolist())}
    names, log_q, first = pa.array(classes), log_probabilities(model), 0
    numbers = [np.empty(0, np.int64)]
    with parquet.ParquetWriter(path, schema) as writer:
        for batch in rows.labelled():
            held = np.flatnonzero(holdout.mask(first, len(batch.codes)))
            numbers.append(first + held)
            first += len(batch.codes)
            if held.size:
                codes = np.array([place[_known(name, place)] for name in batch.names], np.int64)[batch.codes[held]]
                found = log_q(batch.x[held])
                lists = pa.FixedSizeListArray.from_arrays(pa.array(found.reshape(-1)), len(classes))
                writer.write_table(pa.Table.from_arrays([names.take(pa.array(codes)), lists], schema=schema))
    return np.concatenate(numbers)


def _known(name: Any, place: dict[Any, int]) -> Any:
    """The class that a name in the file is: text of a CSV file may stand for an integer."""
    return name if name in place else int(name)


def log_probabilities(model: SoftmaxRegression) -> Callable[[Any], Any]:
    """From features (n, D) to log q of every class (n, K), in float64."""
    unnamed = copy(model)
    # The columns have been found by name; scikit-learn would warn of an array that has no names.
    del unnamed.feature_names_in_
    return lambda x: unnamed.predict_log_proba(np.ascontiguousarray(x, np.float64))
