"""torch.func, torch.compile, export and tensors without values: the same numbers as PyTorch's own loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close
from torch_problems import PROBLEMS, K, mixed

import xent.torch as X

every = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
# PyTorch's tracer makes an instance of its own class, against its own advice.
compiles = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")


@every
def test_grad_hessian_and_jacobians(problem: Any) -> None:
    z, truth = problem.data()

    def ours(z: torch.Tensor) -> torch.Tensor:
        return mixed(problem.loss(X, z, truth))

    def theirs(z: torch.Tensor) -> torch.Tensor:
        return mixed((problem.reference or problem.loss)(F, z, truth))

    for transform in (grad, hessian, lambda f: jacrev(jacrev(f)), lambda f: jacrev(jacfwd(f)), lambda f: jacfwd(f)):
        assert_close(transform(ours)(z), transform(theirs)(z))
    assert_close(jacrev(lambda z: problem.loss(X, z, truth))(z), jacfwd(lambda z: problem.loss(X, z, truth))(z))
    v = torch.randn(z.shape, generator=torch.Generator().manual_seed(3), dtype=z.dtype)
    # The derivative, along v, of the gradient: forward over reverse.
    assert_close(jvp(grad(ours), (z,), (v,)), jvp(grad(theirs), (z,), (v,)))


@every
def test_vmap_of_grad_gives_each_example_its_own(problem: Any) -> None:
    z, truth = problem.data()

    def one(F_: Any, z: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        return mixed(problem.loss(F_, z[None], truth[None]))

    found = vmap(grad(lambda z, truth: one(X, z, truth)))(z, truth)
    expected = torch.stack([grad(lambda z, y=y: one(F, z, y))(x) for x, y in zip(z, truth, strict=True)])
    assert_close(found, expected)
    # Mapped over scores only, along another axis.
    stack = torch.stack([z, 2 * z, -z], dim=1)
    found = vmap(lambda z: problem.loss(X, z, truth), in_dims=1)(stack)
    assert_close(found, torch.stack([problem.loss(F, x, truth) for x in (z, 2 * z, -z)]))


class _Counter:
    """aot_eager, counting what it is asked to compile."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: Any, example: Any) -> Any:
        from torch._dynamo.backends.debugging import aot_eager

        self.graphs += 1
        return aot_eager(graph, example)


@compiles
@every
@pytest.mark.parametrize("dynamic", [None, True])
def test_compiles_whole_and_once_for_all_batch_sizes(problem: Any, dynamic: bool | None) -> None:
    torch._dynamo.reset()
    counter = _Counter()
    compiled = torch.compile(
        lambda z, t: mixed(problem.loss(X, z, t)), backend=counter, fullgraph=True, dynamic=dynamic
    )
    graphs = []
    for rows in (4, 6, 9, 13, 16):
        z, truth = problem.data(rows)
        z.requires_grad_()
        value = compiled(z, truth)
        expected = mixed(problem.loss(F, z, truth))
        assert_close(value, expected)
        assert_close(torch.autograd.grad(value, z), torch.autograd.grad(expected, z))
        graphs.append(counter.graphs)
    # By itself the compiler first takes the batch size as fixed; the second size makes it one for all.
    first = 0 if dynamic else 1
    assert graphs[0] >= 1
    assert graphs[first:] == graphs[first : first + 1] * len(graphs[first:])


@compiles
def test_transforms_inside_a_compiled_function() -> None:
    torch._dynamo.reset()
    z, y = PROBLEMS["cross_entropy"].data()
    for F_ in (X, F):
        torch._dynamo.reset()
        found = torch.compile(
            grad(lambda z, F_=F_: mixed(F_.cross_entropy(z, y, reduction="none"))), backend="aot_eager"
        )
        assert_close(found(z), grad(lambda z: mixed(F.cross_entropy(z, y, reduction="none")))(z))


@compiles
@pytest.mark.parametrize(
    "name", ["cross_entropy, smoothed and weighted", "binary_cross_entropy_with_logits", "nll_loss"]
)
def test_exports_with_a_dynamic_batch(name: str) -> None:
    problem = PROBLEMS[name]

    class Loss(torch.nn.Module):
        def forward(self, z: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
            return problem.loss(X, z, truth)

    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(Loss(), problem.data(), dynamic_shapes=({0: batch}, {0: batch}))
    for rows in (3, 7):
        z, truth = problem.data(rows)
        assert_close(program.module()(z, truth), problem.loss(F, z, truth))


@every
def test_tensors_without_values_keep_shape_dtype_and_device(problem: Any) -> None:
    z, truth = problem.data()
    expected = problem.loss(F, z, truth)
    with torch._subclasses.FakeTensorMode() as mode:
        fake = mode.from_tensor(z).requires_grad_()
        value = problem.loss(X, fake, mode.from_tensor(truth))
        (slope,) = torch.autograd.grad(mixed(value.new_ones(()) * value), fake)
    assert (value.shape, value.dtype) == (expected.shape, expected.dtype)
    assert slope.shape == z.shape


def test_meta_tensors() -> None:
    z = torch.empty(3, K, device="meta", requires_grad=True)
    value = X.cross_entropy(z, torch.empty(3, dtype=torch.int64, device="meta"), label_smoothing=0.1)
    value.backward()
    assert value.device.type == "meta"
    assert value.shape == ()
    assert z.grad is not None
    assert z.grad.shape == z.shape


def test_a_recorded_graph_holds_no_number_of_the_recording() -> None:
    z, y = PROBLEMS["cross_entropy"].data()
    graph = make_fx(lambda z, y: X.cross_entropy(z, y))(z, y)
    other = (y + 1) % K
    assert_close(graph(2 * z, other), F.cross_entropy(2 * z, other))


def test_fx_sees_one_call() -> None:
    class Loss(torch.nn.Module):
        def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return X.cross_entropy(z, y, reduction="sum")

    traced = torch.fx.symbolic_trace(Loss())
    assert [node.target for node in traced.graph.nodes if node.op == "call_function"] == [X.cross_entropy]
    z, y = PROBLEMS["cross_entropy"].data()
    assert_close(traced(z, y), F.cross_entropy(z, y, reduction="sum"))


@pytest.mark.parametrize("weight", [None, torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)])
@pytest.mark.parametrize("function", [X.cross_entropy, X.nll_loss])
def test_a_bad_label_that_cannot_be_read_gives_nan_value_and_nan_gradient(function: Any, weight: Any) -> None:
    z, _ = PROBLEMS["cross_entropy"].data()
    bad = torch.tensor([0, K, -1, 2])
    value = vmap(lambda z, y: function(z, y, weight, reduction="sum"))(z, bad)
    assert torch.isnan(value).tolist() == [False, True, True, False]
    slope = vmap(grad(lambda z, y: function(z, y, weight, reduction="sum")))(z, bad)
    assert torch.isnan(slope).any(-1).tolist() == [False, True, True, False]
