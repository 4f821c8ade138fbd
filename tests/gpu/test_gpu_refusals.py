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
    room._FOUND.clear()
    yield
    room._FOUND.clear()


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


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 2),
        (RuntimeError("CUDA error: operation not permitted when stream is capturing"), 2),
        (RuntimeError("device kernel image is invalid"), 1),
    ],
    ids=["memory", "capture", "device"],
)
def test_a_failure_that_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch, error: Exception, tries: int) -> None:
    from xent.kernels.gpu import elements

    seen: list[int] = []

    def fails(*arguments: Any) -> None:
        seen.append(1)
        raise error

    monkeypatch.setattr(elements, "scaled_in_place", fails)
    monkeypatch.setattr(room, "_DEVICES", ("cpu",))
    for _ in range(2):
        assert str(error) in str(told(monkeypatch, "cpu"))
    assert len(seen) == tries


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own, while it traces
def test_captured_code_is_not_given_what_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    import xent.torch as X

    monkeypatch.setattr(Gpu, "interpreted", False)
    monkeypatch.setattr(room, "_DEVICES", ("cpu",))
    monkeypatch.setattr(room, "_failure", lambda device: "no C compiler")
    monkeypatch.setattr(Gpu, "row_statistics", lambda *arguments: pytest.fail("the kernel runs"))
    torch._dynamo.reset()
    z, y = torch.randn(3, 5), torch.tensor([0, 4, 2])
    found = torch.compile(X.cross_entropy, fullgraph=True, backend="aot_eager")(z, y)
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(z, y))
