"""Calls of the three functions, made the same way to ours and to scikit-learn's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.metrics as theirs

import xent.sklearn as ours
from xent.sklearn import brier, likelihood

NAMES = ("log_loss", "d2_log_loss_score", "brier_score_loss")
Both = tuple[Callable[..., float], Callable[..., float]]

#: Ways to write the labels 0 … K − 1, which keep their order.
KINDS: dict[str, Callable[[npt.NDArray[np.int64]], Any]] = {
    "int64": lambda y: y,
    "int8": lambda y: y.astype(np.int8),
    "uint64": lambda y: y.astype(np.uint64),
    "list": lambda y: y.tolist(),
    "column": lambda y: y[:, None],
    "whole floats": lambda y: y.astype(np.float32),
    "with gaps": lambda y: y * 7 - 3,
    "far apart": lambda y: y * 10**12 - 10**12,
    "strings": lambda y: np.array([f"c{i:03}" for i in y]),
    "objects": lambda y: np.array([f"c{i:03}" for i in y], dtype=object),
    "list of strings": lambda y: [f"c{i:03}" for i in y],
}


def both(name: str) -> Both:
    return getattr(ours, name), getattr(theirs, name)


def data(n: int, k: int, dtype: Any = np.float64, seed: int = 0) -> tuple[Any, Any]:
    """(labels of which each is there, probabilities)."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 2, (n, k))
    p = np.exp(z - z.max(axis=1, keepdims=True))
    y = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    return y, (p / p.sum(axis=1, keepdims=True)).astype(dtype)


def refuse_handing_over(monkeypatch: Any) -> None:
    """From here on a call that ours hands to scikit-learn fails."""

    def refuse(*args: Any, **kwargs: Any) -> float:
        raise AssertionError("handed over")

    for module, name in (
        (likelihood, "_log_loss"),
        (likelihood, "_d2_log_loss_score"),
        (brier, "_brier_score_loss"),
    ):
        monkeypatch.setattr(module, name, refuse)


def outcome(function: Callable[..., float], *args: Any, **kwargs: Any) -> tuple[Any, list[tuple[Any, str]]]:
    """(the value, or the error's type and words; what was warned of)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value: Any = function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001, theirs is what ours is compared with
            value = (type(error), str(error))
    return value, [(one.category, str(one.message)) for one in caught]
