"""The file of results of a GPU and its page: written after every case, and gone on with by a further run."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._gpu_cases import CASES, Case
from benchmarks._gpu_results import report

#: What of a machine may differ between runs whose figures stand on one page: the processor that starts the kernels.
HOST = ("processor", "processors", "memory", "system", "load before", "Python")


@dataclass
class Record:
    """One file, a GPU's and a day's, of any number of runs; the last of them is the one that adds to it."""

    file: Path
    quick: bool
    runs: list[dict[str, Any]]
    cases: list[dict[str, Any]]

    def left(self, cases: list[Case]) -> list[Case]:
        """Those that the file does not have, or has of other software or of another number of rounds."""
        run = self.runs[-1]
        there = {_key(found) for found in self.cases if alike(self.runs[found["run"]], run)}
        return [case for case in cases if case.key(self.quick) not in there]

    def drop(self, cases: list[Case]) -> None:
        """Forgets them; the file does when the next case is added."""
        names = {case.key(self.quick) for case in cases}
        self.cases = [found for found in self.cases if _key(found) not in names]

    def add(self, found: dict[str, Any]) -> None:
        """A case of the present run, in the place of an older one."""
        order = [case.key(self.quick) for case in CASES]
        others = [other for other in self.cases if _key(other) != _key(found)]
        self.cases = [*others, {"run": len(self.runs) - 1} | found]
        self.cases.sort(key=lambda each: order.index(_key(each)) if _key(each) in order else len(order))
        self.write()

    def results(self) -> dict[str, Any]:
        """What the file holds: of the runs, those that a case is of."""
        used = sorted({found["run"] for found in self.cases}) or [len(self.runs) - 1]
        there = {_key(found) for found in self.cases}
        return {
            "quick": self.quick,
            "runs": [self.runs[at] for at in used],
            "cases": [found | {"run": used.index(found["run"])} for found in self.cases],
            "missing": [list(case.key(self.quick)) for case in CASES if case.key(self.quick) not in there],
        }

    def write(self) -> None:
        """The file and its page; whoever is ended meanwhile leaves those before."""
        results = self.results()
        self.file.parent.mkdir(parents=True, exist_ok=True)
        _replace(self.file, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        _replace(self.file.with_suffix(".md"), report(results))


def opened(folder: Path, run: dict[str, Any], *, quick: bool) -> Record:
    """The record that a run adds to: the GPU's of today, or an earlier one that this run can finish, or a new one."""
    name, end = f"gpu-{slug(run['machine']['GPU'])}", f"{'-quick' * quick}.json"
    file = folder / f"{name}-{run['date'][:10]}{end}"
    before = sorted(folder.glob(f"{name}-????-??-??{end}"))
    if not file.exists() and before:
        found = _read(before[-1])
        if found["missing"] and alike(found["runs"][-1], run):
            file = before[-1]
    found = _read(file) if file.exists() else {"runs": [], "cases": []}
    return Record(file, quick, [*found["runs"], run], found["cases"])


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether the figures of two runs can be held beside each other."""
    return _state(one) == _state(other)


def slug(name: str) -> str:
    """The name of the GPU as a part of a file name."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))


def _state(run: dict[str, Any]) -> tuple[Any, ...]:
    return run["rounds"], run["kernel"], {k: v for k, v in run["machine"].items() if k not in HOST}


def _key(found: dict[str, Any]) -> tuple[str, str]:
    return found["group"], found["name"]


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _replace(file: Path, text: str) -> None:
    """In one step: a run that is ended while it writes leaves the text before."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, file)
