"""patch(): PyTorch's names lead here, for a context or the process, and exactly back."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch_samples import FUNCTIONS

import xent.torch as X

THEIRS = {name: getattr(F, name) for name in FUNCTIONS}
# PyTorch gives NaN for this, and xent 0.8133.
Z = torch.tensor([[1.0, -torch.inf, 2.0]])
T = torch.tensor([[0.5, 0.0, 0.5]])


def now() -> dict[str, object]:
    return {name: getattr(F, name) for name in FUNCTIONS}


OURS = {name: getattr(X, name) for name in FUNCTIONS}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    assert now() == THEIRS
    yield
    assert now() == THEIRS, "a test left the patch behind"


def test_a_context_routes_functions_and_modules_and_back() -> None:
    module = torch.nn.CrossEntropyLoss()
    assert torch.isnan(module(Z, T))
    with X.patch():
        assert now() == OURS
        assert F.cross_entropy(Z, T).item() == pytest.approx(0.8133, abs=1e-4)
        assert module(Z, T).item() == pytest.approx(0.8133, abs=1e-4)
        assert torch.isinf(torch.nn.BCEWithLogitsLoss()(torch.tensor([torch.inf]), torch.tensor([0.0])))
    assert torch.isnan(module(Z, T))


def test_our_functions_do_not_call_themselves() -> None:
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 2, 1, 1])
    with X.patch():
        for value in (
            F.multi_margin_loss(z, y),
            F.multilabel_margin_loss(z, y[:, None].expand_as(z)),
            F.binary_cross_entropy(z.sigmoid(), z.sigmoid()),
            F.linear_cross_entropy(z, torch.eye(3), y, options=torch.nn.LinearCrossEntropyOptions()),
        ):
            assert torch.isfinite(value)
        with pytest.raises(IndexError, match="out of bounds"):
            F.cross_entropy(z, y + 1)


def test_for_the_process_and_in_every_thread() -> None:
    handle = X.patch()
    try:
        seen: list[bool] = []
        thread = threading.Thread(target=lambda: seen.append(now() == OURS))
        thread.start()
        thread.join()
        assert seen == [True]
    finally:
        handle.unpatch()
    handle.unpatch()  # a second time does nothing


def test_nested_and_out_of_order() -> None:
    with X.patch():
        with X.patch():
            assert now() == OURS
        assert now() == OURS
    assert now() == THEIRS
    first, second = X.patch(), X.patch()
    first.unpatch()
    assert now() == OURS
    first.unpatch()
    assert now() == OURS
    second.unpatch()
    assert now() == THEIRS


def test_an_exception_restores_and_goes_on() -> None:
    with pytest.raises(ZeroDivisionError), X.patch(), X.patch():
        raise ZeroDivisionError
    assert now() == THEIRS


def test_another_librarys_replacement_is_left_and_named() -> None:
    def foreign() -> None: ...

    handle = X.patch()
    F.nll_loss = foreign
    try:
        with pytest.raises(RuntimeError, match=r"nll_loss: replaced by another library"):
            handle.unpatch()
        assert F.nll_loss is foreign
        assert {name: f for name, f in now().items() if name != "nll_loss"} == {
            name: f for name, f in THEIRS.items() if name != "nll_loss"
        }
    finally:
        F.nll_loss = THEIRS["nll_loss"]


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_compiled_code_follows() -> None:
    compiled = torch.compile(lambda z, t: torch.nn.CrossEntropyLoss()(z, t), backend="eager")
    assert torch.isnan(compiled(Z, T))
    with X.patch():
        assert compiled(Z, T).item() == pytest.approx(0.8133, abs=1e-4)
    assert torch.isnan(compiled(Z, T))
