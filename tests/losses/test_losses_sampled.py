"""Sampled losses: closed forms, the formulas of the papers in NumPy, and TensorFlow's own given the same candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

import xent
from xent.losses import sampled as S

INF = float("inf")


def problem(rows: int = 4, classes: int = 7, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, classes)) * 2, rng.integers(0, classes, rows)


def softplus(x: Any) -> Any:
    return np.logaddexp(0.0, x)


def test_every_class_drawn_is_the_full_softmax() -> None:
    z, y = problem()
    true = z[np.arange(4), y][:, None]
    want = xent.cross_entropy(xent.Labels(y), xent.Logits(z), reduction="none")
    classes = np.arange(7)
    hits = S.accidental_hits(y[:, None], classes)
    np.testing.assert_array_equal(hits, classes == y[:, None])
    for log_counts in ({}, {"log_counts_true": np.full(1, -3.0), "log_counts_sampled": np.full(7, -3.0)}):
        got = S.sampled_softmax(true, z, hits=hits, reduction="none", **log_counts)
        np.testing.assert_allclose(got, want, rtol=1e-13)
    # Without the hits taken out the true class is there twice.
    twice = S.sampled_softmax(true, z, reduction="none")
    np.testing.assert_allclose(twice, np.log(np.exp(want) + 1.0), rtol=1e-12)


@pytest.mark.parametrize("true_classes", [1, 3])
def test_the_formulas(true_classes: int) -> None:
    rng = np.random.default_rng(1)
    true, drawn = rng.normal(size=(5, true_classes)), rng.normal(size=(5, 6))
    log_true, log_drawn = np.log(rng.random((5, true_classes))), np.log(rng.random(6))
    hits, w, tau = rng.random((5, 6)) < 0.3, rng.random(5), 0.25
    # The temperature divides the scores alone.
    s = np.concatenate([true / tau - log_true, np.where(hits, -INF, drawn / tau - log_drawn)], 1)
    t = np.concatenate([np.full((5, true_classes), 1 / true_classes), np.zeros((5, 6))], 1)
    options: dict[str, Any] = {
        "log_counts_true": log_true,
        "log_counts_sampled": log_drawn,
        "hits": hits,
        "temperature": tau,
    }
    product = (t * np.where(t > 0, s, 0.0)).sum(1)
    softmax, binary = logsumexp(s, axis=1) - product, softplus(s).sum(1) - product
    for loss, want in ((S.sampled_softmax, softmax), (S.nce, binary)):
        np.testing.assert_allclose(loss(true, drawn, reduction="none", **options), want, rtol=1e-11)
        np.testing.assert_allclose(loss(true, drawn, **options), want.mean(), rtol=1e-12)
        np.testing.assert_allclose(loss(true, drawn, weight=w, **options), (w * want).sum() / w.sum(), rtol=1e-12)
        np.testing.assert_allclose(loss(true, drawn, weight=w, reduction="sum", **options), w @ want, rtol=1e-12)
        np.testing.assert_allclose(loss(true, drawn, denominator=3.0, **options), want.sum() / 3, rtol=1e-12)
    scores = S.sampled_scores(true, drawn, **options)
    np.testing.assert_allclose(scores.scores, s, rtol=1e-13)


def test_small_counts_are_raised_where_that_is_asked_for() -> None:
    options: dict[str, Any] = {"log_counts_true": np.log([1e-9]), "log_counts_sampled": np.log([0.5, 1e-8])}
    plain = S.sampled_scores([[1.0]], [[2.0, 3.0]], **options).scores
    np.testing.assert_allclose(plain, [[1 - np.log(1e-9), 2 - np.log(0.5), 3 - np.log(1e-8)]])
    raised = S.sampled_scores([[1.0]], [[2.0, 3.0]], least=1e-6, **options).scores
    np.testing.assert_allclose(raised, [[1 - np.log(1e-6), 2 - np.log(0.5), 3 - np.log(1e-6)]])


def test_the_correction_makes_the_mean_over_samples_right() -> None:
    """E over samples of Σ exp(s − log E[count]) is Σ exp(s) over all classes: every sample of two, with its chance."""
    z, q = np.array([0.3, -1.0, 0.8]), np.array([0.5, 0.2, 0.3])
    total = 0.0
    for i in range(3):
        for j in range(3):
            s = S.sampled_scores(
                [[0.0]], z[[i, j]][None], log_counts_true=[0.0], log_counts_sampled=np.log(2 * q[[i, j]])
            )
            total += q[i] * q[j] * np.exp(np.asarray(s.scores)[0, 1:]).sum()
    np.testing.assert_allclose(total, np.exp(z).sum(), rtol=1e-14)


@pytest.mark.parametrize("remove", [True, False])
@pytest.mark.parametrize("num_true", [1, 2])
def test_what_tensorflow_computes_from_the_same_candidates(num_true: int, remove: bool) -> None:
    import tensorflow as tf

    rng = np.random.default_rng(2)
    W, b = rng.normal(size=(9, 3)).astype(np.float32), rng.normal(size=9).astype(np.float32)
    x, y = rng.normal(size=(5, 3)).astype(np.float32), np.stack([rng.permutation(9)[:num_true] for _ in range(5)])
    drawn = np.array([0, 3, 4, 7])
    true_count, drawn_count = rng.random((5, num_true)).astype(np.float32), rng.random(4).astype(np.float32)
    theirs: dict[str, Any] = {
        "weights": W,
        "biases": b,
        "labels": y,
        "inputs": x,
        "num_sampled": 4,
        "num_classes": 9,
        "num_true": num_true,
        "sampled_values": (drawn, true_count, drawn_count),
        "remove_accidental_hits": remove,
    }
    ours: dict[str, Any] = {
        "log_counts_true": np.log(true_count),
        "log_counts_sampled": np.log(drawn_count),
        "hits": S.accidental_hits(y, drawn) if remove else None,
        "reduction": "none",
    }
    true, others = (x[:, None] * W[y]).sum(-1) + b[y], x @ W[drawn].T + b[drawn]
    for mine, reference in ((S.sampled_softmax, tf.nn.sampled_softmax_loss), (S.nce, tf.nn.nce_loss)):
        np.testing.assert_allclose(mine(true, others, **ours), reference(**theirs).numpy(), rtol=2e-5)
    import xent.tensorflow

    for mine, reference in (
        (S.sampled_softmax, xent.tensorflow.sampled_softmax_loss),
        (S.nce, xent.tensorflow.nce_loss),
    ):
        np.testing.assert_allclose(mine(true, others, **ours), reference(**theirs).numpy(), rtol=2e-5)


def in_batch(z: Any, y: Any, items: Any, q: Any, tau: float) -> Any:
    """The formula, row by row."""
    found = []
    for i in range(len(z)):
        s = z[i] / tau - np.log(q)
        out = (items == items[y[i]]) & (np.arange(len(items)) != y[i])
        found.append(logsumexp(s[~out]) - s[y[i]])
    return np.array(found)


def test_in_batch() -> None:
    rng = np.random.default_rng(3)
    users, items = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    y, ids, q, tau = np.array([0, 1, 5, 3]), np.array([7, 8, 7, 9, 8, 8]), rng.random(6), 0.3
    want = in_batch(users @ items.T, y, ids, q, tau)
    P, Q = xent.Labels(y), xent.Projection(users, items)
    options: dict[str, Any] = {"items": ids, "probabilities": q, "temperature": tau}
    np.testing.assert_allclose(S.in_batch_softmax(P, Q, reduction="none", **options), want, rtol=1e-11)
    logits = xent.Logits(users @ items.T)
    np.testing.assert_allclose(S.in_batch_softmax(P, logits, weight=[1, 0, 2, 1], **options), want @ [1, 0, 2, 1] / 4)
    # A constant factor of the probabilities does not matter, and without them and ids it is the plain softmax.
    options["probabilities"] = 10 * q
    np.testing.assert_allclose(S.in_batch_softmax(P, Q, reduction="none", **options), want, rtol=1e-11)
    plain = xent.cross_entropy(P, logits)
    np.testing.assert_allclose(S.in_batch_softmax(P, logits), plain, rtol=1e-14)
    small = S.in_batch_softmax(P, logits, probabilities=q, least=2.0, reduction="none")
    np.testing.assert_allclose(small, in_batch(users @ items.T, y, np.arange(6), np.full(6, 2.0), 1.0))


def test_in_batch_gradients() -> None:
    """In NumPy by the S1 that the loss is, in PyTorch by the temperature and the probabilities too."""
    rng = np.random.default_rng(4)
    z, y, ids, q = rng.normal(size=(3, 4)), np.array([0, 1, 2]), np.array([5, 6, 5, 7]), rng.random(4)
    scores = S.in_batch_scores(xent.Labels(y), items=ids, probabilities=q, temperature=0.5)
    value, gradient = xent.value_and_grad(xent.Labels(y), xent.Logits(z), scores=scores)
    np.testing.assert_allclose(value, in_batch(z, y, ids, q, 0.5).mean(), rtol=1e-13)
    step = rng.normal(size=z.shape)
    ends = [in_batch(z + s * step, y, ids, q, 0.5).mean() for s in (1e-6, -1e-6)]
    np.testing.assert_allclose((gradient * step).sum(), (ends[0] - ends[1]) / 2e-6, rtol=1e-6)
    assert gradient[0, 2] == 0
    P = xent.Labels(torch.tensor(y))

    def run(z: torch.Tensor, q: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
        return S.in_batch_softmax(P, xent.Logits(z), items=torch.tensor(ids), probabilities=q, temperature=tau)

    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (z, q, 0.5)]
    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize("loss", [S.sampled_softmax, S.nce])
def test_gradients(loss: Any) -> None:
    rng = np.random.default_rng(5)
    hits = torch.tensor(rng.random((3, 4)) < 0.4)

    def run(true: torch.Tensor, drawn: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
        return loss(
            true,
            drawn,
            log_counts_true=np.array([0.5, -0.5]),
            log_counts_sampled=torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64),
            hits=hits,
            temperature=tau,
            weight=torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64),
        )

    leaves = [torch.tensor(rng.normal(size=s), requires_grad=True) for s in ((3, 2), (3, 4))]
    tau = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (*leaves, tau))
    (by_drawn,) = torch.autograd.grad(run(*leaves, tau), leaves[1])
    assert torch.all(by_drawn[hits] == 0)


@pytest.mark.parametrize("framework", ["jax", "tensorflow", "torch"])
def test_every_framework(framework: str) -> None:
    rng = np.random.default_rng(6)
    true, drawn = rng.normal(size=(3, 1)).astype(np.float32), rng.normal(size=(3, 4)).astype(np.float32)
    z, ids, classes = rng.normal(size=(3, 3)).astype(np.float32), np.array([4, 4, 2]), np.array([[1], [2], [3]])
    candidates, y = np.array([1, 5, 3, 0]), np.arange(3)
    counts: dict[str, Any] = {"log_counts_true": [0.1], "log_counts_sampled": [0.4, 0.3, 0.2, 0.1]}

    def run(true: Any, drawn: Any, z: Any, ids: Any, classes: Any, candidates: Any, y: Any) -> Any:
        hits = S.accidental_hits(classes, candidates)
        return (
            S.sampled_softmax(true, drawn, hits=hits, **counts)
            + S.nce(true, drawn, hits=hits, **counts)
            + S.in_batch_softmax(xent.Labels(y), xent.Logits(z), items=ids, probabilities=[0.2, 0.3, 0.5])
        )

    arrays = (true, drawn, z, ids, classes, candidates, y)
    want = run(*(x.astype(np.float64) if x.dtype == np.float32 else x for x in arrays))
    if framework == "torch":
        found = [run(*map(torch.as_tensor, arrays))]
    elif framework == "jax":
        import jax
        import jax.numpy as jnp

        found = [run(*map(jnp.asarray, arrays)), jax.jit(run)(*map(jnp.asarray, arrays))]
        slopes = jax.grad(run, argnums=(0, 1, 2))(*map(jnp.asarray, arrays))
        assert all(np.isfinite(np.asarray(g)).all() for g in slopes)
    else:
        import tensorflow as tf

        inputs = [tf.constant(x) for x in arrays]
        with tf.GradientTape() as tape:
            tape.watch(inputs[:3])
            value = run(*inputs)
        assert all(np.isfinite(g.numpy()).all() for g in tape.gradient(value, inputs[:3]))
        found = [value, tf.function(run)(*inputs)]
    for value in found:
        np.testing.assert_allclose(np.asarray(value), want, rtol=1e-5)


def test_importance_weights_make_sums_those_of_the_whole() -> None:
    losses, q = np.array([0.2, 1.5, 3.0]), np.array([0.5, 0.25, 0.25])
    w = S.importance_weights(q)
    np.testing.assert_allclose((q * w * losses).sum(), losses.sum())
    np.testing.assert_array_equal(S.importance_weights(np.array([0.5, 1e-9]), least=1e-2), [2.0, 100.0])


def test_what_is_refused() -> None:
    true, drawn = np.zeros((2, 1)), np.zeros((2, 3))
    with pytest.raises(xent.errors.ShapeError, match=r"true\[\.\.\., None\]"):
        S.sampled_softmax(np.zeros(2), drawn)
    with pytest.raises(xent.errors.OptionError, match="both"):
        S.sampled_softmax(true, drawn, log_counts_sampled=np.zeros(3))
    with pytest.raises(xent.errors.ShapeError):
        S.nce(true, drawn, log_counts_true=np.zeros(1), log_counts_sampled=np.zeros(4))
    with pytest.raises(xent.errors.DtypeError, match="accidental_hits"):
        S.nce(true, drawn, hits=np.zeros((2, 3)))
    for tau in (0.0, -1.0, INF):
        with pytest.raises(xent.errors.OptionError):
            S.sampled_softmax(true, drawn, temperature=tau)
    with pytest.raises(xent.errors.OptionError):
        S.sampled_softmax(true, drawn, log_counts_true=[0.0], log_counts_sampled=np.zeros(3), least=0.0)
    with pytest.raises(xent.errors.DtypeError):
        S.accidental_hits([[1.0]], [1, 2])
    with pytest.raises(xent.errors.UndefinedPairError):
        S.in_batch_softmax(xent.Distribution([[1.0, 0.0]]), xent.Logits([[1.0, 0.0]]))  # type: ignore[arg-type]
    with pytest.raises(xent.errors.OptionError, match="probabilities"):
        S.in_batch_softmax(xent.Labels([0]), xent.Logits([[1.0, 0.0]]), probabilities=[0.0, 1.0])
    with pytest.raises(xent.errors.ShapeError):
        S.in_batch_softmax(xent.Labels([0]), xent.Logits([[1.0, 0.0]]), items=[[1, 2]])
    with pytest.raises(xent.errors.LabelError):
        S.in_batch_softmax(xent.Labels([2]), xent.Logits([[1.0, 0.0]]), items=[1, 2])
    with pytest.raises(xent.errors.BackendError):
        S.sampled_softmax(torch.zeros(2, 1), drawn)


def test_the_catalogue_knows_them() -> None:
    for loss in (S.sampled_softmax, S.nce, S.in_batch_softmax, S.importance_weights):
        assert xent.losses.describe(loss).formula
