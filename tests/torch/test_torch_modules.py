"""The loss modules on PyTorch's own module samples, and as modules: state, copies, pickles, repr."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch.testing import assert_close
from torch_samples import CLASSES, MODULES, built, inputs, upstream

import xent.torch as X

DTYPES = [torch.float64, torch.float32]


def run(module: torch.nn.Module, sample: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Value, and gradients of the inputs and parameters against a random gradient from above."""
    args = [
        x.detach().clone().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x
        for x in sample.forward_input.args
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        value = module(*args, **sample.forward_input.kwargs)
    leaves = [x for x in args if isinstance(x, torch.Tensor) and x.requires_grad] + list(module.parameters())
    if value.requires_grad:
        value.backward(upstream(value))
    return value, [x.grad for x in leaves if x.grad is not None]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CLASSES)
def test_modules_on_pytorchs_samples(name: str, dtype: torch.dtype) -> None:
    ours, theirs = getattr(X, name), getattr(torch.nn, name)
    every = inputs(name, dtype)
    assert len(every) >= 4
    for sample in every:
        mine, other = built(ours, sample).to(dtype), built(theirs, sample).to(dtype)
        value, found = run(mine, sample)
        expected, slopes = run(other, sample)
        assert value.dtype == expected.dtype
        assert_close(value, expected, equal_nan=True)
        assert_close(found, slopes, equal_nan=True)
        assert repr(mine) == repr(other)
        assert isinstance(mine, theirs)
        assert mine.__constants__ == other.__constants__ if hasattr(other, "__constants__") else True


@pytest.mark.parametrize("name", [name for name in CLASSES if MODULES[name].module_error_inputs_func])
def test_module_errors_are_pytorchs(name: str) -> None:
    ours, theirs = getattr(X, name), getattr(torch.nn, name)
    torch.manual_seed(23)
    make = MODULES[name].module_error_inputs_func
    every = list(make(MODULES[name], device="cpu", dtype=torch.float64, requires_grad=False, training=True))
    for error in every:
        said = []
        for cls in (ours, theirs):
            with pytest.raises(error.error_type) as raised:
                run(built(cls, error.module_error_input), error.module_error_input)
            said.append((type(raised.value), str(raised.value)))
        assert said[0] == said[1]


STATEFUL = {
    "CrossEntropyLoss": {"weight": torch.tensor([1.0, 2.0, 3.0]), "label_smoothing": 0.1, "ignore_index": 1},
    "NLLLoss": {"weight": torch.tensor([1.0, 2.0, 3.0]), "reduction": "sum"},
    "BCELoss": {"weight": torch.tensor([1.0, 2.0, 3.0])},
    "BCEWithLogitsLoss": {"weight": torch.tensor([1.0, 2.0, 3.0]), "pos_weight": torch.tensor([3.0, 2.0, 1.0])},
    "KLDivLoss": {"reduction": "batchmean", "log_target": True},
    "LinearCrossEntropyLoss": {
        "in_features": 4,
        "num_classes": 3,
        "weight": torch.tensor([1.0, 2.0, 3.0]),
        "bias": True,
    },
    "MultiLabelMarginLoss": {"reduction": "none"},
    "MultiLabelSoftMarginLoss": {"weight": torch.tensor([1.0, 2.0, 3.0])},
    "MultiMarginLoss": {"p": 2, "margin": 0.5, "weight": torch.tensor([1.0, 2.0, 3.0])},
    "SoftMarginLoss": {"reduction": "sum"},
}


@pytest.mark.parametrize("name", CLASSES)
def test_state_copies_pickles_and_moves(name: str) -> None:
    ours, theirs = (getattr(place, name)(**STATEFUL[name]) for place in (X, torch.nn))
    state = ours.state_dict()
    assert list(state) == list(theirs.state_dict())
    theirs.load_state_dict(state)  # strict: a checkpoint of one loads in the other
    ours.load_state_dict(theirs.state_dict())

    saved = io.BytesIO()
    torch.save(state, saved)
    saved.seek(0)
    assert list(torch.load(saved)) == list(state)

    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert type(other) is type(ours)
        assert repr(other) == repr(ours)
        for key, x in other.state_dict().items():
            assert torch.equal(x, state[key])
            assert x.data_ptr() != state[key].data_ptr()
    wide = copy.deepcopy(ours).to(torch.float64)
    assert all(x.dtype == torch.float64 for x in wide.state_dict().values())
    assert copy.deepcopy(ours).to("meta").state_dict().keys() == state.keys()


def test_the_samples_reach_every_class() -> None:
    assert set(MODULES) == set(CLASSES) == set(STATEFUL)
    assert set(CLASSES) <= set(X.__all__)
