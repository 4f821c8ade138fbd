"""The benchmark runs the real command and prints a row for each run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import xent

ROOT = Path(__file__).parents[2]


def test_benchmark_prints_its_rows():
    path = os.pathsep.join(filter(None, [str(Path(xent.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "benchmarks.evaluate", "--rows", "3000", "--runs", "2"]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "3,000 rows × 10 float32 logits" in done.stdout
    assert "run 2: " in done.stdout
    assert "MiB resident" in done.stdout
