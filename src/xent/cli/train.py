"""``xent train``: from a file to a linear model, what it is worth on rows it has not seen, and a report."""

from __future__ import annotations

import math
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from xent.cli import INTERRUPTED
from xent.cli.extras import require_linear_model
from xent.cli.output import check_apart, check_destination, standard_output, write_outputs, writing
from xent.cli.progress import training_bar
from xent.cli.rows import FileRows, find_features
from xent.cli.table import print_result
from xent.core import checks
from xent.errors import ColumnError, OptionError
from xent.evaluate.columns import require
from xent.evaluate.readers import open_table
from xent.report.format import count, significant, visible

if TYPE_CHECKING:
    from xent.linear_model import SoftmaxRegression
    from xent.linear_model.solvers import Trace
    from xent.linear_model.stream import Holdout
    from xent.linear_model.survey import Survey
    from xent.linear_model.training import Trained

_LOSSES = ("cross-entropy", "squared-error", "hinge")


def train_command(
    file: Annotated[str, typer.Argument(help="CSV, Parquet, Arrow IPC or NPZ; CSV has a header.", metavar="FILE")],
    truth: Annotated[str, typer.Option(help="Column of the true class: text, integers or booleans.", metavar="COLUMN")],
    model: Annotated[Path, typer.Option(help="Write the model, as NPZ.", metavar="FILE")],
    html: Annotated[Path | None, typer.Option(help="Write the report as one page.", metavar="FILE")] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="Columns of numbers: x_*, x0..x9, a,b,c or several of these with commas.",
            metavar="PATTERN",
            show_default="all the others",
        ),
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Column of the rows' weights.", metavar="COLUMN")] = None,
    C: Annotated[float, typer.Option("--C", help="Inverse strength of the L2 penalty; inf is none.")] = 1.0,
    loss: Annotated[str, typer.Option(help="What is minimised.", metavar="|".join(_LOSSES))] = "cross-entropy",
    holdout: Annotated[float, typer.Option(help="Share of the rows to judge by and not to train with.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Which rows these are.")] = 0,
    tol: Annotated[float, typer.Option(help="Largest entry of the gradient that is taken for zero.")] = 1e-6,
    max_iter: Annotated[int, typer.Option(help="Steps at most.")] = 1000,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Written after each step; the same command goes on from it.", metavar="FILE"),
    ] = None,
) -> None:
    """Train softmax regression, or of two classes logistic regression, on a file that may be larger than memory.

    A small one is held, a larger one read for each evaluation of the objective. The held-out rows are judged as by xent
    evaluate.
    """
    _check(C, loss, holdout, seed, tol, max_iter, html)
    outputs = {"--model": model, "--html": html, "--checkpoint": checkpoint}
    for flag, path in outputs.items():
        check_destination(flag, path, [file])
    check_apart(outputs)
    try:
        require_linear_model()
        rows = FileRows(file, _columns(file, features, truth, weight), truth=truth, weight=weight)
        options = {"C": C, "loss": loss, "tol": tol, "max_iter": max_iter}
        _train(options, rows, (holdout, seed), model, html, checkpoint)
    except KeyboardInterrupt:
        goes_on = checkpoint is not None and checkpoint.exists()
        more = f"; the same command goes on from {checkpoint}" if goes_on else ""
        print(f"xent: interrupted{more}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def _check(C: float, loss: str, holdout: float, seed: int, tol: float, max_iter: int, html: Path | None) -> None:
    """Refuse before the work what makes no sense."""
    checks.require_positive_or_infinite(C, "--C")
    if loss not in _LOSSES:
        raise OptionError("--loss", f"one of {', '.join(_LOSSES)}", repr(loss))
    if not 0.0 <= holdout < 1.0:
        raise OptionError("--holdout", "a share of the rows, from 0 to below 1", repr(holdout))
    if not 0 <= seed < 2**63:
        raise OptionError("--seed", "a whole number, 0 or more", repr(seed))
    checks.require_positive(tol, "--tol")
    checks.require_count(max_iter, "--max-iter")
    if html is not None:
        if holdout == 0.0:
            raise OptionError("--html", "rows to report on", "--holdout 0", "Leave out --html, or hold out some rows.")
        from xent.report import require_charts

        require_charts()


def _columns(file: str, features: str | None, truth: str, weight: str | None) -> tuple[str, ...]:
    taken = {"--truth": truth} | ({} if weight is None else {"--weight": weight})
    with closing(open_table(file)) as table:
        for flag, name in taken.items():
            if table.is_list(require(name, table.names, f"{flag} in {file}")):
                raise ColumnError(f"{flag} in {file}", f"one value a row in {name!r}", "a list column")
        return find_features(table, features, taken)


def _train(
    options: dict[str, Any],
    rows: FileRows,
    split: tuple[float, int],
    model: Path,
    html: Path | None,
    checkpoint: Path | None,
) -> None:
    from xent.linear_model import LogisticRegression, SoftmaxRegression, save
    from xent.linear_model.stream import Holdout
    from xent.linear_model.survey import survey
    from xent.linear_model.training import train

    # Text from files is data: no markup in it is obeyed.
    out = Console(markup=False, highlight=False, emoji=False)
    holdout = Holdout(*split)
    with training_bar() as (advance, step):
        rows.advance = advance
        found = survey(rows, holdout)
        _check_held_out(found, holdout)
        estimator = (LogisticRegression if len(found.classes) == 2 else SoftmaxRegression)(**options)
        # Scores are as many numbers a row as there are classes.
        rows = FileRows(
            rows.name, rows.features, truth=rows.truth, weight=rows.weight, width=len(found.classes), advance=advance
        )
        said = None if step is None else lambda trace: step(_step(trace))
        with writing("--checkpoint", checkpoint):
            trained = train(estimator, rows, found, holdout, checkpoint=checkpoint, stepped=said)
    with writing("--model", model):
        save(estimator, model)
    if checkpoint is not None and estimator.converged_:
        checkpoint.unlink(missing_ok=True)
    with standard_output():
        for line in _account(estimator, found, trained, model, checkpoint):
            out.print(Text(visible(line)))
    if not holdout.share:
        return
    from xent.cli.held_out import judge

    rows.advance = None
    result = judge(estimator, rows, holdout, model.name, model.absolute().parent)
    result["training"] = _training(estimator, found)
    write_outputs(result, html=html, json=None)
    with standard_output():
        out.print()
        print_result(result, out)


def _check_held_out(found: Survey, holdout: Holdout) -> None:
    if holdout.share and found.rows == len(found.truth):
        got = f"{holdout.share:g} of {found.rows} rows"
        raise OptionError("--holdout", "a share that holds out a row", got, "Write a larger one, or 0.")


def _step(trace: tuple[Trace, ...]) -> str:
    last = trace[-1]
    return f"step {len(trace)}, objective {last.value:.6f}, gradient {last.gradient:.1e}"


def _account(
    estimator: SoftmaxRegression, found: Survey, trained: Trained, model: Path, checkpoint: Path | None
) -> list[str]:
    """What was trained, how it ended, and what it is to be known by."""
    used, features, classes = len(found.truth), estimator.n_features_in_, len(found.classes)
    lines = [
        f"{model}: {count(classes)} classes, {count(features)} features, trained on {count(used)} of "
        f"{count(found.rows)} rows."
    ]
    if trained.resumed:
        lines.append(f"Resumed after {count(trained.resumed)} steps.")
    gradient = f"gradient {estimator.gradient_norm_:.2g}"
    way = f"{count(estimator.n_iter_)} steps and {estimator.n_passes_:.1f} passes over the rows"
    objective = f"objective {significant(estimator.objective_, 6)} nats"
    if estimator.converged_:
        lines.append(f"At the optimum after {way}: {objective}, {gradient} ≤ {estimator.tol:g}.")
    else:
        lines.append(f"Not at the optimum after {way}: {objective}, {gradient} > {estimator.tol:g}.")
        more = "the same command goes on from the checkpoint" if checkpoint else "write a larger --max-iter"
        lines.append(f"Where steps are wanting, {more}; otherwise write a larger --tol.")
    return lines + [f"Warning: {text}" for text in trained.warned]


def _training(estimator: SoftmaxRegression, found: Survey) -> dict[str, Any]:
    """The part of the result that says how the model came about (``docs/reference/evaluation-json.md``)."""
    return {
        "model": "logistic regression" if len(estimator.coef_) == 1 else "softmax regression",
        "rows": len(found.truth),
        "features": estimator.n_features_in_,
        "loss": estimator.loss,
        "C": estimator.C if math.isfinite(estimator.C) else "inf",
        "steps": estimator.n_iter_,
        "passes": estimator.n_passes_,
        "objective": estimator.objective_,
        "gradient": estimator.gradient_norm_,
        "tolerance": estimator.tol,
        "converged": bool(estimator.converged_),
        "trace": {"passes": [t.passes for t in estimator.trace_], "objective": [t.value for t in estimator.trace_]},
    }
