"""What PyTorch's autograd sees: the same gradients as value_and_grad, exact zeros, every leaf, compilers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import xent
from support.problems import DTYPES, TRUTHS, as_array, problem

nan, inf = math.nan, math.inf
LABELS = torch.tensor([0, 2, 1])


def double(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("dtype", DTYPES["torch"])
@pytest.mark.parametrize("prediction", ["logits", "log_probs", "probs"])
@pytest.mark.parametrize("truth", TRUTHS)
def test_autograd_is_value_and_grad(truth: str, prediction: str, dtype: str) -> None:
    """Bit by bit, for every reduction, and for a gradient from above, which acts as a weight does.

    But that of one loss an example, Σt of a soft row is added by another loop, and may differ in its last bit.
    For a Projection autograd multiplies by the classifier itself; test_pairs holds it to the oracle.
    """
    p = problem(truth, prediction, dtype, "random", 4, 5, seed=2)
    P, Q = p.P("torch"), p.Q("torch")
    leaf = as_array(p.q, dtype, "torch").requires_grad_()
    soft = prediction == "logits" and truth in ("distribution", "teacher scores", "teacher log-probs")

    def require_same(one: torch.Tensor, other: torch.Tensor, bits: bool) -> None:
        torch.testing.assert_close(one, other, rtol=0.0 if bits else 1e-14, atol=0.0 if bits else 1e-15)

    for reduction in ("none", "sum", "mean"):
        value, gradient = xent.value_and_grad(P, Q, reduction=reduction)
        mine = xent.cross_entropy(P, type(Q)(leaf), reduction=reduction)
        assert torch.equal(mine.detach(), value)
        assert not value.requires_grad
        (found,) = torch.autograd.grad(mine.sum(), leaf)
        assert found.dtype == gradient.dtype == leaf.dtype
        require_same(found, gradient, not (soft and reduction == "none" and dtype == "float64"))
    each = xent.cross_entropy(P, type(Q)(leaf), reduction="none")
    above = torch.linspace(0.5, 2.0, each.numel(), dtype=each.dtype).reshape(each.shape)
    (found,) = torch.autograd.grad(each, leaf, above)
    (slope,) = torch.autograd.grad(xent.cross_entropy(P, type(Q)(leaf), reduction="none", weight=above).sum(), leaf)
    require_same(found, slope, not (soft and dtype == "float64"))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_gradients_come_in_the_type_of_each_leaf(dtype: str) -> None:
    kind = getattr(torch, dtype)
    z, p, w, c = (
        torch.zeros(2, 4, dtype=kind, requires_grad=True),
        torch.full((2, 4), 0.25, dtype=torch.float64, requires_grad=True),
        torch.ones(2, dtype=torch.float32, requires_grad=True),
        torch.ones(4, dtype=kind, requires_grad=True),
    )
    loss = xent.cross_entropy(xent.Distribution(p), xent.Logits(z), weight=w, class_weight=c)
    assert loss.dtype == (torch.float64 if dtype == "float64" else torch.float32)
    for leaf in (z, p, w, c):
        (found,) = torch.autograd.grad(loss, leaf, retain_graph=True)
        assert found.dtype == leaf.dtype
        assert found.shape == leaf.shape


def test_only_a_weight_wants_a_gradient() -> None:
    z = random(3, 4)
    P, Q = xent.Labels(LABELS), xent.Logits(z)
    each = xent.cross_entropy(P, Q, reduction="none")
    w = double([1.0, 2.0, 0.0]).requires_grad_()
    (slope,) = torch.autograd.grad(xent.cross_entropy(P, Q, weight=w, reduction="sum"), w)
    torch.testing.assert_close(slope, each, rtol=1e-15, atol=0.0)
    c = double([1.0, 0.5, 2.0, 3.0]).requires_grad_()
    (slope,) = torch.autograd.grad(xent.cross_entropy(P, Q, class_weight=c, reduction="sum"), c)
    torch.testing.assert_close(slope, torch.stack([each[0], each[2], each[1], each[0] * 0]), rtol=1e-15, atol=0.0)
    assert not xent.cross_entropy(P, Q).requires_grad


def test_a_graph_can_be_walked_twice() -> None:
    z = random(3, 4).requires_grad_()
    loss = xent.cross_entropy(xent.Labels(LABELS), xent.Logits(z))
    (first,) = torch.autograd.grad(loss, z, retain_graph=True)
    (second,) = torch.autograd.grad(loss, z)
    assert torch.equal(first, second)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, z)


def test_gradients_of_two_losses_add() -> None:
    z = random(3, 4).requires_grad_()
    P = xent.Labels(LABELS)
    xent.cross_entropy(P, xent.Logits(z)).backward()
    once = z.grad.clone()
    xent.cross_entropy(P, xent.Logits(z)).backward()
    assert torch.equal(z.grad, 2 * once)


def test_tensors_that_share_memory() -> None:
    """Expanded, strided and transposed leaves: autograd puts the gradient where the numbers came from."""
    P = xent.Labels(torch.tensor([0, 1, 2, 0]))
    row = random(3).requires_grad_()
    (shared,) = torch.autograd.grad(xent.cross_entropy(P, xent.Logits(row.expand(4, 3)), reduction="sum"), row)
    own = row.detach().repeat(4, 1)
    torch.testing.assert_close(
        shared, xent.value_and_grad(P, xent.Logits(own), reduction="sum")[1].sum(0), rtol=1e-14, atol=1e-16
    )
    wide = random(3, 8).requires_grad_()
    (found,) = torch.autograd.grad(xent.cross_entropy(P, xent.Logits(wide[:, ::2].T), reduction="sum"), wide)
    assert torch.equal(found[:, 1::2], torch.zeros(3, 4, dtype=torch.float64))
    assert torch.equal(
        found[:, ::2].T, xent.value_and_grad(P, xent.Logits(wide.detach()[:, ::2].T), reduction="sum")[1]
    )


# A row that does not count has a gradient of exactly zero, by everything.


BAD_ROWS = [[nan, nan, nan], [inf, inf, 0.0], [-inf, -inf, -inf], [0.0, nan, 1.0], [-inf, 0.0, -inf]]
ROW_MEASURES = [xent.cross_entropy, xent.kl_divergence, xent.js_divergence, xent.perplexity, xent.squared_error]


@pytest.mark.parametrize("bad", BAD_ROWS)
@pytest.mark.parametrize("measure", ROW_MEASURES, ids=lambda f: f.__name__)
def test_soft_truth_of_a_row_without_weight(measure: Any, bad: list[float]) -> None:
    z = double([[0.3, -1.0, 0.5], bad]).requires_grad_()
    for make, p in (
        (xent.Distribution, double([[0.2, 0.3, 0.5]] * 2)),
        (xent.Distribution.from_logits, random(2, 3)),
        (xent.Distribution.from_log_probs, random(2, 3).log_softmax(-1)),
    ):
        p.requires_grad_()
        value = measure(make(p), xent.Logits(z), weight=double([1.0, 0.0]))
        dz, dp = torch.autograd.grad(value, [z, p])
        assert torch.equal(dz[1], torch.zeros(3, dtype=torch.float64))
        assert torch.equal(dp[1], torch.zeros(3, dtype=torch.float64))
        alone = measure(make(p[:1]), xent.Logits(z[:1]))
        mine, theirs = torch.autograd.grad(alone, [z, p])
        torch.testing.assert_close(dz[0], mine[0], rtol=1e-14, atol=1e-16)
        torch.testing.assert_close(dp[0], theirs[0], rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("measure", ROW_MEASURES, ids=lambda f: f.__name__)
def test_indicators_without_weight(measure: Any) -> None:
    z = double([0.3, nan, inf]).requires_grad_()
    t = double([0.4, 0.5, 0.5]).requires_grad_()
    value = measure(xent.Indicators(t), xent.Logits(z), weight=double([1.0, 0.0, 0.0]))
    for slope in torch.autograd.grad(value, [z, t]):
        assert torch.isfinite(slope[0])
        assert torch.equal(slope[1:], torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("bad", BAD_ROWS[:4])
def test_second_derivative_of_a_row_that_does_not_count(bad: list[float]) -> None:
    z = double([[0.3, -1.0, 0.5], bad]).requires_grad_()
    loss = xent.cross_entropy(xent.Labels(torch.tensor([1, -1]), ignore=-1), xent.Logits(z), reduction="sum")
    (first,) = torch.autograd.grad(loss, z, create_graph=True)
    (second,) = torch.autograd.grad(first.pow(2).sum(), z)
    assert torch.isfinite(second[0]).all()
    assert second[0].abs().max() > 0.01
    assert torch.equal(second[1], torch.zeros(3, dtype=torch.float64))

    x = double([0.3, nan]).requires_grad_()
    loss = xent.cross_entropy(xent.Indicators(double([1.0, 0.0])), xent.Logits(x), weight=double([1.0, 0.0]))
    (first,) = torch.autograd.grad(loss, x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    q = 1 / (1 + math.exp(-0.3))
    torch.testing.assert_close(second, double([q * (1 - q), 0.0]), rtol=1e-14, atol=0.0)


def test_a_score_of_minus_infinity_without_mass() -> None:
    z = double([[0.0, -inf, 1.0]]).requires_grad_()
    p = double([[0.5, 0.0, 0.5]]).requires_grad_()
    for measure in (*ROW_MEASURES, xent.hinge):
        for slope in torch.autograd.grad(measure(xent.Distribution(p), xent.Logits(z)), [z, p]):
            assert torch.isfinite(slope).all()
            assert slope[0, 1] == 0.0
    (slope,) = torch.autograd.grad(xent.entropy(xent.Logits(z)), z)
    assert torch.isfinite(slope).all()


def test_no_gradient_where_none_is_recorded() -> None:
    z = random(3, 4).requires_grad_()
    with torch.no_grad():
        assert not xent.cross_entropy(xent.Labels(LABELS), xent.Logits(z)).requires_grad
    with torch.inference_mode():
        assert not xent.cross_entropy(xent.Labels(LABELS), xent.Logits(z)).requires_grad
    assert not xent.classification_error(xent.Labels(LABELS), xent.Logits(z)).requires_grad


def test_func_grad() -> None:
    z = random(3, 4)
    P = xent.Labels(LABELS)
    found = torch.func.grad(lambda x: xent.cross_entropy(P, xent.Logits(x)))(z)
    # Under a transform the composed kernel runs, elsewhere the compiled one.
    torch.testing.assert_close(found, xent.value_and_grad(P, xent.Logits(z))[1], rtol=1e-14, atol=1e-16)


def test_what_the_backward_keeps() -> None:
    """The scores themselves and one index a row: no N×K array of probabilities is held between forward and backward."""
    z = random(50, 100).requires_grad_()
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        xent.cross_entropy(xent.Labels(torch.zeros(50, dtype=torch.int64)), xent.Logits(z))
    large = {x.data_ptr() for x in kept if x.numel() >= z.numel()}
    assert large == {z.data_ptr()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("label", [3, -1, -100])
def test_compiled_without_a_break_a_bad_label_is_nan(label: int) -> None:
    """Warnings that torch.compile itself raises in its own modules are not ours to hold."""
    torch._dynamo.reset()

    def loss(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return xent.cross_entropy(xent.Labels(y), xent.Logits(z), reduction="sum")

    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    z = random(2, 3).requires_grad_()
    good = compiled(z, torch.tensor([0, 2]))
    (slope,) = torch.autograd.grad(good, z)
    torch.testing.assert_close(
        slope, xent.value_and_grad(xent.Labels(torch.tensor([0, 2])), xent.Logits(z), reduction="sum")[1]
    )
    bad = compiled(z, torch.tensor([0, label]))
    (slope,) = torch.autograd.grad(bad, z)
    assert torch.isnan(bad)
    assert torch.isnan(slope[1]).all()
    assert torch.isfinite(slope[0]).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "options",
    [
        {"shaping": xent.Focal(2.0)},
        {"penalties": [xent.ZLoss(0.1)]},
        {"weight": [1.0, 2.0]},
        {"class_weight": [1.0, 2.0, 3.0]},
        {"denominator": 7},
        {"reduction": "none"},
    ],
    ids=str,
)
def test_options_compile_without_a_break(options: dict[str, Any]) -> None:
    torch._dynamo.reset()
    z, y = double([[0.3, -1.0, 2.0], [0.0, 1.0, 0.5]]).requires_grad_(), torch.tensor([0, 2])

    def loss(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return xent.cross_entropy(xent.Labels(y), xent.Logits(z), **options)

    compiled = torch.compile(loss, backend="eager", fullgraph=True)(z, y)
    torch.testing.assert_close(compiled, loss(z, y), rtol=1e-14, atol=0.0)
