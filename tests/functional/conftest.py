"""Every statement about values is made on NumPy and on PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

Make = Callable[..., Any]


def numpy_array(values: Any, dtype: str = "float64") -> Any:
    return np.asarray(values, dtype=dtype)


def torch_tensor(values: Any, dtype: str = "float64") -> Any:
    return torch.tensor(values, dtype=getattr(torch, dtype))


@pytest.fixture(params=[numpy_array, torch_tensor], ids=["numpy", "torch"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param
