"""The benchmark of the frameworks runs in each of its processes, and its page says what its samples say.

Its times are tested nowhere: only that they are there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks._rounds import Peer
from benchmarks._worlds import agree, rows_of

import xent
from benchmarks import _worlds, frameworks

ROOT = Path(__file__).resolve().parents[2]
#: The modes of each process.
MODES = {
    "PyTorch": ["eager"],
    "JAX": ["jit", "eager"],
    "optax": ["jit"],
    "TensorFlow": ["eager", "tf.function", "XLA"],
    "Keras on TensorFlow": ["tf.function"],
    "Keras on JAX": ["jit"],
    "Keras on PyTorch": ["eager"],
}


def benchmark(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(Path(xent.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.frameworks", "--quick", "--threads", "1", "--budget", "0", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-4000:]
    return done


def run(out: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """(the results, the page)."""
    printed = benchmark("--out", str(out), *arguments).stdout
    (data,), (page,) = out.glob("*.json"), out.glob("*.md")
    assert printed == page.read_text(encoding="utf-8")
    text = data.read_text(encoding="utf-8")
    assert str(out) not in text
    return json.loads(text), printed


def test_a_framework_has_its_own_and_ours(tmp_path: Path) -> None:
    """``agree`` has checked in each process that both give the same number."""
    shown = {name: MODES[name] for name in ("PyTorch", "optax")}
    results, page = run(tmp_path, "--rounds", "2", "--only", "hard, 32×100", "--world", "torch", "optax")
    assert "Sizes of a smoke test" in page
    assert list(results["worlds"]) == list(shown)
    for name, modes in shown.items():
        rows = results["worlds"][name]["rows"]
        assert [row["name"] for row in rows] == [f"{mode}, hard, 32×100" for mode in modes]
        for row in rows:
            assert set(row["samples"]) == {"own", "xent"}
            assert all(len(samples) == 2 and min(samples) > 0 for samples in row["samples"].values())
            assert row["memory"] == {}
            assert f"| {row['name']} |" in page


def test_memory_and_log_loss(tmp_path: Path) -> None:
    results, page = run(tmp_path, "--rounds", "1", "--world", "sklearn")
    rows = results["worlds"]["scikit-learn"]["rows"]
    assert [row["name"] for row in rows] == ["log_loss, log loss, 1000×10", "log_loss, log loss, 100×100"]
    for row in rows:
        assert set(row["memory"]) == {"own", "xent"}
        assert all(value >= 0 for value in row["memory"].values())
    assert "## scikit-learn" in page
    assert "## PyTorch" not in page


def test_what_is_not_there_is_asked_for_in_vain(tmp_path: Path) -> None:
    done = benchmark("--only", "nothing of the kind", "--out", str(tmp_path), code=2)
    assert "expected a part of one of" in done.stderr


def test_a_framework_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_worlds, "find_spec", lambda name: None if name == "optax" else name)
    assert _worlds.WORLDS["optax"].absent() == "optax: not installed"
    assert _worlds.WORLDS["jax"].absent() is None
    row = {"name": "a row", "samples": {"own": [9.0, 1.0, 2.0], "xent": [0.5, 0.25, 7.0]}, "memory": {"own": 3.0}}
    results = {
        "date": "", "command": "", "quick": False, "rounds": 3, "machine": {"load before": "0.1 0 0"},
        "worlds": {"optax": {"absent": "optax: not installed"}, "JAX": {"environment": {}, "rows": [row]}},
    }  # fmt: skip
    page = frameworks.report(results)
    assert "Not measured: optax: not installed." in page
    assert "| a row | 2.00 (4.00×) | 0.5 | 3.00 | – |" in page
    assert "smoke test" not in page


def test_what_does_not_agree_is_not_compared() -> None:
    row = rows_of("torch")[0]
    agree(row, {"own": Peer(lambda: 1.0), "xent": Peer(lambda: 1.00001)})
    with pytest.raises(RuntimeError, match="of its own"):
        agree(row, {"own": Peer(lambda: 1.0), "xent": Peer(lambda: 1.1)})
    with pytest.raises(RuntimeError, match="of its own"):
        agree(row, {"own": Peer(lambda: float("nan")), "xent": Peer(lambda: 1.0)})
