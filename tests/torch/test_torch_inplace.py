"""``inplace_gradient=True``: the same gradients, in the scores' own memory; a second look at the scores is refused."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import xent
import xent.torch as X
from xent.errors import OptionError

K = 20
SPENT = (
    r"inplace_gradient=True: expected no further use of the scores, and one backward; "
    r"got a second use: they are gone\. "
    r"Write inplace_gradient=False, or take what you need from the scores before the loss\."
)
refused = pytest.raises(OptionError, match=SPENT)


class Model:
    """Scores of 12 examples, by a weight that wants a gradient."""

    def __init__(self, k: int = K, dtype: torch.dtype = torch.float32) -> None:
        g = torch.Generator().manual_seed(7)
        self.hidden = torch.randn(12, 8, generator=g).to(dtype)
        self.weight = torch.randn(k, 8, generator=g).to(dtype).requires_grad_()
        self.y = torch.randint(k, (12,), generator=g)
        self.y[3] = -100

    def scores(self) -> torch.Tensor:
        return self.hidden @ self.weight.T

    def slope(self, loss: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(loss, self.weight)[0]


VIEWS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "as it is": lambda z: z,
    "a view": lambda z: z.view(12, -1),
    "a view of a view": lambda z: z.view(3, 4, -1).view(12, -1),
    "a whole slice": lambda z: z[:],
    "scaled": lambda z: z * 2.0,
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"reduction": "sum"},
    {"label_smoothing": 0.1},
    {"weight": torch.linspace(0.5, 2.0, K)},
]


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("above", [1.0, 3.0, 0.0, -0.5])
def test_the_same_gradient_bit_for_bit(name: str, options: dict[str, Any], above: float) -> None:
    model = Model()
    losses = [
        X.cross_entropy(VIEWS[name](model.scores()), model.y, **options, inplace_gradient=i) for i in (False, True)
    ]
    assert torch.equal(losses[0].detach(), losses[1].detach())
    plain, inplace = (model.slope(loss * above) for loss in losses)
    assert torch.equal(plain, inplace)


@pytest.mark.parametrize("k", [K, 300])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_every_type(k: int, dtype: torch.dtype) -> None:
    model = Model(k, dtype)
    plain, inplace = (model.slope(X.cross_entropy(model.scores(), model.y, inplace_gradient=i)) for i in (False, True))
    assert torch.equal(plain, inplace)


@pytest.mark.parametrize("shape", [(2, K, 3, 4), (2, 100, 5), (2, K, 3, 4, 2)])
def test_more_axes(shape: tuple[int, ...]) -> None:
    g = torch.Generator().manual_seed(1)
    leaf = torch.randn(shape, generator=g).requires_grad_()
    y = torch.randint(shape[1], shape[:1] + shape[2:], generator=g)
    plain, inplace = (
        torch.autograd.grad(X.cross_entropy(leaf * 1.0, y, inplace_gradient=i), leaf)[0] for i in (False, True)
    )
    assert torch.equal(plain, inplace)


def test_the_gradient_takes_no_memory() -> None:
    leaf = torch.zeros(600, 1000, requires_grad=True)
    y = torch.zeros(600, dtype=torch.int64)
    before = xent.memory.report().in_use
    seen: list[torch.Tensor] = []
    z = leaf * 1.0
    where = z.data_ptr()
    z.register_hook(lambda g: seen.append(g))
    z.retain_grad()
    loss = X.cross_entropy(z, y, inplace_gradient=True)
    assert xent.memory.report().in_use == before
    loss.backward()
    assert xent.memory.report().in_use == before
    assert seen[0].data_ptr() == where
    assert z.grad is not None
    assert_close(z.grad[0, :2], torch.tensor([(1e-3 - 1) / 600, 1e-3 / 600]))


USES: dict[str, Callable[[torch.Tensor], Any]] = {
    "argmax": lambda z: z.argmax(-1),
    "arithmetic": lambda z: z + 1,
    "comparison": lambda z: z == z,
    "data": lambda z: z.data,
    "detach": lambda z: z.detach(),
    "tolist": lambda z: z.tolist(),
    "item": lambda z: z[0, 0].item(),
    "numpy": lambda z: z.detach().numpy(),
    "asarray": np.asarray,
    "DLPack": torch.from_dlpack,
    "a view": lambda z: z.view(-1),
    "a slice": lambda z: z[0],
    "a method of another tensor": lambda z: torch.zeros(12, K).add_(z),
    "copied into": lambda z: torch.zeros(12, K).copy_(z),
    "written to": lambda z: z.zero_(),
    "assigned to": lambda z: z.__setitem__(0, 1.0),
    "softmax": lambda z: torch.softmax(z, -1),
    "stack": lambda z: torch.stack([z]),
    "a named argument": lambda z: torch.sum(input=z),
    "an operator's overload": lambda z: torch.ops.aten.sum(z),
    "a loss of PyTorch's": lambda z: torch.nn.functional.cross_entropy(z, torch.zeros(12, dtype=torch.int64)),
    "a loss of ours": lambda z: X.cross_entropy(z, torch.zeros(12, dtype=torch.int64)),
    "in place again": lambda z: X.cross_entropy(z, torch.zeros(12, dtype=torch.int64), inplace_gradient=True),
    "typed": lambda z: xent.cross_entropy(xent.Labels(torch.zeros(12, dtype=torch.int64)), xent.Logits(z)),
    "backward": lambda z: z.backward(torch.ones(12, K)),
    "clone": lambda z: z.clone(),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "save": lambda z: torch.save(z, BytesIO()),
    "storage": lambda z: z.untyped_storage(),
    "address": lambda z: z.data_ptr(),
    "iteration": list,
    "length": len,
    "truth": bool,
    "requires_grad_": lambda z: z.requires_grad_(False),
    "vmap": lambda z: torch.vmap(torch.sum)(z),
    "a module": lambda z: torch.nn.Linear(K, 2)(z),
}


@pytest.mark.parametrize("name", USES)
def test_a_second_use_is_refused(name: str) -> None:
    model = Model()
    for through_a_view in (False, True):
        z = model.scores()
        given = z.view(12, K) if through_a_view else z
        loss = X.cross_entropy(given, model.y, inplace_gradient=True)
        for _ in range(2):
            for x in (z, given):
                with refused:
                    USES[name](x)
            if loss.grad_fn is not None:
                model.slope(loss)
                loss = loss.detach()


def test_what_it_still_tells() -> None:
    model = Model()
    z = model.scores()
    X.cross_entropy(z, model.y, inplace_gradient=True)
    assert (z.shape, z.dtype, z.device.type, z.ndim) == ((12, K), torch.float32, "cpu", 2)
    assert z.requires_grad
    assert not z.is_leaf
    assert z.grad_fn is not None
    assert z.numel() == 12 * K
    assert isinstance(z, torch.Tensor)
    assert repr(z) == str(z) == f"Spent(shape=(12, {K})): overwritten by its gradient"
    assert len({z, z}) == 1


def test_one_backward() -> None:
    model = Model()
    loss = X.cross_entropy(model.scores(), model.y, inplace_gradient=True)
    loss.backward(retain_graph=True)
    with refused:
        loss.backward()
    loss = X.cross_entropy(model.scores(), model.y, inplace_gradient=True)
    with refused:
        torch.autograd.grad(loss, model.weight, create_graph=True)
    loss = X.cross_entropy(model.scores(), model.y, inplace_gradient=True)
    with refused:
        torch.autograd.grad(loss, model.weight, torch.ones(3), is_grads_batched=True)


def require_refused(got: str, z: torch.Tensor, y: torch.Tensor, **options: Any) -> None:
    before = z.detach().clone()
    with pytest.raises(
        OptionError, match=rf"inplace_gradient=True: expected .*; got {got}.* Write inplace_gradient=False"
    ):
        X.cross_entropy(z, y, **options, inplace_gradient=True)
    assert type(z) is torch.Tensor
    assert torch.equal(z.detach(), before)


def test_scores_that_cannot_be_overwritten() -> None:
    model = Model()
    y = model.y
    require_refused("a leaf: a parameter or an input of its own", model.scores().detach().requires_grad_(), y)
    require_refused("a tensor that is not contiguous", (model.weight @ model.hidden.T).T, y)
    require_refused("a tensor that is not contiguous", model.scores()[:1].expand(12, K), y)
    require_refused("a tensor that is not contiguous", model.scores()[:, :10], y % 10)


def test_scores_that_somebody_else_reads() -> None:
    """They could be read in silence afterwards: by another view, by NumPy, by the operation that made them."""
    model = Model()
    elsewhere = "scores whose memory is read elsewhere"
    for other in (
        lambda z: z.detach(),
        lambda z: z.data,
        lambda z: z.view(3, 4, K),
        lambda z: z[:3],
        lambda z: z.detach().numpy(),
        lambda z: torch.from_dlpack(z.detach()),
    ):
        z = model.scores()
        held = other(z)
        require_refused(elsewhere, z, model.y)
        require_refused(elsewhere, z.view(12, K), model.y)
        del held
        model.slope(X.cross_entropy(z, model.y, inplace_gradient=True))
    deep = torch.nn.functional.linear(model.hidden.view(3, 4, 8), model.weight, torch.zeros(K))
    require_refused(elsewhere, deep.view(12, K), model.y)
    for keeps in (torch.tanh, torch.exp, torch.sigmoid):
        z = keeps(model.scores())
        require_refused(elsewhere, z, model.y)
        model.slope(X.cross_entropy(z, model.y))
    # What keeps its input and not its result is free to go.
    assert torch.isfinite(
        model.slope(X.cross_entropy(30 * torch.tanh(model.scores() / 30), model.y, inplace_gradient=True))
    ).all()


def test_what_an_operation_saves_afterwards_is_not_read_in_silence() -> None:
    """Another operation had saved the scores as its input: their version tells."""
    model = Model()
    z = model.scores()
    square = z.square().sum()
    loss = X.cross_entropy(z, model.y, inplace_gradient=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        (loss + square).backward()


def test_calls_for_which_there_is_no_such_gradient() -> None:
    model = Model()
    y, z = model.y, model.scores()
    other = "another call"
    require_refused(other, z, y, reduction="none")
    require_refused(other, z, z.detach().softmax(-1))
    require_refused(other, z, torch.full_like(y, -100))
    require_refused(other, z, y, weight=torch.ones(K, requires_grad=True))
    require_refused(other, z, y, weight=torch.ones(K), label_smoothing=0.1)
    require_refused(other, z[0], y[0])
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x):
        require_refused(other, z, y)
    with pytest.raises(OptionError, match="got another call"):
        torch.func.grad(lambda z: X.cross_entropy(z * 1.0, y, inplace_gradient=True))(z.detach())
    with pytest.raises(OptionError, match="got another call"):
        X.cross_entropy(torch.empty(12, K, device="meta"), y.to("meta"), inplace_gradient=True)


def test_what_pytorch_refuses_is_refused_in_its_words_and_nothing_is_written() -> None:
    model = Model()
    z = model.scores()
    before = z.detach().clone()
    bad = model.y.clone()
    bad[0] = K
    for call in (
        lambda: X.cross_entropy(z, bad, inplace_gradient=True),
        lambda: X.cross_entropy(z, model.y[:3], inplace_gradient=True),
    ):
        with pytest.raises((OptionError, IndexError, ValueError)):
            call()
        assert torch.equal(z.detach(), before)
        assert type(z) is torch.Tensor


def test_where_no_gradient_is_wanted_the_scores_are_left_alone() -> None:
    model = Model()
    with torch.no_grad():
        z = model.scores()
        before = z.clone()
        value = X.cross_entropy(z, model.y, inplace_gradient=True)
    assert torch.equal(z, before)
    assert not value.requires_grad
    assert torch.equal(value, X.cross_entropy(z, model.y))


@pytest.mark.filterwarnings("ignore")
def test_a_compiler_refuses_it() -> None:
    """Warnings that torch.compile itself raises in its own modules are not ours to hold."""
    torch._dynamo.reset()
    model = Model()
    compiled = torch.compile(lambda: X.cross_entropy(model.scores(), model.y, inplace_gradient=True), backend="eager")
    with pytest.raises(OptionError, match="got another call"):
        compiled()


def test_a_training_run_is_the_same() -> None:
    curves = []
    for inplace in (False, True):
        model = Model()
        optimizer = torch.optim.SGD([model.weight], lr=0.5)
        curve = []
        for _ in range(10):
            optimizer.zero_grad()
            loss = X.cross_entropy(model.scores(), model.y, inplace_gradient=inplace)
            loss.backward()
            optimizer.step()
            curve.append(loss.item())
        curves.append(curve)
    assert curves[0] == curves[1]
    assert curves[0][-1] < curves[0][0]
