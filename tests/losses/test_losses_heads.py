"""PyTorch's modules that own parameters: gradients, training, state, half precision, autocast, compilation."""

from __future__ import annotations

import copy
import doctest
import io
import math
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import xent
import xent.torch.losses as L
from xent import losses
from xent.errors import KindError, OptionError

H, K, N = 5, 4, 12
HEADS: dict[str, Callable[..., L.MarginHead]] = {
    "l_softmax": lambda **o: L.MarginHead(H, K, losses.margins.l_softmax(2), **o),
    "a_softmax": lambda **o: L.MarginHead(H, K, losses.margins.a_softmax(3, blend=1.0), **o),
    "sm_softmax": lambda **o: L.MarginHead(H, K, losses.margins.sm_softmax(), **o),
    "cosface": lambda **o: L.MarginHead(H, K, losses.margins.cosface(scale=8.0), **o),
    "arcface": lambda **o: L.MarginHead(H, K, losses.margins.arcface(scale=8.0), **o),
    "arcface focal": lambda **o: L.MarginHead(
        H, K, losses.margins.arcface(scale=8.0).but(shaping=xent.Focal(1.0)), **o
    ),
    "combined": lambda **o: L.MarginHead(H, K, losses.margins.combined_margin(1.1, 0.2, 0.1, 8.0, normalize=True), **o),
    "centres": lambda **o: L.MarginHead(H, K, losses.margins.arcface(scale=8.0), centres=3, **o),
    "centres without cosines": lambda **o: L.MarginHead(H, K, losses.margins.sm_softmax(), centres=2, **o),
    "adaface": lambda **o: L.AdaFaceHead(H, K, scale=8.0, mean=2.0, std=1.0, **o),
    "magface": lambda **o: L.MagFaceHead(
        H, K, shortest=1.0, longest=4.0, least=0.2, most=0.5, coefficient=2.0, scale=8.0, **o
    ),
    "curricularface": lambda **o: L.CurricularFaceHead(H, K, scale=8.0, **o),
}
every = pytest.mark.parametrize("name", HEADS)
STATES = {"adaface": ("mean", "std"), "curricularface": ("t",)}


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    torch._dynamo.reset()


def batch(dtype: torch.dtype = torch.float64, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(N, H, generator=g, dtype=torch.float64).to(dtype), torch.arange(N) % K


def state_of(head: L.MarginHead) -> list[float]:
    return [x.item() for x in head.buffers()]


@every
def test_gradients(name: str) -> None:
    """gradcheck of hidden states, of parameters, and of weights of examples."""
    head = HEADS[name]().double().eval()
    hidden, labels = batch()
    weight = torch.rand(N, dtype=torch.float64) + 0.5

    def f(hidden: torch.Tensor, classifiers: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(  # type: ignore[no-any-return]
            head, {"weight": classifiers}, (hidden, labels), {"weight": weight}
        )

    inputs = [x.detach().clone().requires_grad_() for x in (hidden, head.weight, weight)]
    if name == "adaface":
        # ẑ is a constant to autograd and not to a difference: along the length they disagree, as they must.
        inputs[0].requires_grad_(False)
    assert torch.autograd.gradcheck(f, inputs, eps=1e-6, atol=1e-6)


LIBRARY = {
    "arcface": losses.margins.arcface(scale=8.0, normalize=True),
    "cosface": losses.margins.cosface(scale=8.0, normalize=True),
    "centres": losses.margins.arcface(scale=8.0),
    "centres without cosines": losses.margins.sm_softmax(),
    "l_softmax": losses.margins.l_softmax(2),
    "magface": losses.face.magface(1.0, 4.0, 0.2, 0.5, 2.0, 8.0),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_the_loss_is_that_of_the_library(name: str) -> None:
    """Those with a state are compared where it moves."""
    head = HEADS[name]().double()
    hidden, labels = batch()
    Q: Any = xent.Projection(hidden, head.weight)
    if "centres" in name:
        Q = losses.margins.sub_center(Q, head.centres, normalize=name == "centres")
    torch.testing.assert_close(head(hidden, labels), LIBRARY[name](xent.Labels(labels), Q))
    torch.testing.assert_close(head.scores(hidden), LIBRARY[name].at_inference(Q).scores)


@every
def test_training_lowers_the_loss(name: str) -> None:
    """A small net that takes class means apart: the loss halves, and scores in use become right."""
    g = torch.Generator().manual_seed(2)
    means = torch.randn(K, 6, generator=g) * 2
    labels = torch.arange(32) % K
    x = means[labels] + 0.3 * torch.randn(32, 6, generator=g)
    net, head = torch.nn.Linear(6, H), HEADS[name]()
    optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=0.05)
    seen = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = head(net(x), labels)
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in head.parameters())
        optimizer.step()
        seen.append(loss.item())
    floor = 2.0 * (1 / 4 + 4 / 16) if name == "magface" else 0.0  # the penalty at its least
    assert seen[-1] - floor < 0.5 * (seen[0] - floor)
    assert (head.scores(net(x)).argmax(-1) == labels).double().mean() > 0.9


@every
def test_state_dict_copies_and_pickles(name: str) -> None:
    head = HEADS[name]().double()
    hidden, labels = batch()
    head(hidden, labels)
    saved = io.BytesIO()
    torch.save(head.state_dict(), saved)
    saved.seek(0)
    other = HEADS[name]().double()
    other.load_state_dict(torch.load(saved))
    head.eval(), other.eval()
    assert state_of(head) == state_of(other)
    assert list(head.state_dict()) == ["weight", *STATES.get(name, ())]
    expected = head(hidden, labels)
    for module in (other, copy.deepcopy(head), pickle.loads(pickle.dumps(head))):
        assert torch.equal(module(hidden, labels), expected)
        assert repr(module) == repr(head)


@pytest.mark.parametrize("name", STATES)
def test_state_moves_in_training_alone_and_by_its_formula(name: str) -> None:
    head = HEADS[name]()
    hidden, labels = batch(torch.float32)
    start = state_of(head)
    head.eval()
    head(hidden, labels)
    head.scores(hidden)
    assert state_of(head) == start
    head.train()
    head.scores(hidden)
    assert state_of(head) == start
    first = head(hidden, labels)
    if name == "adaface":
        norm = hidden.double().norm(dim=-1)
        expected = [0.99 * 2 + 0.01 * norm.mean().item(), 0.99 * 1 + 0.01 * norm.std().item()]
    else:
        w = head.weight.detach().double()[labels]
        expected = [0.01 * torch.nn.functional.cosine_similarity(hidden.double(), w, dim=-1).mean().item()]
    np.testing.assert_allclose(state_of(head), expected, rtol=1e-5)
    # The loss is that of the new state, and the same again from the same start.
    again = HEADS[name]()
    again.load_state_dict({**head.state_dict(), **dict(zip(STATES[name], map(torch.tensor, start), strict=True))})
    assert torch.equal(again(hidden, labels), first)
    assert state_of(again) == state_of(head)
    moved = state_of(head)
    head.eval()
    assert torch.equal(head(hidden, labels), first)
    assert state_of(head) == moved


@pytest.mark.parametrize("name", STATES)
def test_two_batches_before_one_backward(name: str) -> None:
    """Gradient accumulation: moving the state spoils no graph."""
    head, (hidden, labels) = HEADS[name](), batch(torch.float32)
    (head(hidden, labels) + head(2 * hidden, labels)).backward()
    assert head.weight.grad is not None
    assert head.weight.grad.isfinite().all()
    assert not any(x.requires_grad for x in head.buffers())


@every
def test_ignored_examples(name: str) -> None:
    head = HEADS[name](ignore=-100, reduction="none").double()
    plain = HEADS[name](reduction="none").double()
    plain.load_state_dict(head.state_dict())
    hidden, labels = batch()
    expected = plain(hidden[3:], labels[3:])
    masked = labels.clone()
    masked[:3] = -100
    hidden[:3] = torch.nan
    hidden.requires_grad_()
    found = head(hidden, masked)
    assert (found[:3] == 0).all()
    found.sum().backward()
    assert hidden.grad is not None
    assert (hidden.grad[:3] == 0).all()
    assert head.weight.grad is not None
    assert head.weight.grad.isfinite().all()
    torch.testing.assert_close(found[3:], expected)
    np.testing.assert_allclose(state_of(head), state_of(plain), rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@every
def test_half_precision_is_finite_and_near(name: str, dtype: torch.dtype) -> None:
    """Of parameters and hidden states in half precision the loss is that of float32 on the same numbers."""
    head = HEADS[name]().eval()
    head.weight.data = head.weight.data.to(dtype)
    hidden, labels = batch(dtype)
    wide = copy.deepcopy(head).float()
    hidden.requires_grad_()
    loss = head(hidden, labels)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, wide(hidden.detach().float(), labels))
    loss.backward()
    for slope in (hidden.grad, head.weight.grad):
        assert slope is not None
        assert slope.dtype == dtype
        assert slope.isfinite().all()


@every
def test_autocast_does_not_round_the_cosines(name: str) -> None:
    head, (hidden, labels) = HEADS[name]().eval(), batch(torch.float32)
    expected, scores = head(hidden, labels), head.scores(hidden)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        net = torch.nn.Linear(H, H)(hidden)
        assert net.dtype == torch.bfloat16
        assert torch.equal(head(hidden, labels), expected)
        assert torch.equal(head.scores(hidden), scores)
        head(net, labels).backward()
    assert head.weight.grad is not None
    assert head.weight.grad.isfinite().all()


@pytest.mark.parametrize("name", ["centres", "magface", "curricularface"])
def test_compiled_it_is_the_same(name: str) -> None:
    """torch.compile may leave the graph here and there; value, gradient and state stay what they are."""
    head, (hidden, labels) = HEADS[name](), batch(torch.float32)
    other = copy.deepcopy(head)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyTorch's compiler warns of, of its own code
        compiled = torch.compile(other, backend="aot_eager")
        found = compiled(hidden, labels)
        found.backward()
    expected = head(hidden, labels)
    expected.backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(other.weight.grad, head.weight.grad, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(state_of(other), state_of(head), rtol=1e-6)


def test_temperature_is_learned_as_it_should_be() -> None:
    """Scores that are three times too large: the temperature that fits them is near 3, and changes no argmax."""
    g = torch.Generator().manual_seed(5)
    z = torch.randn(4000, 3, generator=g, dtype=torch.float64) * 2
    y = torch.distributions.Categorical(logits=z).sample()
    module = L.LearnedTemperature().double()
    optimizer = torch.optim.LBFGS(module.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = xent.cross_entropy(xent.Labels(y), xent.Logits(module(3 * z)))
        loss.backward()
        return loss

    optimizer.step(step)
    assert module.temperature.item() == pytest.approx(3.0, rel=0.1)
    assert torch.equal(module(3 * z).argmax(-1), z.argmax(-1))
    assert torch.autograd.gradcheck(module, z[:4].requires_grad_())


def test_temperature_and_scale_in_half_precision_and_as_state() -> None:
    x = torch.tensor([0.5, -0.25], dtype=torch.float16)
    assert L.LearnedTemperature(2.0)(x).dtype == torch.float32
    scale = L.ContrastiveScale(10.0, -10.0)
    torch.testing.assert_close(scale(x), torch.tensor([-5.0, -12.5]))
    assert list(scale.state_dict()) == ["log_scale", "bias"]
    assert list(L.ContrastiveScale().state_dict()) == ["log_scale"]
    assert L.ContrastiveScale().scale.item() == pytest.approx(1 / 0.07, rel=1e-6)
    other = L.ContrastiveScale(1.0, 0.0)
    other.load_state_dict(scale.state_dict())
    assert torch.equal(other(x), scale(x))
    assert torch.autograd.gradcheck(scale.double(), x.double().requires_grad_())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(scale.float()(x), torch.tensor([-5.0, -12.5]))


def test_a_scale_with_limits() -> None:
    module = L.ContrastiveScale(100.0, limits=(1.0, 100.0))
    x = torch.tensor([1.0])
    # At a limit there is a gradient, which may lead back; beyond it there is none until the parameter is brought back.
    module(x).sum().backward()
    assert module.log_scale.grad is not None
    assert module.log_scale.grad.item() == pytest.approx(100.0, rel=1e-5)
    module.log_scale.data.fill_(9.0)
    module.zero_grad()
    found = module(x)
    assert found.item() == pytest.approx(100.0, rel=1e-5)
    found.sum().backward()
    assert module.log_scale.grad.item() == 0.0
    module.clamp_()
    assert module.log_scale.item() == pytest.approx(math.log(100), rel=1e-6)
    module.zero_grad()
    module(x).sum().backward()
    assert module.log_scale.grad.item() != 0.0
    free = L.ContrastiveScale(2.0)
    free.log_scale.data.fill_(9.0)
    free.clamp_()
    assert free.log_scale.item() == 9.0


def test_what_a_head_cannot_be_is_refused() -> None:
    for make in (
        lambda: L.MarginHead(H, 1, losses.margins.arcface()),
        lambda: L.MarginHead(0, K, losses.margins.arcface()),
        lambda: L.MarginHead(H, K, losses.margins.arcface(), centres=0),
        lambda: L.MarginHead(H, K, losses.face.adaface(), centres=2),
        lambda: L.MarginHead(H, K, losses.margins.a_softmax(), centres=2),
        lambda: L.MarginHead(H, K, losses.margins.arcface(), reduction="batch"),  # type: ignore[arg-type]
        lambda: L.AdaFaceHead(H, K, rate=1.5),
        lambda: L.LearnedTemperature(0.0),
        lambda: L.ContrastiveScale(-1.0),
        lambda: L.ContrastiveScale(limits=(100.0, 1.0)),
    ):
        with pytest.raises(OptionError):
            make()
    with pytest.raises(KindError):
        L.MarginHead(H, K, "arcface")  # type: ignore[arg-type]


def test_examples_in_the_docstrings_are_true() -> None:
    import xent.torch.temperature

    for module in (L, xent.torch.temperature):
        found = doctest.testmod(module)
        assert found.failed == 0
        assert found.attempted > 3
