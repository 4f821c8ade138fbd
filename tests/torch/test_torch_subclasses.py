"""Tensors of other classes: what wraps other tensors is PyTorch's to compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing._internal.two_tensor import TwoTensor

import xent.torch as X

F = torch.nn.functional
Z = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2, 3, 4, -100])
T = (Z > 0).float()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy_with_logits"])
def test_a_wrapper_of_tensors_is_computed_by_pytorch(name: str, reduction: str) -> None:
    z = TwoTensor(Z.clone(), Z.clone()).requires_grad_()
    truth: Any = Y if name == "cross_entropy" else T
    truth = TwoTensor(truth, truth)
    mine = getattr(X, name)(z, truth, reduction=reduction)
    theirs = getattr(F, name)(z, truth, reduction=reduction)
    assert type(mine) is TwoTensor
    assert torch.equal(mine.a, theirs.a)
    mine.sum().backward()
    assert type(z.grad) is TwoTensor


class Plain(torch.Tensor):
    """A subclass that adds nothing."""


def test_a_subclass_with_memory_is_computed_here() -> None:
    z = Z.clone().as_subclass(Plain).requires_grad_()
    loss = X.cross_entropy(z, Y)
    assert torch.equal(loss.as_subclass(torch.Tensor), X.cross_entropy(Z, Y))


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_floats_of_eight_bits_are_refused_as_pytorch_refuses_them(kind: torch.dtype) -> None:
    with pytest.raises(NotImplementedError):
        X.cross_entropy(Z.to(kind), Y)
