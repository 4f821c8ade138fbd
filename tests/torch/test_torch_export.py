"""Every function without values (meta) and as an exported program whose batch size is free."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torch_problems import PROBLEMS, mixed

import xent.torch as X

every = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


@every
def test_meta_tensors_keep_shape_and_dtype(problem: Any) -> None:
    for dtype in (torch.float64, torch.bfloat16):
        z, truth = problem.data(dtype=dtype)
        expected = problem.loss(F, z, truth)
        z, truth = z.to("meta").requires_grad_(), truth.to("meta")
        value = problem.loss(_OnMeta(), z, truth)
        assert (value.device.type, value.shape, value.dtype) == ("meta", expected.shape, expected.dtype)
        (slope,) = torch.autograd.grad(value, z, torch.empty_like(value))
        assert (slope.device.type, slope.shape, slope.dtype) == ("meta", z.shape, dtype)


class _OnMeta:
    """xent.torch, with the weights that a problem holds moved to where its scores are."""

    def __getattr__(self, name: str) -> Any:
        function = getattr(X, name)

        def call(*args: Any, **options: Any) -> torch.Tensor:
            moved = [x.to("meta") if isinstance(x, torch.Tensor) else x for x in args]
            return function(
                *moved, **{k: v.to("meta") if isinstance(v, torch.Tensor) else v for k, v in options.items()}
            )

        return call


@every
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_exports_with_a_free_batch_size(problem: Any) -> None:
    class Loss(torch.nn.Module):
        def forward(self, z: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
            return problem.loss(X, z, truth)

    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(Loss(), problem.data(), dynamic_shapes=({0: batch}, {0: batch}))
    for rows in (3, 7):
        z, truth = problem.data(rows)
        assert_close(program.module()(z, truth), problem.loss(F, z, truth))


def test_an_exported_program_of_a_model_with_its_loss_can_be_trained() -> None:
    """The loss's gradient is the program's: exported for training, it runs backward to the model's weights."""
    problem = PROBLEMS["cross_entropy, smoothed"]

    class Step(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(1.5, dtype=torch.float64))

        def forward(self, z: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
            return mixed(problem.loss(X, self.scale * z, truth))

    z, truth = problem.data()
    module = torch.export.export(Step(), (z, truth)).module()
    module(z, truth).backward()
    (weight,) = module.parameters()
    scale = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    mixed(problem.loss(F, scale * z, truth)).backward()
    assert_close(weight.grad, scale.grad)
