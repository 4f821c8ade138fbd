"""The benchmark runs, names every peer, judges every target, and the README quotes what its committed results say.

Its times are tested nowhere: only that they are there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import xent
from benchmarks import _results

ROOT = Path(__file__).resolve().parents[2]
PEERS = {
    "cross_entropy": ["xent.torch", "xent", "PyTorch eager", "torch.compile", "JAX jit", "copy"],
    "value_and_grad": ["xent", "copy"],
    "binary": ["xent.torch", "PyTorch eager", "torch.compile"],
    "log_loss": ["xent", "scikit-learn"],
    "memory": ["xent.torch", "PyTorch eager", "torch.compile"],
    "first": ["after installation", "later process", "later process, Numba imported before"],
}
CASES = {"cross_entropy": 2, "value_and_grad": 1, "binary": 1, "log_loss": 2, "memory": 1, "first": 1}


def benchmark(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(Path(xent.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cross_entropy", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-4000:]
    return done


def absent(peer: str) -> str | None:
    """What the column of a peer says where there is no such peer."""
    if peer == "JAX jit" and find_spec("jax") is None:
        return "not installed"
    if peer == "scikit-learn" and find_spec("sklearn") is None:
        return "not installed"
    if peer == "torch.compile" and not any(map(shutil.which, ("g++", "clang++", "c++"))):
        return "no C++ compiler"
    return None


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def tables(page: str) -> list[list[list[str]]]:
    """The tables of a page: of each, the head and the rows."""
    found = re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)
    return [[cells(line) for line in block.splitlines() if set(line) - set("|-")] for block in found]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], str]:
    """(what is printed, the results, the page) of a case of every kind at small sizes."""
    out = tmp_path_factory.mktemp("results")
    threads = "2" if len(os.sched_getaffinity(0)) > 1 else "1"
    few = ("--rounds", "2", "--budget", "0", "--threads", threads)
    done = benchmark("--quick", *few, "--setting", "as installed", "--out", str(out))
    (data,), (page,) = out.glob("*.json"), out.glob("*.md")
    assert str(out) not in data.read_text(encoding="utf-8")
    return done.stdout, json.loads(data.read_text(encoding="utf-8")), page.read_text(encoding="utf-8")


def test_every_kind_of_case_has_every_peer_with_all_its_samples(quick: tuple[str, dict[str, Any], str]) -> None:
    _, results, _ = quick
    (setting,) = results["settings"].values()
    assert {group: [case["group"] for case in setting["cases"]].count(group) for group in CASES} == CASES
    for case in setting["cases"]:
        assert list(case["peers"]) == PEERS[case["group"]]
        for name, peer in case["peers"].items():
            if absent(name) is None:
                assert len(peer["samples"]) >= (1 if case["group"] in ("memory", "first") else 2)
                assert min(peer["samples"]) > 0
            else:
                assert peer == {"absent": absent(name)}


def test_the_page_is_printed_and_holds_a_line_a_case_with_its_verdicts(quick: tuple[str, dict[str, Any], str]) -> None:
    printed, results, page = quick
    assert printed == page
    assert "Sizes of a smoke test" in page
    (setting,) = results["settings"].values()
    heads = [table for table in tables(page) if table[0][-1] == "targets"]
    assert [(head[0][1:-1], len(head) - 1) for head in heads] == [(PEERS[group], n) for group, n in CASES.items()]
    rows = [row for head in heads for row in head[1:]]
    for case, row in zip(setting["cases"], rows, strict=True):
        assert row[0] == case["name"]
        for name, cell in zip(case["peers"], row[1:-1], strict=True):
            assert cell == absent(name) if absent(name) else re.match(r"[\d.,e-]+( \([\d.,e+-]+×\))?$", cell)
        assert len(re.findall(r", (?:met|missed)|not judged", row[-1])) == len(case["targets"])
        assert case["targets"] or row[-1] == "no target"
    met = sum(row[-1].count(", met") for row in rows)
    assert f"Targets met: {met} of {sum(len(case['targets']) for case in setting['cases'])}." in page


def test_the_machine_is_described_without_its_name(quick: tuple[str, dict[str, Any], str]) -> None:
    printed, results, _ = quick
    assert {"processor", "caches", "memory", "system", "huge pages", "Python", "torch"} <= set(results["machine"])
    (setting,) = results["settings"].values()
    assert {"threads", "JAX", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"} <= set(setting["environment"])
    assert os.uname().nodename not in printed
    assert str(Path.home()) not in printed


def test_both_settings_of_the_allocator_and_a_choice_of_cases(tmp_path: Path) -> None:
    few = ("--quick", "--rounds", "1", "--budget", "0", "--threads", "1", "--out", str(tmp_path))
    page = benchmark(*few, "--only", "log_loss").stdout
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == ["Allocators: as installed", "Allocators: huge pages"]
    assert "THP_MEM_ALLOC_ENABLE" in page
    assert [len(table) - 1 for table in tables(page) if table[0][-1] == "targets"] == [2, 2]
    assert "expected a part of one of" in benchmark("--only", "nothing of the kind", code=2).stderr


def case(ours: float, theirs: float | None, **target: Any) -> dict[str, Any]:
    other = {"absent": "not installed"} if theirs is None else {"samples": [theirs, 0.0, 1e9], "note": ""}
    peers = {"xent": {"samples": [ours, 0.0, 1e9], "note": ""}, "scikit-learn": other}
    return {"group": "log_loss", "name": "a case", "targets": [{"peer": "scikit-learn", **target}], "peers": peers}


@pytest.mark.parametrize(
    ("ours", "theirs", "target", "measured", "verdict"),
    [
        (1.0, 8.0, {"kind": "faster", "bound": 8}, "8.00×", "met"),
        (1.0, 7.9, {"kind": "faster", "bound": 8}, "7.90×", "missed"),
        (1.3, 1.0, {"kind": "within", "bound": 1.3}, "1.30×", "met"),
        (1.4, 1.0, {"kind": "within", "bound": 1.3}, "1.40×", "missed"),
        (9.0, 1.05, {"kind": "at most", "bound": 1.05}, "1.05", "met"),
        (9.0, 1.06, {"kind": "at most", "bound": 1.05}, "1.06", "missed"),
        (9.0, None, {"kind": "faster", "bound": 8}, "", "not judged, not installed"),
    ],
)
def test_a_target_is_judged_by_medians(
    ours: float, theirs: float | None, target: dict[str, Any], measured: str, verdict: str
) -> None:
    ((_, said, found),) = _results.judged(case(ours, theirs, **target))
    assert (said.rstrip(", "), found) == (measured, verdict)


def test_the_readme_shows_what_the_newest_committed_results_say() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- benchmark -->\n(.*?)<!-- /benchmark -->", text, re.DOTALL)
    assert block == benchmark("--readme").stdout
    assert len(tables(block)[0]) - 1 == 12


def test_committed_pages_are_what_their_samples_say() -> None:
    files = sorted((ROOT / "benchmarks" / "results").glob("cross_entropy-*.json"))
    assert files
    for file in files:
        made = _results.report(json.loads(file.read_text(encoding="utf-8")))
        assert made == file.with_suffix(".md").read_text(encoding="utf-8"), file.name
