"""Measures the rows of one world in one process; or, in a fresh one, the peak memory of one peer of a row.

``python -m benchmarks._beside turns …`` and ``… memory …`` are started by ``benchmarks.frameworks`` and by each other.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import _machine
from benchmarks._fresh import peak, start
from benchmarks._rounds import alternate
from benchmarks._worlds import OURS, OWN, WORLDS, Row, agree, peers, rows_of


def main() -> None:
    """Measure, and write or print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("turns", "memory"))
    parser.add_argument("world", choices=WORLDS)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--budget", type=float, default=0.0)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--row", type=int)
    parser.add_argument("--peer", choices=(OWN, OURS))
    given = parser.parse_args()
    processors = _machine.pin(given.threads)
    _quiet(given.world, given.threads)
    if given.what == "memory":
        print(_memory(rows_of(given.world)[given.row], given))
        return
    found = [
        _row(at, row, given)
        for at, row in enumerate(rows_of(given.world))
        if given.only in f"{WORLDS[row.world].name} {row.name(given.quick)}"
    ]
    settings = _machine.settings(given.threads, processors)
    settings["TensorFlow"] = f"{given.threads} threads within an operation, 1 between operations"
    given.file.write_text(json.dumps({"environment": settings, "rows": found}), encoding="utf-8")


def _quiet(world: str, threads: int) -> None:
    """Settings that have to stand before a framework starts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if WORLDS[world].arrays == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def _row(at: int, row: Row, given: argparse.Namespace) -> dict[str, Any]:
    found, _ = peers(row, quick=given.quick, threads=given.threads)
    agree(row, found)
    result = {
        "name": row.name(given.quick),
        "samples": alternate(found, given.rounds, given.budget),
        "memory": {},
        "load": round(os.getloadavg()[0], 2),
    }
    del found
    gc.collect()
    if row.memory and Path("/proc/self/clear_refs").exists():
        arguments = ["memory", given.world, "--threads", str(given.threads), "--row", str(at)]
        for name in (OWN, OURS):
            quick = ["--quick"] * given.quick
            result["memory"][name] = start("benchmarks._beside", *arguments, "--peer", name, *quick)
    print(f"{WORLDS[row.world].name} {row.name(given.quick)}", file=sys.stderr, flush=True)
    return result


def _memory(row: Row, given: argparse.Namespace) -> float:
    """Peak resident memory of one step above what was resident before it, by the scores' size.

    Before it the inputs exist and the peer has run on 8 rows, so that libraries are loaded. It is not run at full size
    before: allocators keep what was freed, and a second step would seem to need nothing.
    """
    few = replace(row, shape=(8, row.shape[1]), quick=(8, row.quick[1]))
    small, _ = peers(few, quick=given.quick, threads=given.threads)
    small[given.peer].call()
    small.clear()
    found, size = peers(row, quick=given.quick, threads=given.threads)
    return peak(found[given.peer].call) / size


if __name__ == "__main__":
    main()
