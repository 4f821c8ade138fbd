"""The kernels of the GPU, on one where there is one; else by Triton's interpreter, on tensors in memory.

``tests/conftest.py`` turns the interpreter on, which Triton asks for when it is first imported. The tests of the other
rooms that hold for these kernels too are found here again by their names.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest
import torch

from xent.backends.torch import element_sum, label_sum
from xent.kernels import registry
from xent.kernels.gpu import Gpu, gpu
from xent.kernels.gpu.compiled import compiled

pytest.importorskip("triton")
with warnings.catch_warnings():
    # As in tests/torch: forward mode's first use is deprecated by PyTorch itself.
    warnings.simplefilter("ignore", DeprecationWarning)
    import torch._decomp.decompositions_for_jvp
for room in ("kernels", "torch"):
    sys.path.append(str(Path(__file__).parents[1] / room))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The interpreter's NumPy warns where a device does not, at the edges that are tested here."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning"))


@pytest.fixture(autouse=True)
def _the_gpu_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU its kernels take tensors in memory, before the CPU's do."""
    if not torch.cuda.is_available():
        monkeypatch.setattr(Gpu, "interpreted", True)
        others = tuple(kernel for kernel in registry._KERNELS if kernel not in (gpu, compiled))
        monkeypatch.setattr(registry, "_KERNELS", (gpu, compiled, *others))
        for way in (label_sum, element_sum):
            monkeypatch.setattr(way, "plain", lambda *tensors: False)
