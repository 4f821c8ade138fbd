"""The benchmark of the GPU without one: its page, its verdicts, its turns, its checks; and that it ends without one."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks._gpu_cases import (
    CASES,
    COMPILED,
    COPY,
    EAGER,
    EMPTY,
    FLASH,
    FOCAL,
    FULL,
    LIGER,
    OURS,
    PEERS,
    PLAIN,
    QUACK,
    READ,
    TITLES,
    TYPED,
    Z_LOSS,
    Target,
    chosen,
)
from benchmarks._gpu_dense import dense
from benchmarks._gpu_exact import exact, wrong_binary, wrong_mean, wrong_rows
from benchmarks._gpu_make import checked, data, evaluated, tried
from benchmarks._gpu_turns import Device, Peer, alternate, fastest
from benchmarks._gpu_ways import way_of

import xent
from benchmarks import _gpu_dense, _gpu_fresh, _gpu_peers, _gpu_results, _gpu_ways, gpu

ROOT = Path(__file__).resolve().parents[2]
DENSE = [group for group in PEERS if group.startswith(("binary", "distribution"))]
NOT_INSTALLED = {"absent": "not installed (No module named 'quack')"}


# The page


def case(group: str, peers: dict[str, Any], *targets: Target) -> dict[str, Any]:
    """A case of 2·10⁹ bytes; a peer is its median, or why there is none."""
    shown = {
        name: found if isinstance(found, dict) else {"samples": [found, 0.0, 1e9], "note": ""}
        for name, found in ((name, peers.get(name, {"absent": "not there"})) for name in PEERS[group])
    }
    said = [vars(target) for target in targets]
    return {"group": group, "name": "4×3 bfloat16", "targets": said, "bytes": 2_000_000_000, "peers": shown}


SHARE, BEST = Target("bandwidth", COPY, 0.9), Target("best", "", 1.0)
FASTER, WITHIN = Target("faster", EAGER, 3.0), Target("within", FOCAL, 1.1)
LITTLE = Target("at most", OURS, 1.01)


@pytest.mark.parametrize(
    ("group", "peers", "target", "said"),
    [
        ("train", {OURS: 1.0, COPY: 0.9}, SHARE, "≥ 90% of the bandwidth of copy: 90.0%, met"),
        ("train", {OURS: 1.0, COPY: 0.89}, SHARE, "≥ 90% of the bandwidth of copy: 89.0%, missed"),
        ("train", {OURS: 1.0}, SHARE, "≥ 90% of the bandwidth of copy: not judged, not there"),
        ("train", {COPY: 0.9}, SHARE, "≥ 90% of the bandwidth of copy: missed, not there"),
        ("train", {OURS: {"wrong": "loss 2, exact 3"}, COPY: 9.0}, SHARE, "missed, wrong: loss 2, exact 3"),
        ("train", {OURS: 1.0, EAGER: 5.0, LIGER: 1.0, COPY: 0.5}, BEST, "≥ the best peer: 1.00× of Liger, met"),
        ("train", {OURS: 1.0, EAGER: 0.5, LIGER: 0.9}, BEST, "≥ the best peer: 0.5× of PyTorch eager, missed"),
        ("train", {OURS: 1.0, EAGER: 5.0, LIGER: {"wrong": "NaN"}}, BEST, "5.00× of PyTorch eager, met"),
        ("train", {OURS: 1.0, COPY: 0.5}, BEST, "≥ the best peer: not judged, no peer has a result"),
        ("train", {OURS: 1.0, EAGER: 3.0}, FASTER, "PyTorch eager ≥ 3× ours: 3.00×, met"),
        ("train", {OURS: 1.0, EAGER: 2.9}, FASTER, "PyTorch eager ≥ 3× ours: 2.90×, missed"),
        ("options", {PLAIN: 1.0, FOCAL: 1.1}, WITHIN, "focal, γ = 2 ≤ 1.1× cross-entropy: 1.10×, met"),
        ("options", {PLAIN: 1.0, FOCAL: 1.2}, WITHIN, "focal, γ = 2 ≤ 1.1× cross-entropy: 1.20×, missed"),
        ("options", {PLAIN: 1.0}, WITHIN, "focal, γ = 2 ≤ 1.1× cross-entropy: missed, not there"),
        ("memory", {OURS: 1.0, EAGER: 3.0}, LITTLE, "xent.torch ≤ 1.01: 1.00, met"),
        ("memory", {OURS: 1.02}, LITTLE, "xent.torch ≤ 1.01: 1.02, missed"),
        ("memory", {EAGER: 3.0}, LITTLE, "xent.torch ≤ 1.01: missed, not there"),
        ("first", {EMPTY: 9.0, FULL: 1.0}, Target("at most", FULL, 10.0), "full cache of Triton ≤ 10: 1.00, met"),
    ],
)
def test_a_target_is_judged_by_medians(group: str, peers: dict[str, Any], target: Target, said: str) -> None:
    assert _gpu_results.verdicts(case(group, peers, target)).endswith(said)


def test_a_case_without_targets_says_so() -> None:
    assert _gpu_results.verdicts(case("binary", {OURS: 1.0})) == "no target"


def results(*cases: dict[str, Any], **changed: Any) -> dict[str, Any]:
    shown = {"GPU": "A GPU", "load before": "0.1 0.0 0.0", "triton": "3.9.0"}
    run = {
        "date": "2026-01-02 03:04 UTC", "command": "python -m benchmarks.gpu", "rounds": 51, "machine": shown,
        "kernel": changed.pop("kernel", "gpu"),
    }  # fmt: skip
    every = [{"run": 0, "seconds": 1.0} | each for each in cases]
    return {"quick": False, "runs": [run], "cases": every, "missing": [], **changed}


def test_the_page_shows_every_peer_every_bandwidth_and_every_verdict() -> None:
    first = case("train", {OURS: 1.0, EAGER: 2.5, QUACK: NOT_INSTALLED, COPY: 0.8}, SHARE, FASTER, BEST)
    first["peers"][EAGER]["note"] = "as it is"
    second = case("forward", {OURS: 0.5, READ: 0.4}, Target("bandwidth", READ, 0.9))
    page = _gpu_results.report(results(first, second))
    (row,) = re.findall(r"^\| 4×3 bfloat16 \| 1\.00 .*$", page, re.MULTILINE)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert dict(zip(PEERS["train"], cells[1:-1], strict=True)) == {
        OURS: "1.00", EAGER: "2.50 (2.50×)", COMPILED: "not there", LIGER: "not there",
        QUACK: NOT_INSTALLED["absent"], FLASH: "not there", COPY: "0.8 (5.00 TB/s)",
    }  # fmt: skip
    assert "| 0.4 (5.00 TB/s) | ≥ 90% of the bandwidth of read: 80.0%, missed |" in page
    assert cells[-1].split("; ")[1:] == [
        "PyTorch eager ≥ 3× ours: 2.50×, missed",
        "≥ the best peer: 2.50× of PyTorch eager, met",
    ]
    assert "\nPyTorch eager: as it is.\n" in page
    assert "cut-cross-entropy: not applicable" in page
    assert "Targets met: 1 of 4. Others: train 4×3 bfloat16, ≥ 90% of the bandwidth of copy (80.0%, missed); " in page
    assert "| triton | 3.9.0 |" in page
    assert "did not run" not in page
    assert "smoke test" not in page
    assert "Not measured yet" not in page
    assert "| run |" not in page


def test_the_page_warns_of_a_smoke_test_and_of_another_kernel() -> None:
    page = _gpu_results.report(results(quick=True, kernel="composed ran; Triton is not installed here"))
    assert "Sizes of a smoke test" in page
    assert "**The GPU kernels did not run: composed ran; Triton is not installed here.**" in page


def test_the_page_names_what_is_missing_and_how_to_go_on() -> None:
    missing = [["train", "4×3 bfloat16"], ["train", "4×3 float32"], ["memory", "4×3 bfloat16"]]
    page = _gpu_results.report(results(missing=missing, quick=True))
    assert (
        "**Not measured yet: train 4×3 bfloat16, 4×3 float32; memory 4×3 bfloat16.** "
        "`python -m benchmarks.gpu --quick` goes on with them.\n" in page
    )


def test_the_page_of_two_runs_says_which_case_is_of_which() -> None:
    found = results(case("train", {OURS: 1.0}), case("memory", {OURS: 1.0}))
    other = {"date": "2026-01-02 05:06 UTC", "command": "python -m benchmarks.gpu --only memory", "rounds": 5}
    busy = found["runs"][0]["machine"] | {"load before": "3.0 0.0 0.0", "triton": "3.9.1"}
    found["runs"].append(found["runs"][0] | other | {"machine": busy, "kernel": "composed ran; why"})
    found["cases"][1]["run"] = 1
    page = _gpu_results.report(found)
    assert (
        "Measured in 2 runs: (1) 2026-01-02 03:04 UTC by `python -m benchmarks.gpu`, (2) 2026-01-02 05:06 UTC by "
        "`python -m benchmarks.gpu --only memory`. Figures are medians of 51 (run 1), 5 (run 2) rounds" in page
    )
    assert "| GPU | A GPU |" in page
    assert "| triton | 3.9.0 (run 1), 3.9.1 (run 2) |" in page
    assert "load 3 before the run" in page
    assert "did not run: composed ran; why" in page
    ends = re.findall(r"^\| 4×3 bfloat16 \|.*\| no target \| (\d) \|$", page, re.MULTILINE)
    assert ends == ["1", "2"]


def test_a_line_names_the_case_and_its_peers() -> None:
    said = _gpu_results.line(case("options", {PLAIN: 2.0, Z_LOSS: 2.1}, WITHIN))
    assert said.startswith("options 4×3 bfloat16 | cross-entropy 2.00 | smoothing 0.1 not there | z-loss 2.10 (1.05×)")
    assert said.endswith("missed, not there")


def test_the_cases_are_those_of_the_targets() -> None:
    full = {(each.group, each.name(False)): {target.kind for target in each.targets} for each in CASES}
    assert len(full) == len(CASES)
    for name in ("8192×128256", "16384×32000", "4096×262144"):
        assert full["train", f"{name} bfloat16"] == {"bandwidth", "best"}
        assert full["train", f"{name} float32"] == {"bandwidth"}
        assert full["forward", f"{name} bfloat16"] == full["entropy", f"{name} bfloat16"] == {"bandwidth"}
    assert full["scaled", "8192×128256 bfloat16"] == full["rows", "65536×1000 bfloat16"] == set()
    for group in ("distribution", "distribution forward", "binary", "binary forward", "binary rows"):
        assert {OURS, TYPED, EAGER, COMPILED} < set(PEERS[group])
        assert group in {each.group for each in CASES}
    for name in ("65536×1000 bfloat16", "1000000×10 float32"):
        assert full["train", name] == {"faster", "best"}
    for each in CASES:
        assert {target.peer for target in each.targets} <= {"", *PEERS[each.group]}
        assert each.group in TITLES
    assert {each.group for each in chosen("first", quick=False)} == {"first"}
    assert {each.shape for each in chosen("×10 ", quick=True)} == {(1_000_000, 10)}
    assert chosen("nothing of the kind", quick=False) == []


# The turns


class Clock:
    """A device of which every call takes the time that it says, and covering takes a hundred."""

    def __init__(self) -> None:
        self.now, self.log = 0.0, list[str]()

    def device(self) -> Device:
        return Device(partial(Mark, self), lambda: self.passes("cover", 100.0), lambda: self.passes("wait", 10.0))

    def passes(self, what: str, time: float) -> None:
        self.now += time
        self.log.append(what)

    def peer(self, name: str, time: float) -> Peer:
        steps = (partial(self.passes, f"{step} {name}", 1000.0) for step in ("prepare", "release"))
        return Peer(partial(self.passes, name, time), *steps)


class Mark:
    def __init__(self, clock: Clock) -> None:
        self.clock, self.at = clock, -1.0

    def record(self) -> None:
        self.at = self.clock.now
        self.clock.log.append("mark")

    def elapsed_time(self, end: Mark) -> float:
        return end.at - self.at


def test_every_peer_takes_a_turn_in_every_round_and_none_always_follows_the_same() -> None:
    clock = Clock()
    found = alternate({name: clock.peer(name, i + 1.0) for i, name in enumerate("abc")}, 12, clock.device())
    assert found == {name: [i + 1.0] * 12 for i, name in enumerate("abc")}
    timed = [clock.log[at + 1] for at, what in enumerate(clock.log) if what == "mark"][::2]
    assert len(timed) == 36
    assert all(set(timed[at : at + 3]) == set("abc") for at in range(0, 36, 3))
    before = {name: {timed[at - 1] for at in range(1, 36) if timed[at] == name} - {name} for name in "abc"}
    assert all(len(others) == 2 for others in before.values())


def test_a_call_is_covered_and_nothing_else_is_timed() -> None:
    clock = Clock()
    assert alternate({"a": clock.peer("a", 3.0)}, 1, clock.device()) == {"a": [3.0]}
    turn = clock.log[clock.log.index("wait") + 1 :]
    assert turn[3:] == ["prepare a", "cover", "mark", "a", "mark", "wait", "release a"]
    assert turn[:3] == ["prepare a", "a", "release a"]


def test_the_fastest_is_that_of_the_least_median() -> None:
    clock = Clock()
    name, peer = fastest({name: clock.peer(name, time) for name, time in (("a", 3.0), ("b", 2.0))}, clock.device())
    assert name == "b"
    before = clock.now
    peer.call()
    assert clock.now == before + 2.0


# The peers and what they are held to


def small(dtype: Any = torch.float32) -> tuple[Any, Any]:
    return data((20, 7), dtype, "cpu")


@pytest.fixture
def _without_torch_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (_gpu_peers, _gpu_ways):
        monkeypatch.setattr(module, "compiled", lambda *_: {"absent": "left out"})


@pytest.mark.usefixtures("_without_torch_compile")
@pytest.mark.parametrize("group", ["train", "scaled", "rows", "forward", "likelihood"])
def test_a_peer_that_is_absent_or_wrong_is_named(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("quack", "flash_attn"):
        monkeypatch.setitem(sys.modules, module, None)
    twice = {LIGER: lambda: lambda z, y, how: 2.0 * torch.nn.functional.cross_entropy(z, y, reduction=how)}
    monkeypatch.setattr(_gpu_peers, "LOSSES", _gpu_peers.LOSSES | twice)
    z, y = small()
    found = _gpu_peers._losses(group, z, y, (), Clock().device())
    assert set(found) == set(PEERS[group])
    assert re.match(r"not installed \(.*quack", found[QUACK]["absent"])
    assert re.match(r"not installed \(.*flash_attn", found[FLASH]["absent"])
    assert re.match(r"loss .*, exact ", found[LIGER]["wrong"])
    there = {name: peer for name, peer in found.items() if isinstance(peer, Peer)}
    assert set(there) == {OURS, EAGER, PEERS[group][-1]}
    assert all(len(samples) == 2 for samples in alternate(there, 2, Clock().device()).values())
    assert z.grad is None


@pytest.mark.usefixtures("_without_torch_compile")
def test_scores_that_a_peer_writes_over_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def over() -> Any:
        def loss(z: Any, y: Any, reduction: str) -> Any:
            value = torch.nn.functional.cross_entropy(z, y, reduction=reduction)
            return value + 0.0 * z.detach().zero_().sum()

        return loss

    monkeypatch.setattr(_gpu_peers, "LOSSES", {LIGER: over})
    z, y = small()
    before = z.detach().clone()
    peer = _gpu_peers._losses("forward", z, y, (), Clock().device())[LIGER]
    assert isinstance(peer, Peer)
    torch.testing.assert_close(z.detach(), before, rtol=0, atol=0)
    right = float(torch.nn.functional.cross_entropy(z, y).detach())
    peer.prepare()
    assert float(peer.call()) == pytest.approx(right)
    assert float(peer.call()) != pytest.approx(right), "without another prepare they are gone"


@pytest.mark.usefixtures("_without_torch_compile")
def test_what_xent_computes_is_right_in_every_group() -> None:
    z, y = small()
    groups = {
        "options": _gpu_peers._options(z, y),
        **{group: dense(group, z, (), Clock().device()) for group in DENSE},
        "entropy": _gpu_peers._entropy(z.detach(), y, (), Clock().device()),
    }
    for group, found in groups.items():
        assert set(found) == set(PEERS[group])
        for name, peer in found.items():
            if name != COMPILED:
                assert isinstance(peer, Peer), (group, name, peer)
    assert TYPED in groups["entropy"]


class Above(torch.autograd.Function):
    """As it is, and asked for its gradient it keeps what came from above."""

    seen: list[Any] = []  # noqa: RUF012

    @staticmethod
    def forward(_: Any, loss: Any) -> Any:
        return loss.clone()

    @staticmethod
    def backward(_: Any, above: Any) -> Any:
        Above.seen.append(above)
        return above


@pytest.mark.parametrize(
    ("group", "above"),
    [
        ("train", torch.tensor(1.0)),
        ("scaled", torch.tensor(0.25)),
        ("rows", torch.linspace(0.5, 1.5, 20) / 20),
        ("binary rows", (torch.linspace(0.5, 1.5, 20) / 140)[:, None].expand(20, 7)),
    ],
)
def test_what_comes_from_above_is_that_of_the_group(group: str, above: Any) -> None:
    z, y = small()
    truth = (z.detach() > 0).float() if group.startswith("binary") else y
    F = torch.nn.functional
    function = F.binary_cross_entropy_with_logits if group.startswith("binary") else F.cross_entropy
    Above.seen.clear()
    loss = lambda z, y, how: Above.apply(function(z, y, reduction=how))  # noqa: E731
    way_of(group, z).peer(loss, z, truth).call()
    torch.testing.assert_close(Above.seen, [above])


@pytest.mark.usefixtures("_without_torch_compile")
@pytest.mark.parametrize("group", ["scaled", "rows", *DENSE])
def test_who_takes_what_comes_from_above_for_something_else_is_wrong(
    group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, loss: Any) -> Any:
            return loss.clone()

        @staticmethod
        def backward(_: Any, above: Any) -> Any:
            return torch.full_like(above, 2.0 / above.numel())

    def wrong(function: Any) -> Any:
        return lambda z, y, reduction: Deaf.apply(function(z, y, reduction=reduction))

    F = torch.nn.functional
    z, y = small()
    if group in DENSE:
        for name in ("cross_entropy", "binary_cross_entropy_with_logits"):
            monkeypatch.setattr(_gpu_dense.F, name, wrong(getattr(F, name)))
        found = dense(group, z, (), Clock().device())
    else:
        monkeypatch.setattr(_gpu_peers, "LOSSES", {LIGER: lambda: wrong(F.cross_entropy)})
        found = _gpu_peers._losses(group, z, y, (), Clock().device())
    peer = found[EAGER if group in DENSE else LIGER]
    if group.endswith("forward"):
        assert isinstance(peer, Peer)
    else:
        assert isinstance(peer, dict)
        assert re.match("gradient .*off", peer["wrong"])


def test_an_error_is_said_in_one_line_without_the_folders_of_the_machine() -> None:
    def fails() -> Any:
        raise RuntimeError("a | b in /home/somebody/place/file.py\nand more")

    assert tried(fails) == {"absent": "RuntimeError: a / b in file.py"}
    assert checked(fails, lambda *_: None) == {"absent": "RuntimeError: a / b in file.py"}
    assert tried(lambda: 3) == 3


def test_a_wrong_result_is_said_and_released() -> None:
    released = []
    peer = Peer(lambda: 1.0, release=lambda: released.append(True))
    assert checked(lambda: peer, lambda value, _: f"{value} is wrong") == {"wrong": "1.0 is wrong"}
    assert released == [True]
    assert checked(lambda: peer, lambda *_: None) is peer
    assert evaluated(torch.is_grad_enabled).call() is False


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_wrong_loss_or_gradient_is_seen(dtype: Any) -> None:
    z, y = small(dtype)
    expected = exact(z, y)
    value = torch.nn.functional.cross_entropy(z.float(), y)
    (gradient,) = torch.autograd.grad(value, z)
    assert wrong_mean(expected, value, gradient, trains=True) is None
    assert wrong_mean(expected, 1.1 * value, gradient, trains=True) is not None
    assert wrong_mean(expected, torch.tensor(float("nan")), gradient, trains=False) is not None
    assert wrong_mean(expected, value, None, trains=True) == "no gradient"
    assert wrong_mean(expected, value, None, trains=False) is None
    at_truth = gradient.scatter(1, y[:, None], 0.0)
    assert "at the truth" in str(wrong_mean(expected, value, at_truth, trains=True))
    elsewhere = torch.zeros_like(gradient).scatter(1, y[:, None], gradient.gather(1, y[:, None]))
    assert "at the other classes" in str(wrong_mean(expected, value, elsewhere, trains=True))
    assert "at the" in str(wrong_mean(expected, value, gradient * float("nan"), trains=True))


def test_a_wrong_row_is_named() -> None:
    z, y = small()
    losses = torch.nn.functional.cross_entropy(z, y, reduction="none").detach()
    assert wrong_rows(exact(z, y), losses) is None
    for bad in (losses[3] + 1.0, torch.nan):
        other = losses.clone()
        other[3] = bad
        assert str(wrong_rows(exact(z, y), other)).startswith("loss of row 3 is ")


def test_a_wrong_binary_loss_is_seen() -> None:
    z, _ = small()
    t = (torch.arange(140).reshape(20, 7) % 2).to(z.dtype)
    value = torch.nn.functional.binary_cross_entropy_with_logits(z, t)
    (gradient,) = torch.autograd.grad(value, z)
    assert wrong_binary(z, t, value, gradient) is None
    assert str(wrong_binary(z, t, 1.01 * value, gradient)).startswith("loss ")
    assert str(wrong_binary(z, t, value, -gradient)).startswith("gradient off")
    assert wrong_binary(z, t, value, None) == "no gradient"
    assert wrong_binary(z, t, value, None, trains=False) is None
    weight = torch.linspace(0.5, 1.5, 20)
    assert str(wrong_binary(z, t, value, gradient, weight=weight)).startswith("loss ")
    weighted = torch.nn.functional.binary_cross_entropy_with_logits(z, t, weight=weight[:, None])
    (gradient,) = torch.autograd.grad(weighted, z)
    assert wrong_binary(z, t, weighted, gradient, weight=weight) is None


# The script


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(Path(xent.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path, **environment},
    )  # fmt: skip


def test_without_a_device_it_says_so_in_one_line(tmp_path: Path) -> None:
    done = run("--quick", "--out", str(tmp_path), CUDA_VISIBLE_DEVICES="", HIP_VISIBLE_DEVICES="")
    assert done.returncode == 2
    assert done.stderr == "benchmarks.gpu: nothing to measure: PyTorch finds no CUDA device\n"
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def test_without_pytorch_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert gpu.missing() == "PyTorch is not installed"


def test_a_case_that_is_not_there() -> None:
    done = run("--only", "nothing of the kind")
    assert done.returncode == 2
    assert "expected a part of one of" in done.stderr


def test_committed_pages_are_what_their_samples_say() -> None:
    for file in sorted((ROOT / "benchmarks" / "results").glob("gpu-*.json")):
        made = _gpu_results.report(json.loads(file.read_text(encoding="utf-8")))
        assert made == file.with_suffix(".md").read_text(encoding="utf-8"), file.name


def test_a_case_is_measured_in_turns_and_one_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    peers = {OURS: clock.peer("ours", 2.0), EAGER: NOT_INSTALLED}
    given = argparse.Namespace(quick=True, rounds=3)
    (train,) = chosen("train 32×128256 bfloat16", quick=True)
    monkeypatch.setattr(_gpu_peers, "peers_of", lambda *_, **__: (peers, 24))
    samples = {"samples": [2.0, 2.0, 2.0], "note": ""}
    assert gpu._measured(train, given, clock.device()) == ({OURS: samples, EAGER: NOT_INSTALLED}, 24)

    def full(*_: Any, **__: Any) -> Any:
        raise MemoryError("no room")

    monkeypatch.setattr(_gpu_peers, "peers_of", full)
    named = {"absent": "MemoryError: no room"}
    assert gpu._measured(train, given, clock.device()) == (dict.fromkeys(PEERS["train"], named), 0)
    (first,) = chosen("first 16×1000 ", quick=True)
    monkeypatch.setattr(_gpu_fresh, "start", lambda *_, **variables: len(variables["TRITON_CACHE_DIR"]) and 0.5)
    once = {"samples": [0.5], "note": ""}
    assert gpu._measured(first, given, clock.device()) == ({EMPTY: once, FULL: once}, 0)
