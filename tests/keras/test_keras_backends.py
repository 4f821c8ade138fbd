"""The cases of ``keras_cases_*.py`` on each of Keras's backends, in a process of its own: it is fixed at the import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from keras_processes import ONE_THREAD, SOURCE

HERE = Path(__file__).parent
CASES = sorted(str(path) for path in HERE.glob("keras_cases_*.py"))


@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_cases(backend: str) -> None:
    for module in ("keras", backend):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    environment = {**os.environ, **ONE_THREAD, "KERAS_BACKEND": backend, "PYTHONPATH": SOURCE}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--show-capture=no", *CASES],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=HERE.parents[1],
        timeout=800,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 150, done.stdout[-1000:]
