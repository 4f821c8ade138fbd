"""Softmax and logistic regression beside scikit-learn's, at its best solver and setting, to no worse an objective.

Run: ``python -m benchmarks.linear_model [--only TEXT] [--rounds N] [--quick]``. For each problem the optimum F* is
found first, by both libraries at tight tolerances. Then every solver of scikit-learn that can, with one and with two
BLAS threads, is run at the loosest tolerance of 1e-2, 1e-3 … that brings F − F* to the goal, and the fastest of them is
timed in turns with xent's, at its own loosest tolerance. Where the goal is what lbfgs as it is comes to, with its own
tolerance and its own number of steps, that is a setting too. F is computed in float64 from the coefficients, for both.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import _machine
from benchmarks._results import figure, markdown
from benchmarks._rounds import Peer, alternate

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
#: The tolerance and the steps of scikit-learn's lbfgs as it is.
AS_IT_IS, AS_IT_IS_STEPS = 1e-4, 100
LADDER = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10)
OPTIMUM = 1e-8
#: Seconds after which a setting of scikit-learn is given up.
PATIENCE = 150.0
#: Seconds of rounds for a problem, about.
ROUNDS = 60.0


@dataclass(frozen=True)
class Problem:
    """Data to fit, and what is asked of it. ``solvers``: those of scikit-learn that can win; Newton–Cholesky takes half
    a minute where K·D is 500 and there are 200,000 rows, and cannot be had for sparse data."""

    name: str
    make: Callable[[int], tuple[Any, Any]]
    #: F − F* to reach; None: where scikit-learn's lbfgs comes to as it is.
    goal: float | None
    #: scikit-learn's time over xent's; or the seconds that xent may take.
    ratio: float | None = None
    seconds: float | None = None
    solvers: tuple[str, ...] = ("lbfgs", "newton-cg")
    binary: bool = False


def dense(count: int, features: int, classes: int, dtype: Any, scales: bool = False) -> Callable[[int], Any]:
    """Gaussian features, labels drawn from a softmax of them."""

    def make(shrink: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(count // shrink, features))
        W = 2.0 * rng.normal(size=(classes, features)) / np.sqrt(features)
        y = (X @ W.T + rng.gumbel(size=(len(X), classes))).argmax(1)
        if scales:
            X *= np.logspace(-2, 2, features)[rng.permutation(features)]
        return X.astype(dtype), y

    return make


def sparse(count: int, features: int, classes: int) -> Callable[[int], Any]:
    """A hundred of the features in a row, rare ones more seldom, as words in a text."""

    def make(shrink: int) -> tuple[Any, Any]:
        from scipy.sparse import csr_array

        rng = np.random.default_rng(0)
        n, d = count // shrink, features // shrink
        column = np.minimum((d ** rng.random((n, 100))).astype(np.int32) - 1, d - 1)
        value = np.abs(rng.normal(size=(n, 100))) / 10
        X = csr_array((value.ravel(), (np.repeat(np.arange(n), 100), column.ravel())), shape=(n, d))
        X.sum_duplicates()
        W = 3.0 * rng.normal(size=(d, classes))
        y = (X @ W + rng.gumbel(size=(n, classes))).argmax(1)
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
        return X, y

    return make


def digits(shrink: int) -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X / 16.0, y


PROBLEMS = (
    Problem("200,000×50, 10 classes, float64, as far as lbfgs", dense(200_000, 50, 10, np.float64), None, 2.5),
    Problem("200,000×50, 10 classes, float32, as far as lbfgs", dense(200_000, 50, 10, np.float32), None, 2.5),
    Problem("200,000×50, 10 classes, float64, optimum", dense(200_000, 50, 10, np.float64), OPTIMUM, 4.0),
    Problem("200,000×50, 10 classes, float32, optimum", dense(200_000, 50, 10, np.float32), OPTIMUM, 4.0),
    Problem("digits, optimum", digits, OPTIMUM, 1.0, solvers=("lbfgs", "newton-cg", "newton-cholesky")),
    Problem(
        "20,000×50, 10 classes, scales 0.01 to 100, optimum",
        dense(20_000, 50, 10, np.float64, True),
        OPTIMUM,
        seconds=0.3,
        solvers=("newton-cg", "newton-cholesky"),
    ),
    Problem(
        "1,000,000×20, 2 classes, float64, optimum",
        dense(1_000_000, 20, 2, np.float64),
        OPTIMUM,
        2.0,
        solvers=("lbfgs", "newton-cg", "newton-cholesky", "liblinear"),
        binary=True,
    ),
    Problem(
        "sparse 100,000×50,000, 20 classes, as far as lbfgs",
        sparse(100_000, 50_000, 20),
        None,
        1.5,
        solvers=("lbfgs",),
    ),
)


def objective(model: Any, X: Any, y: Any, C: float = 1.0) -> float:
    """F in float64: the mean cross-entropy and ‖W‖²/(2·C·N)."""
    import xent

    W, b = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
    z = X.astype(np.float64) @ W.T + b
    if W.shape[0] == 1:
        loss = xent.cross_entropy(xent.Indicators((y == 1)[:, None]), xent.Logits(z))
    else:
        loss = xent.cross_entropy(xent.Labels(y), xent.Logits(z))
    return float(loss) + float(np.vdot(W, W)) / (2.0 * C * len(y))


def ours(problem: Problem, tol: float) -> Any:
    from xent.linear_model import LogisticRegression, SoftmaxRegression

    return (LogisticRegression if problem.binary else SoftmaxRegression)(tol=tol)


def theirs(solver: str, tol: float, steps: int = 10_000) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(solver=solver, tol=tol, max_iter=steps)


def fitted(model: Any, X: Any, y: Any, threads: int) -> tuple[Any, float]:
    """(The model, seconds)."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        model.fit(X, y)
        return model, time.perf_counter() - start


def loosest(make: Callable[[float], Any], X: Any, y: Any, threads: int, best: float, goal: float) -> dict[str, Any]:
    """The first tolerance of the ladder that reaches the goal."""
    spent = 0.0
    for tol in LADDER:
        found = tried(make, tol, X, y, threads, best, goal)
        spent += found["seconds"]
        if found["tol"] is not None or spent > PATIENCE:
            break
    return found


def tried(
    make: Callable[[float], Any], tol: float, X: Any, y: Any, threads: int, best: float, goal: float
) -> dict[str, Any]:
    """What a setting comes to, with its tolerance if that is the goal."""
    model, seconds = fitted(make(tol), X, y, threads)
    gap = objective(model, X, y) - best
    steps = int(np.max(model.n_iter_))
    return {"tol": tol if gap <= goal else None, "threads": threads, "seconds": seconds, "gap": gap, "steps": steps}


def _setting(solver: str, threads: int) -> str:
    return f"{solver}, {threads} BLAS thread{'s' * (threads > 1)}"


def measure(problem: Problem, given: argparse.Namespace) -> dict[str, Any]:
    """Both libraries on one problem."""
    X, y = problem.make(100 if given.quick and problem.make is not digits else 1)
    tight = [fitted(ours(problem, 1e-9), X, y, 1)[0]]
    if "newton-cg" in problem.solvers and not problem.seconds:
        tight.append(fitted(theirs("newton-cg", 1e-9, 200), X, y, 2)[0])
    best = min(objective(model, X, y) for model in tight)
    found: dict[str, Any] = {"optimum": best, "settings": {}}
    goal = problem.goal
    makers: dict[str, Callable[[float], Any]] = {}
    if goal is None:
        # With either number of threads: sums in another order come to another gap, and both are candidates.
        for threads in (1, 2):
            name = f"{_setting('lbfgs', threads)}, {AS_IT_IS_STEPS} steps at most"
            makers[name] = lambda tol: theirs("lbfgs", tol, AS_IT_IS_STEPS)
            found["settings"][name] = tried(makers[name], AS_IT_IS, X, y, threads, best, np.inf)
        goal = max(*(setting["gap"] for setting in found["settings"].values()), OPTIMUM / 10)
    found["goal"] = goal
    if problem.seconds:
        far, seconds = fitted(theirs("lbfgs", 1e-10, 1000), X, y, 1)
        found["lbfgs, 1000 steps"] = {"seconds": seconds, "gap": objective(far, X, y) - best}
    for solver in problem.solvers:
        for threads in (1, 2):
            name = _setting(solver, threads)
            makers[name] = lambda tol, s=solver: theirs(s, tol)  # type: ignore[misc]
            found["settings"][name] = loosest(makers[name], X, y, threads, best, goal)
    mine = loosest(lambda tol: ours(problem, tol), X, y, 1, best, goal)
    found["xent"] = mine
    reached = {name: s for name, s in found["settings"].items() if s["tol"] is not None}
    peers = {"xent": Peer(lambda: fitted(ours(problem, mine["tol"] or LADDER[-1]), X, y, 1))}
    if reached:
        best_name = min(reached, key=lambda name: reached[name]["seconds"])
        best_setting = reached[best_name]
        found["fastest"] = best_name
        peers["scikit-learn"] = Peer(
            lambda: fitted(makers[best_name](best_setting["tol"]), X, y, best_setting["threads"])
        )
    slowest = max(mine["seconds"], *(s["seconds"] for s in reached.values())) if reached else mine["seconds"]
    found["samples"] = alternate(peers, max(1, min(given.rounds, int(ROUNDS / slowest))), 0.0)
    return found


def report(results: dict[str, Any]) -> str:
    """The page in Markdown; every figure comes from the results alone."""
    lines = [
        "# Softmax and logistic regression beside scikit-learn",
        "",
        f"Measured {results['date']} by `{results['command']}`. Milliseconds of a whole fit, medians of "
        f"{results['rounds']} rounds (fewer where one takes many seconds) in turns in one process, warm. "
        "Gap is F − F*, F the mean objective in nats; "
        "scikit-learn stands at the fastest of its solvers that reaches the goal, each with one and with two BLAS "
        "threads and at its loosest tolerance that does; as far as lbfgs is as far as it comes as it is, which is one "
        "of the settings.",
        "",
        *markdown(["machine", ""], [[k, v] for k, v in results["machine"].items()]),
        "",
        *markdown(["setting", ""], [[k, v] for k, v in results["environment"].items()]),
        "",
    ]
    lines += markdown(*table(results))
    lines += ["", "## Every setting of scikit-learn", ""]
    settings = [
        [name, setting, "not reached" if s["tol"] is None else f"{s['tol']:g}", *_figures(s)]
        for name, found in results["problems"].items()
        for setting, s in {**found["settings"], "xent": found["xent"]}.items()
    ]
    lines += markdown(["problem", "setting", "tol", "seconds", "steps", "gap"], settings)
    return "\n".join(lines) + "\n"


def table(results: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(The head, a row a problem): whom scikit-learn stands with, both times, the target."""
    body = []
    for name, found in results["problems"].items():
        mine = median(found["samples"]["xent"])
        ratio, target = None, results["targets"][name]
        if "fastest" in found:
            peer = median(found["samples"]["scikit-learn"])
            ratio = peer / mine
            best = found["settings"][found["fastest"]]
            theirs_ = f"{figure(peer)} ({found['fastest']}, gap {best['gap']:.0e})"
        else:
            theirs_ = "none reaches the goal"
        done = found["xent"]["tol"] is not None
        if target["seconds"]:
            far = found["lbfgs, 1000 steps"]
            theirs_ += f"; lbfgs, 1000 steps: {figure(1e3 * far['seconds'])}, gap {far['gap']:.0e}"
            met, asked = mine <= 1e3 * target["seconds"], f"≤ {1e3 * target['seconds']:.0f} ms"
        else:
            met, asked = ratio is not None and ratio >= target["ratio"], f"≥ {target['ratio']:g}×"
        body.append(
            [
                name,
                f"{found['goal']:.0e}",
                theirs_,
                f"{figure(mine)} (gap {found['xent']['gap']:.0e})",
                "–" if ratio is None else f"{ratio:.2f}×",
                f"{asked}: {'met' if met and done else 'missed'}",
            ]
        )
    return ["problem", "goal", "scikit-learn, ms", "xent, ms", "ratio", "target"], body


def newest() -> dict[str, Any]:
    """The newest committed results of all problems."""
    files = [json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("linear_model-*.json")]
    return max((found for found in files if len(found["problems"]) == len(PROBLEMS)), key=lambda found: found["date"])


def _figures(setting: dict[str, Any]) -> list[str]:
    return [f"{setting['seconds']:.3f}", str(setting["steps"]), f"{setting['gap']:.1e}"]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the rows: shows that it runs")
    parser.add_argument("--only", default="", help="problems whose name holds this text")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    chosen = [problem for problem in PROBLEMS if given.only in problem.name]
    if not chosen or given.rounds < 1:
        parser.error("--only: expected a part of a problem's name; --rounds: 1 or more")
    processors = _machine.pin(given.threads)
    results: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": f"python -m benchmarks.linear_model {shlex.join(_machine.shown(sys.argv[1:]))}".strip(),
        "quick": given.quick,
        "rounds": given.rounds,
        "machine": _machine.describe(),
        "environment": _machine.settings(given.threads, processors),
        "targets": {p.name: {"ratio": p.ratio, "seconds": p.seconds} for p in chosen},
        "problems": {},
    }
    for problem in chosen:
        results["problems"][problem.name] = measure(problem, given)
        print(problem.name, file=sys.stderr, flush=True)
    page = report(results)
    sys.stdout.write(page)
    given.out.mkdir(parents=True, exist_ok=True)
    part = "-part" if given.only else ""
    name = f"linear_model-{_machine.slug(results['machine'])}-{results['date'][:10]}{part}{'-quick' * given.quick}"
    (given.out / f"{name}.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (given.out / f"{name}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
