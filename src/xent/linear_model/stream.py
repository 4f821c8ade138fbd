"""Examples of a file: few are held in memory; of many every pass reads the file from the beginning, and no more of X is
held than some rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from xent.errors import DataError, InputError
from xent.linear_model.examples import Block, DenseBlock, Examples

Matrix = Any
_Found = TypeVar("_Found")

#: Bytes that the features and as many scores as there are classes may take, in float64, to be held.
_HELD = 2**26

_ODD, _MIX1, _MIX2 = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True)
class Labelled:
    """Some rows with their truth: row i is of the class ``names[codes[i]]``, of none where that code is −1."""

    x: Matrix
    names: list[Any]
    codes: Matrix
    #: None: every row weighs 1.
    weight: Matrix | None


class Source(Protocol):
    """A file that can be read as often as it takes, always in one order."""

    #: What an error calls it.
    name: str
    features: tuple[str, ...]
    #: Whether it tells numbers from text, which CSV does not.
    typed: bool

    def batches(self) -> Iterator[Matrix]:
        """The features of the next rows (n, D), from the first row to the last."""
        ...

    def labelled(self) -> Iterator[Labelled]:
        """The same rows with their truth and weight."""
        ...


@dataclass(frozen=True)
class Holdout:
    """Which rows are held out: those whose hashed number falls below ``share``. The same in every pass."""

    share: float
    seed: int = 0

    def mask(self, first: int, count: int) -> Matrix:
        """Whether each of the rows first … first + count − 1 is held out (count,); the first of all is row 0.

        References
        ----------
        Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: the mixing function.
        """
        x = np.arange(first, first + count, dtype=np.uint64)
        return _mixed(x + _mixed(np.array([self.seed], np.uint64))) < self.share * 2.0**64


def _mixed(x: Matrix) -> Matrix:
    x = (x + np.uint64(1)) * _ODD
    x = (x ^ (x >> np.uint64(30))) * _MIX1
    x = (x ^ (x >> np.uint64(27))) * _MIX2
    return x ^ (x >> np.uint64(31))


def require_finite(x: Matrix, source: Source, first: int) -> None:
    """Every feature of every row is a number; ``first``: the number of rows before these.

    Raises
    ------
    DataError
        NaN, an infinity or no value, with its row, counted from 1.
    """
    finite = np.isfinite(x)
    if finite.all():
        return
    row, feature = (int(i) for i in np.argwhere(~finite)[0])
    got = "NaN or no value" if np.isnan(x[row, feature]) else str(x[row, feature])
    raise DataError(
        source.name,
        "a finite number for every feature",
        f"{got} in {source.features[feature]!r}, row {first + row + 1}",
        "Fill it in, or leave the row out.",
    )


class Stream(Examples):
    """The rows of a file that are not held out, in float64: one thread reads them, in the file's order.

    Parameters
    ----------
    source : Source
    count : int
        How many rows they are.
    holdout : Holdout
    """

    in_memory: ClassVar[bool] = False

    def __init__(self, source: Source, count: int, holdout: Holdout) -> None:
        self.source, self.count, self.dtype, self.holdout = source, count, np.dtype(np.float64), holdout
        self.features = len(source.features)
        self.numbers = count * self.features

    def _batches(self) -> Iterator[tuple[int, int, Matrix]]:
        """Every row, with its place among those that are not held out."""
        read = low = 0
        for x in self.source.batches():
            kept = x[~self.holdout.mask(read, len(x))]
            read, high = read + len(x), low + len(kept)
            if high > self.count:
                break
            if len(kept):
                yield low, high, np.ascontiguousarray(kept, self.dtype)
            low = high
        else:
            if low == self.count:
                return
        raise InputError(
            self.source.name, "the rows of the first pass in every pass", "others", "Leave the file as it is meanwhile."
        )

    def blocks(self, begin: int, end: int) -> Iterator[tuple[int, int, Block]]:
        for low, high, x in self._batches():
            first, last = max(low, begin), min(high, end)
            if first < last:
                yield first, last, DenseBlock(x[first - low : last - low])

    def in_parts(self, numbers: int, work: Callable[[int, int], _Found]) -> list[_Found]:
        """work(0, count): a file is read by one."""
        return [work(0, self.count)]

    def dense(self, rows: Matrix) -> Matrix:
        """Those rows as an array; one pass."""
        order = np.argsort(rows, kind="stable")
        rows = np.asarray(rows)[order]
        found = np.empty((len(rows), self.features))
        for low, high, x in self._batches():
            first, last = np.searchsorted(rows, [low, high])
            found[order[first:last]] = x[rows[first:last] - low]
        return found

    def some(self, rows: Matrix) -> Examples:
        """Those rows alone, in memory; one pass."""
        return Examples(self.dense(rows))


def examples_of(source: Source, count: int, holdout: Holdout, classes: int) -> Examples:
    """The ``count`` rows of a file that are not held out: in memory after one pass where they are few, else a stream.

    Raises
    ------
    InputError
        The file has other rows than it had.
    """
    stream = Stream(source, count, holdout)
    if count * (stream.features + classes) * stream.dtype.itemsize > _HELD:
        return stream
    return stream.some(np.arange(count))
