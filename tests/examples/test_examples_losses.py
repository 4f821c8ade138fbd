"""The study of the loss family: its measures against other libraries, and that it trains, compares and says so."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import sklearn.datasets
import sklearn.metrics

import xent

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "loss_family_digits.py"


@pytest.fixture(scope="module")
def study() -> Any:
    spec = importlib.util.spec_from_file_location("loss_family_digits", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_measures_are_those_of_others(study: Any) -> None:
    rng = np.random.default_rng(0)
    q = rng.dirichlet(np.ones(10), 400)
    y = rng.integers(0, 10, 400)
    found = study.measures(q, y, study.RAREST)
    assert found["error"] == pytest.approx(100 * (1 - sklearn.metrics.accuracy_score(y, q.argmax(1))))
    assert found["cross-entropy"] == pytest.approx(sklearn.metrics.log_loss(y, q))
    recall = sklearn.metrics.recall_score(y, q.argmax(1), average=None)
    assert found["rarest"] == pytest.approx(100 * (1 - recall[7:].mean()))
    assert [found[f"error of {k}"] for k in range(10)] == pytest.approx(100 * (1 - recall))
    assert "rarest" not in study.measures(q, y)
    sure = np.eye(10)[y] * 0.9 + 0.01  # right every time, and sure by 0.91
    assert study.measures(sure, y)["calibration"] == pytest.approx(9.0)


def test_an_interval_is_that_of_students_t(study: Any) -> None:
    values = [3.0, 4.5, 2.5, 6.0]
    low, high = scipy.stats.t.interval(0.95, 3, np.mean(values), scipy.stats.sem(values))
    assert study.interval(values) == pytest.approx(((low + high) / 2, (high - low) / 2))


def test_the_data_are_what_the_study_says(study: Any) -> None:
    for seed in (0, 1):
        *_, counts = study.data("long tail", seed)
        assert counts[0] == counts.max()
        assert counts[0] / counts[9] == pytest.approx(50, rel=0.2)
        assert study.data("margins", seed)[4].tolist() == [20] * 10
    x, noisy, _, held_out, _ = study.data("wrong labels", 0)
    assert len(x) == len(noisy) == 1797 - 597
    assert len(held_out) == 597
    # Drawn anew among ten classes: nine in ten of those that are drawn are wrong.
    digits, rng = sklearn.datasets.load_digits(), np.random.default_rng(0)
    order = rng.permutation(1797)[597:]
    y = digits.target[order]
    true = np.concatenate([np.full((y == k).sum(), k) for k in range(10)])
    assert (noisy.numpy() != true).mean() == pytest.approx(0.9 * study.NOISE, abs=0.04)


def test_it_runs_and_finds_the_paired_differences(study: Any, tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    environment = {**os.environ, "PYTHONPATH": str(Path(xent.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(SCRIPT), "--seeds", "2", "--steps", "12", "--only", "margins"]
    page = tmp_path / "page.md"
    command += ["--json", str(out), "--markdown", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["margins"]
    assert list(found) == list(study.family("margins", np.full(10, 20)))
    assert all(len(values) == 2 for by in found.values() for values in by.values())
    assert np.mean(found["cross-entropy"]["error"]) < 60, "chance is 90"
    assert "rarest" not in found["cross-entropy"]
    for lines in (study.rows(found), study.classes(found)):
        assert study.table(lines) in done.stdout
        assert [line[0] for line in lines[1:]] == list(found)
    text = page.read_text()
    assert text == study.page({"margins": found}, 2, 12)
    assert "--seeds 2 --steps 12" in text
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert [c for c in cells if not c[0].startswith("---")] == [*study.rows(found), *study.classes(found)]


def test_an_infinite_cross_entropy_is_no_number_with_an_interval(study: Any) -> None:
    values = {"error": [1.0, 2.0], "cross-entropy": [1.0, np.inf], "calibration": [1.0, 1.0]}
    assert study.rows({"cross-entropy": values})[1][2] == "∞"


def test_the_page_of_the_docs_is_one_that_the_study_wrote(study: Any) -> None:
    text = (SCRIPT.parents[1] / "docs" / "study-losses.md").read_text(encoding="utf-8")
    assert "--seeds 10 --steps 200" in text
    for name in ("long tail", "wrong labels", "margins"):
        part = text.partition(f"## {name.capitalize()}")[2].partition("## ")[0]
        assert all(f"| {loss} |" in part for loss in study.family(name, np.full(10, 20)))
        assert ("rarest" in part) == (name == "long tail")


def test_less_than_two_seeds_have_no_interval() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(xent.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--seeds", "1"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 2
    assert "--seeds" in done.stderr
