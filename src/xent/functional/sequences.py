"""Which token each position of a sequence is asked for, and what it weighs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from xent.backends import find
from xent.core import checks
from xent.core.arrays import (
    Array,
    as_array,
    compute_dtype,
    cumulative_sum,
    describe,
    device_of,
    is_python,
    look_up,
    namespace,
    spread,
    sum_by_index,
    sum_classes,
    to_index,
)
from xent.core.targets import Labels
from xent.errors import KindError, OptionError, ShapeError
from xent.functional.truth import counted_examples
from xent.functional.weights import weight_array

Per: TypeAlias = Literal["token", "sequence"]

#: The label of a position that is asked for nothing. No token: those that were ignored are told by their own mark.
NOTHING = -(2**31)


@dataclass(frozen=True, eq=False)
class Shifted:
    """Position t of (…, T) is asked for token t + 1."""

    labels: Array
    #: Whether a document ends at t, for t < T − 1; None: each row is one.
    ends: Array | None

    @property
    def asked(self) -> Array:
        return self.labels != NOTHING


def shifted(P: Any, documents: Any, cumulative_lengths: Any) -> Shifted:
    """The labels of each position: the next token, where there is one in the same document that counts."""
    if not isinstance(P, Labels):
        raise KindError("P", "Labels(tokens), the tokens that the model read, not shifted", type(P).__name__)
    tokens = P.indices
    if tokens.ndim == 0 or tokens.shape[-1] == 0:
        raise ShapeError("P", "tokens of shape (…, T), T at least 1", f"shape {tuple(tokens.shape)}")
    xp = namespace(tokens)
    index, counted = to_index(tokens), counted_examples(P, tokens)
    if counted is not None:
        index = xp.where(counted, index, NOTHING)
    following = index[..., 1:]
    ids, proper = _document_ids(index, documents, cumulative_lengths)
    ends = None
    if ids is not None:
        ends = ids[..., 1:] != ids[..., :-1]
        following = xp.where(ends, NOTHING, following)
    if proper is not None:
        following = xp.where(proper, following, -1)  # no class: NaN, where no error can be raised
    return Shifted(xp.concat([following, xp.full_like(index[..., :1], NOTHING)], axis=-1), ends)


def _document_ids(tokens: Array, documents: Any, cumulative_lengths: Any) -> tuple[Array | None, Array | None]:
    """A number for each token that changes from document to document; and, where that is not certain, if it does."""
    if documents is None and cumulative_lengths is None:
        return None, None
    if documents is not None and cumulative_lengths is not None:
        raise OptionError("cumulative_lengths=", "None beside documents=", "both", "Either says where documents end.")
    xp = namespace(tokens)
    if documents is not None:
        ids = _integers(documents, tokens, "documents=")
        shape = tuple(tokens.shape)
        if None not in (*ids.shape, *shape) and tuple(ids.shape) != shape:
            raise ShapeError("documents=", f"the shape {shape} of the tokens", describe(ids))
        return ids, None
    ends = _integers(cumulative_lengths, tokens, "cumulative_lengths=")
    if ends.ndim != 1 or ends.shape[0] == 0 or any(length not in (1, None) for length in tokens.shape[:-1]):
        raise ShapeError(
            "cumulative_lengths=",
            "shape (documents + 1,), for tokens of shape (T,) or (1, T)",
            f"shape {tuple(ends.shape)} for tokens of shape {tuple(tokens.shape)}",
            "For several rows write documents=, a number for each token.",
        )
    place = cumulative_sum(xp.ones_like(tokens), -1) - 1
    proper = (ends[0] == 0) & (ends[-1] == xp.max(place) + 1) & xp.all(ends[1:] >= ends[:-1])
    if find(tokens).reads(tokens, ends):
        if not bool(proper):
            raise OptionError(
                "cumulative_lengths=",
                f"numbers that go up from 0 to T = {tokens.shape[-1]}",
                f"{ends}"[:80],
                "Where padding follows the last document, give it an end of its own, and ignore its tokens.",
            )
        proper = None
    flat = xp.searchsorted(ends, xp.reshape(place, (-1,)), side="right")
    return _shape_as(flat, tokens), proper


def _integers(value: Any, like: Array, argument: str) -> Array:
    found = as_array(value, argument)
    checks.require_integers(found, argument)
    if is_python(value):
        return namespace(like).asarray(value, dtype=like.dtype, device=device_of(like))
    checks.require_one_library({argument: found, "P": like})
    return namespace(like).astype(found, like.dtype, copy=False)


def _shape_as(x: Array, like: Array) -> Array:
    xp, shape = namespace(x), tuple(like.shape)
    return xp.reshape_like(x, like) if None in shape else xp.reshape(x, shape)


def weights(found: Shifted, weight: Any, like: Array, per: Per) -> Array | None:
    """The weight of each position, in the type of arithmetic of ``like``.

    A token's weight is given where the token stands, and acts where it is asked for: one earlier. Of each sequence
    they sum to 1 where every sequence is to count alike.
    """
    checks.require_choice(per, ("token", "sequence"), "per=")
    xp = namespace(like)
    w = weight_array(weight, like, "weight=", find(like).reads(like, weight))
    if w is not None:
        checks.require_weight_shape(w, tuple(found.labels.shape), "weight=", "token")
        if w.ndim and w.shape[-1] != 1:
            w = xp.concat([w[..., 1:], xp.zeros_like(w[..., :1])], axis=-1)
    if per == "token":
        return w
    mass = _mass(found, w, like)
    total = _of_sequence(mass, found)
    return xp.where(total > 0, mass / xp.where(total > 0, total, 1.0), 0.0)


def _mass(found: Shifted, w: Array | None, like: Array) -> Array:
    xp = namespace(like)
    one = xp.ones_like(found.labels, dtype=compute_dtype(like))
    return xp.where(found.asked, one if w is None else spread(w, one), 0.0)


def _of_sequence(mass: Array, found: Shifted) -> Array:
    """Σ of the mass of each position's sequence."""
    if found.ends is None:
        return sum_classes(mass, keepdims=True)
    run, totals = _runs(mass, found)
    return _shape_as(look_up(totals, run), mass)


def _runs(mass: Array, found: Shifted) -> tuple[Array, Array]:
    """The number of the document of each position, all rows in one line, and the mass of each document."""
    xp = namespace(mass)
    assert found.ends is not None
    first = xp.ones_like(found.labels[..., :1], dtype=xp.bool)
    starts = to_index(xp.concat([first, found.ends], axis=-1))
    run = cumulative_sum(xp.reshape(starts, (-1,)), 0) - 1
    size = xp.size(run) if None in tuple(mass.shape) else math.prod(mass.shape)
    return run, sum_by_index(xp.reshape(mass, (-1,)), run, size)


def lengths(found: Shifted, weight: Any, like: Array) -> Array:
    """The weight of what each row is asked for."""
    return sum_classes(_mass(found, weights(found, weight, like, "token"), like))


def counted(found: Shifted, weight: Any, like: Array, per: Per) -> Array:
    """D: the weight of all tokens that are asked for, or the number of sequences that have some."""
    w = weights(found, weight, like, "token")
    xp = namespace(like)
    mass = _mass(found, w, like)
    checks.require_choice(per, ("token", "sequence"), "per=")
    if per == "token":
        return xp.sum(mass)
    totals = sum_classes(mass) if found.ends is None else _runs(mass, found)[1]
    return xp.sum(xp.astype(totals > 0, mass.dtype))
