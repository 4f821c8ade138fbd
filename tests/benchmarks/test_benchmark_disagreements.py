"""The table of disagreements: what is committed is what a run gives, and xent says the same on every kind of array."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xent.dialects.mistakes import MISTAKES

ROOT = Path(__file__).parents[2]
RESULT = json.loads((ROOT / "benchmarks" / "results" / "disagreements.json").read_text(encoding="utf-8"))
#: Columns that start in seconds; the rest are made in the same way.
QUICK = {
    "torch": ("torch",),
    "sklearn": ("sklearn",),
    "optax": ("optax", "jax"),
    "xent-numpy": (),
    "xent-torch": ("torch",),
}
OURS = ("xent-numpy", "xent-torch", "xent-jax", "xent-tensorflow")


def column(name: str) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [sys.executable, "-m", "benchmarks._disagreement_columns", name]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", QUICK)
def test_the_committed_table_is_what_a_run_gives(name: str) -> None:
    for package in QUICK[name]:
        pytest.importorskip(package)
    found = column(name)
    other = {key: value for key, value in found["versions"].items() if RESULT["versions"].get(key) != value}
    if other:
        pytest.skip(f"the table was made with other versions than {other}")
    committed = {row["name"]: row["answers"][name] for row in RESULT["rows"] if row["answers"][name] is not None}
    assert found["answers"] == committed


@pytest.mark.parametrize("row", RESULT["rows"], ids=lambda row: row["name"])
def test_xent_says_the_same_on_every_array_and_it_is_the_mathematics(row: dict[str, Any]) -> None:
    """A refusal where the mathematics says nothing; where data cannot raise, NaN in value and gradient."""
    said = [row["answers"][name] for name in OURS]
    values = {text for answer in said for text in answer["value"].values() if not text.startswith("–")}
    gradients = {text for answer in said for text in answer.get("gradient", {}).values() if text != "–"}
    if any(text.startswith("raises") for text in values):
        assert len([text for text in values if text.startswith("raises")]) == 1
        assert values <= {"NaN", *(text for text in values if text.startswith("raises"))}
        for text in gradients:
            assert text.startswith("raises") or set(text.split(", ")) == {"NaN"}
        return
    assert len(values) == 1
    assert len(gradients) <= 1
    assert values == ({"NaN"} if row["truth"] == "a mean of nothing" else {row["truth"]})


def test_every_framework_has_its_column() -> None:
    names = set(RESULT["rows"][0]["answers"])
    assert {"torch", "tensorflow", "optax", "keras-tensorflow", "keras-jax", "keras-torch", "sklearn", *OURS} <= names
    assert not any("missing" in (answer or {}) for row in RESULT["rows"] for answer in row["answers"].values())


@pytest.mark.parametrize("row", RESULT["rows"], ids=lambda row: row["name"])
def test_a_row_is_a_disagreement(row: dict[str, Any]) -> None:
    """A row on which all agree has no place here."""
    answers = {json.dumps(answer["value"], sort_keys=True) for answer in row["answers"].values() if answer}
    assert len(answers) > 1


def test_the_mistakes_of_which_are_rows() -> None:
    rows = {row["name"].rstrip("abc") for row in RESULT["rows"]}
    assert {mistake.row for mistake in MISTAKES} - {""} <= rows


def test_a_framework_that_is_not_there_says_so() -> None:
    code = "from benchmarks.disagreements import one; print(one({'missing': 'keras'}), one(None))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "not installed (keras) no such loss\n", done.stderr
