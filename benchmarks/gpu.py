"""xent on a GPU against a plain copy, PyTorch, torch.compile, Liger, QuACK and flash-attention; targets judged.

Run from the root, on a machine with a CUDA device: ``python -m benchmarks.gpu [--quick] [--only TEXT] [--rounds N]
[--limit SECONDS] [--again] [--out FOLDER]``. Prints the page of results. The page, and a JSON file with all samples,
are written to benchmarks/results after every case, which takes a line on stderr: whatever ends a run, what it has
measured is there, and the page names what is missing. The same command goes on: cases that the file has of the same
software and rounds are left as they are, others are added to it. ``--limit`` ends a run by itself before a case that
would take too long, with the command that goes on. Whoever is not installed is absent, with the reason in the table.
Exit status 2 without a device, 1 with ``--check`` where a target is missed, 3 where ``--limit`` has left cases.

How it is measured: by the device's own events, all peers of a case in turns, each warm, with nothing of the scores in
the cache, the device busy until the call is queued (``_gpu_turns``); each peer's result is held to float64 before it is
timed (``_gpu_exact``). Memory is the peak of PyTorch's allocator; first calls are made in fresh processes.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks import _machine
from benchmarks._gpu_cases import CASES, Case, chosen
from benchmarks._gpu_record import HOST, Record, opened
from benchmarks._gpu_results import judged, line, named, report

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
_PACKAGES = ("torch", "triton", "liger-kernel", "quack-kernels", "flash-attn")


def main() -> None:
    """Measure, write, print."""
    begun = monotonic()
    given, cases = arguments()
    why = missing()
    if why is not None:
        _say(f"nothing to measure: {why}")
        sys.exit(2)
    record = opened(given.out, run_of(given), quick=given.quick)
    record.write()
    if given.again:
        record.drop(cases)
    left = record.left(cases)
    if len(left) < len(cases):
        done = f"{len(cases) - len(left)} of {len(cases)} cases (--again measures them anew)"
        _say(f"{record.file.name} has {done}; " + (f"goes on with {_names(left, given)}" if left else "none is left"))
    left = measure(left, given, record, begun)
    sys.stdout.write(report(record.results()))
    if left:
        _say(f"ended by --limit {given.limit:g} after {monotonic() - begun:.0f} s. Left: {_names(left, given)}")
        _say(f"go on with: python -m benchmarks.gpu {shlex.join(x for x in sys.argv[1:] if x != '--again')}")
    asked = {case.key(given.quick) for case in cases}
    found = [case for case in record.cases if (case["group"], case["name"]) in asked]
    if given.check and any(verdict.startswith("missed") for case in found for *_, verdict in judged(case)):
        sys.exit(1)
    sys.exit(3 if left else 0)


def arguments() -> tuple[argparse.Namespace, list[Case]]:
    """(what is given, the cases that are asked for)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--quick", action="store_true", help="few rows: shows that it runs, and nothing else")
    parser.add_argument("--only", default="", help="cases whose group and name hold this text, such as 'memory'")
    parser.add_argument("--rounds", type=int, default=51, help="samples of each peer")
    parser.add_argument(
        "--limit", type=float, help="seconds: no case is started that, as long as the longest, ends later"
    )
    parser.add_argument("--again", action="store_true", help="measure anew what the file has already")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the page is, or is looked for to go on")
    parser.add_argument("--check", action="store_true", help="exit with status 1 where a target is missed")
    given = parser.parse_args()
    cases = chosen(given.only, quick=given.quick)
    if given.rounds < 1 or not cases:
        names = sorted(case.title(given.quick) for case in CASES)
        parser.error(f"--rounds: expected 1 or more; --only: expected a part of one of {', '.join(names)}")
    if given.limit is not None and not given.limit > 0:
        parser.error(f"--limit: expected more than 0 seconds, got {given.limit:g}")
    return given, cases


def missing() -> str | None:
    """Why nothing can be measured here, or None."""
    try:
        import torch
    except ImportError:
        return "PyTorch is not installed"
    return None if torch.cuda.is_available() else "PyTorch finds no CUDA device"


def run_of(given: argparse.Namespace) -> dict[str, Any]:
    """When, by which command and where the cases of this run are measured."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": f"python -m benchmarks.gpu {shlex.join(_machine.shown(sys.argv[1:]))}".strip(),
        "rounds": given.rounds,
        "kernel": kernel(),
        "machine": describe(),
    }


def measure(cases: list[Case], given: argparse.Namespace, record: Record, begun: float) -> list[Case]:
    """Measure one after the other, each written when it is done. Returns those that the limit leaves."""
    import torch

    from benchmarks import _gpu_turns

    if not cases:
        return []
    device, longest = _gpu_turns.device(), 0.0
    for at, case in enumerate(cases):
        start = monotonic()
        if given.limit is not None and start - begun + longest > given.limit:
            return cases[at:]
        _say(f"{at + 1} of {len(cases)}, at {start - begun:.0f} s: {case.title(given.quick)}")
        peers, size = _measured(case, given, device)
        seconds = monotonic() - start
        longest = max(longest, seconds)
        found = {
            "seconds": round(seconds, 1),
            "group": case.group,
            "name": case.name(given.quick),
            "targets": [asdict(each) for each in case.targets],
            "bytes": size,
            "peers": peers,
        }
        record.add(found)
        print(f"{line(found)} | {seconds:.0f} s", file=sys.stderr, flush=True)
        gc.collect()
        torch.cuda.empty_cache()
        device.wait()  # a device that a peer has broken fails here, rather than in every case to come
    return []


def _measured(case: Case, given: argparse.Namespace, device: Any) -> tuple[dict[str, Any], int]:
    """(samples of each peer, or why there are none; the bytes of the scores)."""
    from benchmarks import _gpu_fresh
    from benchmarks._gpu_cases import PEERS
    from benchmarks._gpu_make import memory, tried
    from benchmarks._gpu_peers import peers_of
    from benchmarks._gpu_turns import Peer, alternate

    if case.group == "first":
        timed = tried(lambda: _gpu_fresh.first_call(case.at(given.quick), case.dtype, 1 if given.quick else 3))
        return {name: _samples(timed if "absent" in timed else timed[name], "") for name in PEERS["first"]}, 0
    made = tried(lambda: peers_of(case, device, quick=given.quick))
    if isinstance(made, dict):  # the scores themselves have no room
        return dict.fromkeys(PEERS[case.group], made), 0
    found, size = made
    there = {name: peer for name, peer in found.items() if isinstance(peer, Peer)}
    if case.group == "memory":
        samples = {name: tried(lambda peer=peer: [memory(peer) / size]) for name, peer in there.items()}
    else:
        samples = tried(lambda: alternate(there, given.rounds, device))
        if "absent" in samples:
            samples = dict.fromkeys(there, samples)
    measured = {
        name: peer if isinstance(peer, dict) else _samples(samples[name], peer.note) for name, peer in found.items()
    }
    return measured, size


def _samples(samples: Any, note: str) -> dict[str, Any]:
    return samples if isinstance(samples, dict) else {"samples": samples, "note": note}


def describe() -> dict[str, str]:
    """What a reader needs to judge a figure."""
    import torch

    card = torch.cuda.get_device_properties(torch.cuda.current_device())
    host = _machine.describe()
    cache = getattr(card, "L2_cache_size", None)
    return {
        "GPU": card.name,
        "GPU memory": f"{card.total_memory / 2**30:.0f} GiB",
        "GPU's multiprocessors": str(card.multi_processor_count),
        "GPU's second-level cache": "unknown" if cache is None else f"{cache / 2**20:.0f} MiB",
        "GPU's capability": f"{card.major}.{card.minor}",
        "CUDA or ROCm of PyTorch": str(torch.version.cuda or torch.version.hip),
        **{name: host[name] for name in HOST},
        **{name: _version(name) for name in _PACKAGES},
        "xent's source": source(),
    }


def kernel() -> str:
    """The kernel that runs a call on the device, and where it is not the GPU's, why."""
    import torch

    import xent

    z = torch.zeros(2, 3, device="cuda")
    found = xent.explain(xent.Labels(torch.zeros(2, dtype=torch.int64, device="cuda")), xent.Logits(z))
    return "gpu" if found.chosen == "gpu" else f"{found.chosen} ran; {found.refusals.get('gpu', 'it was not asked')}"


def source() -> str:
    """A digest of xent's own files: figures of other kernels are not gone on with."""
    import xent

    folder, found = Path(xent.__file__).parent, hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        found.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:12]


def _names(cases: list[Case], given: argparse.Namespace) -> str:
    return named(case.key(given.quick) for case in cases)


def _say(text: str) -> None:
    print(f"benchmarks.gpu: {text}", file=sys.stderr, flush=True)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
