"""Where the GPU kernels do not run, and what ``explain`` says of it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from xent.kernels import gpu as room
from xent.kernels.gpu import Gpu
from xent.kernels.protocol import Task


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> Any:
    room._failure.cache_clear()
    yield
    room._failure.cache_clear()


def told(monkeypatch: pytest.MonkeyPatch, device: str) -> str | None:
    monkeypatch.setattr(Gpu, "interpreted", False)
    return Gpu().refuses(Task("rows", "logits", "hard", "torch", device, "float32", (2, 3)))


def test_a_device_on_which_nothing_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own error, where it was built without the device, stands for a compiler that is not there."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("it compiles here")
    reason = told(monkeypatch, "cuda:0")
    assert reason is not None
    assert reason.startswith("Triton does not run on cuda:0 here: ")
    assert "CUDA" in reason


def test_tensorflow_before_triton() -> None:
    code = (
        "import sys, types; sys.modules['tensorflow'] = types.ModuleType('tensorflow')\n"
        "from xent.kernels.gpu import gpu\n"
        "from xent.kernels.protocol import Task\n"
        "print(gpu.refuses(Task('rows', 'logits', 'hard', 'torch', 'cuda', 'float32', (2, 3))))\n"
        "assert 'triton' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "import triton first" in run.stdout


@pytest.mark.parametrize(
    ("device", "reason"),
    [("mps", "not on mps"), ("meta", "not on meta"), ("cpu", "not on cpu")],
)
def test_other_devices(monkeypatch: pytest.MonkeyPatch, device: str, reason: str) -> None:
    assert reason in str(told(monkeypatch, device))


def test_without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "HAS_TRITON", False)
    assert "pip install triton" in str(told(monkeypatch, "cuda"))
