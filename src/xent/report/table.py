"""A table of results: a caption, one header row, the first column naming the row, numbers on the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .html import Child, Markup, el


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Child]], text: Sequence[int] = (0,)) -> Markup:
    """The columns in ``text`` hold words and stand left; the others hold numbers. It scrolls in its own box."""
    kinds = ["w" if i in text else "n" for i in range(len(heads))]
    head = el("thead", el("tr", [el("th", h, scope="col", class_=k) for h, k in zip(heads, kinds, strict=True)]))
    body = el("tbody", [_row(row, kinds) for row in rows])
    # A box that scrolls must be reachable by keyboard, and a reachable box must have a name.
    return el(
        "div",
        el("table", el("caption", caption), head, body),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def _row(cells: Sequence[Child], kinds: Sequence[str]) -> Markup:
    first, *rest = cells
    return el(
        "tr",
        el("th", first, scope="row", class_=kinds[0]),
        [el("td", cell, class_=kind) for cell, kind in zip(rest, kinds[1:], strict=True)],
    )
