"""What the README says is so: its commands, its examples, its table of refusals, its links."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docs_paths import ROOT

import xent

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXTRAS = re.compile(r"'\.\[([a-z,]+)\]'")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_ci_script_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (line,) = re.findall(r"^test_command=\$\((.*)\)$", script, re.MULTILINE)
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in [block.strip() for block in blocks("sh")]
    assert ".venv/bin/pytest" in done.stdout
    assert '-c "$test_command"' in script


def test_the_commands_install_extras_that_exist() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {extra for found in EXTRAS.findall(README) for extra in found.split(",")}
    assert {"cli", "test", "torch"} <= named <= set(declared)


def test_the_first_command_writes_the_report(tmp_path: Path) -> None:
    (line,) = [block for block in blocks("sh") if "examples/digits.parquet" in block]
    last = line.split("&&")[-1]
    program, *arguments = shlex.split(last)
    assert program == ".venv/bin/xent"
    assert arguments[-2:] == ["--html", "report.html"]
    report = tmp_path / "report.html"
    done = subprocess.run(
        [sys.executable, "-m", "xent", *arguments[:-1], str(report)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "is better" in done.stdout
    assert report.read_text(encoding="utf-8").startswith("<!")


@pytest.mark.parametrize("code", blocks("python"))
def test_examples_run(code: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_number_in_the_example() -> None:
    (line,) = [line for block in blocks("python") for line in block.splitlines() if "nats" in line]
    expression, _, comment = line.partition("#")
    scores = np.array([[2.0, 0.5, -1.0], [0.1, 0.2, 3.0]])
    assert "scores = np.array([[2.0, 0.5, -1.0], [0.1, 0.2, 3.0]])" in README
    value = eval(expression, {"xent": xent, "scores": scores})
    assert f"{value:.4f} nats" == comment.strip()


@pytest.mark.parametrize(
    ("row", "error", "P", "Q"),
    [
        (
            "scores [5, −3, 1] as probabilities",
            "ProbabilityError",
            lambda: xent.Labels(0),
            lambda: xent.Probabilities([5.0, -3.0, 1.0]),
        ),
        (
            "one output unit under a softmax",
            "OneClassError",
            lambda: xent.Labels([0]),
            lambda: xent.Logits([[0.3]]),
        ),
        (
            "a label outside the classes",
            "LabelError",
            lambda: xent.Labels([3]),
            lambda: xent.Logits([[1.0, 2.0, 3.0]]),
        ),
        (
            "probabilities that sum to 0.6",
            "NormalizationError",
            lambda: xent.Labels(0),
            lambda: xent.Probabilities([0.2, 0.2, 0.2]),
        ),
        (
            "a soft truth that sums to 2",
            "NormalizationError",
            lambda: xent.Distribution([1.0, 1.0, 0.0]),
            lambda: xent.Logits([1.0, 2.0, 3.0]),
        ),
        (
            "scores (4, 1) and truths (4,)",
            "ShapeError",
            lambda: xent.Indicators([0, 1, 0, 1]),
            lambda: xent.Logits([[0.1]] * 4),
        ),
        ("P and Q swapped", "KindError", lambda: xent.Logits([1.0, 2.0]), lambda: xent.Labels(0)),
    ],
)
def test_what_it_refuses(row: str, error: str, P: Any, Q: Any) -> None:
    (line,) = [line for line in README.splitlines() if line.startswith(f"| {row}")]
    assert f"`{error}`" in line
    with pytest.raises(getattr(xent.errors, error)) as caught:
        xent.cross_entropy(P(), Q())
    assert type(caught.value).__name__ == error


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert not target.startswith("http"), target
        assert (ROOT / target).exists(), target
