"""All pairs of P and Q, in every type, on NumPy and PyTorch, against 50-digit arithmetic; every shape and layout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import xent
from support import oracle
from support.bounds import BOUNDS, REFERENCE
from support.measure import autograd, eps_of, error, measure, measure_reference, solve
from support.problems import (
    DTYPES,
    PREDICTIONS,
    REGIMES,
    TRUTHS,
    Problem,
    as_array,
    large,
    problem,
    rounded,
)

inf = math.inf
LIBRARIES = ("numpy", "torch")


def hold(p: Problem) -> None:
    """Value and gradient of a problem are within the published bound; autograd gives the same gradient."""
    exact = solve(p)
    loss, gradient = BOUNDS[p.prediction]
    for library, dtypes in DTYPES.items():
        if p.dtype in dtypes:
            found = measure(p, library, exact)
            assert found.loss <= loss, library
            assert found.gradient <= gradient, library
    for part, e, s in zip(autograd(p), exact.gradients, exact.gradient_scales, strict=True):
        assert error(part, e, s, p.dtype, p.dtype) <= gradient, "autograd"


@pytest.mark.parametrize("dtype", DTYPES["torch"])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("truth", TRUTHS)
def test_within_the_published_bound(truth: str, prediction: str, dtype: str) -> None:
    for regime in REGIMES:
        hold(problem(truth, prediction, dtype, regime, 6, 2, seed=7))
        hold(problem(truth, prediction, dtype, regime, 3, 10, seed=7))


@pytest.mark.parametrize("prediction", ["logits", "log_probs", "probs"])
@pytest.mark.parametrize("truth", TRUTHS)
def test_a_thousand_classes(truth: str, prediction: str) -> None:
    for dtype in ("bfloat16", "float32"):
        hold(problem(truth, prediction, dtype, "random", 1, 1000, seed=7))


def test_two_hundred_thousand_classes() -> None:
    exact = solve(large("smoothed labels", "float64"))
    for dtype in ("float16", "float32", "float64"):
        p = large("smoothed labels", dtype)
        for library in LIBRARIES:
            found = measure(p, library, exact)
            assert found.loss <= BOUNDS["logits"][0]
            assert found.gradient <= BOUNDS["logits"][1]
    found = measure_reference(large("smoothed labels", "float64"), exact)
    assert found.loss <= REFERENCE[0]
    assert found.gradient <= REFERENCE[1]


@pytest.mark.parametrize("library", LIBRARIES)
def test_many_classes_on_the_first_axis(library: str) -> None:
    """NumPy adds along strided memory one after the other: the sum of such a row is off by 1e-4 in float32."""
    rng = np.random.default_rng(0)
    z = rng.integers(-128, 128, (200_000, 2)) / 8
    p = np.exp(z[::-1] - z.max(axis=0))
    p = rounded(p / p.sum(axis=0), "float32")
    P = xent.Distribution(as_array(p, "float32", library))
    Q = xent.Logits(as_array(z, "float32", library), axis=0)
    P64, Q64 = xent.Distribution(p), xent.Logits(z, axis=0)
    for measure_ in (xent.cross_entropy, xent.kl_divergence, xent.js_divergence, xent.squared_error):
        found = np.asarray(measure_(P, Q, reduction="none"))
        np.testing.assert_allclose(found, measure_(P64, Q64, reduction="none"), rtol=1e-6)
    found = np.asarray(xent.entropy(Q, reduction="none"))
    np.testing.assert_allclose(found, xent.entropy(Q64, reduction="none"), rtol=1e-6)


def test_log_probabilities_of_any_number_of_classes_in_bfloat16() -> None:
    """A log-probability of 6.92 rounds to 6.91, all alike, and the exponentials sum to 1.015."""
    for classes in (2, 3, 10, 1000, 1013, 50_000, 160_000, 200_000):
        log_q = torch.full((1, classes), -math.log(classes)).to(torch.bfloat16)
        P = xent.Labels(torch.zeros(1, dtype=torch.int64))
        value = xent.cross_entropy(P, xent.LogProbabilities(log_q))
        assert value.item() == -log_q[0, 0].item()
    with pytest.raises(xent.errors.NormalizationError):
        xent.cross_entropy(P, xent.LogProbabilities(log_q - 0.25))


# Edges that were found by the oracle.


@pytest.mark.parametrize("library", LIBRARIES)
def test_log_probability_of_almost_one_and_of_almost_nothing(library: str) -> None:
    x = as_array([0.0, -0.0, -1e-310, -720.0], "float64", library)
    P = xent.Indicators(as_array([0, 0, 0, 0], "int64", library))
    value, gradient = xent.value_and_grad(P, xent.LogProbabilities(x), reduction="none")
    np.testing.assert_allclose(value, [inf, inf, float(-oracle.mp.log(oracle.mpf(1e-310))), math.exp(-720)], rtol=1e-9)
    np.testing.assert_allclose(gradient, [inf, inf, inf, math.exp(-720)], rtol=1e-9)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_subnormal_probability_whose_gradient_is_finite(library: str) -> None:
    P = xent.Distribution(as_array([1e-5, 1 - 1e-5], "float64", library))
    _, gradient = xent.value_and_grad(P, xent.Probabilities(as_array([1e-309, 1.0], "float64", library)))
    assert float(gradient[0]) == pytest.approx(-1e304, rel=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", [xent.Probabilities, xent.LogProbabilities, xent.Logits])
def test_nan_in_another_class_than_the_true_one(library: str, kind: Any) -> None:
    row = [0.5, math.nan] if kind is xent.Probabilities else [math.log(0.5), math.nan]
    for P in (xent.Labels(as_array(0, "int64", library)), xent.Distribution(as_array([1.0, 0.0], "float64", library))):
        value, gradient = xent.value_and_grad(P, kind(as_array(row, "float64", library)))
        assert math.isnan(float(value))
        assert bool(np.isnan(np.asarray(gradient)).all())


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_positive_weight_of_zero_on_an_infinite_loss(library: str) -> None:
    P, Q = xent.Indicators(as_array([1.0], "float64", library)), xent.Logits(as_array([-inf], "float64", library))
    value, gradient = xent.value_and_grad(P, Q, positive_weight=0.0)
    assert float(value) == 0.0
    assert float(gradient[0]) == 0.0


# Shapes: the class axis anywhere, any number of batch dimensions, scalars to empty batches.


def pair(truth: str, prediction: str, shape: tuple[int, ...], library: str, dtype: str = "float64") -> tuple[Any, Any]:
    """P and Q of a problem whose rows fill ``shape``, classes last; projections have hidden states of 5."""
    *batch, k = shape
    p = problem(truth, prediction, dtype, "random", math.prod(batch), k, seed=3)
    labels = "labels" in truth
    target = as_array(np.reshape(p.p, batch if labels else shape), "int64" if labels else dtype, library)
    if prediction == "projection":
        hidden, *rest = (as_array(x, dtype, library) for x in p.q)
        return target, (hidden.reshape((*batch, 5)), *rest)
    return target, as_array(np.reshape(p.q, shape), dtype, library)


def build(truth: str, prediction: str, target: Any, q: Any, axis: int = -1) -> tuple[Any, Any]:
    if truth in ("labels", "smoothed labels"):
        P: Any = xent.Labels(target, smoothing=0.1 if truth.startswith("smoothed") else 0.0)
    elif truth == "indicators":
        P = xent.Indicators(target)
    elif truth == "distribution":
        P = xent.Distribution(target)
    elif truth == "teacher scores":
        P = xent.Distribution.from_logits(target, axis=axis)
    else:
        P = xent.Distribution.from_log_probs(target, axis=axis)
    if prediction == "projection":
        return P, xent.Projection(*q)
    kind = {"logits": xent.Logits, "log_probs": xent.LogProbabilities, "probs": xent.Probabilities}[prediction]
    return P, kind(q, axis=axis)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("prediction", ["logits", "log_probs", "probs"])
@pytest.mark.parametrize("truth", TRUTHS)
def test_axis_anywhere_is_moveaxis(truth: str, prediction: str, library: str) -> None:
    target, q = pair(truth, prediction, (2, 3, 4, 5), library)
    move = np.moveaxis if library == "numpy" else torch.movedim
    value, gradient = xent.value_and_grad(*build(truth, prediction, target, q), reduction="none")
    for axis in (0, 1, -2, 3, -4):
        t = target if "labels" in truth else move(target, -1, axis)
        again, slope = xent.value_and_grad(*build(truth, prediction, t, move(q, -1, axis), axis), reduction="none")
        expected = move(value, -1, axis) if truth == "indicators" else value
        np.testing.assert_allclose(again, expected, rtol=1e-15)
        np.testing.assert_allclose(slope, move(gradient, -1, axis), rtol=1e-14, atol=1e-17)
        assert slope.shape == move(q, -1, axis).shape


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("truth", TRUTHS)
def test_batch_dimensions_are_one_long_batch(truth: str, prediction: str, library: str) -> None:
    """From no batch dimension (a scalar loss) to three of them, and to empty ones."""
    for batch in ((), (1,), (6,), (2, 3), (1, 2, 3), (0,), (2, 0, 3)):
        target, q = pair(truth, prediction, (*batch, 4), library)
        value, gradient = xent.value_and_grad(*build(truth, prediction, target, q), reduction="none")
        shape = (*batch, 4) if truth == "indicators" else batch
        assert tuple(value.shape) == shape
        n = math.prod(batch)
        flat_target = target.reshape((n,) if "labels" in truth else (n, 4))
        flat_q = (q[0].reshape((n, 5)), *q[1:]) if prediction == "projection" else q.reshape((n, 4))
        flat, flat_gradient = xent.value_and_grad(*build(truth, prediction, flat_target, flat_q), reduction="none")
        np.testing.assert_allclose(value.reshape(-1), flat.reshape(-1), rtol=1e-14)
        parts = zip(gradient, flat_gradient, strict=True) if prediction == "projection" else [(gradient, flat_gradient)]
        arrays = q if prediction == "projection" else (q,)
        for (mine, theirs), array in zip(parts, arrays, strict=True):
            assert tuple(mine.shape) == tuple(array.shape)
            np.testing.assert_allclose(mine.reshape(-1), theirs.reshape(-1), rtol=1e-13, atol=1e-16)
        total = xent.cross_entropy(*build(truth, prediction, target, q), reduction="sum")
        assert tuple(total.shape) == ()
        assert float(total) == pytest.approx(float(np.asarray(value).sum()), rel=1e-14)


@pytest.mark.parametrize("prediction", ["logits", "log_probs", "probs"])
def test_a_single_yes_or_no(prediction: str) -> None:
    for library in LIBRARIES:
        for t in (0.0, 0.3, 1.0):
            x = {"logits": 1.5, "log_probs": -0.2, "probs": 0.7}[prediction]
            P = xent.Indicators(as_array(t, "float64", library))
            _, Q = build("indicators", prediction, as_array(t, "float64", library), as_array(x, "float64", library))
            value, gradient = xent.value_and_grad(P, Q)
            found = oracle.element(oracle.mpf(x), prediction)
            assert float(value) == pytest.approx(float(oracle.element_loss(oracle.mpf(t), found)), rel=1e-15)
            assert float(gradient) == pytest.approx(float(oracle.element_gradient(oracle.mpf(t), found)), rel=1e-14)
            assert tuple(gradient.shape) == ()


# Memory layouts.


def layouts(x: Any) -> list[Any]:
    """The same numbers, held in memory in other ways."""
    if isinstance(x, torch.Tensor):
        padded = torch.zeros((*x.shape[:-1], 2 * x.shape[-1]), dtype=x.dtype)
        padded[..., ::2] = x
        return [padded[..., ::2], x.mT.contiguous().mT]
    padded = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), dtype=x.dtype)
    padded[..., ::2] = x
    read_only = x.copy()
    read_only.setflags(write=False)
    return [padded[..., ::2], np.asfortranarray(x), np.flip(np.flip(x, -1).copy(), -1), read_only]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("prediction", ["logits", "log_probs", "probs"])
@pytest.mark.parametrize("truth", TRUTHS)
def test_memory_layout_does_not_matter(truth: str, prediction: str, library: str) -> None:
    target, q = pair(truth, prediction, (4, 5), library)
    before = np.asarray(q).copy(), np.asarray(target).copy()
    value, gradient = xent.value_and_grad(*build(truth, prediction, target, q), reduction="none")
    for other in layouts(q):
        for t in [target] if "labels" in truth else layouts(target):
            again, slope = xent.value_and_grad(*build(truth, prediction, t, other), reduction="none")
            np.testing.assert_allclose(again, value, rtol=1e-15)
            np.testing.assert_allclose(slope, gradient, rtol=1e-14, atol=1e-17)
            np.testing.assert_array_equal(np.asarray(other), before[0])
            np.testing.assert_array_equal(np.asarray(t), before[1])


@pytest.mark.parametrize("library", LIBRARIES)
def test_expanded_rows(library: str) -> None:
    """Rows that are one row in memory (stride 0)."""
    row = as_array([0.3, -1.0, 2.0], "float64", library)
    z = np.broadcast_to(row, (4, 3)) if library == "numpy" else row.expand(4, 3)
    P = xent.Labels(as_array([0, 1, 2, 0], "int64", library))
    whole = z.copy() if library == "numpy" else z.contiguous()
    value, gradient = xent.value_and_grad(P, xent.Logits(z))
    expected, slope = xent.value_and_grad(P, xent.Logits(whole))
    assert float(value) == float(expected)
    np.testing.assert_array_equal(gradient, slope)


# Shapings and penalties, against the same oracle.


def focal(loss: Any, gamma: float) -> tuple[Any, Any]:
    """φ(ℓ) and φ′(ℓ), from the definition (1 − e^{−ℓ})^γ·ℓ."""
    mp = oracle.mp
    u, g = -mp.expm1(-loss), oracle.mpf(gamma)
    return u**g * loss, u**g + g * u ** (g - 1) * mp.exp(-loss) * loss


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_and_z_loss(gamma: float, dtype: str, library: str) -> None:
    """Relative in the loss down to 1e-16; the gradient φ′(ℓ)(p − t) + 2λ·lse·p relative to its two terms."""
    shaping, penalties = xent.Focal(gamma, soft="surprisal"), [xent.ZLoss(0.25), xent.ZLoss(0.125)]
    for truth in ("labels", "distribution"):
        for regime in ("random", "confident", "masked"):
            p = problem(truth, "logits", dtype, regime, 4, 5, seed=13)
            P, Q = p.P(library), p.Q(library)
            bare = np.asarray(xent.cross_entropy(P, Q, shaping=shaping, reduction="none"))
            both, slope = xent.value_and_grad(P, Q, shaping=shaping, penalties=penalties, reduction="none")
            for i in range(4):
                t, found = target_of(p, i), oracle.row(oracle.exact(p.q[i]), "logits")
                loss = oracle.row_loss(t, found)
                value, derivative = focal(loss, gamma)
                unit = 16 * eps_of(dtype) * (1 + abs(math.log(float(loss)))) * (1 + gamma)
                assert bare[i] == pytest.approx(float(value), rel=unit, abs=0.0)
                whole = float(value + oracle.mpf(0.375) * found.lse**2)
                lse_size = 1 + float(np.abs(p.q[i][np.isfinite(p.q[i])]).max())
                assert float(both[i]) == pytest.approx(
                    whole, rel=0.0, abs=unit * float(value) + 8 * eps_of(dtype) * lse_size**2
                )
                by_loss = oracle.row_gradient(t, found, p.q[i].tolist(), "logits")
                for k in range(5):
                    pull = 2 * oracle.mpf(0.375) * found.lse * found.q[k]
                    expected = float(derivative * by_loss[k] + pull)
                    size = float(derivative * (found.q[k] + t[k])) + lse_size * float(found.q[k])
                    assert abs(float(slope[i, k]) - expected) <= 2 * unit * size + 16 * eps_of(dtype) * lse_size * size


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_of_indicators(gamma: float, library: str) -> None:
    z = np.array([-35.0, -2.0, 0.0, 3.0, 35.0])
    for t in (0, 1):
        P = xent.Indicators(as_array(np.full(5, t), "int64", library))
        value, slope = xent.value_and_grad(
            P, xent.Logits(as_array(z, "float64", library)), shaping=xent.Focal(gamma), reduction="none"
        )
        for i in range(5):
            found = oracle.element(oracle.mpf(float(z[i])), "logits")
            loss, by_loss = (found.yes, found.d_yes) if t else (found.no, found.d_no)
            exact, derivative = focal(loss, gamma)
            assert float(value[i]) == pytest.approx(float(exact), rel=1e-14, abs=0.0)
            assert float(slope[i]) == pytest.approx(float(derivative * by_loss), rel=1e-14, abs=0.0)


# The other measures, against the same oracle.


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("prediction", ["logits", "log_probs", "probs"])
def test_divergences_and_entropies(prediction: str, dtype: str, library: str) -> None:
    """The error of a divergence is relative to its terms, Σ t(|log t| + |log q|), of which it is the difference."""
    for truth in ("labels", "distribution", "teacher scores"):
        for regime in ("random", "masked", "confident", "ties"):
            p = problem(truth, prediction, dtype, regime, 4, 5, seed=11)
            P, Q = p.P(library), p.Q(library)
            kl, js = (np.asarray(f(P, Q, reduction="none")) for f in (xent.kl_divergence, xent.js_divergence))
            own, ppl = (
                np.asarray(xent.entropy(Q, reduction="none")),
                np.asarray(xent.perplexity(P, Q, reduction="none")),
            )
            for i in range(4):
                t = target_of(p, i)
                found = oracle.row(oracle.exact(p.q[i]), prediction)
                terms = float(oracle.row_loss(t, found) + oracle.entropy(t))
                unit = 8 * eps_of(dtype)
                assert abs(kl[i] - float(oracle.divergence(t, found))) <= unit * terms
                assert abs(js[i] - float(oracle.jensen_shannon(t, found.q))) <= unit * (1 + float(oracle.entropy(t)))
                assert own[i] == pytest.approx(float(oracle.row_entropy(found)), rel=unit * 5, abs=1e-300)
                loss = float(oracle.row_loss(t, found))
                assert ppl[i] == pytest.approx(math.exp(loss), rel=unit * (1 + loss))


def target_of(p: Problem, i: int) -> list[Any]:
    if p.truth == "labels":
        return oracle.one_hot(int(p.p[i]), p.q.shape[1])
    values = oracle.exact(p.p[i])
    return values if p.truth == "distribution" else oracle.row(values, "logits").q
