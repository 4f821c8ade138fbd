"""The benchmark of linear models runs, judges by an objective that is right, and its page says what its samples say."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from scipy.special import log_expit, logsumexp
from sklearn.linear_model import LogisticRegression

import xent
from benchmarks import linear_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("classes", [2, 4])
def test_the_objective_is_that_of_scikit_learn(classes: int) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 3)), rng.integers(0, classes, 50)
    model = LogisticRegression(C=1.0).fit(X, y)
    z = X @ model.coef_.T + model.intercept_
    if classes == 2:
        loss = -np.mean(log_expit(np.where(y == 1, 1, -1) * z[:, 0]))
    else:
        loss = np.mean(logsumexp(z, axis=1) - z[np.arange(50), y])
    expected = loss + (model.coef_**2).sum() / 100
    assert linear_model.objective(model, X, y) == pytest.approx(expected, rel=1e-13)


def test_it_runs_and_says_what_it_measured(tmp_path: Path) -> None:
    path = os.pathsep.join(filter(None, [str(Path(xent.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    command = ["--quick", "--threads", "1", "--rounds", "1", "--only", "20,000", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.linear_model", *command],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*.json")
    results = json.loads(file.read_text())
    (found,) = results["problems"].values()
    assert found["xent"]["tol"] is not None
    assert found["xent"]["gap"] <= found["goal"] == 1e-8
    assert all(setting["gap"] > -1e-9 for setting in found["settings"].values()), "nobody is below the optimum"
    ratio = median(found["samples"]["scikit-learn"]) / median(found["samples"]["xent"])
    assert f"| {ratio:.2f}× |" in done.stdout
    assert file.with_suffix(".md").read_text() == done.stdout


def test_lbfgs_as_it_is_is_a_candidate_where_it_sets_the_goal() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 20)) * np.logspace(-2, 2, 20)
    y = (X / X.std(axis=0) @ rng.normal(size=(20, 3)) + rng.gumbel(size=(500, 3))).argmax(axis=1)
    problem = linear_model.Problem("as far as lbfgs", lambda shrink: (X, y), None, 1.0)
    given = argparse.Namespace(quick=False, rounds=1)
    found = linear_model.measure(problem, given)
    plain = {name: setting for name, setting in found["settings"].items() if "100 steps at most" in name}
    assert [setting["threads"] for setting in plain.values()] == [1, 2]
    for setting in plain.values():
        assert setting["steps"] == 100, "the problem is one for which lbfgs wants more"
        assert setting["tol"] == 1e-4
        assert setting["gap"] <= found["goal"]
    assert found["goal"] == pytest.approx(max(setting["gap"] for setting in plain.values()))
    reached = {name: s["seconds"] for name, s in found["settings"].items() if s["tol"] is not None}
    assert found["fastest"] == min(reached, key=reached.__getitem__)


def test_the_readme_quotes_the_newest_results() -> None:
    head, rows = linear_model.table(linear_model.newest())
    ratios = [float(row[head.index("ratio")].removesuffix("×")) for row in rows]
    assert f"It is {min(ratios):.1f} to {max(ratios):.0f} times as fast as" in (ROOT / "README.md").read_text()
    assert all(row[-1].endswith(": met") for row in rows), "the README and the guide say nothing of a missed one"


def test_a_problem_that_is_not_there() -> None:
    path = os.pathsep.join(filter(None, [str(Path(xent.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.linear_model", "--only", "no such"],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 2
    assert "--only" in done.stderr
