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
#: How many tests a file has at least, with every backend.
CASES = {"edges": 20, "heads": 4, "models": 5, "values": 60}
#: Of models with heads one backend trains all; the others are held to the library's numbers.
FEW = {("heads", "jax"): "library or learned", ("heads", "tensorflow"): "library or learned"}


def test_every_file_of_cases_is_run() -> None:
    assert {path.stem.removeprefix("keras_cases_") for path in HERE.glob("keras_cases_*.py")} == set(CASES)


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_cases(backend: str, cases: str) -> None:
    for module in ("keras", backend):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    environment = {**os.environ, **ONE_THREAD, "KERAS_BACKEND": backend, "PYTHONPATH": SOURCE}
    few = FEW.get((cases, backend))
    chosen = [] if few is None else ["-k", few]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--show-capture=no"]
    done = subprocess.run(
        [*command, *chosen, str(HERE / f"keras_cases_{cases}.py")],
        capture_output=True, text=True, check=False, env=environment, cwd=HERE.parents[1], timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= CASES[cases], done.stdout[-1000:]
