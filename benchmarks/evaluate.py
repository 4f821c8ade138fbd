"""Time and memory of ``xent evaluate`` on 3,000,000 rows × 10 float32 logits in Parquet: the whole process, warm file.

Writes the file in a temporary folder, runs the real command, prints a row for each run and the machine.
Run from the root: ``python -m benchmarks.evaluate [--rows N] [--classes K] [--runs R]``.
The claim: at most 5 s and 400 MB on 2 cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import _machine

# NumPy and pyarrow are imported where the file is written, in a process of its own: Linux counts the memory of the
# process that starts another in the peak of the one that is started.
ROOT = Path(__file__).resolve().parents[1]
ROWS, CLASSES = 3_000_000, 10  # the shape of the claim
_GROUP = 250_000  # rows written at a time


def write_file(path: Path, rows: int, classes: int) -> None:
    """Logits N(0, 2²) with 3 more for the truth: a model that is right about four times in five."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    fields = [("id", pa.int64()), ("label", pa.int8()), *((f"z_{k}", pa.float32()) for k in range(classes))]
    schema = pa.schema(fields)
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, _GROUP):
            n = min(_GROUP, rows - start)
            labels = rng.integers(0, classes, n)
            z = rng.normal(0, 2, (classes, n)).astype(np.float32)
            z[labels, np.arange(n)] += 3
            columns = [pa.array(np.arange(start, start + n)), pa.array(labels.astype(np.int8))]
            writer.write_table(pa.table([*columns, *(pa.array(row) for row in z)], schema=schema))


def run(path: Path, classes: int) -> tuple[float, float]:
    """Seconds and peak resident MB of one process. Raises where the command fails."""
    command = [sys.executable, "-m", "xent", "evaluate", str(path), "--truth", "label"]
    command += ["--logits", f"z_0..z_{classes - 1}", "--json", str(path.with_suffix(".json"))]
    start = time.perf_counter()
    devnull = os.open(os.devnull, os.O_WRONLY)
    pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, devnull, 1)])
    _, status, usage = os.wait4(pid, 0)  # the usage of this child alone
    seconds = time.perf_counter() - start
    os.close(devnull)
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"xent evaluate exited with {os.waitstatus_to_exitcode(status)}")
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is bytes there, KiB elsewhere
    return seconds, usage.ru_maxrss / unit


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--classes", type=int, default=CLASSES)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", type=Path, help="only write the file")
    given = parser.parse_args()
    if given.write:
        write_file(given.write, given.rows, given.classes)
        return
    print(_machine.short("numpy", "pyarrow"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.parquet"
        asked = ["--rows", str(given.rows), "--classes", str(given.classes), "--write", str(path)]
        subprocess.run([sys.executable, "-m", "benchmarks.evaluate", *asked], cwd=ROOT, check=True)
        print(f"{given.rows:,} rows × {given.classes} float32 logits, {path.stat().st_size / 2**20:.0f} MiB of Parquet")
        for number in range(1, given.runs + 1):
            seconds, peak = run(path, given.classes)
            print(f"run {number}: {seconds:.2f} s, peak {peak:.0f} MiB resident")


if __name__ == "__main__":
    main()
