"""Every framework's own cross-entropy beside ours through its front end: time and peak memory of a loss and gradient.

Run from the root: ``python -m benchmarks.frameworks [--quick] [--only TEXT] [--world NAME …] [--rounds N] [--budget S]
[--threads N] [--out FOLDER]``. Prints the page of results and writes it, and a JSON file with all samples, to
benchmarks/results. A framework that is not installed is named, and left out.

How it is measured: a process a framework (Keras: one for each of its backends), bound to ``--threads`` processors, in
which the framework's loss and ours take turns on the same arrays, each warm at its turn, after it has been checked that
they give the same number. A step is the loss, a mean, and its gradient by the scores, as the framework's users write
it; scikit-learn has no gradient. Memory is measured in fresh processes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import xent
from benchmarks import _machine
from benchmarks._results import figure, markdown, warnings_of
from benchmarks._worlds import OURS, OWN, WORLDS, rows_of

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it runs, and nothing else")
    parser.add_argument("--only", default="", help="rows whose framework, mode, kind and size hold this text")
    parser.add_argument("--world", choices=WORLDS, nargs="+", default=list(WORLDS), help="only these processes")
    parser.add_argument("--rounds", type=int, default=9, help="samples of each peer, at least")
    parser.add_argument("--budget", type=float, default=5.0, help="seconds of a row; more rounds until they are over")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    every = {key: [f"{WORLDS[key].name} {row.name(given.quick)}" for row in rows_of(key)] for key in given.world}
    chosen = [key for key, names in every.items() if any(given.only in name for name in names)]
    if given.rounds < 1 or not chosen:
        names = "; ".join(name for names in every.values() for name in names)
        parser.error(f"--rounds: expected 1 or more; --only: expected a part of one of {names}")
    results = measure(given, chosen)
    page = report(results)
    sys.stdout.write(page)
    given.out.mkdir(parents=True, exist_ok=True)
    part = "-".join(["", *re.findall(r"\w+", given.only)])  # a part does not take the place of the whole
    name = f"frameworks-{_machine.slug(results['machine'])}-{results['date'][:10]}{part}{'-quick' * given.quick}"
    (given.out / f"{name}.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (given.out / f"{name}.md").write_text(page, encoding="utf-8")


def measure(given: argparse.Namespace, chosen: list[str]) -> dict[str, Any]:
    """The results of the processes that were chosen."""
    results: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": f"python -m benchmarks.frameworks {shlex.join(_machine.shown(sys.argv[1:]))}".strip(),
        "quick": given.quick,
        "rounds": given.rounds,
        "machine": _machine.describe(),
        "worlds": {},
    }
    path = os.pathsep.join(filter(None, [str(Path(xent.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as folder:
        for key in chosen:
            world = WORLDS[key]
            why = world.absent()
            if why is not None:
                results["worlds"][world.name] = {"absent": why}
                continue
            file = Path(folder) / "samples.json"
            command = [sys.executable, "-m", "benchmarks._beside", "turns", key, "--file", str(file)]
            command += ["--threads", str(given.threads), "--rounds", str(given.rounds), "--budget", str(given.budget)]
            command += ["--only", given.only, *["--quick"] * given.quick]
            environment = {**os.environ, "PYTHONPATH": path, **dict(world.environment)}
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
            results["worlds"][world.name] = json.loads(file.read_text(encoding="utf-8"))
    return results


def report(results: dict[str, Any]) -> str:
    """The page in Markdown; every figure comes from the results alone."""
    lines = ["# Every framework beside its own loss", "", *warnings_of(results)]
    lines += [
        f"Measured {results['date']} by `{results['command']}`. A loss and its gradient by float32 scores "
        f"(scikit-learn: the loss of float32 probabilities): milliseconds, medians of at least {results['rounds']} "
        "rounds, in which both take turns in one process, warm; (…×) is the framework's own time over ours. Memory is "
        "the peak of the first step of its size in a fresh process (compiling, where the framework does, included) "
        "beyond what was resident before it, as a multiple of the scores; the gradient alone is 1.",
        "",
        *markdown(["machine", ""], [[k, v] for k, v in results["machine"].items()]),
    ]
    environments = [world["environment"] for world in results["worlds"].values() if "environment" in world]
    if environments:  # which is the same in every process
        lines += ["", *markdown(["setting", ""], [[k, v] for k, v in environments[0].items()])]
    for name, world in results["worlds"].items():
        lines += ["", f"## {name}", ""]
        if "absent" in world:
            lines += [f"Not measured: {world['absent']}."]
            continue
        lines += table(world["rows"])
    return "\n".join(lines) + "\n"


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows of a framework."""
    return markdown(
        ["", "its own (ms)", "xent (ms)", "its own, memory", "xent, memory"],
        [[row["name"], *_times(row), *(_memory(row, peer) for peer in (OWN, OURS))] for row in rows],
    )


def _times(row: dict[str, Any]) -> tuple[str, str]:
    own, ours = (median(row["samples"][peer]) for peer in (OWN, OURS))
    return f"{figure(own)} ({figure(own / ours)}×)", figure(ours)


def _memory(row: dict[str, Any], peer: str) -> str:
    return figure(row["memory"][peer]) if peer in row["memory"] else "–"


if __name__ == "__main__":
    main()
