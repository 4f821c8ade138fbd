"""A chart with its title, the sentence that says the same in words, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Callable

from .html import Child, Markup, el


def figure(title: str, sentence: str, draw: Callable[[str], Markup], numbers: Markup, *, wide: bool = False) -> Markup:
    """``draw`` is given the text alternative: title and sentence, which every reader also sees.

    The role of an image is on the drawing and not on the figure, since assistive technology leaves out all that
    an image holds: the table must stay outside of it.
    """
    drawing = el("div", draw(f"{title}. {sentence}"), class_="drawing wide" if wide else "drawing")
    if wide:
        drawing = el("div", drawing, class_="scroll", tabindex="0", role="region", aria_label=title)
    return el(
        "figure",
        el("figcaption", el("h3", title), el("p", sentence)),
        drawing,
        details("The numbers of this chart", numbers),
        class_="wide" if wide else None,
    )


def pair(*parts: Markup | None) -> Markup:
    """Parts side by side where there is room."""
    return el("div", list(parts), class_="pair")


def details(summary: str, *children: Child) -> Markup:
    return el("details", el("summary", summary), list(children))


def section(title: str, *children: Child) -> Markup:
    return el("section", el("h2", title), list(children))


def note(*children: Child, warn: bool = False) -> Markup:
    return el("p", list(children), class_="note warn" if warn else "note")
