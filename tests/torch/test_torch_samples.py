"""PyTorch's own operator samples: value, gradient, every derivative that the contract names, and the errors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close
from torch_samples import OPS, call, gradients, leaves, pair, samples

KEYS = sorted(OPS)
IDS = ["-".join(filter(None, key)) for key in KEYS]
#: Those of ours that are not PyTorch's own operator: the contract is kept by them.
OURS = [key for key in KEYS if key[0] not in ("multi_margin_loss", "multilabel_margin_loss") and not key[1]]
OURS_IDS = [key[0] for key in OURS]


def test_there_are_samples_of_every_function() -> None:
    assert len({name for name, _ in KEYS}) == 10
    assert sum(len(samples(key, torch.float64)) for key in KEYS) > 400


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("key", KEYS, ids=IDS)
def test_value_and_gradient_are_pytorchs(key: tuple[str, str], dtype: torch.dtype) -> None:
    ours, theirs = pair(key[0])
    for sample in samples(key, dtype):
        expected, slopes = gradients(theirs, sample)
        value, found = gradients(ours, sample)
        assert value.dtype == expected.dtype
        assert_close(value, expected, equal_nan=True)
        assert len(found) == len(slopes)
        for ours_, theirs_ in zip(found, slopes, strict=True):
            assert (ours_ is None) == (theirs_ is None)
            if theirs_ is not None:
                assert_close(ours_, theirs_, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("key", OURS, ids=OURS_IDS)
def test_half_precision_is_the_rounded_float64_result(key: tuple[str, str], dtype: torch.dtype) -> None:
    """Within one rounding of the result, plus that of the scores of a product where there is one."""
    ours, theirs = pair(key[0])
    eps = torch.finfo(dtype).eps
    for sample in samples(key, dtype):
        wide = sample.transform(lambda x: _wide(x) if isinstance(x, torch.Tensor) else x)
        exact, slopes = gradients(theirs, wide)
        value, found = gradients(ours, sample)
        assert value.dtype == call(theirs, sample).dtype
        steps = 16 if key[0] == "linear_cross_entropy" else 1
        _near(value, exact, steps * eps, torch.finfo(dtype))
        # The gradient from above is rounded too, and what a leaf gets is rounded at each place that it is used.
        for x, y in zip(found, slopes, strict=True):
            _near(x, y, 4 * steps * eps, torch.finfo(dtype))


def _wide(x: torch.Tensor) -> torch.Tensor:
    return x.detach().double().requires_grad_(x.requires_grad) if x.is_floating_point() else x


def _near(value: torch.Tensor, exact: torch.Tensor, relative: float, info: Any) -> None:
    value, exact = value.detach(), exact.detach()
    scale = float(exact.abs().nan_to_num(posinf=0.0).max()) if exact.numel() else 0.0
    limit = relative * scale + info.smallest_normal
    finite = exact.abs() <= info.max
    error = (value.double() - exact)[finite].abs()
    assert math.isfinite(limit)
    assert bool((error <= limit).all()), (float(error.max()), limit)
    assert torch.equal(torch.isnan(value), torch.isnan(exact))


@pytest.mark.parametrize("key", OURS, ids=OURS_IDS)
def test_first_derivatives_in_every_mode(key: tuple[str, str]) -> None:
    for function, xs in _differentiable(key):
        assert gradcheck(
            function,
            xs,
            check_forward_ad=True,
            check_batched_grad=True,
            check_batched_forward_grad=True,
            check_undefined_grad=False,
        )


@pytest.mark.parametrize("key", OURS, ids=OURS_IDS)
def test_second_derivatives_in_every_mode(key: tuple[str, str]) -> None:
    for function, xs in _differentiable(key):
        if function(*xs).requires_grad:
            assert gradgradcheck(function, xs, check_fwd_over_rev=True, check_rev_over_rev=True)


def _differentiable(key: tuple[str, str]) -> list[tuple[Any, tuple[torch.Tensor, ...]]]:
    """Each small sample as a function of its leaves, where its value is finite; class weights are leaves too."""
    found = []
    ours, _ = pair(key[0])
    for sample in samples(key, torch.float64):
        value = call(ours, sample)
        if not bool(torch.isfinite(value).all()) or value.numel() == 0:
            continue
        for name in ("weight", "pos_weight"):
            if sample.kwargs.get(name) is not None:
                sample.kwargs[name] = sample.kwargs[name].detach().clone().requires_grad_()
        xs = tuple(leaves(sample))
        if sum(x.numel() for x in xs) <= 60:
            found.append((_of(ours, sample), xs))
    assert len(found) >= 3
    step = max(1, len(found) // 10)
    return found[::step]


def _of(function: Any, sample: Any) -> Any:
    """The sample's call as a function of its leaves."""
    every = leaves(sample)

    def of(*xs: torch.Tensor) -> torch.Tensor:
        swap = {id(old): new for old, new in zip(every, xs, strict=True)}
        return call(function, sample.transform(lambda x: swap.get(id(x), x)))

    return of


@pytest.mark.parametrize("key", [key for key in KEYS if OPS[key].error_inputs_func], ids=str)
def test_errors_are_pytorchs(key: tuple[str, str]) -> None:
    ours, theirs = pair(key[0])
    for error in OPS[key].error_inputs("cpu"):
        sample = error.sample_input
        with pytest.raises(error.error_type) as theirs_:
            call(theirs, sample)
        with pytest.raises(error.error_type) as ours_:
            call(ours, sample)
        assert type(ours_.value) is type(theirs_.value)
        assert str(ours_.value) == str(theirs_.value)
