"""The same mathematics, the same input, and different numbers: every framework that is installed, and xent.

    python -m benchmarks.disagreements                    the table
    python -m benchmarks.disagreements --markdown         the same, to be read in a browser
    python -m benchmarks.disagreements --json FILE        as data, with the versions

Each column runs in a process of its own, for Keras reads its backend once. Nothing is timed; a second run prints the
same. A framework that is not installed has a column that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks._disagreement_cases import CASES, Case
from benchmarks._disagreement_columns import COLUMNS, said

RESULT = Path(__file__).parent / "results" / "disagreements.json"
_WIDTH = 100
#: The columns that a reader sees as one framework.
TITLES = {
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "optax": "optax",
    "keras-tensorflow": "Keras on TensorFlow",
    "keras-jax": "Keras on JAX",
    "keras-torch": "Keras on PyTorch",
    "keras-numpy": "Keras on NumPy",
    "sklearn": "scikit-learn",
    "xent-numpy": "xent on NumPy",
    "xent-torch": "xent on PyTorch",
    "xent-jax": "xent on JAX",
    "xent-tensorflow": "xent on TensorFlow",
}


def ran(name: str) -> dict[str, Any]:
    """One column, in a process of its own; ``{"missing": …}`` where its package is not installed."""
    _, arrays, package = COLUMNS[name]
    for needed in (package, arrays):
        if find_spec(needed) is None:
            return {"missing": needed}
    command = [sys.executable, "-m", "benchmarks._disagreement_columns", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    if done.returncode:
        raise RuntimeError(f"{name}: exit code {done.returncode}\n{done.stderr[-4000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(columns: list[str]) -> dict[str, Any]:
    """Rows of cases and the answers of each column, with the truth and the versions."""
    found = {name: ran(name) for name in columns}
    versions: dict[str, str] = {}
    for column in found.values():
        versions |= column.get("versions", {})
    rows = [
        {
            "name": case.name,
            "input": case.title,
            "truth": truth(case),
            "wrong": case.wrong,
            "answers": {
                name: {"missing": column["missing"]} if "missing" in column else column["answers"].get(case.name)
                for name, column in found.items()
            },
        }
        for case in CASES
    ]
    return {"versions": dict(sorted(versions.items())), "rows": rows}


def truth(case: Case) -> str:
    """What the mathematics says: at 50 digits, shown as the answers are."""
    return case.truth if isinstance(case.truth, str) else said(float(case.truth()))


def one(answer: dict[str, Any] | None) -> str:
    """A cell: what is answered in every mode, once where they agree."""
    if answer is None:
        return "no such loss"
    if "missing" in answer:
        return f"not installed ({answer['missing']})"
    text = _modes(answer["value"])
    return f"{text}; gradient {_modes(answer['gradient'])}" if "gradient" in answer else text


def _modes(answers: dict[str, str]) -> str:
    by_text: dict[str, list[str]] = {}
    for mode, text in answers.items():
        by_text.setdefault(text, []).append(mode)
    if len(by_text) == 1:
        return next(iter(by_text))
    return ", ".join(f"{text} ({', '.join(modes)})" for text, modes in by_text.items())


def together(answers: dict[str, Any]) -> list[tuple[str, str]]:
    """(answer, the columns that give it), columns without such a loss left out."""
    found: dict[str, list[str]] = {}
    for name, answer in answers.items():
        if answer is not None:
            found.setdefault(one(answer), []).append(name)
    return [(text, _titles(names)) for text, names in found.items()]


def _titles(names: list[str]) -> str:
    """The names; "Keras" and "xent" alone where every one of theirs is there."""
    shown = []
    for family, title in (("keras", "Keras"), ("xent", "xent")):
        every = [name for name in COLUMNS if name.startswith(f"{family}-")]
        if set(every) <= set(names):
            names = [name for name in names if name not in every]
            shown.append(title)
    return ", ".join([*(TITLES[name] for name in names), *shown])


def text(result: dict[str, Any]) -> str:
    """The table for a terminal."""
    lines = ["Versions: " + ", ".join(f"{name} {number}" for name, number in result["versions"].items())]
    for row in result["rows"]:
        lines += ["", f"{row['name']}  {row['input']}", f"     the mathematics: {row['truth']}"]
        for answer, names in together(row["answers"]):
            lines += textwrap.wrap(f"{names}: {answer}", _WIDTH, initial_indent="     ", subsequent_indent="       ")
        lines += textwrap.wrap(row["wrong"], _WIDTH, initial_indent="     → ", subsequent_indent="       ")
    return "\n".join(lines)


def markdown(result: dict[str, Any]) -> str:
    """The table as Markdown."""
    lines = ["| | input | the mathematics | answers | what goes wrong |", "|---|---|---|---|---|"]
    for row in result["rows"]:
        answers = "<br>".join(f"{names}: {answer}" for answer, names in together(row["answers"]))
        lines.append(f"| {row['name']} | {row['input']} | {row['truth']} | {answers} | {row['wrong']} |")
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    return "\n".join([*lines, "", f"With {versions}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", nargs="*", choices=list(COLUMNS), default=list(COLUMNS), metavar="COLUMN")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as data")
    options = parser.parse_args()
    result = table(options.columns)
    if options.json:
        options.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(markdown(result) if options.markdown else text(result))


if __name__ == "__main__":
    main()
