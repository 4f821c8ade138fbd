"""Half precision on PyTorch's own samples: one rounding of the exact result, in every element, value and gradient.

The oracle is PyTorch's own loss in float64 on the rounded inputs, against the same rounded gradient from above. Since
the arithmetic here is float32, what remains is the rounding of the result to its type, half a step: eps/2 of its size.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch_samples import CLASSES, OPS, built, call, inputs, leaves, pair, samples, upstream

import xent.torch as X

HALF = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
HINGES = ("multi_margin_loss", "multilabel_margin_loss", "MultiMarginLoss", "MultiLabelMarginLoss")
#: A product of matrices comes first, which PyTorch rounds to half precision; ``test_torch_samples`` has it.
LINEAR = ("linear_cross_entropy", "LinearCrossEntropyLoss")
FUNCTIONS = sorted(name for name, variant in OPS if not variant and name not in (*HINGES, *LINEAR))
MODULES = [name for name in CLASSES if name not in (*HINGES, *LINEAR)]
#: Float32 arithmetic before the rounding: a few of its steps in sums whose terms are as large as the result's largest.
ARITHMETIC = 16 * torch.finfo(torch.float32).eps


def near(value: torch.Tensor, exact: torch.Tensor, roundings: int = 1) -> None:
    """Whether every element is the exact one, rounded to the value's type."""
    info = torch.finfo(value.dtype)
    value, exact = value.detach().double(), exact.detach().double()
    assert torch.equal(torch.isnan(value), torch.isnan(exact))
    finite = exact.abs() <= info.max
    scale = float(exact[finite].abs().max()) if bool(finite.any()) else 0.0
    # Below the smallest normal number steps no longer shrink: half a subnormal one is smallest_normal·eps/2.
    step = (exact.abs() * info.eps).clamp(min=info.smallest_normal * info.eps)
    error = (value - exact).abs()
    limit = roundings * step / 2 + ARITHMETIC * scale
    over = (error - limit)[finite]
    assert not over.numel() or float(over.max()) <= 0.0, (float(over.max()), scale)


def wide(x: Any) -> Any:
    """The same numbers in float64, a leaf where x is one."""
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        return x
    return x.detach().double().requires_grad_(x.requires_grad)


def rounded(x: Any, dtype: torch.dtype) -> Any:
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        return x
    return x.detach().to(dtype).requires_grad_(x.requires_grad)


@HALF
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, dtype: torch.dtype) -> None:
    ours, theirs = pair(name)
    compared = 0
    for sample in samples((name, ""), dtype):
        exact_sample = sample.transform(wide)
        value, exact = call(ours, sample), call(theirs, exact_sample)
        assert value.dtype == call(theirs, sample).dtype
        near(value, exact)
        xs, exact_xs = leaves(sample), leaves(exact_sample)
        if not xs or not exact.requires_grad:
            continue
        above = upstream(value)
        found = torch.autograd.grad(value, xs, above, allow_unused=True)
        slopes = torch.autograd.grad(exact, exact_xs, above.double(), allow_unused=True)
        for x, mine, other in zip(xs, found, slopes, strict=True):
            assert (mine is None) == (other is None)
            if mine is not None and other is not None:
                assert mine.dtype == x.dtype
                near(mine, other)
                compared += mine.numel()
    assert compared >= 10


@HALF
@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str, dtype: torch.dtype) -> None:
    compared = 0
    for sample in inputs(name, torch.float64):
        ours, theirs = built(getattr(X, name), sample).to(dtype), built(getattr(torch.nn, name), sample).double()
        theirs.load_state_dict({key: x.double() for key, x in ours.state_dict().items()})
        args = [rounded(x, dtype) for x in sample.forward_input.args]
        exact_args = [wide(x) for x in args]
        with warnings.catch_warnings():
            # kl_div's mean says that it is not the divergence, and the old arguments that they are old.
            warnings.simplefilter("ignore", UserWarning)
            value = ours(*args, **sample.forward_input.kwargs)
            exact = theirs(*exact_args, **sample.forward_input.kwargs)
        assert value.dtype == dtype
        near(value, exact)
        if not value.requires_grad:
            continue
        above = upstream(value)
        value.backward(above)
        exact.backward(above.double())
        for x, y in zip(args, exact_args, strict=True):
            if isinstance(x, torch.Tensor) and x.requires_grad:
                assert x.grad is not None
                near(x.grad, y.grad)
                compared += x.numel()
    assert compared >= 10


@HALF
def test_a_linear_layer_is_as_exact_as_its_scores(dtype: torch.dtype) -> None:
    """Of the scores that PyTorch's product gives in half precision, the loss is once more one rounding away."""
    g = torch.Generator().manual_seed(4)
    h, w = (torch.randn(5, 8, generator=g).to(dtype), torch.randn(7, 8, generator=g).to(dtype).requires_grad_())
    b, y = torch.randn(7, generator=g).to(dtype), torch.randint(7, (5,), generator=g)
    for reduction in ("none", "sum", "mean"):
        value = X.linear_cross_entropy(h, w, y, linear_bias=b, reduction=reduction, label_smoothing=0.1)
        z = torch.nn.functional.linear(h, w, b).detach().requires_grad_()
        exact_z = wide(z)
        exact = torch.nn.functional.cross_entropy(exact_z, y, reduction=reduction, label_smoothing=0.1)
        assert value.dtype == dtype
        near(value, exact)
        above = upstream(value)
        (slope,) = torch.autograd.grad(value, w, above)
        (by_z,) = torch.autograd.grad(exact, exact_z, above.double())
        # A term of Wᵀ's gradient is the product of a rounded slope and an exact input; their sum is rounded once.
        exact_slope, terms = by_z.T @ h.double(), by_z.abs().T @ h.double().abs()
        eps = torch.finfo(dtype).eps
        assert bool(((slope.double() - exact_slope).abs() <= eps / 2 * (terms + exact_slope.abs()) * 1.01).all())


@HALF
@pytest.mark.parametrize("name", HINGES[:2])
def test_the_hinges_refuse_it_as_pytorchs_do(name: str, dtype: torch.dtype) -> None:
    ours, theirs = pair(name)
    for sample in samples((name, ""), dtype)[:3]:
        said = []
        for function in (ours, theirs):
            with pytest.raises(NotImplementedError) as raised:
                call(function, sample)
            said.append(str(raised.value))
        assert said[0] == said[1]


@HALF
@pytest.mark.parametrize("name", HINGES[2:])
def test_the_hinges_modules_refuse_it_as_pytorchs_do(name: str, dtype: torch.dtype) -> None:
    sample = inputs(name, torch.float64)[0]
    args = [rounded(x, dtype) for x in sample.forward_input.args]
    said = []
    for place in (X, torch.nn):
        with pytest.raises(NotImplementedError) as raised:
            built(getattr(place, name), sample).to(dtype)(*args)
        said.append(str(raised.value))
    assert said[0] == said[1]


@HALF
def test_the_bound_is_one_that_pytorchs_own_rounding_breaks(dtype: torch.dtype) -> None:
    """PyTorch rounds at each step of its composition: this is what the bound tells from one rounding."""
    g = torch.Generator().manual_seed(6)
    x = torch.randn(64, 10, generator=g).log_softmax(-1).to(dtype)
    t = torch.rand(64, 10, generator=g).to(dtype)
    exact = torch.nn.functional.kl_div(x.double(), t.double(), reduction="none")
    near(X.kl_div(x, t, reduction="none"), exact)
    with pytest.raises(AssertionError):
        near(torch.nn.functional.kl_div(x, t, reduction="none"), exact)
