"""The catalogue: what is known of each loss by name, kept beside the function that makes it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from xent.errors import KindError
from xent.losses.loss import Loss

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

#: What each field of a Loss is called in the algebra.
PLACES = {"scores": "S1 scores", "target": "S2 target", "shaping": "S3 shaping", "penalties": "S4 penalties"}


@dataclass(frozen=True)
class Entry:
    """A loss by name."""

    name: str
    formula: str
    #: The gradient: a and b of a·softmax(z̃) − b·t, or another formula where it is no such one.
    gradient: str
    source: str
    #: The four places that it may use; empty for a loss that is no Loss, but a function of other things.
    places: tuple[str, ...]
    #: Default and where it comes from, for each parameter that has one.
    defaults: Mapping[str, str]
    make: Callable[..., Any]

    @property
    def signature(self) -> inspect.Signature:
        return inspect.signature(self.make)


ENTRIES: dict[str, Entry] = {}


def member(
    formula: str, *, gradient: str, source: str, places: str = "", defaults: Mapping[str, str] | None = None
) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """Enter a function that makes a Loss, or is one, into the catalogue.

    ``places``: "S1", "S3" … with blanks between. ``defaults``: for each parameter what its default is and whose.
    """

    def enter(make: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        # The room of xent.losses in which it stands, whatever file of it.
        name = f"{make.__module__.removeprefix('xent.losses.').partition('.')[0]}.{make.__name__}"
        found = tuple(text for text in PLACES.values() if text.split()[0] in places.split())

        @wraps(make)
        def named(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            made = make(*args, **kwargs)
            if not isinstance(made, Loss):
                return made
            bound = inspect.signature(make).bind(*args, **kwargs)
            bound.apply_defaults()
            return replace(made, name=name, parameters=dict(bound.arguments))

        ENTRIES[name] = Entry(name, formula, gradient, source, found, dict(defaults or {}), named)
        return named

    return enter


class Member(Protocol):
    """A loss of another formula than a Loss has."""

    @property
    def entry(self) -> tuple[str, Mapping[str, Any]]:
        """The name of the function that makes it, and with which parameters."""
        ...


@dataclass(frozen=True)
class Description:
    """What ``describe`` tells; printed, it is a short text."""

    name: str
    formula: str
    places: tuple[str, ...]
    parameters: Mapping[str, Any]
    defaults: Mapping[str, str]
    gradient: str
    source: str

    def __str__(self) -> str:
        lines = [
            f"{self.name}: L = {self.formula}",
            f"  acts on: {', '.join(self.places) or 'none of the four places'}",
        ]
        for name, value in self.parameters.items():
            why = f"  (default {self.defaults[name]})" if name in self.defaults else ""
            lines.append(f"  {name} = {_short(value)}{why}")
        return "\n".join([*lines, f"  gradient: {self.gradient}", f"  source: {self.source}"])


def describe(loss: Loss | Member | Callable[..., Any]) -> Description:
    """A loss in words: formula, the places that it uses, its parameters with the source of each default, its gradient.

    Takes a Loss, another loss that a function of ``xent.losses`` makes, or such a function.

    Raises
    ------
    KindError
        Anything else.

    Examples
    --------
    >>> import xent
    >>> xent.losses.describe(xent.losses.imbalance.focal(2.0)).places
    ('S3 shaping',)
    """
    if isinstance(loss, Loss):
        places = tuple(text for field, text in PLACES.items() if _used(loss, field))
        entry = ENTRIES.get(loss.name)
        if entry is not None and not loss.changed:
            return Description(
                entry.name, entry.formula, places, loss.parameters, entry.defaults, entry.gradient, entry.source
            )
        name = f"{entry.name} with another {', '.join(loss.changed)}" if entry else "a loss of your own"
        parts = {name: getattr(loss, name) for name in (*PLACES, "class_weight", "positive_weight", "factor")}
        return Description(
            name,
            "factor·Σ w·(φ(ℓ) + R)/D",
            places,
            parts,
            {},
            "a = w·φ′(ℓ)·Σt + ∂R, b = w·φ′(ℓ)",
            entry.source if entry else "–",
        )
    for entry in ENTRIES.values():
        if loss is entry.make:
            given = {
                name: "required" if p.default is p.empty else p.default
                for name, p in entry.signature.parameters.items()
            }
            return Description(
                entry.name, entry.formula, entry.places, given, entry.defaults, entry.gradient, entry.source
            )
    name, parameters = getattr(loss, "entry", ("", {}))
    if name in ENTRIES:
        return replace(describe(ENTRIES[name].make), parameters=parameters)
    raise KindError("describe(loss)", "a Loss, or a function of xent.losses", repr(loss))


def _used(loss: Loss, field: str) -> bool:
    """Whether a loss does something at a place. Its weights are part of S3."""
    weighs = loss.class_weight is not None or loss.positive_weight is not None
    return bool(getattr(loss, field)) or (field == "shaping" and weighs)


def _short(value: Any) -> str:
    shape = getattr(value, "shape", ())
    return f"an array of shape {tuple(shape)}" if shape else str(value)
