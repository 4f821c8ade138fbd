"""The cases of ``keras_cases_*.py`` on each of Keras's backends, in a process of its own: it is fixed at the import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from keras_processes import ONE_THREAD, SOURCE

from support.thinning import EVERY, ONE_IN

HERE = Path(__file__).parent
CASES = sorted(path.stem.removeprefix("keras_cases_") for path in HERE.glob("keras_cases_*.py"))
#: How many tests a file has at least on every backend, if all are run.
AT_LEAST = {"edges": 20, "heads": 4, "models": 5, "values": 60}


@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_cases(backend: str) -> None:
    for module in ("keras", backend):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    environment = {**os.environ, **ONE_THREAD, "KERAS_BACKEND": backend, "PYTHONPATH": SOURCE}
    command = [sys.executable, "-m", "pytest", "-q", "-rp", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, "--show-capture=no", *(str(HERE / f"keras_cases_{cases}.py") for cases in CASES)],
        capture_output=True, text=True, check=False, env=environment, cwd=HERE.parents[1], timeout=1500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = Counter(re.findall(r"^PASSED .*keras_cases_(\w+)\.py::", done.stdout, re.MULTILINE))
    assert set(passed) == set(AT_LEAST) == set(CASES)
    few = {} if EVERY else {name: ONE_IN[f"keras/keras_cases_{name}.py"] for name in CASES}
    assert all(passed[name] * few.get(name, 1) >= AT_LEAST[name] for name in CASES), passed
