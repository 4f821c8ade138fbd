"""What an evaluation is asked: the columns, what Q holds, and the choices. Frozen, checked once, passed whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from xent.errors import OptionError

Holds: TypeAlias = Literal["logits", "probs", "log_probs", "prob", "log_likelihood"]
Kind: TypeAlias = Literal["classes", "binary", "tokens"]

KIND_OF: dict[Holds, Kind] = {
    "logits": "classes",
    "probs": "classes",
    "log_probs": "classes",
    "prob": "binary",
    "log_likelihood": "tokens",
}

FLOOR = 2.0**-52
"""The probability that a floored loss puts in the place of a smaller one: the epsilon of float64, for every dtype."""


@dataclass(frozen=True)
class Options:
    """One question to ``evaluate``.

    Parameters
    ----------
    holds : str
        What Q holds: "logits", "probs", "log_probs" (K columns or one list column), "prob" (the probability of the
        second of two classes) or "log_likelihood" (log-probability of the token that came).
    columns : str
        Where Q is: a column, ``z_*``, ``p0..p9``, or a comma list.
    truth : str, optional
        The column of the true class; required unless Q holds log-likelihoods, which already know it.
    against : str, optional
        A second model B: a file, or columns of the same files.
    id : str, optional
        A column that names each row; joins A to B where B is a file.
    bytes : str, optional
        The bytes that each token stands for (log-likelihoods only).
    classes : tuple of str, optional
        Names of the classes, in the order of the columns; without it, from the columns' names.
    ignore : tuple of str
        Truth values that do not count, as text (``"-100"``).
    floor : float
        See ``FLOOR``.
    batch_rows : int, optional
        Rows read at a time at most; None chooses by the number of columns. The figures do not hang on it.
    """

    holds: Holds
    columns: str
    truth: str | None = None
    against: str | None = None
    id: str | None = None
    bytes: str | None = None
    classes: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    floor: float = FLOOR
    batch_rows: int | None = None

    def __post_init__(self) -> None:
        if self.holds not in get_args(Holds):
            raise OptionError("holds", f"one of {', '.join(get_args(Holds))}", repr(self.holds))
        if self.kind == "tokens":
            if self.truth is not None:
                raise OptionError(
                    "truth",
                    "no truth column with log-likelihoods: each is the log-probability of the token that came",
                    repr(self.truth),
                    "Leave --truth out, or declare --log-probs for a column of every class.",
                )
            if self.classes is not None:
                raise OptionError("classes", "no classes with log-likelihoods", repr(",".join(self.classes)))
        elif self.truth is None:
            raise OptionError("truth", "the column of the true class", "none", "Add --truth COLUMN.")
        if self.bytes is not None and self.kind != "tokens":
            raise OptionError(
                "bytes",
                "bytes of tokens, with log-likelihoods",
                f"{self.holds}",
                "Use --log-likelihood COLUMN.",
            )
        if self.classes is not None:
            _check_classes(self.classes, self.kind)
        if not 0.0 < self.floor < 1.0:
            raise OptionError("floor", "a probability above 0 and below 1", repr(self.floor))
        if self.batch_rows is not None and self.batch_rows < 1:
            raise OptionError("batch_rows", "at least 1", repr(self.batch_rows))

    @property
    def kind(self) -> Kind:
        """What the rows are: examples of K classes, of two, or tokens."""
        return KIND_OF[self.holds]


def _check_classes(classes: tuple[str, ...], kind: Kind) -> None:
    if len(set(classes)) != len(classes):
        twice = next(name for name in classes if classes.count(name) > 1)
        raise OptionError("classes", "every name once", f"{twice!r} twice")
    if kind == "binary" and len(classes) != 2:
        raise OptionError("classes", "two names, no then yes, with --prob", f"{len(classes)} names")
