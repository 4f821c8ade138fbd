"""Runs of the benchmark of the GPU, without one: written case by case, interrupted, ended by a limit, gone on with."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from benchmarks._gpu_cases import CASES, COPY, OURS, PEERS, Case, chosen
from benchmarks._gpu_record import slug
from benchmarks._gpu_turns import Device

import xent
from benchmarks import _gpu_results, _gpu_turns, _machine, gpu

MEMORY, FIRST = chosen("memory", quick=False), chosen("first", quick=False)
LARGE = chosen("train 8192×128256 bfloat16", quick=False)


class Lab:
    """A machine with a GPU, on which a case takes as long as it is told, and the date is what it is told."""

    def __init__(self, out: Path) -> None:
        self.out, self.now, self.measured = out, 0.0, list[str]()
        self.today, self.time, self.source = "2026-01-02", 1.0, "abc"
        self.takes: Callable[[str], float] = lambda _: 10.0
        self.broken = False

    def monotonic(self) -> float:
        return self.now

    def measures(self, case: Case, given: Any, _: Any) -> tuple[dict[str, Any], int]:
        name = case.title(given.quick)
        self.now += self.takes(name)
        self.measured.append(name)
        absent = {peer: {"absent": "not there"} for peer in PEERS[case.group]}
        times = {OURS: self.time, COPY: self.time}
        return absent | {n: {"samples": [x], "note": ""} for n, x in times.items() if n in absent}, 8

    def run_of(self, given: Any) -> dict[str, Any]:
        machine = {"GPU": "A GPU", "load before": f"{self.now % 0.5:.2f} 0 0", "xent's source": self.source}
        command = f"python -m benchmarks.gpu {shlex.join(_machine.shown(sys.argv[1:]))}".strip()
        date = f"{self.today} 03:04 UTC"
        return {"date": date, "command": command, "rounds": given.rounds, "kernel": "gpu", "machine": machine}

    def wait(self) -> None:
        if self.broken:
            raise RuntimeError("an illegal memory access was encountered")

    def device(self) -> Device:
        return Device(lambda: pytest.fail("nothing is timed"), lambda: None, self.wait)

    def file(self, end: str = "") -> Path:
        return self.out / f"gpu-a-gpu-{self.today}{end}.json"

    def written(self) -> dict[str, Any]:
        """What the file holds, of which the page is made."""
        found: dict[str, Any] = json.loads(self.file().read_text(encoding="utf-8"))
        assert self.page() == _gpu_results.report(found)
        assert {path.suffix for path in self.out.iterdir()} == {".json", ".md"}
        return found

    def page(self) -> str:
        return self.file().with_suffix(".md").read_text(encoding="utf-8")

    def names(self) -> list[str]:
        return [f"{case['group']} {case['name']}" for case in self.written()["cases"]]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    made = Lab(tmp_path / "out")
    monkeypatch.setattr(gpu, "missing", lambda: None)
    monkeypatch.setattr(gpu, "run_of", made.run_of)
    monkeypatch.setattr(gpu, "_measured", made.measures)
    monkeypatch.setattr(gpu, "monotonic", made.monotonic)
    monkeypatch.setattr(
        gpu, "gc", SimpleNamespace(collect=lambda: None)
    )  # of a process full of tests: a tenth of a second
    monkeypatch.setattr(_gpu_turns, "device", made.device)
    return made


@pytest.fixture
def run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the script; gives its exit status."""

    def runs(*arguments: str) -> int:
        lab.measured.clear()
        monkeypatch.setattr(sys, "argv", ["gpu", *arguments, "--out", str(lab.out)])
        with pytest.raises(SystemExit) as ended:
            gpu.main()
        return int(str(ended.value.code))

    return runs


def titles(cases: tuple[Case, ...] | list[Case]) -> list[str]:
    return [case.title(False) for case in cases]


def test_what_is_printed_is_written_and_each_case_says_its_seconds(
    lab: Lab, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    said = capsys.readouterr()
    assert lab.names() == titles(CASES) == lab.measured
    assert lab.written()["missing"] == []
    assert said.out == lab.page()
    assert str(lab.out) not in lab.page() + lab.file().read_text(encoding="utf-8")
    count = len(CASES)
    assert said.err.startswith(f"benchmarks.gpu: 1 of {count}, at 0 s: {titles(CASES)[0]}\n{titles(CASES)[0]} | ")
    assert f"benchmarks.gpu: 3 of {count}, at 20 s: {titles(CASES)[2]}\n" in said.err
    assert said.err.count(" | 10 s\n") == count


def test_an_interrupted_run_leaves_a_page_that_says_what_is_missing_and_a_further_one_goes_on(
    lab: Lab, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def stops_at(number: int) -> None:
        def takes(_: str) -> float:
            if len(lab.measured) == number:
                raise KeyboardInterrupt
            return 10.0

        lab.takes = takes

    stops_at(0)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert lab.written()["cases"] == []
    assert len(lab.written()["missing"]) == len(CASES)
    stops_at(3)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert lab.names() == titles(CASES[:3])
    assert [" ".join(each) for each in lab.written()["missing"]] == titles(CASES[3:])
    assert f"**Not measured yet: train {CASES[3].name(False)}, " in lab.page()
    capsys.readouterr()
    lab.takes = lambda _: 10.0
    assert run() == 0
    assert lab.measured == titles(CASES[3:])
    assert lab.names() == titles(CASES)
    assert "Not measured yet" not in lab.page()
    assert [each["run"] for each in lab.written()["cases"]] == [0] * 3 + [1] * (len(CASES) - 3)
    had = f"{lab.file().name} has 3 of {len(CASES)} cases (--again measures them anew); goes on with train "
    assert had in capsys.readouterr().err


def test_a_limit_ends_it_before_a_case_that_would_end_later(
    lab: Lab, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--limit", "45") == 3
    assert lab.measured == titles(CASES[:4]), "a fifth would end at 50 s"
    said = capsys.readouterr()
    left = _gpu_results.named(case.key(False) for case in CASES[4:])
    assert f"benchmarks.gpu: ended by --limit 45 after 40 s. Left: {left}\n" in said.err
    go_on = said.err.splitlines()[-1].removeprefix("benchmarks.gpu: go on with: python -m benchmarks.gpu ")
    assert said.out == lab.page()
    assert shlex.split(go_on) == ["--limit", "45", "--out", str(lab.out)]
    assert run(*shlex.split(go_on)[:2]) == 3
    assert lab.measured == titles(CASES[4:8])
    lab.takes = lambda _: 100.0
    assert run("--limit", "45") == 3
    assert lab.measured == titles(CASES[8:9]), "how long a case takes is known after the first, which is always made"


def test_a_limit_that_is_none_is_refused(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--limit", "0") == 2
    assert "--limit: expected more than 0 seconds, got 0" in capsys.readouterr().err


def test_parts_of_one_day_are_one_page(lab: Lab, run: Callable[..., int]) -> None:
    assert run("--only", "memory") == 0
    assert run("--only", "train") == 0
    train = chosen("train", quick=False)
    assert lab.measured == titles(train)
    assert lab.names() == titles([*train, *MEMORY]), "in the order of the page"
    assert "(1) 2026-01-02 03:04 UTC by `python -m benchmarks.gpu --only memory`" in lab.page()
    assert run("--only", "train", "--quick") == 0
    assert lab.names() == titles([*train, *MEMORY])
    assert lab.file("-quick").exists()


def test_what_is_there_is_measured_anew_where_it_is_asked_for(
    lab: Lab, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--only", "memory") == 0
    capsys.readouterr()
    lab.time = 2.0
    assert run("--only", "memory") == 0
    assert lab.measured == []
    assert "has 1 of 1 cases (--again measures them anew); none is left\n" in capsys.readouterr().err
    assert [case["peers"][OURS]["samples"] for case in lab.written()["cases"]] == [[1.0]]
    assert run("--only", "memory", "--again") == 0
    assert lab.measured == titles(MEMORY)
    assert [case["peers"][OURS]["samples"] for case in lab.written()["cases"]] == [[2.0]]
    assert len(lab.written()["runs"]) == 1, "no case is of the first one any more"


def test_again_keeps_what_is_there_until_a_case_is_measured_and_is_not_gone_on_with(
    lab: Lab, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0

    def stops(_: str) -> float:
        raise KeyboardInterrupt

    lab.takes = stops
    with pytest.raises(KeyboardInterrupt):
        run("--again")
    assert lab.names() == titles(CASES)
    lab.takes = lambda _: 10.0
    capsys.readouterr()
    assert run("--again", "--limit", "15") == 3
    assert lab.names() == titles(CASES[:1])
    go_on = capsys.readouterr().err.splitlines()[-1]
    assert "go on with: python -m benchmarks.gpu --limit 15 --out" in go_on


@pytest.mark.parametrize("other", [{"source": "def"}, {"rounds": "5"}])
def test_figures_of_other_software_are_measured_anew(lab: Lab, run: Callable[..., int], other: dict[str, str]) -> None:
    assert run("--only", "memory") == 0
    lab.source = other.get("source", lab.source)
    rounds = ("--rounds", other.get("rounds", "51"))
    assert run("--only", "first", *rounds) == 0
    assert lab.names() == titles([*MEMORY, *FIRST])
    assert ("abc (run 1), def (run 2)" in lab.page()) == ("source" in other)
    assert ("51 (run 1), 5 (run 2) rounds" in lab.page()) == ("rounds" in other)
    assert run("--only", "m", *rounds) == 0
    assert set(titles(MEMORY)) <= set(lab.measured)
    assert not set(titles(FIRST)) & set(lab.measured)


def test_a_run_goes_on_past_midnight_and_begins_anew_when_all_was_there(lab: Lab, run: Callable[..., int]) -> None:
    assert run("--only", "memory") == 0
    first, lab.today = lab.file(), "2026-01-03"
    assert run() == 0
    assert len(lab.measured) == len(CASES) - len(MEMORY)
    assert not lab.file().exists()
    assert json.loads(first.read_text(encoding="utf-8"))["missing"] == []
    assert run("--only", "memory") == 0
    assert lab.names() == titles(MEMORY) == lab.measured
    lab.today, lab.source = "2026-01-04", "def"
    assert run("--only", "first") == 0
    assert lab.names() == titles(FIRST), "an unfinished page of other software is left alone"


def test_a_device_that_breaks_ends_the_run_and_the_case_is_written(lab: Lab, run: Callable[..., int]) -> None:
    lab.broken = True
    with pytest.raises(RuntimeError, match="illegal memory access"):
        run()
    assert lab.names() == titles(CASES[:1])


def test_a_missed_target_is_told_by_the_status(lab: Lab, run: Callable[..., int]) -> None:
    """A copy that moves the bytes in our time is a bandwidth of 100%; no peer is faster, and memory is at most 1.01."""
    lab.time = 1.02
    assert run("--check", "--only", LARGE[0].title(False)) == 0
    assert run("--check", "--only", "memory") == 1
    assert run("--only", "memory") == 0
    assert run("--check", "--only", LARGE[0].title(False)) == 0, "of what was asked for"
    assert run("--check", "--limit", "15") == 1


def test_who_is_ended_while_it_writes_leaves_the_text_before(
    lab: Lab, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--only", "memory") == 0
    before, write = lab.page(), Path.write_text

    def half(self: Path, text: str, **options: Any) -> int:
        write(self, text[: len(text) // 2], **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", half)
        with pytest.raises(KeyboardInterrupt):
            run("--only", "first")
    assert lab.page() == before
    assert run("--only", "first") == 0
    assert lab.names() == titles([*MEMORY, *FIRST])


def test_a_file_is_named_by_the_gpu() -> None:
    assert slug("NVIDIA H200") == "nvidia-h200"


def test_the_folder_of_results_is_not_shown() -> None:
    assert _machine.shown(["--only", "x", "--out", "/home/somebody", "--quick"]) == ["--only", "x", "--quick"]
    assert _machine.shown(["--out=/home/somebody", "--quick"]) == ["--quick"]


def test_other_source_has_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu.source() == gpu.source()
    monkeypatch.setattr(xent, "__file__", str(tmp_path / "__init__.py"))
    found = set()
    for text in ("a", "b"):
        (tmp_path / "one.py").write_text(text, encoding="utf-8")
        found.add(gpu.source())
    assert len(found) == 2
