"""The result as a table on standard output, readable at 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xent.cli.cells import interval_cell, number, percent_cell, share
from xent.cli.mapping import mapping
from xent.report.format import count, p_value, shorten, visible

Fields: TypeAlias = Mapping[str, Any]
_WORST = 5


def print_result(result: Fields, console: Console | None = None) -> None:
    """Print every headline figure; with a second model, its figures beside and the verdict below."""
    # Text from files is data: no markup in it is obeyed, nothing in it is coloured as code.
    out = console or Console(markup=False, highlight=False, emoji=False)
    out.print(Text(_headline(result)))
    for line in mapping(result, out.width):
        out.print(Text(line))
    out.print(_table(result))
    worst = result["classes"]
    if worst:
        out.print(_classes(worst))
    out.print(Text("In brackets: 95% intervals, taking rows as independent."))
    for line in _notes(result):
        out.print(Text(line))


def _headline(result: Fields) -> str:
    given = result["input"]
    names = [shorten(str(name), 60) for name in given["files"]]
    files = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    return f"{shorten(given['name'], 40)} in {files}"


def _table(result: Fields) -> Table:
    comparison = result["comparison"]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("A" if comparison else "", overflow="fold")
    if comparison:
        table.add_column("B", overflow="fold")
        table.add_row("", Text(shorten(result["input"]["name"], 24)), Text(shorten(comparison["name"], 24)))
    models = [result, comparison["summary"]] if comparison else [result]
    table.add_row("rows used", *(Text(_rows(model["rows"])) for model in models))
    for label, cells in _figures(models):
        table.add_row(label, *(Text(cell) for cell in cells))
    for label, cell in _baseline(result):
        table.add_row(label, Text(cell))
    return table


def _rows(rows: Fields) -> str:
    extra = "".join(f", {count(rows[key])} {key}" for key in ("ignored", "refused") if rows[key])
    return f"{count(rows['used'])} of {count(rows['read'])}{extra}"


def _figures(models: list[Fields]) -> list[tuple[str, list[str]]]:
    """One line a figure; a figure that no model has is left out."""
    lines: list[tuple[str, list[str]]] = []

    def add(label: str, cells: list[str | None]) -> None:
        if any(cell is not None for cell in cells):
            lines.append((label, [cell or "–" for cell in cells]))

    add("cross-entropy, nats", [interval_cell(m["loss"]["nats"]) for m in models])
    add("cross-entropy, bits", [interval_cell(m["loss"]["bits"]) for m in models])
    add("  floored, nats", [_floored(m, "nats") for m in models])
    add("  floored, bits", [_floored(m, "bits") for m in models])
    add("  infinite losses", [_infinite(m) for m in models])
    add("perplexity", [interval_cell(m["perplexity"]) for m in models])
    add("bits per byte", [interval_cell(m["bits_per_byte"]) for m in models])
    add("classification error", [percent_cell(m["error"]) for m in models])
    add("entropy of prediction", [interval_cell(m["entropy"]) for m in models])
    add("loss − entropy", [interval_cell(m["confidence"]) for m in models])
    add("  verdict", [None if m["confidence"] is None else m["confidence"]["verdict"] for m in models])
    add("Brier score", [interval_cell(m["brier"]) for m in models])
    for label, key, field in _CALIBRATION:
        add(label, [None if m["calibration"] is None else number(m["calibration"][key][field]) for m in models])
        if field == "null_high" and key == "squared":
            add("  chance of as much", [_chance(m) for m in models])
    return lines


_CALIBRATION = (
    ("calibration error²", "squared", "value"),
    ("  if calibrated, ≤", "squared", "null_high"),
    ("ECE, 15 bins", "ece", "value"),
    ("  if calibrated, mean", "ece", "null_mean"),
    ("  if calibrated, ≤", "ece", "null_high"),
)


def _chance(model: Fields) -> str | None:
    calibration = model["calibration"]
    return None if calibration is None else p_value(float(calibration["squared"]["p_value"]))


def _floored(model: Fields, unit: str) -> str | None:
    floor = model["loss"]["floor"]
    return None if floor is None else interval_cell(floor[unit])


def _infinite(model: Fields) -> str | None:
    loss = model["loss"]
    if not loss["infinite_rows"]:
        return None
    return f"{count(loss['infinite_rows'])}, first in row {loss['first_infinite']}"


def _baseline(result: Fields) -> list[tuple[str, str]]:
    baseline = result["baseline"]
    if baseline is None:
        return []
    return [
        ("class frequencies", f"{number(baseline['nats'])} nats, {share(baseline['error'])} error"),
        ("  skill, 1 − loss/that", number(baseline["skill"])),
    ]


def _classes(worst: list[Fields]) -> Table:
    title = "Classes, worst first" if len(worst) <= _WORST else f"Classes, the worst {_WORST} of {len(worst)}"
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in (title, "rows", "nats", "error"):
        table.add_column(header, justify="right" if header == "rows" else "left")
    for item in worst[:_WORST]:
        cells = (shorten(item["name"], 30), count(item["n"]), interval_cell(item["nats"]) or "–", share(item["error"]))
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _notes(result: Fields) -> list[str]:
    notes: list[str] = []
    models = [result, *([result["comparison"]["summary"]] if result["comparison"] else [])]
    for model, whose in zip(models, ("", " of B"), strict=False):
        first = model["rows"]["first_refused"]
        if first:
            notes.append(f"First refused row{whose}: {first['row']} ({visible(first['reason'])}).")
    floors = {m["loss"]["floor"]["probability"] for m in models if m["loss"]["floor"]}
    notes.extend(f"Floored: a truth's probability below {number(floor)} counts as that." for floor in sorted(floors))
    comparison = result["comparison"]
    if comparison:
        error = comparison["error"]
        if error:
            notes.append(
                f"Errors of A alone {count(error['only_a_wrong'])}, of B alone {count(error['only_b_wrong'])} "
                f"(McNemar, {p_value(float(error['p_value']))})."
            )
        if any(model["rows"]["used"] != comparison["rows"] for model in models):
            notes.append("Warning: A and B did not score the same rows; each column holds its own model's rows.")
        notes.append(visible(comparison["sentence"]))
    return notes
