"""scikit-learn's own tests of these functions, as they are installed, run against ours.

Each file runs in a process of its own, in which ``sklearn_in_place`` has put ours in the place of theirs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

import xent

#: Their files, which of their tests are about these functions, and how many of those call each of ours, at least.
FILES = {
    "metrics/tests/test_classification.py": (
        "log_loss or brier_score_loss or pos_label_types",
        {"log_loss": 8, "d2_log_loss_score": 3, "brier_score_loss": 4},
    ),
    "metrics/tests/test_common.py": (
        "log_loss or brier_score_loss",
        {"log_loss": 30, "d2_log_loss_score": 10, "brier_score_loss": 15},
    ),
    "metrics/tests/test_score_objects.py": ("", {"log_loss": 8, "d2_log_loss_score": 2, "brier_score_loss": 3}),
    "tests/test_public_functions.py": (
        "log_loss or brier_score_loss",
        {"log_loss": 1, "d2_log_loss_score": 1, "brier_score_loss": 1},
    ),
}

#: Tests of theirs that ours does not pass, and why it is not to. A test that passes is not to stand here.
EXCEPTED: dict[str, str] = {}
NEWEST = parse_version(sklearn.__version__) >= parse_version("1.9")
if not NEWEST:
    _NAMES = "it reads the parameters' names: y_proba has its new name here, beside the old one, in every version"
    EXCEPTED |= {
        f"::test_function_param_validation[sklearn.metrics.{name}]": _NAMES
        for name in ("log_loss", "d2_log_loss_score")
    }


@pytest.fixture(scope="module", params=FILES, ids=lambda file: Path(file).stem)
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """(the file, what each of its tests came to)."""
    folder = tmp_path_factory.mktemp("published")
    here, source = Path(__file__).parent, Path(xent.__file__).parents[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(source), str(here), os.environ.get("PYTHONPATH")])),
        "SCIPY_ARRAY_API": "1",
        "XENT_OUTCOMES": str(folder / "outcomes.json"),
    }
    # None of this project's settings: their tests are run as they run them.
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(folder)]
    command += ["-p", "sklearn_in_place", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", FILES[request.param][0]]
    command += [str(Path(sklearn.__file__).parent / request.param)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-3000:]
    return request.param, json.loads((folder / "outcomes.json").read_text(encoding="utf-8"))


def test_theirs_pass_but_for_the_excepted(outcomes: tuple[str, dict[str, Any]]) -> None:
    _, found = outcomes
    failed = {name: outcome["text"] for name, outcome in found.items() if outcome["outcome"] == "failed"}
    excepted = {name for name in EXCEPTED if name in found}
    assert {name: text for name, text in failed.items() if name not in excepted} == {}
    assert excepted <= set(failed), "an excepted test passes"


@pytest.mark.skipif(not NEWEST, reason="the numbers are those of 1.9")
def test_theirs_call_ours(outcomes: tuple[str, dict[str, Any]]) -> None:
    file, found = outcomes
    for function, least in FILES[file][1].items():
        passed = [n for n, outcome in found.items() if outcome["outcome"] == "passed" and function in outcome["called"]]
        assert len(passed) >= least, (function, passed)


def test_what_is_skipped_is_skipped_for_want_of_something(outcomes: tuple[str, dict[str, Any]]) -> None:
    """A device or a package that is not here, and nothing about ours."""
    _, found = outcomes
    wants = ("not installed", "could not import", "cuda", "CUDA", "MPS", "XPU", "does not support", "not available")
    skipped = {n: o["text"] for n, o in found.items() if o["outcome"] == "skipped"}
    assert {n: text for n, text in skipped.items() if not any(want in text for want in wants)} == {}
    if find_spec("array_api_strict") is not None:
        assert not any("array_api_strict is not installed" in text for text in skipped.values())
