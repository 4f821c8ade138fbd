"""B from another file: its losses held compactly, found again by id or by row."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from xent.errors import ColumnError, DataError, InputError
from xent.evaluate.labels import MISSING
from xent.evaluate.walk import Part, Scored

Keys = npt.NDArray[np.uint64]
Vector = npt.NDArray[np.float64]


class Held:
    """B's loss, truth and error of every row of its file: 13 bytes a row, and 16 more where rows are joined by id."""

    def __init__(self, path: str, id_column: str | None) -> None:
        self.path = path
        self._id = id_column
        self._parts: list[tuple[Vector, npt.NDArray[np.int32], npt.NDArray[np.bool_], Keys | None]] = []
        self._rows = 0

    def add(self, part: Part, scored: Scored) -> None:
        """Hold a part. Rows that do not count have loss NaN."""
        keys = None if self._id is None else id_keys(part.column(self._id), self._id, part.first_row, self.path)
        truth = np.full(part.size, MISSING, dtype=np.int32)
        if part.truth is not None:
            truth[:] = part.truth
        loss, wrong = spread(part.size, scored)
        self._parts.append((loss, truth, wrong, keys))
        self._rows += part.size

    def close(self) -> None:
        """Put the parts together once all are held. Raises DataError where an id is there twice."""
        losses, truths, wrongs, keys = zip(*self._parts, strict=True) if self._parts else ((), (), (), ())
        self._parts = []
        self.loss = np.concatenate(losses) if losses else np.empty(0)
        self.truth = np.concatenate(truths) if truths else np.empty(0, dtype=np.int32)
        self.wrong = np.concatenate(wrongs) if wrongs else np.empty(0, dtype=np.bool_)
        self._seen = np.zeros(self._rows, dtype=np.bool_)
        self._order: npt.NDArray[np.intp] | None = None
        if self._id is not None:
            table: Keys = np.concatenate(keys) if keys else np.empty((0, 2), dtype=np.uint64)
            self._order = np.lexsort((table[:, 1], table[:, 0]))
            self._first = table[self._order, 0]
            self._second = table[self._order, 1]
            twin = (self._first[1:] == self._first[:-1]) & (self._second[1:] == self._second[:-1])
            if twin.any():
                row = int(np.sort(self._order[np.argmax(twin) : np.argmax(twin) + 2])[1]) + 1
                raise DataError(
                    f"id {self._id!r}",
                    f"every id once in {self.path}",
                    f"one again in row {row}",
                    "Drop the copies.",
                )

    def find(self, part: Part) -> npt.NDArray[np.intp]:
        """B's positions of a part of A. Raises DataError for an id that B lacks or A has twice."""
        if self._id is None:
            positions = np.arange(part.first_row - 1, part.first_row - 1 + part.size)
            if part.size and positions[-1] >= self._rows:
                raise InputError(
                    "--against", f"as many rows as A in {self.path}", f"{self._rows}, and A has more", _BY_ID
                )
        else:
            positions = self._by_id(part)
            again = self._seen[positions] | _repeated(positions)
            if again.any():
                self._refuse(part, int(np.argmax(again)), "every id once", "again")
        self._seen[positions] = True
        self._check_truth(part, positions)
        return positions

    def finish(self) -> None:
        """Raises InputError where rows of B were never asked for."""
        if self._seen.all():
            return
        missing = int(np.count_nonzero(~self._seen))
        row = int(np.argmin(self._seen)) + 1
        if self._id is None:
            expected, got = f"as many rows as A in {self.path}", f"{missing} more"
            raise InputError("--against", expected, got, _BY_ID)
        raise InputError(
            "--against",
            f"in A every id of {self.path}",
            f"{missing} that A lacks, the first in its row {row}",
            _SAME,
        )

    def _by_id(self, part: Part) -> npt.NDArray[np.intp]:
        assert self._id is not None
        assert self._order is not None, "close() comes before find()"
        keys = id_keys(part.column(self._id), self._id, part.first_row, "A")
        place = np.minimum(np.searchsorted(self._first, keys[:, 0]), max(0, self._rows - 1))
        if not self._rows:
            raise InputError("--against", "rows", f"none in {self.path}")
        found = (self._first[place] == keys[:, 0]) & (self._second[place] == keys[:, 1])
        if not found.all():
            self._refuse(part, int(np.argmin(found)), f"every id of A in {self.path}", "which is not there,")
        return self._order[place]

    def _refuse(self, part: Part, place: int, expected: str, what: str) -> None:
        assert self._id is not None
        value = part.column(self._id)[place].as_py()
        row = part.first_row + place
        raise DataError(f"id {self._id!r}", expected, f"{value!r} {what} in row {row} of A", _SAME)

    def _check_truth(self, part: Part, positions: npt.NDArray[np.intp]) -> None:
        if part.truth is None:
            return
        theirs = self.truth[positions]
        differ = (theirs != part.truth) & (theirs != MISSING) & (part.truth != MISSING)
        if differ.any():
            place = int(np.argmax(differ))
            raise DataError(
                "--against",
                "the same truth in both files",
                f"another in row {part.first_row + place} of A and row {positions[place] + 1} of {self.path}",
                "Join by --id if the rows are in another order.",
            )


_BY_ID = "Name a column that identifies each row with --id, or give files of the same rows."
_SAME = "Give files of the same rows."


def spread(size: int, scored: Scored) -> tuple[Vector, npt.NDArray[np.bool_]]:
    """Losses and errors at their places in the part; NaN and False where a row does not count."""
    loss = np.full(size, np.nan)
    loss[scored.places] = scored.scores.loss
    wrong = np.zeros(size, dtype=np.bool_)
    if scored.scores.judged is not None:
        wrong[scored.places] = scored.scores.judged.wrong
    return loss, wrong


def id_keys(column: Any, name: str, first_row: int, where: str) -> Keys:
    """Two 64-bit words for each id. An integer is itself, and so is its text in CSV; other text is its BLAKE2b hash.

    Raises ColumnError for ids that are neither, DataError for a missing one.
    """
    if column.null_count:
        place = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise DataError(f"id {name!r}", f"an id in every row of {where}", f"none in row {first_row + place}")
    keys = np.zeros((len(column), 2), dtype=np.uint64)
    kind = str(column.type)
    if kind.startswith(("int", "uint")):
        keys[:, 0] = column.to_numpy(zero_copy_only=False).astype(np.uint64)
        return keys
    if kind.startswith("dictionary"):
        return id_keys(column.dictionary_decode(), name, first_row, where)
    if "string" not in kind:
        raise ColumnError(f"id {name!r}", "integers or text", f"values of type {kind}", "Write ids as text.")
    for place, text in enumerate(column.to_pylist()):
        keys[place] = _text_key(text)
    return keys


def _text_key(text: str) -> tuple[int, int]:
    if text.isascii() and len(text) < 19 and text.removeprefix("-").isdecimal() and str(int(text)) == text:
        return int(text) % (1 << 64), 0
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little") | 1


def _repeated(positions: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """True at the second and later sight of a position."""
    repeated = np.ones(len(positions), dtype=np.bool_)
    repeated[np.unique(positions, return_index=True)[1]] = False
    return repeated
