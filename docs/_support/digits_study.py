"""scikit-learn's digits for the study page: two halves, fits that are stopped on purpose, scores in a file."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from xent.evaluate import Options, evaluate
from xent.linear_model import SoftmaxRegression

Array = Any

#: The names of the losses on the page, and those of ``SoftmaxRegression(loss=)``.
LOSSES = {"cross-entropy": "cross-entropy", "squared error": "squared-error"}


def halves(seed: int = 0) -> tuple[Array, Array, Array, Array]:
    """(X, y, held-out X, held-out y): the 1797 digits in random order, inks from 0 to 1."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    X, y = X[order] / 16, y[order]
    middle = len(y) // 2 + 1
    return X[:middle], y[:middle], X[middle:], y[middle:]


def stopped(model: Any, X: Array, y: Array) -> Any:
    """``fit`` that may end before the optimum: here that is what is looked at, and no reason to warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def descent(loss: str, X: Array, y: Array, steps: int, begin: SoftmaxRegression | None = None) -> SoftmaxRegression:
    """So many steps of gradient descent, from zeros or from where a model stands."""
    model = SoftmaxRegression(C=100.0) if begin is None else copy.deepcopy(begin)
    model.set_params(loss=LOSSES[loss], solver="gradient-descent", max_iter=steps, warm_start=begin is not None)
    return stopped(model, X, y)


def judged(a: Any, b: Any, X: Array, y: Array, folder: str | Path) -> dict[str, Any]:
    """``xent.evaluate`` of two models' scores on the same examples, the first against the second."""
    scores = {"a": a.decision_function(X), "b": b.decision_function(X)}
    columns = {f"{name}_{k}": column for name, z in scores.items() for k, column in enumerate(z.T)}
    path = Path(folder) / "digits.parquet"
    parquet.write_table(pa.table({"id": np.arange(len(y)), "digit": y, **columns}), path)
    options = Options(holds="logits", columns="a_*", truth="digit", against="b_*", id="id")
    return evaluate([str(path)], options).to_dict()
