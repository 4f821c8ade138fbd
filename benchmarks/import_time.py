"""What ``import xent`` costs on top of NumPy: ``python -m benchmarks.import_time``.

Processes with and without it in turn; the files are compiled and in the machine's cache. The promise is 0.15 s.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from statistics import median

from benchmarks._machine import short

CODE = "import time, numpy; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
PROMISE = 0.15


def seconds_of(statements: str) -> float:
    """Of the statements, in a process of their own that has imported NumPy."""
    command = [sys.executable, "-c", CODE.format(statements)]
    writes = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=writes).stdout)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="processes of each kind")
    runs = parser.parse_args(arguments).runs
    if runs < 1:
        parser.error(f"--runs: expected a positive number; got {runs}")
    names = ("xent", "xent.evaluate", "xent.linear_model")
    seconds_of("; ".join(f"import {name}" for name in names))  # compiles the files
    found = [[seconds_of(f"import {name}") for name in names] for _ in range(runs)]
    print(short("numpy"))
    for name, seconds in zip(names, zip(*found, strict=True), strict=True):
        print(f"import {name}: median {median(seconds):.3f} s, least {min(seconds):.3f} s on top of NumPy")
    kept = median(row[0] for row in found) <= PROMISE
    print(f"import xent in {PROMISE} s: {'kept' if kept else 'not kept'}")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
