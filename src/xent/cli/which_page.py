"""An answer of ``xent which`` on the terminal, readable at 80 columns."""

from __future__ import annotations

from textwrap import indent

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from xent.dialects import Answer, Call
from xent.dialects.answer import together
from xent.dialects.aspects import TITLES


def print_answer(answer: Answer, console: Console | None = None) -> None:
    """The call, its pair, the equal calls, where they still part, and what goes wrong."""
    out = console or Console(markup=False, highlight=False, emoji=False)
    # Code is not wrapped: what is copied, or piped, is what can be run.
    out.print(Text(answer.call, style="bold"), soft_wrap=True)
    out.print(_facts(answer))
    if answer.equal:
        _head(out, "The equal call")
        for name, found in answer.equal.items():
            out.print(Padding(Text(TITLES.get(name, name), style="bold"), (0, 0, 0, 2)))
            if isinstance(found, Call):
                out.print(Text(indent(found.code, " " * 6)), soft_wrap=True)
            else:
                out.print(Padding(Text(str(found)), (0, 0, 0, 6)))
    if answer.edges:
        _head(out, "Where they still part")
        for edge, does in answer.edges.items():
            out.print(Padding(Text(edge, style="bold"), (0, 0, 0, 2)))
            for text, names in together(does):
                out.print(_item(f"{names}: {text}", 4))
    if answer.mistakes:
        _head(out, "What goes wrong")
        for text in answer.mistakes:
            out.print(_item(text, 2))


def _facts(answer: Answer) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    facts = (("pair", answer.pair), ("loss", answer.formula), ("mean", answer.reduction), ("no pair", answer.why_not))
    for head, text in facts:
        if text:
            table.add_row(head, Text(text))
    return table


def _head(out: Console, text: str) -> None:
    out.print()
    out.print(Text(text, style="bold underline"))


def _item(text: str, indent: int) -> Padding:
    """A line with a mark before it, whose further lines stand below its text."""
    row = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    row.add_column(no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row("–", Text(text))
    return Padding(row, (0, 0, 0, indent))
