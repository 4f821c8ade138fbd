"""A fitted estimator in a file: arrays and JSON in an NPZ, nothing that has to be executed to be read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from xent import __version__
from xent.errors import KindError, OptionError, UnreadableFileError
from xent.linear_model.arrays import read_arrays, write_arrays
from xent.linear_model.estimator import LogisticRegression, SoftmaxRegression
from xent.linear_model.solvers import Trace

_KIND, _VERSION = "xent.linear_model", 1
_WHAT = "a model that xent.linear_model.save wrote"
_ESTIMATORS = {"SoftmaxRegression": SoftmaxRegression, "LogisticRegression": LogisticRegression}

#: Arrays of Python objects, in a file that does not say which they are.
_OBJECTS = np.array(["feature_names_in_"])


def save(model: SoftmaxRegression, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to one NPZ file without pickle.

    The file holds ``coef_``, ``intercept_``, ``classes_`` and what else the fit left, by these names; ``objects``, the
    names of those that are text as Python objects; ``options``, the parameters as JSON; ``xent``, the version;
    ``format``. It is written whole or not at all.

    Parameters
    ----------
    model : SoftmaxRegression or LogisticRegression
    path : path
        Its name is taken as it is.

    Raises
    ------
    KindError
        Another estimator; names of classes that are neither numbers nor text, or end in NUL.
    OptionError
        A parameter that is no name or number, such as a ``Loss``; a model of a loss that changes scores.
    sklearn.exceptions.NotFittedError
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xent.linear_model import SoftmaxRegression, load, save
    >>> model = SoftmaxRegression().fit([[0.0], [1.0], [2.0]], ["no", "yes", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, pathlib.Path(folder, "model.npz"))
    ...     again = load(pathlib.Path(folder, "model.npz"))
    >>> print(*again.predict([[0.0], [2.0]]))
    no yes
    """
    name = type(model).__name__
    if _ESTIMATORS.get(name) is not type(model):
        raise KindError("save(model)", " or ".join(_ESTIMATORS), name)
    check_is_fitted(model)
    if model._scores_of_loss is not None:
        raise OptionError(
            "save(model), loss=", "a loss that leaves scores as they are", "one that changes them",
            "Predictions depend on it, and this file holds numbers and names alone: joblib.dump(model, path).",
        )  # fmt: skip
    options = model.get_params(deep=False)
    arrays: dict[str, Any] = {}
    values: dict[str, Any] = {}
    objects = [key for key, value in vars(model).items() if isinstance(value, np.ndarray) and value.dtype.hasobject]
    for key, value in vars(model).items():
        if key in options:
            continue
        if key == "trace_":
            arrays[key] = np.array([(t.passes, t.value, t.gradient) for t in value]).reshape(-1, 3)
        elif isinstance(value, np.ndarray):
            arrays[key] = _as_text(value, key)
        else:
            values[key] = _plain(value, key)
    write_arrays(
        Path(path), _KIND, _VERSION,
        {
            **arrays,
            "objects": np.array(objects, str),
            "estimator": np.array(name),
            "options": np.array(json.dumps({key: _plain(value, f"{key}=") for key, value in options.items()})),
            "values": np.array(json.dumps(values)),
            "xent": np.array(__version__),
        },
    )  # fmt: skip


def load(path: str | os.PathLike[str]) -> SoftmaxRegression:
    """The estimator that ``save`` wrote, as it was.

    Nothing in the file is executed: it is read with ``numpy.load(allow_pickle=False)``.

    Raises
    ------
    UnreadableFileError
        No such file, another one, a damaged one, or one of a newer format.
    """
    found = read_arrays(Path(path), _KIND, _VERSION, _WHAT)
    try:
        estimator = _ESTIMATORS[str(found.pop("estimator"))]
        options = {key: _restored(value) for key, value in json.loads(str(found.pop("options"))).items()}
        values = json.loads(str(found.pop("values")))
        written = str(found.pop("xent"))
        unknown = set(options) - set(estimator().get_params(deep=False))
        if unknown:
            raise ValueError(f"option {min(unknown)} of xent {written}")
        model = estimator(**options)
        objects = found.pop("objects", _OBJECTS).tolist()
        fitted = {key: array.astype(object) if key in objects else array for key, array in found.items()} | values
        fitted["trace_"] = tuple(Trace(*map(float, row)) for row in found["trace_"])
        for key, value in fitted.items():
            setattr(model, key, value)
        _check_shapes(model)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise UnreadableFileError(str(path), _WHAT, f"one that is not whole ({error})", "Write it again.") from error
    return model


def _check_shapes(model: SoftmaxRegression) -> None:
    rows = 1 if model._single else len(model.classes_)
    shapes = (model.coef_.shape, model.intercept_.shape)
    if shapes != ((rows, model.n_features_in_), (rows,)):
        raise ValueError(f"coefficients and intercept of shapes {shapes[0]} and {shapes[1]} for {rows} rows")


def _as_text(array: Any, key: str) -> Any:
    """Names that are Python objects, as scikit-learn keeps those of features, as text."""
    if array.dtype.hasobject:
        if not all(isinstance(x, str) for x in array.flat):
            raise KindError(key, "numbers or text", "other Python objects")
        text = array.astype(str)
        if (text.astype(object) != array).any():  # an array of text ends each where only NUL follows
            raise KindError(key, "names that do not end in NUL", "one that does")
        return text
    return array


def _plain(value: Any, argument: str) -> Any:
    """A value as JSON can hold it; a dict, whose keys need not be text, as its pairs."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {"pairs": [[_plain(k, argument), _plain(v, argument)] for k, v in value.items()]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise OptionError(
        f"save(model), {argument}", "a name or a number", type(value).__name__,
        "Predictions do not depend on the loss: model.set_params(loss=\"cross-entropy\") can be saved.",
    )  # fmt: skip


def _restored(value: Any) -> Any:
    return dict(value["pairs"]) if isinstance(value, dict) else value
