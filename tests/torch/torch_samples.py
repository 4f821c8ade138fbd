"""PyTorch's own samples of its losses (torch.testing._internal), and what is compared on them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

import xent.torch

with warnings.catch_warnings():
    # Its test helpers use parts of PyTorch that PyTorch has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db

FUNCTIONS = (
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "kl_div",
    "linear_cross_entropy",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "soft_margin_loss",
)
CLASSES = (
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "KLDivLoss",
    "LinearCrossEntropyLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "SoftMarginLoss",
)

OPS = {
    (info.name.removeprefix("nn.functional."), info.variant_test_name): info
    for info in op_db
    if info.name.removeprefix("nn.functional.") in FUNCTIONS and info.name.startswith("nn.functional.")
}
MODULES = {info.module_cls.__name__: info for info in module_db if info.module_cls.__name__ in CLASSES}


def samples(key: tuple[str, str], dtype: torch.dtype, *, grad: bool = True) -> list[Any]:
    """The sample inputs of an operator, the same ones at every run."""
    torch.manual_seed(17)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = list(OPS[key].sample_inputs("cpu", dtype, requires_grad=grad))
    assert found, f"PyTorch has no samples of {key} in {dtype}"
    return found


def pair(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """(ours, PyTorch's)."""
    return getattr(xent.torch, name), getattr(torch.nn.functional, name)


def leaves(sample: Any) -> list[torch.Tensor]:
    """The tensors of a sample that take a gradient."""
    every = [sample.input, *sample.args, *sample.kwargs.values()]
    return [x for x in every if isinstance(x, torch.Tensor) and x.requires_grad]


def call(function: Callable[..., Any], sample: Any) -> torch.Tensor:
    with warnings.catch_warnings():
        # kl_div's mean says that it is not the divergence, and the old arguments that they are old: both as PyTorch's.
        warnings.simplefilter("ignore", UserWarning)
        return function(sample.input, *sample.args, **sample.kwargs)


def upstream(value: torch.Tensor) -> torch.Tensor:
    """A random gradient from above, never ones: a wrong scale or a wrong row would hide behind those."""
    g = torch.Generator().manual_seed(5)
    return torch.randn(value.shape, generator=g, dtype=torch.float64).to(value.dtype)


def gradients(function: Callable[..., Any], sample: Any) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
    value = call(function, sample)
    xs = leaves(sample)
    if not xs or not value.requires_grad:
        return value, []
    return value, list(torch.autograd.grad(value, xs, upstream(value), allow_unused=True))


def clones(sample: Any) -> Iterator[torch.Tensor]:
    yield from (x.detach().clone().requires_grad_() for x in leaves(sample))


def inputs(name: str, dtype: torch.dtype) -> list[Any]:
    """The samples of a module."""
    torch.manual_seed(23)
    make = MODULES[name].module_inputs_func
    found = list(make(MODULES[name], device="cpu", dtype=dtype, requires_grad=True, training=True))
    # LinearCrossEntropyLoss has 857; every seventh is 122.
    return found[::7] if len(found) > 200 else found


def built(cls: Any, sample: Any) -> torch.nn.Module:
    """The module with parameters that do not depend on the class."""
    torch.manual_seed(7)
    return cls(*sample.constructor_input.args, **sample.constructor_input.kwargs)
