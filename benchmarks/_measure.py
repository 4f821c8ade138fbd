"""Measures every case under one setting of the allocator, in one process, which the setting has to be older than.

``python -m benchmarks._measure FILE`` is started by ``benchmarks.cross_entropy``; it prints a line a case, and writes
all samples to the file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import _machine
from benchmarks._cases import CASES, COMPILED, FRESH, PEERS, SETTINGS, Case
from benchmarks._results import line


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--setting", choices=SETTINGS, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--budget", type=float, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    processors = _machine.pin(given.threads)
    measured = []
    for case in chosen(given.only, given.setting, quick=given.quick):
        peers = _fresh(case, given) if case.group in FRESH else _turns(case, given)
        measured.append(
            {
                "group": case.group,
                "name": case.name(given.quick),
                "targets": [asdict(target) for target in case.targets],
                "peers": peers,
                "load": round(os.getloadavg()[0], 2),
            }
        )
        print(line(measured[-1]), file=sys.stderr, flush=True)
    found = {"environment": _machine.settings(given.threads, processors), "cases": measured}
    given.file.write_text(json.dumps(found), encoding="utf-8")


def chosen(only: str, setting: str, *, quick: bool) -> list[Case]:
    """The cases whose group and name hold the text, without the fresh processes where these are not asked for."""
    cases = [case for case in CASES if only in f"{case.group} {case.name(quick)}"]
    if quick:  # one of each kind shows that it runs
        cases = list({(case.group, case.dtype): case for case in reversed(cases)}.values())[::-1]
    return [case for case in cases if case.group not in FRESH or not SETTINGS[setting]]


def _turns(case: Case, given: argparse.Namespace) -> dict[str, Any]:
    import torch

    from benchmarks._peers import peers_of
    from benchmarks._rounds import alternate

    torch.set_num_threads(given.threads)
    found = peers_of(case, quick=given.quick)
    samples = alternate({k: v for k, v in found.items() if not isinstance(v, str)}, given.rounds, given.budget)
    return {
        name: {"absent": peer} if isinstance(peer, str) else {"samples": samples[name], "note": peer.note}
        for name, peer in found.items()
    }


def _fresh(case: Case, given: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import _fresh
    from benchmarks._peers import compiler

    shape, repeats = case.at(given.quick), 1 if given.quick else 3
    if case.group == "first":
        timed = _fresh.first_call(shape, case.dtype, repeats)
        return {name: {"samples": samples, "note": ""} for name, samples in timed.items()}
    found: dict[str, Any] = {}
    for name in PEERS["memory"]:
        why = compiler() if name == COMPILED else None
        if why is None and not Path("/proc/self/clear_refs").exists():
            why = "not measured: needs Linux's /proc/self/clear_refs"
        if why is None:
            found[name] = {"samples": [_fresh.memory(name, shape, case.dtype) for _ in range(repeats)], "note": ""}
        else:
            found[name] = {"absent": why}
    return found


if __name__ == "__main__":
    main()
