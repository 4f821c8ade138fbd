"""The lines of an equal call while they are written."""

from __future__ import annotations

from collections.abc import Mapping

from xent.dialects.ops import Ops


class Draft:
    """Statements so far, and the helper that the last of them calls."""

    def __init__(self, ops: Ops) -> None:
        self.ops = ops
        self.lines: list[str] = []
        self.helper = ""
        self.options: dict[str, str] = {}

    def let(self, name: str, expression: str) -> str:
        """Write ``name = expression``; the name."""
        self.lines.append(f"{name} = {expression}")
        return name

    def calling(
        self, helper: str, arguments: str, options: Mapping[str, str] | None = None, *, module: bool = False
    ) -> str:
        """The text of a call of a framework's own helper; ``module`` makes an object first, and calls that."""
        kept = dict(options or {})
        written = ", ".join(f"{name}={value}" for name, value in kept.items())
        self.helper, self.options = helper, kept
        if module:
            return f"{helper}({written})({arguments})"
        return f"{helper}({', '.join(filter(None, [arguments, written]))})"


def number(value: float) -> str:
    """A number as it is typed: 0.1, 2.0."""
    return repr(float(value))
