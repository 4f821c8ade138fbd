"""The commands."""

from __future__ import annotations

from typing import Annotated

import typer

from xent import __version__
from xent.cli.evaluate import evaluate_command
from xent.cli.predict import predict_command
from xent.cli.train import train_command
from xent.cli.which import EXTRA, which_command

app = typer.Typer(
    help="Cross-entropy: train by it, judge predictions by it, and find the right one.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback of ours must show as Python prints it; a drawn one hides the line and shows the user's data.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("evaluate")(evaluate_command)
app.command("train")(train_command)
app.command("predict")(predict_command)
app.command("which", context_settings=EXTRA)(which_command)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"xent {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Cross-entropy: train by it, judge predictions by it, and find the right one."""
