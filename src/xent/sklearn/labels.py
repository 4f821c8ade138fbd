"""Labels of any kind to class indices, in the order of the classes: what a label binarizer's columns would be.

Passes over integers and a look-up for each string, where a label binarizer makes an array of zeros and ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[Any]

#: Labels that lie this close together are found in a table, which is faster than a sort.
_TABLE = 1 << 16


@dataclass(frozen=True, eq=False)
class Coded:
    """``index`` of each label in ``classes``, which are sorted; of a label that is not among them, −1."""

    index: Vector
    classes: Vector

    @property
    def complete(self) -> bool:
        return not len(self.index) or int(self.index.min()) >= 0


def coded(values: Vector, classes: Vector | None = None) -> Coded | None:
    """Code a vector of integers, booleans, whole floats or strings; classes are its own where none are given.

    None where these are no such labels, where there are none, or where labels and classes are of two kinds.
    """
    if not values.size or (classes is not None and not classes.size):
        return None
    if _is_text(values):
        return None if classes is not None and not _is_text(classes) else _coded_text(values, classes)
    numbers = _whole(values)
    if numbers is None:
        return None
    if classes is None:
        found = _coded_numbers(numbers, None)
        # In the labels' own type: they are shown to the user.
        return None if found is None else Coded(found.index, found.classes.astype(values.dtype))
    whole = None if _is_text(classes) else _whole(classes)
    return None if whole is None else _coded_numbers(numbers, np.unique(whole))


def vector(values: Any) -> Vector | None:
    """A list, a column or a vector as an array of labels; None where it is something else."""
    if isinstance(values, str) or not (hasattr(values, "__array__") or isinstance(values, Sequence)):
        return None
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):  # ragged, or on an accelerator: scikit-learn's to judge
        return None
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        return None
    # NumPy makes strings of the numbers in a mixed list.
    if array.dtype.kind == "U" and not hasattr(values, "__array__") and not _all_text(np.array(values, object).ravel()):
        return None
    return array


def _is_text(values: Vector) -> bool:
    return values.dtype.kind == "U" or (values.dtype.kind == "O" and _all_text(values))


def _all_text(values: Vector) -> bool:
    return all(issubclass(kind, str) for kind in set(map(type, values.tolist())))


def _whole(values: Vector) -> Vector | None:
    """As integers; None where they are none."""
    kind = values.dtype.kind
    if kind == "b":
        return values.view(np.uint8)
    if kind == "i" or (kind == "u" and (values.itemsize < 8 or int(values.max()) < 2**63)):
        return values
    if kind != "f" or not (float(values.min()) >= -(2.0**53) and float(values.max()) <= 2.0**53):
        return None
    whole = values.astype(np.int64)
    return whole if bool((whole == values).all()) else None


def _coded_numbers(values: Vector, classes: Vector | None) -> Coded | None:
    low, high = int(values.min()), int(values.max())
    least, most = (low, high) if classes is None else (int(classes[0]), int(classes[-1]))
    span = most - least + 1
    if span > max(_TABLE, 4 * len(values)):
        return _coded_by_search(values, classes)
    wide = values.astype(np.intp, copy=False)
    inside = low >= least and high <= most
    if classes is None:
        present = np.zeros(span, bool)
        present[wide - least if least else wide] = True
        classes = np.flatnonzero(present) + least
    if not inside:
        outside = (wide < least) | (wide > most)
        wide = np.where(outside, least, wide)
    index = wide - least if least else wide
    if len(classes) != span:
        table = np.full(span, -1, np.intp)
        table[np.asarray(classes, np.intp) - least] = np.arange(len(classes))
        index = table[index]
    return Coded(index if inside else np.where(outside, -1, index), classes)


def _coded_by_search(values: Vector, classes: Vector | None) -> Coded:
    classes = np.unique(values) if classes is None else classes
    index = np.minimum(np.searchsorted(classes, values), len(classes) - 1)
    return Coded(np.where(classes[index] == values, index, -1), classes)


def _coded_text(values: Vector, classes: Vector | None) -> Coded:
    if values.dtype.kind == "U":
        return _coded_by_search(values, None if classes is None else np.unique(classes.astype(str)))
    listed = values.tolist()
    names = sorted(set(listed if classes is None else classes.tolist()))
    place = dict(zip(names, range(len(names)), strict=True))
    index = np.fromiter((place.get(name, -1) for name in listed), np.intp, len(listed))
    return Coded(index, np.array(names))
