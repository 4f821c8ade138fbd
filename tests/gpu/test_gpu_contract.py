"""The contract that every kernel keeps, for the GPU's: the tests of ``tests/kernels`` once more."""

from __future__ import annotations

from typing import Any

import pytest
import test_contract
import test_element_losses
import test_elements

from xent.core.arrays import dtype_name, library
from xent.kernels.gpu import gpu
from xent.kernels.protocol import Task


class _Willing:
    """The kernel; a test is skipped when it comes to a task that the kernel says is not for it."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(gpu, name)
        if not name.startswith(("row_", "element_")):
            return found

        def asked(q: Any, *others: Any, **options: Any) -> Any:
            link = next(x for x in others if x in ("logits", "log_probs", "probs"))
            family = "rows" if name.startswith("row_") else "elements"
            where = str(getattr(q, "device", "cpu"))
            reason = gpu.refuses(Task(family, link, "soft", library(q), where, dtype_name(q), tuple(q.shape)))
            if reason is not None:
                pytest.skip(f"{gpu.name} refuses: {reason}")
            return found(q, *others, **options)

        return asked


@pytest.fixture
def kernel() -> Any:
    return _Willing()


def _tests_of_one_kernel(*modules: Any) -> dict[str, Any]:
    """The tests that ask for a kernel."""
    found = {}
    for module in modules:
        for name, test in vars(module).items():
            if name.startswith("test_") and "kernel" in getattr(test, "__annotations__", {}):
                assert name not in found
                found[name] = test
    assert found
    return found


globals().update(_tests_of_one_kernel(test_contract, test_element_losses, test_elements))
pytestmark = [pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")]
