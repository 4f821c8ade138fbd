"""Hierarchical and adaptive softmax: log-probabilities that sum to one, PyTorch's module, and 50-digit arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import xent
from support.oracle import mp, mpf
from xent.losses.adaptive import adaptive_log_probabilities, adaptive_softmax
from xent.losses.hierarchical import Tree, hierarchical_log_probabilities, hierarchical_softmax

NAN = float("nan")

COUNTS = [45, 13, 12, 16, 9, 5]


def test_huffman() -> None:
    """The example of Cormen, Leiserson, Rivest and Stein, Introduction to Algorithms, section 16.3."""
    tree = Tree.huffman(COUNTS)
    np.testing.assert_array_equal(tree.depths, [1, 3, 3, 3, 4, 4])
    assert tree.inner == 5
    assert tree.classes == 6
    np.testing.assert_array_equal(Tree.huffman(np.ones(8)).depths, 3)
    assert Tree.huffman([0, 0]).depths.tolist() == [1, 1]
    np.testing.assert_array_equal(Tree.huffman(2.0 ** np.arange(6)).depths, [5, 5, 4, 3, 2, 1])


@pytest.mark.parametrize("seed", range(5))
def test_no_tree_is_shorter(seed: int) -> None:
    """The mean path is between the entropy and one more; and swapping any two classes does not make it shorter."""
    n = np.random.default_rng(seed).random(9)
    tree = Tree.huffman(n)
    p = n / n.sum()
    entropy = float(xent.bits(xent.entropy(xent.Distribution(p))))
    mean = p @ tree.depths
    assert entropy <= mean < entropy + 1
    order = np.argsort(-n, kind="stable")
    assert np.all(np.diff(tree.depths[order]) >= 0)
    assert (2.0**-tree.depths).sum() == 1.0


def test_the_classes_sum_to_one_and_a_label_costs_its_log_probability() -> None:
    rng = np.random.default_rng(0)
    tree, z, y = Tree.huffman(COUNTS), rng.normal(size=(4, 5)) * 3, np.array([0, 5, 2, 4])
    log_q = hierarchical_log_probabilities(xent.Logits(z), tree=tree).log_probs
    assert log_q.shape == (4, 6)
    np.testing.assert_allclose(np.exp(log_q).sum(1), 1.0, rtol=1e-13)
    each = hierarchical_softmax(xent.Labels(y), xent.Logits(z), tree=tree, reduction="none")
    np.testing.assert_allclose(each, -log_q[np.arange(4), y], rtol=1e-13)
    for loss, row, label in zip(each, z, y, strict=True):
        want = mpf(0)
        for node, turn in zip(tree.nodes[label], tree.turns[label], strict=True):
            if node >= 0:
                score = mpf(float(row[node]))
                want += mp.log(1 + mp.exp(-score if turn else score))
        assert abs(float(mpf(float(loss)) - want)) < 4e-16 * float(want) * 4
    w = np.array([1.0, 0.0, 2.0, 0.5])
    np.testing.assert_allclose(
        hierarchical_softmax(xent.Labels(y), xent.Logits(z), tree=tree, weight=w), (w @ each) / w.sum()
    )
    np.testing.assert_allclose(
        hierarchical_softmax(xent.Labels(y), xent.Logits(z.T.copy(), axis=0), tree=tree), each.mean()
    )
    turned = hierarchical_log_probabilities(xent.Logits(z.T.copy(), axis=0), tree=tree)
    np.testing.assert_array_equal(turned.log_probs, log_q.T)
    # It is a prediction like others.
    np.testing.assert_allclose(xent.cross_entropy(xent.Labels(y), xent.LogProbabilities(log_q)), each.mean())


def test_a_tree_of_ones_own() -> None:
    """((0, 1), 2), with the root as node 1 and turns that are counted the other way round."""
    tree = Tree([[1, 0], [1, 0], [1, -1]], [[1, 1], [1, 0], [0, 0]])
    z = np.array([0.7, -1.2])
    q = np.exp(hierarchical_log_probabilities(xent.Logits(z), tree=tree).log_probs)
    up, down = 1 / (1 + np.exp(-z[1])), 1 / (1 + np.exp(-z[0]))
    np.testing.assert_allclose(q, [up * down, up * (1 - down), 1 - up], rtol=1e-14)


@pytest.mark.parametrize(
    ("nodes", "turns"),
    [
        ([[0], [0]], [[1], [1]]),  # twice the same way
        ([[0, -1], [0, 1]], [[0, 0], [1, 0]]),  # one way only at node 1
        ([[0, 1], [0, 2], [0, -1]], [[1, 0], [1, 1], [0, 0]]),  # two nodes at one place
        ([[0, -1], [0, 1], [0, 1]], [[1, 0], [1, 0], [1, 1]]),  # a class on the way to others
        ([[-1, 0], [0, -1]], [[0, 1], [0, 0]]),  # a path with a hole
        ([[0, -1], [-1, -1]], [[0, 0], [1, 0]]),  # a path of no decision
    ],
)
def test_what_is_no_tree(nodes: Any, turns: Any) -> None:
    with pytest.raises(xent.errors.OptionError, match="binary tree"):
        Tree(nodes, turns)


def test_a_projection_multiplies_the_path_alone() -> None:
    rng = np.random.default_rng(1)
    tree, h, W, b = Tree.huffman(COUNTS), rng.normal(size=(2, 3, 4)), rng.normal(size=(5, 4)), rng.normal(size=5)
    y = rng.integers(0, 6, (2, 3))
    want = hierarchical_softmax(xent.Labels(y), xent.Logits(h @ W.T + b), tree=tree, reduction="none")
    got = hierarchical_softmax(xent.Labels(y), xent.Projection(h, W, b), tree=tree, reduction="none")
    np.testing.assert_allclose(got, want, rtol=1e-12)
    log_q = hierarchical_log_probabilities(xent.Projection(h, W, b), tree=tree).log_probs
    np.testing.assert_allclose(np.take_along_axis(log_q, y[..., None], -1)[..., 0], -want, rtol=1e-12)

    def run(h: torch.Tensor, W: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return hierarchical_softmax(xent.Labels(torch.tensor(y)), xent.Projection(h, W, b), tree=tree)

    leaves = [torch.tensor(x, requires_grad=True) for x in (h, W, b)]
    assert torch.autograd.gradcheck(run, leaves)
    z = torch.tensor(h @ W.T + b, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda z: hierarchical_softmax(xent.Labels(torch.tensor(y)), xent.Logits(z), tree=tree), (z,)
    )
    # W counts a class as often as its nodes are passed; node 4 is the root.
    (by_z,) = torch.autograd.grad(
        hierarchical_softmax(xent.Labels(torch.tensor(y)), xent.Logits(z), tree=tree, reduction="sum"), z
    )
    root = 1 / (1 + np.exp(-z.detach().numpy()[..., 4])) - tree.turns[y][..., 0]
    np.testing.assert_allclose(by_z[..., 4].numpy(), root, rtol=1e-12)


def test_what_does_not_count_is_nowhere() -> None:
    tree = Tree.huffman(COUNTS)
    rng = np.random.default_rng(2)
    h = rng.normal(size=(4, 3))
    h[1:3] = NAN
    leaves = [torch.tensor(x, requires_grad=True) for x in (h, rng.normal(size=(5, 3)), rng.normal(size=5))]
    P, weight = xent.Labels(torch.tensor([2, -1, 5, 0]), ignore=-1), torch.tensor([1.0, 1.0, 0.0, 2.0])
    loss = hierarchical_softmax(P, xent.Projection(*leaves), tree=tree, weight=weight.double())
    gradients = torch.autograd.grad(loss, leaves)
    assert all(torch.isfinite(g).all() for g in gradients)
    assert torch.all(gradients[0][1:3] == 0)
    heads = [torch.tensor(rng.normal(size=s), requires_grad=True) for s in ((3, 3), (4, 3))]
    x = leaves[0]
    loss = adaptive_softmax(
        P, xent.Projection(x, heads[0]), tails=[xent.Projection(x, heads[1])], weight=weight.double()
    )
    gradients = torch.autograd.grad(loss, [x, *heads])
    assert all(torch.isfinite(g).all() for g in gradients)
    assert torch.all(gradients[0][1:3] == 0)


@pytest.mark.parametrize("logits", [True, False])
def test_adaptive_is_pytorchs_own(logits: bool) -> None:
    torch.manual_seed(0)
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs=[5, 12, 18], div_value=2.0, head_bias=True).double()
    x = torch.randn(9, 8, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 4, 5, 11, 12, 17, 18, 19, 2])
    parameters = [x, *theirs.parameters()]

    def tail(i: int) -> Any:
        small, out = theirs.tail[i]
        return xent.Logits(out(small(x))) if logits else xent.Projection(small(x), out.weight)

    head: Any = xent.Projection(x, theirs.head.weight, theirs.head.bias)
    head = xent.Logits(theirs.head(x)) if logits else head
    ours = adaptive_softmax(xent.Labels(y), head, tails=[tail(i) for i in range(3)], reduction="none")
    output, loss = theirs(x, y)
    torch.testing.assert_close(ours, -output)
    mean = adaptive_softmax(xent.Labels(y), head, tails=[tail(i) for i in range(3)])
    torch.testing.assert_close(mean, loss)
    for got, want in zip(torch.autograd.grad(mean, parameters), torch.autograd.grad(loss, parameters), strict=True):
        torch.testing.assert_close(got, want)
    log_q = adaptive_log_probabilities(head, tails=[tail(i) for i in range(3)])
    torch.testing.assert_close(log_q.log_probs, theirs.log_prob(x))
    torch.testing.assert_close(xent.cross_entropy(xent.Labels(y), log_q), loss)


def test_adaptive_edges() -> None:
    rng = np.random.default_rng(3)
    head, tail = rng.normal(size=(4, 4)), rng.normal(size=(4, 3))
    # Clusters of one class, and none of whose classes is asked for.
    P = xent.Labels([0, 2, 2, 1])
    each = adaptive_softmax(P, xent.Logits(head), tails=[xent.Logits(np.zeros((4, 1))), xent.Logits(tail)],
                            reduction="none")  # fmt: skip
    want = xent.cross_entropy(P, xent.Logits(head), reduction="none")
    np.testing.assert_allclose(each, want, rtol=1e-14)
    log_q = adaptive_log_probabilities(xent.Logits(head), tails=[xent.Logits(np.zeros((4, 1))), xent.Logits(tail)])
    np.testing.assert_allclose(np.exp(log_q.log_probs).sum(1), 1.0)
    assert log_q.log_probs.shape == (4, 6)
    ignored = adaptive_softmax(xent.Labels([0, -1, 5, 9], ignore=9), xent.Logits(head),
                               tails=[xent.Logits(np.zeros((4, 1))), xent.Logits(tail)], weight=[1, 0, 1, 1],
                               reduction="none")  # fmt: skip
    np.testing.assert_array_equal(ignored[[1, 3]], 0)
    np.testing.assert_allclose(ignored[2], -log_q.log_probs[2, 5])
    # No tail is the softmax.
    np.testing.assert_allclose(adaptive_softmax(P, xent.Logits(head), tails=[]), want.mean())


@pytest.mark.parametrize("framework", ["jax", "tensorflow", "torch"])
def test_every_framework(framework: str) -> None:
    rng = np.random.default_rng(4)
    tree = Tree.huffman(COUNTS)
    x, W = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    V, y = rng.normal(size=(2, 3)).astype(np.float32), np.array([0, 5, 3, 4])

    def run(x: Any, W: Any, V: Any, y: Any) -> Any:
        Q = xent.Projection(x, W)
        return hierarchical_softmax(xent.Labels(y), Q, tree=tree) + adaptive_softmax(
            xent.Labels(y), Q, tails=[xent.Projection(x, V)]
        )

    def all_classes(x: Any, W: Any, V: Any) -> Any:
        Q = xent.Projection(x, W)
        return (
            hierarchical_log_probabilities(Q, tree=tree).log_probs
            + adaptive_log_probabilities(Q, tails=[xent.Projection(x, V)]).log_probs
        )

    arrays = (x, W, V)
    wide = [a.astype(np.float64) for a in arrays]
    want, every = run(*wide, y), all_classes(*wide)
    np.testing.assert_allclose(want, -every[np.arange(4), y].mean(), rtol=1e-13)
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    value = run(*leaves, torch.tensor(y))
    slopes = [g.numpy() for g in torch.autograd.grad(value, leaves)]
    if framework == "torch":
        found, gradients = [value.detach()], [slopes]
        logs = all_classes(*leaves).detach()
        mapped = torch.func.grad(run, argnums=(0, 1, 2))(*(a.detach() for a in leaves), torch.tensor(y))
        gradients.append([g.numpy() for g in mapped])
    elif framework == "jax":
        import jax
        import jax.numpy as jnp

        inputs = [jnp.asarray(a) for a in arrays]
        found = [run(*inputs, jnp.asarray(y)), jax.jit(run)(*inputs, jnp.asarray(y))]
        gradients = [jax.jit(jax.grad(run, argnums=(0, 1, 2)))(*inputs, jnp.asarray(y))]
        logs = all_classes(*inputs)
        # A label outside the classes is NaN where it cannot be read.
        z = jnp.asarray(rng.normal(size=(1, 5)).astype(np.float32))
        for loss in (
            lambda z, y: hierarchical_softmax(xent.Labels(y), xent.Logits(z), tree=tree),
            lambda z, y: adaptive_softmax(xent.Labels(y), xent.Logits(z), tails=[xent.Logits(z[:, :2])]),
        ):
            both = jax.jit(jax.value_and_grad(loss))
            for label in (-1, 6):
                value, gradient = both(z, jnp.asarray([label]))
                assert np.isnan(value)
                assert np.isnan(gradient).any()
            assert np.isfinite(both(z, jnp.asarray([5]))[0])
    else:
        import tensorflow as tf

        inputs = [tf.constant(a) for a in arrays]
        found, gradients = [], []
        for call in (run, tf.function(run)):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                found.append(call(*inputs, tf.constant(y)))
            gradients.append([tf.convert_to_tensor(g).numpy() for g in tape.gradient(found[-1], inputs)])
        logs = all_classes(*inputs)
    for value in found:
        np.testing.assert_allclose(np.asarray(value), want, rtol=1e-5)
    for each in gradients:
        for got, slope in zip(each, slopes, strict=True):
            np.testing.assert_allclose(np.asarray(got), slope, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.asarray(logs), every, rtol=1e-5)


def test_what_is_refused() -> None:
    tree, Q = Tree.huffman(COUNTS), xent.Logits(np.zeros((2, 5)))
    for P in (xent.Labels([0, 1], smoothing=0.1), xent.Distribution(np.full((2, 5), 0.2))):
        with pytest.raises(xent.errors.UndefinedPairError, match="every path"):
            hierarchical_softmax(P, Q, tree=tree)  # type: ignore[arg-type]
        with pytest.raises(xent.errors.UndefinedPairError, match="every path"):
            adaptive_softmax(P, Q, tails=[])  # type: ignore[arg-type]
    with pytest.raises(xent.errors.UndefinedPairError, match="scores"):
        hierarchical_softmax(xent.Labels([0, 1]), xent.Probabilities(np.full((2, 5), 0.2)), tree=tree)  # type: ignore[arg-type]
    with pytest.raises(xent.errors.ShapeError, match="inner node"):
        hierarchical_softmax(xent.Labels([0, 1]), xent.Logits(np.zeros((2, 6))), tree=tree)
    with pytest.raises(xent.errors.LabelError):
        hierarchical_softmax(xent.Labels([0, 6]), Q, tree=tree)
    with pytest.raises(xent.errors.ShapeError):
        hierarchical_softmax(xent.Labels([0, 1, 2]), Q, tree=tree)
    with pytest.raises(xent.errors.LabelError):
        adaptive_softmax(xent.Labels([0, 7]), Q, tails=[xent.Logits(np.zeros((2, 3)))])
    with pytest.raises(xent.errors.ShapeError, match="tails"):
        adaptive_softmax(xent.Labels([0, 6]), Q, tails=[xent.Projection(np.zeros((3, 2)), np.zeros((3, 2)))])
    with pytest.raises(xent.errors.ShapeError, match="frequent"):
        adaptive_softmax(xent.Labels([0, 1]), xent.Logits(np.zeros((2, 1))), tails=[Q])
    with pytest.raises(xent.errors.ShapeError):
        Tree.huffman([3])
    with pytest.raises(xent.errors.OptionError):
        Tree.huffman([3, -1])
    with pytest.raises(xent.errors.ShapeError):
        Tree([[0], [0]], [[0, 1], [1, 0]])
