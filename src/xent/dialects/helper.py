"""A framework's own loss as a row of the table: its name, its keywords, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, Literal

from xent.dialects.call import NoEqual
from xent.dialects.meaning import Meaning
from xent.errors import OptionError

Kind = Literal["array", "number", "integer", "flag", "choice", "any", "deprecated"]


@dataclass(frozen=True)
class Option:
    """A keyword of a helper, of the call of the object that it makes, or a word about the data it is given."""

    kind: Kind
    default: Any = None
    choices: tuple[Any, ...] = ()
    of: Literal["helper", "call", "data"] = "helper"
    #: The name that an array has in the calls that are written.
    variable: str | Callable[[Mapping[str, Any]], str] = ""
    #: It must be given.
    required: bool = False

    def taken(self, value: Any, argument: str) -> Any:
        """The value, checked. An array is only there or not there: ``True`` stands for one."""
        if self.kind == "deprecated":
            raise OptionError(
                argument, 'reduction= ("none", "sum", "mean")', "a deprecated keyword", "Write reduction=."
            )
        if self.kind == "array":
            return value is not None and value is not False
        if self.kind == "choice":
            return self._choice(value, argument)
        expected = {"flag": bool, "integer": Integral, "number": Real}.get(self.kind)
        fits = expected is None or (isinstance(value, expected) and (self.kind == "flag") == isinstance(value, bool))
        if not fits and not (value is None and self.default is None):
            words = {"flag": "True or False", "integer": "an integer", "number": "a number"}
            raise OptionError(argument, words[self.kind], repr(value))
        return value

    def _choice(self, value: Any, argument: str) -> Any:
        if value not in self.choices:
            listed = ", ".join(repr(choice) for choice in self.choices)
            raise OptionError(argument, f"one of {listed}", repr(value))
        return value


@dataclass(frozen=True)
class Helper:
    """``read`` takes the checked options, defaults filled in, with ``given`` the names of those that were said."""

    name: str
    framework: str
    read: Callable[[Mapping[str, Any]], Meaning | NoEqual]
    options: Mapping[str, Option] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    #: An object is made first, and called with the data.
    module: bool = False
    #: The arguments of the call, in order, with the names that stand in the text.
    arguments: Callable[[Mapping[str, Any]], str] = lambda options: "scores, labels"
    #: The usual mistakes with this helper, beyond those that its meaning has.
    mistakes: tuple[str, ...] = ()

    def checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Every option with its value. Raises OptionError for one that the helper does not have."""
        for name in options:
            if name not in self.options:
                close = get_close_matches(name, self.options, n=1)
                listed = ", ".join(self.options) or "none"
                raise OptionError(
                    f"{self.name}({name}=)",
                    f"one of its keywords: {listed}",
                    name,
                    f"Did you mean {close[0]}=?" if close else "",
                )
        found = {}
        for name, option in self.options.items():
            if name in options:
                found[name] = option.taken(options[name], f"{self.name}({name}=)")
            elif option.required:
                found[name] = True if option.kind == "array" else option.default
            else:
                found[name] = False if option.kind == "array" else option.default
        return found

    def written(self, options: Mapping[str, Any]) -> str:
        """The call itself, as Python."""
        found = self.checked(options)
        made = self._keywords(found, options, "helper")
        called = self._keywords(found, options, "call")
        arguments = ", ".join(filter(None, [self.arguments(found), *called]))
        if self.module:
            return f"{self.name}({', '.join(made)})({arguments})"
        return f"{self.name}({', '.join(filter(None, [arguments, *made]))})"

    def _keywords(self, found: Mapping[str, Any], given: Mapping[str, Any], of: str) -> list[str]:
        written = []
        for name, option in self.options.items():
            if option.of != of or (name not in given and not option.required):
                continue
            if option.kind == "array":
                held = option.variable if isinstance(option.variable, str) else option.variable(found)
                written += [f"{name}={held}"] if found[name] else []
            else:
                written.append(f"{name}={found[name]!r}")
        return written


def array(variable: str | Callable[[Mapping[str, Any]], str], **more: Any) -> Option:
    """A keyword that takes an array, or nothing."""
    return Option("array", variable=variable, **more)


def choice(*choices: Any, default: Any = None, **more: Any) -> Option:
    """A keyword of a few values; the first is the default."""
    return Option("choice", choices[0] if default is None and None not in choices else default, choices, **more)


def number(default: float | None, **more: Any) -> Option:
    """A keyword that takes a number."""
    return Option("number", default, **more)


def flag(default: bool, **more: Any) -> Option:
    """A keyword that is True or False."""
    return Option("flag", default, **more)
