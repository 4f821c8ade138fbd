"""Fenchel–Young losses and their transforms, against their definition in 50-digit arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xent
from support.oracle import mp, mpf
from xent.losses.fenchel_young import FenchelYoung, entmax, entmax_loss, sparsemax, sparsemax_loss

INF, NAN = float("inf"), float("nan")
ALPHAS = (1.0, 1.0 + 1e-9, 1.01, 1.2, 1.5, 1.7, 2.0, 2.5, 4.0)

ROWS = {
    "plain": [0.3, -0.2, 1.1, 0.9, -2.0],
    "ties": [1.0, 1.0, 0.25, 1.0, 0.25],
    "all alike": [-7.0, -7.0, -7.0, -7.0, -7.0],
    "far apart": [40.0, -35.0, 0.5, 39.75, 39.0],
    "very large": [3e30, 3e30, -1e30, 0.0, 2e30],
    "impossible classes": [0.5, -INF, 0.25, -INF, -1.0],
    "decided": [100.0, 0.0, 0.0, -1.0, 2.0],
    "small": [1e-20, 0.0, -1e-20, 2e-20, 0.0],
}


def exact(z: Any, alpha: float) -> tuple[list[Any], Any]:
    """q and the threshold: the root of a sum that falls, by bisection."""
    x, a = [mpf(float(v)) for v in z], mpf(float(alpha))
    if alpha == 1.0:
        lse = mp.log(mp.fsum(mp.exp(v - max(x)) for v in x)) + max(x)
        return [mp.exp(v - lse) if v != -mp.inf else mpf(0) for v in x], lse

    def q(c: Any) -> list[Any]:
        levels = [1 + (a - 1) * (v - c) if v != -mp.inf else mpf(-1) for v in x]
        return [v ** (1 / (a - 1)) if v > 0 else mpf(0) for v in levels]

    peak = max(x)
    low, high = mpf(0), (1 - mpf(len(x)) ** (1 - a)) / (a - 1)
    x = [v - peak for v in x]
    for _ in range(190):
        middle = (low + high) / 2
        low, high = (middle, high) if mp.fsum(q(middle)) >= 1 else (low, middle)
    return q(low), low + peak


def exact_loss(z: Any, t: Any, alpha: float) -> Any:
    """Ω*(z) + Ω(t) − ⟨t, z⟩ by its definition, with 0·∞ = 0."""
    q, _ = exact(z, alpha)
    a = mpf(float(alpha))

    def omega(p: list[Any]) -> Any:
        if alpha == 1.0:
            return mp.fsum(v * mp.log(v) for v in p if v)
        return mp.fsum((v**a - v) / (a * (a - 1)) for v in p)

    def product(p: list[Any]) -> Any:
        # Less the largest score, of which as much is in both.
        return mp.fsum(v * (mpf(float(s)) - mpf(float(max(z)))) for v, s in zip(p, z, strict=True) if v)

    truth = [mpf(float(v)) for v in t]
    return product(q) - omega(q) + omega(truth) - product(truth)


def truths(size: int) -> list[np.ndarray[Any, Any]]:
    hard = list(np.eye(size))
    return [*hard, np.full(size, 1 / size), np.array([0.5, 0.0, 0.25, 0.25, 0.0])]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("name", ROWS)
def test_value_and_gradient_to_the_rounding(name: str, alpha: float, dtype: str) -> None:
    z = np.asarray(ROWS[name], dtype)
    eps = float(np.finfo(dtype).eps)
    q = np.array([float(v) for v in exact(z, alpha)[0]])
    slope = np.where(q > 0, np.where(q > 0, q, 1.0) ** (2.0 - alpha), 0.0)
    loss = FenchelYoung(alpha)
    np.testing.assert_array_less(np.abs(loss.probabilities(xent.Logits(z)).probs - q), 6 * eps * (1 + slope))
    for t in truths(len(z)):
        value, gradient = loss.value_and_grad(xent.Distribution(t.astype(dtype)), xent.Logits(z))
        want = exact_loss(z, t.astype(dtype), alpha)
        scale = 1.0 + max((float(z.max() - v) * p for v, p in zip(z, t, strict=True) if p), default=0.0)
        if np.isinf(float(want)):
            assert value == INF
        else:
            assert abs(float(mpf(float(value)) - want)) <= 6 * eps * scale
        assert value >= 0
        np.testing.assert_array_less(np.abs(gradient - (q - t)), 6 * eps * (1 + slope))
        assert np.all(gradient[(q == 0) & (t == 0)] == 0)
        if np.all((t == 0) | (t == 1)):
            hard, by_label = loss.value_and_grad(xent.Labels(int(t.argmax())), xent.Logits(z))
            assert hard == value
            np.testing.assert_allclose(by_label, gradient, rtol=eps, atol=0)


def test_the_definition_of_sparsemax() -> None:
    """The nearest distribution: no other is nearer, among many."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=6) * 2
    q = sparsemax(xent.Logits(z)).probs
    others = rng.dirichlet(np.full(6, 0.3), size=2000)
    assert ((others - z) ** 2).sum(1).min() >= ((q - z) ** 2).sum()
    np.testing.assert_allclose(sparsemax_loss()(xent.Labels(2), xent.Logits(z)), 0.5 * (
        1 + sum(v * v - (v - q_) ** 2 for v, q_ in zip(z, q, strict=True) if q_ > 0)) - z[2], rtol=1e-12)  # fmt: skip


def test_a_lead_of_one_over_alpha_less_one_is_enough() -> None:
    for alpha in (1.25, 1.5, 2.0, 3.0):
        lead = 1.0 / (alpha - 1.0)
        value, gradient = FenchelYoung(alpha).value_and_grad(xent.Labels(0), xent.Logits([lead, 0.0, -1.0]))
        assert value == 0.0
        assert np.all(gradient == 0.0)
        assert FenchelYoung(alpha)(xent.Labels(0), xent.Logits([lead - 0.01, 0.0, -1.0])) > 0


scores = st.floats(-8, 8, width=32).map(lambda x: round(x * 16) / 16)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Any, Any]:
    shape = draw(st.tuples(st.integers(1, 4), st.integers(2, 6)))
    z = draw(hnp.arrays(np.float64, shape, elements=scores))
    mass = draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 1e-8, 0.25, 1.0, 3.0])))
    mass[:, 0] += 0.5
    return z, mass / mass.sum(axis=1, keepdims=True)


@given(batches(), st.sampled_from(ALPHAS), st.integers(-1000, 1000))
def test_not_negative_shift_invariant_and_slopes_that_sum_to_zero(batch: Any, alpha: float, shift: int) -> None:
    z, t = batch
    loss = FenchelYoung(alpha)
    value, gradient = loss.value_and_grad(xent.Distribution(t), xent.Logits(z), reduction="none")
    # kl_divergence, at α = 1, is a difference.
    assert np.all(value >= (0.0 if alpha > 1.0 else -1e-15))
    again, slope = loss.value_and_grad(xent.Distribution(t), xent.Logits(z + shift), reduction="none")
    np.testing.assert_array_equal(value, again)
    np.testing.assert_array_equal(gradient, slope)
    q = loss.probabilities(xent.Logits(z)).probs
    edge = 1e-13 if alpha <= 2.0 else 1e-4
    np.testing.assert_allclose(q.sum(1), 1.0, atol=edge)
    np.testing.assert_allclose(gradient.sum(1), 0.0, atol=edge)
    np.testing.assert_allclose(gradient, q - t, atol=1e-15)


@given(batches(), st.sampled_from(ALPHAS))
def test_zero_where_the_prediction_is_the_target(batch: Any, alpha: float) -> None:
    """z = ∂Ω(t), which any class without mass may be below."""
    _, t = batch
    safe = np.where(t > 0, t, 1.0)
    z = np.log(safe) if alpha == 1.0 else np.expm1((alpha - 1.0) * np.log(safe)) / (alpha - 1.0)
    z = np.where(t > 0, z, -INF)
    value = FenchelYoung(alpha)(xent.Distribution(t), xent.Logits(z), reduction="none")
    np.testing.assert_allclose(value, 0.0, atol=1e-13)
    moved = FenchelYoung(alpha)(xent.Distribution(t), xent.Logits(z + np.eye(z.shape[1])[0] * 0.5), reduction="none")
    # A class that has all mass already may not have more.
    assert np.all(moved[t[:, 0] < 0.99] > 1e-6)


def test_alpha_one_is_the_cross_entropy() -> None:
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(6, 5)) * 3, rng.integers(0, 5, 6)
    P, Q = xent.Labels(y), xent.Logits(z)
    want, slope = xent.value_and_grad(P, Q)
    for alpha, off in ((1.0, 0.0), (1.0 + 1e-12, 1e-9), (1.0 + 1e-7, 1e-5)):
        value, gradient = entmax_loss(alpha).value_and_grad(P, Q)
        np.testing.assert_allclose(value, want, atol=off + 1e-15)
        np.testing.assert_allclose(gradient, slope, atol=off + 1e-15)
        np.testing.assert_allclose(entmax_loss(alpha)(P, Q), want, atol=off + 1e-15)
    soft = xent.Distribution(rng.dirichlet(np.ones(5), 6))
    np.testing.assert_allclose(entmax_loss(1.0)(soft, Q), xent.kl_divergence(soft, Q), rtol=1e-14)
    np.testing.assert_allclose(entmax_loss(1.0 + 1e-9)(soft, Q), xent.kl_divergence(soft, Q), atol=1e-7)


def draws(seed: int = 3, classes: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    z = torch.tensor(rng.normal(size=(3, classes)), requires_grad=True)
    return z, torch.tensor(rng.integers(0, classes, 3)), torch.tensor(rng.dirichlet(np.ones(classes), 3))


@pytest.mark.parametrize("alpha", [1.0, 1.01, 1.3, 1.5, 2.0, 3.0])
def test_first_and_second_derivatives(alpha: float) -> None:
    z, y, t = draws()
    loss = FenchelYoung(alpha)
    weight = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    for P in (xent.Labels(y, smoothing=0.1), xent.Distribution(t)):

        def run(z: torch.Tensor, P: Any = P) -> torch.Tensor:
            return loss(P, xent.Logits(z), weight=weight)

        assert torch.autograd.gradcheck(run, (z,))
        assert torch.autograd.gradgradcheck(run, (z,))
    if alpha > 1.0:
        assert torch.autograd.gradcheck(lambda z: entmax(xent.Logits(z), alpha).probs, (z,))


@pytest.mark.parametrize("alpha", [1.05, 1.5, 2.0, 2.5])
def test_the_derivatives_are_those_of_the_formulas(alpha: float) -> None:
    """q − t, exactly 0 where there is no mass; and diag(s) − s·sᵀ/Σs with s = q^{2−α} on the support."""
    z = torch.tensor([[0.3, -3.0, 1.1, 0.9, -INF]], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0])
    loss = FenchelYoung(alpha)
    value, want = loss.value_and_grad(xent.Labels(y), xent.Logits(z))
    assert not value.requires_grad
    assert not want.requires_grad
    ours = loss(xent.Labels(y), xent.Logits(z))
    (gradient,) = torch.autograd.grad(ours, z, create_graph=True)
    torch.testing.assert_close(gradient, want, rtol=0, atol=1e-15)
    q = entmax(xent.Logits(z), alpha).probs.detach()[0]
    assert torch.all(gradient[0, 1:][q[1:] == 0] == 0)
    s = torch.where(q > 0, q.clamp(min=1e-300) ** (2 - alpha), 0.0)
    hessian = torch.stack([torch.autograd.grad(g, z, retain_graph=True)[0][0] for g in gradient[0]])
    torch.testing.assert_close(hessian, torch.diag(s) - s[:, None] * s / s.sum(), rtol=1e-12, atol=1e-14)


def test_a_target_and_weights_have_derivatives() -> None:
    z, _, _ = draws()
    t = torch.full((3, 5), 0.2, dtype=torch.float64, requires_grad=True)
    w = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([[0.1, 0.2, 0.3], [0.2, 0.1, 0.0], [0.0, 0.3, 0.1]], dtype=torch.float64, requires_grad=True)

    def run(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        t = torch.softmax(x, -1)
        return FenchelYoung(1.5)(xent.Distribution(t), xent.Logits(z.detach()[:, :3]), weight=w)

    assert torch.autograd.gradcheck(run, (x, w))
    (by_t,) = torch.autograd.grad(FenchelYoung(2.0)(xent.Distribution(t), xent.Logits(z.detach())), t)
    assert torch.isfinite(by_t).all()


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0])
def test_options_mean_what_they_mean_for_the_cross_entropy(alpha: float) -> None:
    rng = np.random.default_rng(5)
    z, y = rng.normal(size=(4, 3, 6)), rng.integers(0, 3, (4, 6))
    y[0, :2] = -1
    w, c = rng.random((4, 6)), rng.random(3)
    loss, plain = FenchelYoung(alpha), []
    rows, labels = np.moveaxis(z, 1, -1).reshape(-1, 3), y.reshape(-1)
    for row, label in zip(rows, labels, strict=True):
        plain.append(0.0 if label < 0 else float(loss(xent.Labels(int(label)), xent.Logits(row))))
    each = (np.array(plain).reshape(4, 6) * w) * c[np.where(y < 0, 0, y)]
    weights = np.where(y < 0, 0.0, w * c[np.where(y < 0, 0, y)])
    P, Q = xent.Labels(y, ignore=-1), xent.Logits(z, axis=1)
    options: dict[str, Any] = {"weight": w, "class_weight": c}
    np.testing.assert_allclose(loss(P, Q, reduction="none", **options), each, rtol=1e-13)
    np.testing.assert_allclose(loss(P, Q, reduction="sum", **options), each.sum(), rtol=1e-13)
    np.testing.assert_allclose(loss(P, Q, **options), each.sum() / weights.sum(), rtol=1e-13)
    np.testing.assert_allclose(loss(P, Q, denominator=7.0, **options), each.sum() / 7.0, rtol=1e-13)
    value, gradient = loss.value_and_grad(P, Q, **options)
    step = rng.normal(size=z.shape)
    ends = [loss(P, xent.Logits(z + s * step, axis=1), **options) for s in (1e-6, -1e-6)]
    np.testing.assert_allclose((gradient * step).sum(), (ends[0] - ends[1]) / 2e-6, rtol=1e-6)
    assert np.all(gradient[0, :, :2] == 0)
    nothing = xent.Labels(np.full((4, 6), -1), ignore=-1)
    assert np.isnan(loss(nothing, Q))
    assert loss(nothing, Q, empty="zero") == 0
    np.testing.assert_allclose(value, loss(P, Q, **options))


def test_a_projection() -> None:
    rng = np.random.default_rng(6)
    h, W, b, y = rng.normal(size=(4, 3)), rng.normal(size=(5, 3)), rng.normal(size=5), rng.integers(0, 5, 4)
    h[1] = NAN
    y[1] = -1
    P = xent.Labels(y, ignore=-1)
    value, gradients = entmax_loss(1.5).value_and_grad(P, xent.Projection(h, W, b))
    leaves = [torch.tensor(x, requires_grad=True) for x in (h, W, b)]
    theirs = entmax_loss(1.5)(xent.Labels(torch.tensor(y), ignore=-1), xent.Projection(*leaves))
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-14)
    for mine, got in zip(gradients, torch.autograd.grad(theirs, leaves), strict=True):
        np.testing.assert_allclose(mine, got.numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        sparsemax(xent.Projection(h[2:], W, b)).probs, sparsemax(xent.Logits(h[2:] @ W.T + b)).probs
    )


@pytest.mark.parametrize("alpha", [1.05, 1.5, 1.8, 2.0, 3.0])
def test_scores_that_are_not_finite(alpha: float) -> None:
    loss = FenchelYoung(alpha)
    rows = np.array([[INF, 0.0, -INF], [NAN, 0.0, 1.0], [-INF, -INF, -INF], [INF, INF, 0.0], [0.0, -INF, 0.0]])
    y = np.array([0, 1, 0, 2, 1])
    value, gradient = loss.value_and_grad(xent.Labels(y), xent.Logits(rows), reduction="none")
    assert value[0] == 0
    assert np.isnan(value[1:4]).all()
    assert value[4] == INF
    np.testing.assert_array_equal(gradient[0], 0)
    assert np.isnan(gradient[1:4]).all()
    np.testing.assert_allclose(gradient[4], [0.5, -1.0, 0.5])
    leaf = torch.tensor(rows, requires_grad=True)
    P = xent.Labels(torch.tensor(y))
    (theirs,) = torch.autograd.grad(loss(P, xent.Logits(leaf), reduction="sum"), leaf)
    np.testing.assert_allclose(theirs.numpy(), gradient, atol=1e-15)
    # Where they do not count they are nowhere.
    ignored = xent.Labels(torch.tensor([0, -1, -1, -1, -1]), ignore=-1)
    (theirs,) = torch.autograd.grad(loss(ignored, xent.Logits(leaf)), leaf)
    assert torch.all(theirs == 0)
    _, mine = loss.value_and_grad(xent.Labels(y), xent.Logits(rows), weight=[1.0, 0.0, 0.0, 0.0, 0.0])
    assert np.all(mine == 0)


@pytest.mark.parametrize("alpha", [1.05, 1.3, 1.5, 2.0, 3.0])
def test_many_classes_in_float32(alpha: float) -> None:
    """Sums over 100,000 classes: alike, and one that leads so far that the others are just in."""
    rng = np.random.default_rng(0)
    lead = np.full(100_000, -0.99 / (alpha - 1.0))
    lead[7] = 0.0
    # One that leads so far makes scores of mass 1e-7 from differences of 1: an eps of each is what that leaves, and for
    # α > 2 the root of it.
    for z in (np.zeros(100_000), lead, rng.normal(size=100_000) * 0.1)[:: 2 if alpha > 2 else 1]:
        narrow = z.astype(np.float32)
        q = entmax(xent.Logits(narrow), alpha).probs
        want = entmax(xent.Logits(narrow.astype(np.float64)), alpha).probs
        assert abs(want.sum() - 1.0) < 1e-9
        assert abs(q.astype(np.float64).sum() - 1.0) < (1e-2 if z is lead else 2e-4)
        np.testing.assert_allclose(q, want, atol=2e-7, rtol=2e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    z = torch.tensor([[0.5, 1.25, -0.75]], dtype=dtype, requires_grad=True)
    for alpha in (1.2, 1.5, 2.0):
        value = FenchelYoung(alpha)(xent.Labels(torch.tensor([1])), xent.Logits(z))
        assert value.dtype == torch.float32
        want, slope = FenchelYoung(alpha).value_and_grad(xent.Labels([1]), xent.Logits([[0.5, 1.25, -0.75]]))
        torch.testing.assert_close(value.item(), float(want), rtol=1e-6, atol=1e-7)
        (gradient,) = torch.autograd.grad(value, z)
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient.float().numpy(), slope, atol=1e-2)


@pytest.mark.parametrize("alpha", [1.05, 1.5, 1.7, 2.0])
@pytest.mark.parametrize("framework", ["jax", "tensorflow"])
def test_every_framework(framework: str, alpha: float) -> None:
    rng = np.random.default_rng(8)
    z, y = (rng.normal(size=(4, 5)) * 2).astype(np.float32), rng.integers(0, 5, 4)
    y[2] = -1
    loss = FenchelYoung(alpha)
    want, slope = loss.value_and_grad(xent.Labels(y, ignore=-1), xent.Logits(z.astype(np.float64)))

    def run(z: Any, y: Any) -> Any:
        return loss(xent.Labels(y, ignore=-1), xent.Logits(z))

    if framework == "jax":
        import jax
        import jax.numpy as jnp

        x, labels = jnp.asarray(z), jnp.asarray(y)
        results = [run(x, labels), jax.jit(run)(x, labels)]
        gradients = [jax.jit(jax.grad(run))(x, labels)]
        gradients.append(loss.value_and_grad(xent.Labels(labels, ignore=-1), xent.Logits(x))[1])
        hessian = jax.jit(jax.hessian(run))(x, labels)[0, :, 0, :]
    else:
        import tensorflow as tf

        x, labels = tf.constant(z), tf.constant(y)
        results, gradients = [], []
        for call in (run, tf.function(run)):
            with tf.GradientTape() as tape:
                tape.watch(x)
                results.append(call(x, labels))
            gradients.append(tape.gradient(results[-1], x))
        gradients.append(loss.value_and_grad(xent.Labels(labels, ignore=-1), xent.Logits(x))[1])
        with tf.GradientTape(persistent=True) as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = run(x, labels)
            g = tape.gradient(value, x)
        hessian = outer.jacobian(g, x, experimental_use_pfor=False)[0, :, 0, :]
    for value in results:
        np.testing.assert_allclose(np.asarray(value), want, rtol=3e-6, atol=3e-7)
    for gradient in gradients:
        np.testing.assert_allclose(np.asarray(gradient), slope, atol=1e-6)
    q = entmax(xent.Logits(z[0].astype(np.float64)), alpha).probs
    s = np.where(q > 0, np.where(q > 0, q, 1.0) ** (2 - alpha), 0.0)
    np.testing.assert_allclose(np.asarray(hessian), (np.diag(s) - np.outer(s, s) / s.sum()) / 3, atol=1e-5)


def test_what_is_refused() -> None:
    Q = xent.Logits([[0.0, 1.0]])
    for alpha in (0.99, NAN, INF, "1.5"):
        with pytest.raises(xent.errors.OptionError):
            FenchelYoung(alpha)  # type: ignore[arg-type]
    with pytest.raises(xent.errors.UndefinedPairError, match="Indicators"):
        FenchelYoung(2.0)(xent.Indicators([[0.0, 1.0]]), Q)  # type: ignore[arg-type]
    for call in (FenchelYoung(2.0), FenchelYoung(1.0).value_and_grad):
        with pytest.raises(xent.errors.UndefinedPairError, match="scores"):
            call(xent.Labels([0]), xent.Probabilities([[0.5, 0.5]]))  # type: ignore[arg-type]
    with pytest.raises(xent.errors.UndefinedPairError, match="scores"):
        sparsemax(xent.Probabilities([[0.5, 0.5]]))  # type: ignore[arg-type]
    with pytest.raises(xent.errors.OneClassError):
        sparsemax(xent.Logits([[0.5]]))
    with pytest.raises(xent.errors.LabelError):
        FenchelYoung(2.0)(xent.Labels([2]), Q)


def test_the_catalogue_knows_them() -> None:
    for made in (sparsemax, entmax, sparsemax_loss, entmax_loss):
        assert "Martins" in xent.losses.describe(made).source
