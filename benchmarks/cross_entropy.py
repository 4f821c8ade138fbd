"""xent against PyTorch, torch.compile, JAX, scikit-learn and a plain copy: time, memory, first calls; targets judged.

Run from the root: ``python -m benchmarks.cross_entropy [--quick] [--only TEXT] [--rounds N] [--budget S] [--threads N]
[--out FOLDER]``. Prints the page of results and writes it, and a JSON file with all samples, to benchmarks/results; a
line a case goes to stderr as it is measured. ``--readme [FILE]`` measures nothing and prints the README's block from a
file of results, by default the newest. JAX and scikit-learn are optional: without them their columns say so.

How it is measured: all peers of a case take turns in one process, bound to ``--threads`` processors, each warm at its
turn; peers are at their best setting (``torch.compile`` in the faster of two modes and for the one shape; memory both
as installed and from huge pages). Exit status 1 with ``--check`` where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xent
from benchmarks import _machine
from benchmarks._cases import CASES, PEERS, SETTINGS
from benchmarks._measure import chosen
from benchmarks._results import judged, readme, report

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it runs, and nothing else")
    parser.add_argument("--only", default="", help="cases whose group and name hold this text, such as 'memory'")
    parser.add_argument("--setting", choices=SETTINGS, help="only this setting of the allocator")
    parser.add_argument("--rounds", type=int, default=9, help="samples of each peer, at least")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds of a case; more rounds until they are over")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--check", action="store_true", help="exit with status 1 where a target is missed")
    parser.add_argument("--readme", nargs="?", type=Path, const=newest, help="print the README's block and end")
    given = parser.parse_args()
    if given.readme is not None:
        path = newest() if given.readme is newest else given.readme.resolve()
        source = path.with_suffix(".md").relative_to(ROOT).as_posix()
        sys.stdout.write(readme(json.loads(path.read_text(encoding="utf-8")), source))
        return
    settings = [name for name in SETTINGS if given.setting in (None, name)]
    settings = [name for name in settings if chosen(given.only, name, quick=given.quick)]
    if given.rounds < 1 or not settings:
        names = sorted(f"{case.group} {case.name(given.quick)}" for case in CASES)
        parser.error(f"--rounds: expected 1 or more; --only: expected a part of one of {', '.join(names)}")
    results = measure(given, settings)
    page = report(results)
    sys.stdout.write(page)
    given.out.mkdir(parents=True, exist_ok=True)
    name = f"cross_entropy-{_machine.slug(results['machine'])}-{results['date'][:10]}{'-quick' * given.quick}"
    (given.out / f"{name}.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (given.out / f"{name}.md").write_text(page, encoding="utf-8")
    cases = [case for setting in results["settings"].values() for case in setting["cases"]]
    if given.check and any(verdict == "missed" for case in cases for _, _, verdict in judged(case)):
        sys.exit(1)


def measure(given: argparse.Namespace, settings: list[str]) -> dict[str, Any]:
    """The results: one process for each setting of the allocator, since that is read when a process starts."""
    command = f"python -m benchmarks.cross_entropy {shlex.join(_machine.shown(sys.argv[1:]))}".strip()
    results: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "quick": given.quick,
        "rounds": given.rounds,
        "machine": _machine.describe(),
        "settings": {},
    }
    path = os.pathsep.join(filter(None, [str(Path(xent.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as folder:
        for setting in settings:
            print(f"allocators: {setting}", file=sys.stderr, flush=True)
            file = Path(folder) / "samples.json"
            arguments = ["--threads", str(given.threads), "--rounds", str(given.rounds), "--budget", str(given.budget)]
            arguments += ["--only", given.only, "--setting", setting, *["--quick"] * given.quick]
            environment = {**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu", **SETTINGS[setting]}
            subprocess.run(
                [sys.executable, "-m", "benchmarks._measure", str(file), *arguments],
                cwd=ROOT, env=environment, check=True,
            )  # fmt: skip
            results["settings"][setting] = json.loads(file.read_text(encoding="utf-8"))
            for case in results["settings"][setting]["cases"]:
                assert list(case["peers"]) == list(PEERS[case["group"]])
    return results


def newest() -> Path:
    """The newest file of committed results; those of a smoke test are only taken where there are no others."""
    files = {path: json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("cross_entropy-*.json")}
    if not files:
        sys.exit("benchmarks/results has no results: run python -m benchmarks.cross_entropy first")
    return max(files, key=lambda path: (not files[path]["quick"], files[path]["date"]))


if __name__ == "__main__":
    main()
