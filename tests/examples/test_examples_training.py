"""The training examples run, hold both losses to one curve, and notice a loss that is not the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import xent

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NUMBER = r"-?[\d.]+(?:e[-+]\d+)?"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(xent.__file__).parents[1]), str(EXAMPLES)])
    # One thread: beside other tests, two wait for one another.
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-W", "error", *command], capture_output=True, text=True, check=False, env=environment
    )


@pytest.mark.parametrize(("script", "steps"), [("digits_mlp.py", 30), ("char_transformer.py", 3)])
def test_both_losses_train_the_same_curve(script: str, steps: int) -> None:
    done = run(str(EXAMPLES / script), "--steps", str(steps))
    assert done.returncode == 0, done.stderr
    curve = re.findall(rf"^ +(\d+) +({NUMBER}) +({NUMBER}) +({NUMBER})$", done.stdout, re.MULTILINE)
    assert [int(curve[0][0]), int(curve[-1][0])] == [1, steps]
    assert float(curve[-1][1]) < float(curve[0][1])
    assert "the same within rounding" in done.stdout
    shares = dict(
        re.findall(rf"^(\w+): [\d.]+ s for {steps} steps; the loss is ([\d.]+)% of a step$", done.stdout, re.M)
    )
    assert list(shares) == ["PyTorch", "xent"]
    assert all(0 < float(share) < 100 for share in shares.values())


def test_another_loss_is_noticed() -> None:
    """A gradient that is one part in ten thousand off is far outside rounding."""
    code = (
        "import sys, two_losses, digits_mlp; ours = two_losses.LOSSES['xent']; "
        "two_losses.LOSSES['xent'] = lambda z, y: ours(1.0001 * z, y); "
        "sys.argv = ['digits_mlp', '--steps', '30']; digits_mlp.main()"
    )
    done = run("-c", code)
    assert done.returncode == 1, done.stderr
    assert "NOT THE SAME within rounding" in done.stdout


def test_tensorflow_trains_the_same_curve_and_another_loss_is_noticed() -> None:
    done = run(str(EXAMPLES / "tensorflow_loop.py"), "--steps", "30")
    assert done.returncode == 0, done.stderr
    assert "the same within rounding" in done.stdout
    code = (
        "import sys, tensorflow_loop as t; ours = t.LOSSES['xent']; "
        "t.LOSSES['xent'] = lambda y, z: ours(y, 1.0001 * z); "
        "sys.argv = ['tensorflow_loop', '--steps', '30']; t.main()"
    )
    done = run("-c", code)
    assert done.returncode == 1, done.stderr
    assert "NOT THE SAME within rounding" in done.stdout


def test_optax_and_xent_train_the_same_curve() -> None:
    done = run(str(EXAMPLES / "optax_digits.py"), "--steps", "30")
    assert done.returncode == 0, done.stderr
    assert "the same within rounding" in done.stdout


def test_another_loss_is_noticed_in_jax() -> None:
    code = (
        "import sys, optax_digits as o; ours = o.ours; o.ours = lambda z, y: ours(1.0001 * z, y); "
        "sys.argv = ['optax_digits', '--steps', '30']; o.main()"
    )
    done = run("-c", code)
    assert done.returncode == 1, done.stderr
    assert "NOT THE SAME within rounding" in done.stdout
