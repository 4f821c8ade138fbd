"""``xent which``: from a helper's name, or from three answers, to the right helper in every framework."""

from __future__ import annotations

import ast
import json as json_text
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from xent.cli.output import standard_output
from xent.cli.which_page import print_answer
from xent.dialects import Answer, which
from xent.dialects.questions import QUESTIONS, Question, answer
from xent.dialects.table import HELPERS
from xent.errors import OptionError

EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Settings of the command: a helper's own keywords follow its name."""


def which_command(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            help="A helper, such as torch.nn.CrossEntropyLoss; its keywords follow as --target float, --weight.",
            metavar="HELPER",
        ),
    ] = None,
    outcomes: Annotated[
        str | None,
        typer.Option(help="Outcomes: exactly one is true, two (yes or no), or many at once.", metavar="one|two|many"),
    ] = None,
    q: Annotated[
        str | None,
        typer.Option(
            "--q", help="What the model's last layer holds.", metavar="scores|log-probabilities|probabilities|hidden"
        ),
    ] = None,
    p: Annotated[
        str | None, typer.Option("--p", help="How the truth is written down.", metavar="index|distribution|yes-no")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    every: Annotated[bool, typer.Option("--list", help="Print the name of every helper that is known.")] = False,
) -> None:
    """Which cross-entropy? The right helper in every framework, and what goes wrong with the wrong one.

    Give a helper's name, or the answers to three questions; in a terminal they are asked.
    """
    if every:
        with standard_output():
            print("\n".join(helper.name for helper in HELPERS))
        return
    found = _answered(name, (outcomes, q, p), context.args)
    with standard_output():
        if json:
            print(json_text.dumps(found.to_dict(), ensure_ascii=False, indent=2))
        else:
            print_answer(found)


def _answered(name: str | None, given: Sequence[str | None], extra: Sequence[str]) -> Answer:
    if name is not None and name.startswith("--"):  # a keyword where the helper should be: not one of ours
        extra, name = [name, *extra], None
    if name is not None:
        if any(value is not None for value in given):
            raise OptionError("arguments", "a helper or the three answers", "both", "Leave one of them out.")
        return which(name, **keywords(extra))
    if extra:
        raise OptionError(
            "arguments", "the three answers", f"{extra[0]} as well", "Keywords belong to a helper, and follow its name."
        )
    missing = [question for question, value in zip(QUESTIONS, given, strict=True) if value is None]
    if missing and not (sys.stdin.isatty() and sys.stdout.isatty()):
        flags = ", ".join(f"--{question.name}" for question in missing)
        raise OptionError(
            "arguments", "a helper, or --outcomes, --q and --p", f"no {flags}, and no terminal to ask in",
            "For example: xent which --outcomes one --q scores --p index, or xent which torch.nn.CrossEntropyLoss",
        )  # fmt: skip
    outcomes, q, p = (
        value if value is not None else _asked(question) for question, value in zip(QUESTIONS, given, strict=True)
    )
    return answer(outcomes, q, p)


def _asked(question: Question) -> str:
    """Ask one question in the terminal until it has one of its answers; a number will do."""
    out = Console(highlight=False, markup=False, emoji=False)
    out.print(question.text, style="bold")
    names = list(question.answers)
    for number, (name, text) in enumerate(question.answers.items(), start=1):
        out.print(f"  {number}  {name:<18} {text}")
    while True:
        said = typer.prompt(">", prompt_suffix=" ").strip()
        if said in names:
            return str(said)
        if said.isdecimal() and 1 <= int(said) <= len(names):
            return names[int(said) - 1]
        out.print(f"Type a number from 1 to {len(names)}, or the word.")


def keywords(extra: Sequence[str]) -> dict[str, Any]:
    """``--label-smoothing 0.1 --weight`` as keywords; a flag alone is True."""
    found: dict[str, Any] = {}
    waiting: str | None = None
    for word in extra:
        if word.startswith("--"):
            flag, _, value = word[2:].partition("=")
            waiting = flag.replace("-", "_") if not value else None
            found[flag.replace("-", "_")] = _value(value) if value else True
        elif waiting is None:
            raise OptionError("arguments", "one helper, and its keywords as --keyword value", repr(word))
        else:
            found[waiting] = _value(word)
            waiting = None
    return found


def _value(text: str) -> Any:
    """A number, True, False or None as Python reads it, else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):  # a word, such as float
        return text
