"""xent on a GPU against a plain copy, PyTorch, torch.compile, Liger, QuACK and flash-attention; targets judged.

Run from the root, on a machine with a CUDA device: ``python -m benchmarks.gpu [--quick] [--only TEXT] [--rounds N]
[--out FOLDER]``. Prints the page of results and writes it, and a JSON file with all samples, to benchmarks/results; a
line a case goes to stderr as it is measured. Whoever is not installed is absent, with the reason in the table. Exit
status 2 without a device, 1 with ``--check`` where a target is missed.

How it is measured: by the device's own events, all peers of a case in turns, each warm, with nothing of the scores in
the cache, the device busy until the call is queued (``_gpu_turns``); each peer's result is held to float64 before it is
timed (``_gpu_exact``). Memory is the peak of PyTorch's allocator; first calls are made in fresh processes.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks import _machine
from benchmarks._gpu_cases import CASES, Case, chosen
from benchmarks._gpu_results import judged, line, report

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
_PACKAGES = ("torch", "triton", "liger-kernel", "quack-kernels", "flash-attn")
#: Of the processor that starts the kernels.
_HOST = ("processor", "processors", "memory", "system", "load before", "Python")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rows: shows that it runs, and nothing else")
    parser.add_argument("--only", default="", help="cases whose group and name hold this text, such as 'memory'")
    parser.add_argument("--rounds", type=int, default=51, help="samples of each peer")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--check", action="store_true", help="exit with status 1 where a target is missed")
    given = parser.parse_args()
    cases = chosen(given.only, quick=given.quick)
    if given.rounds < 1 or not cases:
        names = sorted(f"{case.group} {case.name(given.quick)}" for case in CASES)
        parser.error(f"--rounds: expected 1 or more; --only: expected a part of one of {', '.join(names)}")
    why = missing()
    if why is not None:
        print(f"benchmarks.gpu: nothing to measure: {why}", file=sys.stderr)
        sys.exit(2)
    results = measure(cases, given)
    page = report(results)
    sys.stdout.write(page)
    given.out.mkdir(parents=True, exist_ok=True)
    name = f"gpu-{slug(results['machine']['GPU'])}-{results['date'][:10]}{'-quick' * given.quick}"
    (given.out / f"{name}.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (given.out / f"{name}.md").write_text(page, encoding="utf-8")
    if given.check and any(found.startswith("missed") for case in results["cases"] for *_, found in judged(case)):
        sys.exit(1)


def missing() -> str | None:
    """Why nothing can be measured here, or None."""
    try:
        import torch
    except ImportError:
        return "PyTorch is not installed"
    return None if torch.cuda.is_available() else "PyTorch finds no CUDA device"


def measure(cases: list[Case], given: argparse.Namespace) -> dict[str, Any]:
    """The results."""
    import torch

    from benchmarks._gpu_turns import device

    results: dict[str, Any] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": f"python -m benchmarks.gpu {shlex.join(_machine.shown(sys.argv[1:]))}".strip(),
        "quick": given.quick,
        "rounds": given.rounds,
        "machine": describe(),
        "kernel": kernel(),
        "cases": [],
    }
    with_events = device()
    for case in cases:
        peers, size = _measured(case, given, with_events)
        gc.collect()
        torch.cuda.empty_cache()
        found = {
            "group": case.group,
            "name": case.name(given.quick),
            "targets": [asdict(each) for each in case.targets],
        }
        results["cases"].append(found | {"bytes": size, "peers": peers})
        print(line(results["cases"][-1]), file=sys.stderr, flush=True)
    return results


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
        **{name: host[name] for name in _HOST},
        **{name: _version(name) for name in _PACKAGES},
    }


def kernel() -> str:
    """The kernel that runs a call on the device, and where it is not the GPU's, why."""
    import torch

    import xent

    z = torch.zeros(2, 3, device="cuda")
    found = xent.explain(xent.Labels(torch.zeros(2, dtype=torch.int64, device="cuda")), xent.Logits(z))
    return "gpu" if found.chosen == "gpu" else f"{found.chosen} ran; {found.refusals.get('gpu', 'it was not asked')}"


def slug(name: str) -> str:
    """The name of the GPU as a part of a file name."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
