"""The Keras example runs on every backend, holds both losses to one curve, and notices a loss that is not the same."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import xent

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(xent.__file__).parents[1]), str(EXAMPLES)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-W", "error", *command], capture_output=True, text=True, check=False, env=environment
    )


@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_both_losses_train_the_same_curve(backend: str) -> None:
    for module in ("keras", backend):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    done = run(str(EXAMPLES / "keras_backends.py"), "--steps", "10", "--backend", backend)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.startswith(f"backend {backend}\n")
    assert ": the same within rounding" in done.stdout


def test_another_loss_is_noticed() -> None:
    """A loss of scores that are one part in ten thousand off is far outside rounding."""
    pytest.importorskip("torch")
    if find_spec("keras") is None:
        pytest.skip("keras is not installed")
    code = (
        "import os, sys; os.environ['KERAS_BACKEND'] = 'torch'; import xent.keras; "
        "ours = xent.keras.SparseCategoricalCrossentropy; call = ours.__call__; "
        "ours.__call__ = lambda self, y, z, sample_weight=None: call(self, y, 1.0001 * z, sample_weight); "
        "import keras_backends; sys.argv = ['keras_backends', '--steps', '10', '--backend', 'torch']; "
        "keras_backends.main()"
    )
    done = run("-c", code)
    assert done.returncode == 1, done.stdout + done.stderr[-3000:]
    assert "NOT THE SAME within rounding" in done.stdout
