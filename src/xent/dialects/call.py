"""The result of writing a meaning down in one framework: a call, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """A call that gives the same number.

    ``lines`` are Python statements, the last an expression; ``imports`` go above them. ``helper`` is the framework's
    function or class in it, ``options`` are the keywords that it is given. ``differences`` remain at the edges.
    """

    framework: str
    helper: str
    lines: tuple[str, ...]
    imports: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    differences: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The statements, a line each."""
        return "\n".join(self.lines)

    def __str__(self) -> str:
        return "\n".join([self.code, *(f"# {text}" for text in self.differences)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "framework": self.framework,
            "helper": self.helper,
            "imports": list(self.imports),
            "lines": list(self.lines),
            "options": dict(self.options),
            "differences": list(self.differences),
        }


@dataclass(frozen=True)
class NoEqual:
    """There is no equal call: why, and what to write instead."""

    framework: str
    why: str
    instead: str = ""

    def __str__(self) -> str:
        return f"no equal: {self.why}" + (f". {self.instead}" if self.instead else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {"framework": self.framework, "why": self.why, "instead": self.instead}
