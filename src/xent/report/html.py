"""Elements of HTML. Text is escaped here and nowhere else: a ``str`` is text, only a ``Markup`` is markup."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TypeAlias

from .format import visible

_SHORT = 28  # letters of a name that a table does not break
_VOID = frozenset({"meta", "br"})


class Markup(str):
    """HTML that this package wrote, to be put into the page as it is."""

    __slots__ = ()


Child: TypeAlias = "str | Markup | Sequence[Child] | None"


def el(tag: str, *children: Child, **attributes: str | bool | None) -> Markup:
    """An element. ``class_`` is class, ``aria_label`` aria-label; an attribute of None or False is left out."""
    opened = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{opened}>")
    return Markup(f"<{tag}{opened}>{join(*children)}</{tag}>")


def join(*children: Child) -> Markup:
    """Children one after the other, text escaped."""
    return Markup("".join(_child(child) for child in children))


def name(text: str) -> Markup:
    """A name from the user's data: its direction kept apart from the text around it, “” where it is empty."""
    return el("bdi", text or "“”", class_="name short" if len(text) <= _SHORT else "name")


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(visible(child))
    return join(*child)


def _attribute(key: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    key = key.rstrip("_").replace("_", "-")
    return f" {key}" if value is True else f' {key}="{escape(visible(value))}"'
