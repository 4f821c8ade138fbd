"""The same inputs through every front end, against 50-digit arithmetic: prints docs/front-ends.md, or checks it.

``python -m benchmarks.front_ends > docs/front-ends.md`` writes the page; ``python -m benchmarks.front_ends --check``
measures again, and fails where a front end is outside the bound or the page is not that of this script.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._fronts import FRONTS, SMOOTHING, Answer, Case, keras

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.bounds import BOUNDS  # noqa: E402
from support.measure import Weighted, error, solve, solve_weighted  # noqa: E402
from support.problems import Problem, problem  # noqa: E402

PAGE = ROOT / "docs" / "front-ends.md"
KERAS = ("tensorflow", "jax", "torch")
BOUND = BOUNDS["logits"][0]
#: Rows, and classes.
N, K = 12, 10

#: The errors of the sum and of the gradient, where there is one.
Measured = tuple[float, ...] | None


def cases() -> dict[str, tuple[Case, Problem]]:
    """Every case by its name, in the order of the table, with the problem that the oracle solves."""

    def one(name: str, truth: str, regime: str = "random", k: int = K, **options: Any) -> tuple[Case, Problem]:
        p = problem(truth, "probs" if options.get("probs") else "logits", "float32", regime, N, k)
        kind = "labels" if "labels" in truth else truth
        y = p.p if kind == "labels" else p.p.astype(np.float32)
        return Case(name, kind, p.q.astype(np.float32), y, **options), p

    rng = np.random.default_rng(0)
    weights = rng.uniform(0.25, 4.0, K).astype(np.float32)
    found = [
        one("hard", "labels"),
        one("hard, of probabilities", "labels", probs=True),
        one("soft", "distribution"),
        one("binary", "indicators", k=1),
        one("multi-label", "indicators"),
        one("smoothed", "smoothed labels", smoothing=SMOOTHING),
        one("weighted by class", "labels", class_weight=weights),
        one("rows masked", "labels", counted=np.arange(N) % 3 > 0),
        one("classes masked (−∞), soft", "distribution", "masked"),
        one("extreme, hard: ±10⁴", "labels", "wide"),
        one("extreme, soft: ±10⁴", "distribution", "wide"),
        one("extreme, multi-label: ±10⁴", "indicators", "wide"),
        one("extreme, hard: p → 1", "labels", "confident"),
    ]
    return {case.name: (case, p) for case, p in found}


def exact(case: Case, p: Problem) -> Weighted:
    """The oracle's losses and the gradient of their weighted sum."""
    if case.kind == "indicators":
        found = solve(p)
        return Weighted(found.loss, found.loss_scale, found.by_score, found.by_score_scale)
    weight = case.row_weight()
    return solve_weighted(p, np.ones(N) if weight is None else weight.astype(np.float64))


def judge(case: Case, found: Weighted, answer: Answer) -> Measured:
    """The errors in units of eps·scale."""
    if answer is None:
        return None
    total, gradient = answer
    weight = case.row_weight()
    c = np.ones(len(found.loss_scale)) if weight is None else weight.astype(np.float64)
    high, low = found.loss
    sums = (np.asarray([float(c @ high)]), np.asarray([float(c @ low)]))
    of_sum = error(np.asarray([total]), sums, [float(c @ np.asarray(found.loss_scale))], "float32", "float32")
    if gradient is None:
        return (of_sum,)
    return of_sum, error(gradient, found.gradient, found.gradient_scale, "float32", "float32")


def run(fronts: dict[str, Callable[[Case], Answer]]) -> dict[str, dict[str, Measured]]:
    """By front end and case."""
    solved = {name: (case, exact(case, p)) for name, (case, p) in cases().items()}
    return {
        front: {name: judge(case, found, ask(replace(case))) for name, (case, found) in solved.items()}
        for front, ask in fronts.items()
    }


def run_keras(backend: str) -> dict[str, dict[str, Measured]]:
    """The same, of ``xent.keras`` on one of Keras's backends, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.front_ends", "--keras"]
    env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return {f"xent.keras, {backend}": json.loads(done.stdout.splitlines()[-1])}


def run_all() -> dict[str, dict[str, Measured]]:
    found = run(FRONTS)
    for backend in KERAS:
        found |= run_keras(backend)
    return found


def worst(found: dict[str, dict[str, Measured]]) -> float:
    return max(max(cell) for by_case in found.values() for cell in by_case.values() if cell is not None)


def page(found: dict[str, dict[str, Measured]]) -> str:
    """The page as Markdown: one row a case, one column a front end, the core's and the frameworks' names apart."""
    core = [front for front in found if front.startswith("core")]
    names = [front for front in found if front not in core]
    tables = ["## The core", "", *table(found, core), "", "## Under the frameworks' names", "", *table(found, names)]
    return "\n".join([TEXT, "", *tables, "", f"Bound: {BOUND:g}, for all.", ""])


def table(found: dict[str, dict[str, Measured]], fronts: list[str]) -> list[str]:
    lines = ["| case | " + " | ".join(front.removeprefix("core, ") for front in fronts) + " |"]
    lines.append("|---|" + "---:|" * len(fronts))
    for name in cases():
        cells = [", ".join(f"{e:.2f}" for e in found[front][name] or ()) or "–" for front in fronts]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


TEXT = """# One definition, every front end

The same float32 scores and targets go through every front end of `xent`, in its own words, and the sum of the losses
and its gradient by the scores are compared with 50-digit arithmetic. A cell holds the error of the sum and the largest
error of the gradient, in the unit of [Precision](precision.md): eps·scale. The frameworks' own compilers round a little
differently, so the figures differ from front end to front end; none is outside the bound that the core publishes.

`python -m benchmarks.front_ends` prints this page; `--check` measures again. The cases: 12 rows of 10 classes (binary:
one column); labels, a probability for each class, or yes/no outcomes; smoothing 0.1; a weight for each class; every
third row ignored; scores of −∞ where the target has no mass; scores in ±10⁴; scores that lead by 8 to 37.

A framework without words for a case gets what its users write: losses times weights (TensorFlow, optax), smoothed
one-hot rows (TensorFlow, optax). Keras's mean over the last axis of yes/no outcomes is undone. A dash: the
framework has no helper for it. scikit-learn's takes probabilities, and has no gradient; Keras normalises probabilities
before it uses them, so that its gradient by them is another function's and not compared."""


def skeleton(text: str) -> str:
    """The page without its measured figures."""
    return re.sub(r"\d+\.\d\d", "·", text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with docs/front-ends.md")
    parser.add_argument("--keras", action="store_true", help="one line of JSON: xent.keras on KERAS_BACKEND")
    arguments = parser.parse_args()
    if arguments.keras:
        print(json.dumps(run({"keras": keras})["keras"]))
        return 0
    found = run_all()
    if not arguments.check:
        print(page(found), end="")
        return 0
    if worst(found) > BOUND:
        print(f"outside the bound of {BOUND:g}: {worst(found):.2f}", file=sys.stderr)
        return 1
    if skeleton(PAGE.read_text(encoding="utf-8")) != skeleton(page(found)):
        print(f"{PAGE} is not what this script prints", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
