"""``xent evaluate``: from arguments to one call, and from its result to the terminal and the files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xent.cli.output import check_apart, check_destination, standard_output, write_outputs
from xent.cli.progress import progress_bar
from xent.cli.table import print_result
from xent.errors import OptionError
from xent.evaluate import FLOOR, Options, evaluate
from xent.evaluate.options import Holds


def evaluate_command(
    files: Annotated[list[str], typer.Argument(help="CSV, Parquet, Arrow IPC or NPZ; several are read as one.")],
    truth: Annotated[str | None, typer.Option(help="Column of the true class.", metavar="COLUMN")] = None,
    logits: Annotated[
        str | None, typer.Option(help="Columns of scores: z_*, z0..z9, a,b,c or one list column.", metavar="PATTERN")
    ] = None,
    probs: Annotated[str | None, typer.Option(help="Columns of probabilities.", metavar="PATTERN")] = None,
    log_probs: Annotated[str | None, typer.Option(help="Columns of log-probabilities.", metavar="PATTERN")] = None,
    prob: Annotated[
        str | None, typer.Option(help="Column of the probability of the second of two classes.", metavar="COLUMN")
    ] = None,
    log_likelihood: Annotated[
        str | None,
        typer.Option(help="Column of the log-probability of the token that came; no --truth.", metavar="COLUMN"),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="A second model: columns of the same files, or a file.", metavar="PATTERN|FILE"),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id", help="Column that names each row; joins --against FILE.", metavar="COLUMN")
    ] = None,
    bytes_column: Annotated[
        str | None, typer.Option("--bytes", help="Column of each token's bytes.", metavar="COLUMN")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Names of the classes: those in the columns, in any order, or new ones in the columns' order.",
            metavar="NAME,NAME,…",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="A truth that does not count; may be repeated.", metavar="VALUE")
    ] = None,
    floor: Annotated[
        float, typer.Option(help="Probability that stands in for zero in the floored loss.", show_default="2^-52")
    ] = FLOOR,
    html: Annotated[Path | None, typer.Option(help="Write the report as one page.", metavar="FILE")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the figures as JSON.", metavar="FILE")] = None,
) -> None:
    """Judge predictions in files by their cross-entropy.

    Say what the predictions hold: --logits, --probs, --log-probs, --prob or --log-likelihood.
    """
    given: dict[Holds, str | None] = {
        "logits": logits,
        "probs": probs,
        "log_probs": log_probs,
        "prob": prob,
        "log_likelihood": log_likelihood,
    }
    holds, columns = _one_of(given)
    options = Options(
        holds=holds,
        columns=columns,
        truth=truth,
        against=against,
        id=id_column,
        bytes=bytes_column,
        classes=None if classes is None else tuple(name.strip() for name in classes.split(",")),
        ignore=tuple(ignore or ()),
        floor=floor,
    )
    for flag, path in (("--html", html), ("--json", json)):
        check_destination(flag, path, [*files, against])
    check_apart({"--html": html, "--json": json})
    with progress_bar() as advance:
        result = evaluate(files, options, progress=advance).to_dict()
    write_outputs(result, html=html, json=json)
    with standard_output():
        print_result(result)


def _one_of(given: dict[Holds, str | None]) -> tuple[Holds, str]:
    flags = {holds: "--" + holds.replace("_", "-") for holds in given}
    chosen = [(holds, columns) for holds, columns in given.items() if columns is not None]
    if len(chosen) != 1:
        got = " and ".join(flags[holds] for holds, _ in chosen) or "none"
        raise OptionError(
            "predictions",
            f"one of {', '.join(flags.values())}",
            got,
            "What the columns hold is never guessed; for example --logits 'z_*'.",
        )
    return chosen[0]
