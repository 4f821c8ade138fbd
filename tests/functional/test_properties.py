"""What must hold for any P and Q: invariances, identities and bounds, on random batches (hypothesis)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xent

EPS = float(np.finfo(np.float64).eps)
LN2 = math.log(2)

scores = st.floats(-30, 30, allow_nan=False, width=32)
sizes = st.tuples(st.integers(1, 5), st.integers(2, 6))


@st.composite
def batches(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (N, K), labels (N,) and probabilities (N, K) with some zeros."""
    shape = draw(sizes)
    z = draw(hnp.arrays(np.float64, shape, elements=scores))
    y = draw(hnp.arrays(np.int64, shape[:1], elements=st.integers(0, shape[1] - 1)))
    mass = draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 1e-8, 0.25, 1.0, 3.0])))
    mass[np.arange(len(y)), y] += 0.5
    return z, y, mass / mass.sum(axis=1, keepdims=True)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def one_hot(y: np.ndarray, k: int) -> np.ndarray:
    return np.eye(k)[y]


def close(a: Any, b: Any, scale: Any = 1.0, units: float = 64.0) -> None:
    """|a − b| within a few roundings of numbers as large as ``scale``."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert np.all(np.abs(a - b) <= units * EPS * (np.abs(b) + scale)), (a, b)


# Cross-entropy.


@given(batches(), st.integers(-1000, 1000))
def test_scores_may_be_shifted(batch: Any, shift: int) -> None:
    z, y, p = batch
    z = np.round(z * 8) / 8  # so that the shifted scores are the same numbers
    for P in (xent.Labels(y), xent.Distribution(p), xent.Labels(y, smoothing=0.1)):
        value, gradient = xent.value_and_grad(P, xent.Logits(z), reduction="none")
        again, slope = xent.value_and_grad(P, xent.Logits(z + shift), reduction="none")
        np.testing.assert_array_equal(value, again)
        np.testing.assert_array_equal(gradient, slope)


@given(batches())
def test_rows_of_the_gradient_sum_to_zero(batch: Any) -> None:
    z, y, p = batch
    for P in (xent.Labels(y), xent.Labels(y, smoothing=0.3), xent.Distribution(p), xent.Distribution.from_logits(z)):
        _, gradient = xent.value_and_grad(P, xent.Logits(z), reduction="none", shaping=xent.Focal(2, soft="surprisal"))
        close(gradient.sum(axis=1), 0.0, scale=1 + np.abs(z).max())


@given(batches())
def test_a_label_is_its_one_hot_row(batch: Any) -> None:
    z, y, _ = batch
    k = z.shape[1]
    c = np.linspace(0.5, 2.0, k)
    w = np.linspace(1.0, 3.0, len(y))
    options: list[dict[str, Any]] = [
        {},
        {"class_weight": c},
        {"class_weight": c, "weight": w},
        {"penalties": [xent.ZLoss(0.01)], "shaping": xent.Focal(1.5, soft="surprisal")},
    ]
    for smoothing in (0.0, 0.2):
        hard, soft = xent.Labels(y, smoothing=smoothing), xent.Distribution(one_hot(y, k), smoothing=smoothing)
        for each in options:
            mine, theirs = (xent.value_and_grad(P, xent.Logits(z), **each) for P in (hard, soft))
            close(mine[0], theirs[0])
            close(mine[1], theirs[1], scale=np.abs(mine[1]).max())
        for measure in (xent.kl_divergence, xent.js_divergence, xent.squared_error, xent.hinge, xent.perplexity):
            a, b = (measure(P, xent.Logits(z), class_weight=c) for P in (hard, soft))
            close(a, b, scale=1 + np.abs(a))


@given(hnp.arrays(np.float64, st.integers(1, 6), elements=scores))
def test_two_classes_are_one_yes_or_no(z: np.ndarray) -> None:
    """softmax([0, z]) is the sigmoid of z."""
    for t in (0, 1):
        y = np.full(len(z), t)
        two, slopes = xent.value_and_grad(xent.Labels(y), xent.Logits(np.stack([0 * z, z], axis=1)), reduction="none")
        one, slope = xent.value_and_grad(xent.Indicators(y), xent.Logits(z), reduction="none")
        np.testing.assert_allclose(two, one, rtol=64 * EPS)
        np.testing.assert_allclose(slopes[:, 1], slope, rtol=64 * EPS)


@given(batches(), st.randoms(use_true_random=False))
def test_order_of_classes_and_of_examples_is_nothing(batch: Any, random: Any) -> None:
    z, y, p = batch
    n, k = z.shape
    classes, examples = random.sample(range(k), k), random.sample(range(n), n)
    c = np.linspace(0.5, 2.0, k)
    value, gradient = xent.value_and_grad(xent.Distribution(p), xent.Logits(z), class_weight=c, reduction="none")
    again, slope = xent.value_and_grad(
        xent.Distribution(p[examples][:, classes]),
        xent.Logits(z[examples][:, classes]),
        class_weight=c[classes],
        reduction="none",
    )
    close(again, value[examples])
    close(slope, gradient[examples][:, classes])
    labels = np.argsort(classes)[y][examples]
    close(
        xent.cross_entropy(xent.Labels(labels), xent.Logits(z[examples][:, classes]), class_weight=c[classes]),
        xent.cross_entropy(xent.Labels(y), xent.Logits(z), class_weight=c),
    )


# Weights and reduction.


@given(batches())
def test_weight_two_is_the_example_twice(batch: Any) -> None:
    z, y, p = batch
    twice = np.concatenate([np.arange(len(y)), [0]])
    w = np.ones(len(y))
    w[0] = 2.0
    options: dict[str, Any] = {"shaping": xent.Focal(2, soft="surprisal"), "penalties": [xent.ZLoss(0.1)]}
    for P, PP in (
        (xent.Labels(y), xent.Labels(y[twice])),
        (xent.Distribution(p, smoothing=0.1), xent.Distribution(p[twice], smoothing=0.1)),
    ):
        for each in ({}, options):
            value, gradient = xent.value_and_grad(P, xent.Logits(z), weight=w, **each)
            again, slope = xent.value_and_grad(PP, xent.Logits(z[twice]), **each)
            close(value, again)
            close(gradient[0], slope[0] + slope[-1], scale=1 + np.abs(slope).max())
            close(gradient[1:], slope[1:-1], scale=1 + np.abs(slope).max())


@given(batches(), st.integers(0, 5))
def test_none_and_sum_and_mean_say_the_same(batch: Any, seed: int) -> None:
    z, y, p = batch
    w = np.random.default_rng(seed).integers(0, 4, len(y)) / 2
    y = np.where(np.arange(len(y)) % 3 == 1, -1, y)
    for P, Q, weight, counted in (
        (xent.Labels(y, ignore=-1), xent.Logits(z), w, y >= 0),
        (xent.Distribution(p), xent.Logits(z), w, np.ones(len(y), dtype=bool)),
        (xent.Indicators(p), xent.Logits(z), np.repeat(w[:, None], z.shape[1], axis=1), np.ones(z.shape, dtype=bool)),
    ):
        each = xent.cross_entropy(P, Q, weight=weight, reduction="none")
        total, by_total = xent.value_and_grad(P, Q, weight=weight, reduction="sum")
        divisor = (weight * counted).sum()
        close(total, each.sum(), scale=np.abs(each).sum())
        if divisor:
            mean, by_mean = xent.value_and_grad(P, Q, weight=weight)
            close(mean, total / divisor)
            close(by_mean, by_total / divisor)
        named, by_named = xent.value_and_grad(P, Q, weight=weight, denominator=7.0)
        close(named, total / 7)
        close(by_named, by_total / 7)


@given(batches(), st.integers(0, 5))
def test_parts_of_a_batch_add_up_to_it(batch: Any, cut: int) -> None:
    """Gradient accumulation: each part is divided by the weights of the whole."""
    z, y, _ = batch
    cut = min(cut, len(y))
    w = np.arange(1.0, len(y) + 1)
    y = np.where(np.arange(len(y)) % 4 == 3, 99, y)
    whole, gradient = xent.value_and_grad(xent.Labels(y, ignore=99), xent.Logits(z), weight=w)
    divisor = w[y != 99].sum()
    parts = [
        xent.value_and_grad(xent.Labels(y[s], ignore=99), xent.Logits(z[s]), weight=w[s], denominator=divisor)
        for s in (slice(0, cut), slice(cut, None))
    ]
    close(parts[0][0] + parts[1][0], whole)
    close(np.concatenate([parts[0][1], parts[1][1]]), gradient)


# Divergences.


@given(batches())
def test_cross_entropy_is_divergence_plus_entropy(batch: Any) -> None:
    z, _, p = batch
    for P in (xent.Distribution(p), xent.Distribution(p, smoothing=0.2), xent.Indicators(p)):
        cross, kl, own = (
            f(P, xent.Logits(z), reduction="none") for f in (xent.cross_entropy, xent.kl_divergence, _entropy)
        )
        close(cross, kl + own, scale=1 + np.abs(cross))
        assert np.all(kl >= -16 * EPS * (1 + cross))
    same = xent.Probabilities(p)
    np.testing.assert_array_equal(xent.kl_divergence(xent.Distribution(p), same, reduction="none"), np.zeros(len(p)))
    np.testing.assert_array_equal(xent.js_divergence(xent.Distribution(p), same, reduction="none"), np.zeros(len(p)))


def _entropy(P: Any, Q: Any, reduction: Any) -> Any:
    return xent.entropy(P, reduction=reduction)


@given(batches())
def test_jensen_shannon_is_symmetric_and_bounded(batch: Any) -> None:
    z, _, p = batch
    q = softmax(z)
    one = xent.js_divergence(xent.Distribution(p), xent.Probabilities(q), reduction="none")
    other = xent.js_divergence(xent.Distribution(q), xent.Probabilities(p), reduction="none")
    close(one, other)
    assert np.all(one >= -16 * EPS)
    assert np.all(one <= LN2 + 16 * EPS)
    close(xent.js_divergence(xent.Distribution(p), xent.Logits(z), reduction="none"), one, scale=1 + np.abs(z).max())


@given(batches())
def test_entropy_is_between_zero_and_log_k(batch: Any) -> None:
    z, _, p = batch
    for found in (xent.entropy(xent.Logits(z), reduction="none"), xent.entropy(xent.Distribution(p), reduction="none")):
        assert np.all(found >= 0)
        assert np.all(found <= math.log(z.shape[1]) * (1 + 16 * EPS))
    own = xent.cross_entropy(xent.Distribution.from_logits(z), xent.Logits(z), reduction="none")
    close(own, xent.entropy(xent.Logits(z), reduction="none"), scale=1 + np.abs(z).max())


@given(batches())
def test_perplexity_is_the_exponential_of_the_mean(batch: Any) -> None:
    z, y, _ = batch
    mean = float(xent.cross_entropy(xent.Labels(y), xent.Logits(z)))
    close(xent.perplexity(xent.Labels(y), xent.Logits(z)), math.exp(mean), scale=(1 + mean) * math.exp(mean))
    uniform = xent.Logits(np.zeros_like(z))
    close(xent.perplexity(xent.Labels(y), uniform), z.shape[1])


# The ways of writing one Q.


@given(batches())
def test_three_ways_to_write_q(batch: Any) -> None:
    z, y, p = batch
    q = softmax(z)
    with np.errstate(divide="ignore"):
        log_q = z - z.max(axis=1, keepdims=True)
        log_q = log_q - np.log(np.exp(log_q).sum(axis=1, keepdims=True))
    scale = 1 + np.abs(z).max()
    for P in (xent.Labels(y), xent.Distribution(p), xent.Labels(y, smoothing=0.1)):
        mine = xent.cross_entropy(P, xent.Logits(z), reduction="none")
        close(xent.cross_entropy(P, xent.LogProbabilities(log_q), reduction="none"), mine, scale)
        close(xent.cross_entropy(P, xent.Probabilities(q), reduction="none"), mine, scale)
        hidden = xent.Projection(z, np.eye(z.shape[1]), np.zeros(z.shape[1]))
        close(xent.cross_entropy(P, hidden, reduction="none"), mine, scale)


# Gradients against differences of values, and PyTorch against NumPy.


@given(batches(), st.sampled_from(["labels", "distribution", "indicators"]), st.sampled_from([0.0, 0.5, 2.0]))
def test_gradient_is_the_slope_of_the_value(batch: Any, kind: str, gamma: float) -> None:
    z, y, p = batch
    z = z / 8
    P = {
        "labels": xent.Labels(y, smoothing=0.1),
        "distribution": xent.Distribution(p),
        "indicators": xent.Indicators(p),
    }
    options: dict[str, Any] = {"shaping": xent.Focal(gamma, soft="surprisal")}
    if kind != "indicators":
        options |= {"penalties": [xent.ZLoss(0.05)], "class_weight": np.linspace(0.5, 2, z.shape[1])}
    _, gradient = xent.value_and_grad(P[kind], xent.Logits(z), **options)
    direction = np.cos(np.arange(z.size)).reshape(z.shape)
    step = 1e-4
    up, down = (float(xent.cross_entropy(P[kind], xent.Logits(z + s * direction), **options)) for s in (step, -step))
    slope = (up - down) / (2 * step)
    assert abs(slope - float((gradient * direction).sum())) <= 1e-6 * (1 + abs(slope))


@given(batches())
def test_pytorch_is_numpy(batch: Any) -> None:
    z, y, p = batch
    w = np.linspace(0.0, 2.0, len(y))
    options: dict[str, Any] = {"shaping": xent.Focal(2, soft="surprisal"), "penalties": [xent.ZLoss(0.1)]}
    t = torch.from_numpy
    for mine, theirs in (
        (xent.Labels(y, smoothing=0.1), xent.Labels(t(y), smoothing=0.1)),
        (xent.Distribution(p), xent.Distribution(t(p))),
        (xent.Distribution.from_logits(p, temperature=0.5), xent.Distribution.from_logits(t(p), temperature=0.5)),
    ):
        value, gradient = xent.value_and_grad(mine, xent.Logits(z), weight=w, empty="zero", **options)
        again, slope = xent.value_and_grad(theirs, xent.Logits(t(z)), weight=t(w), empty="zero", **options)
        close(again, value)
        close(slope, gradient, scale=1 + np.abs(gradient).max())


@given(batches())
def test_nothing_that_was_given_is_written_to(batch: Any) -> None:
    z, y, p = batch
    w, c = np.ones(len(y)), np.ones(z.shape[1])
    arrays = [z, y, p, w, c]
    before = [x.copy() for x in arrays]
    for x in arrays:
        x.setflags(write=False)
    for P in (xent.Labels(y, smoothing=0.1), xent.Distribution(p), xent.Distribution.from_logits(z)):
        xent.value_and_grad(P, xent.Logits(z), weight=w, class_weight=c, penalties=[xent.ZLoss(0.1)])
        for measure in (xent.kl_divergence, xent.js_divergence, xent.squared_error, xent.hinge, xent.perplexity):
            measure(P, xent.Logits(z), weight=w, class_weight=c)
    xent.value_and_grad(xent.Indicators(p), xent.Logits(z), class_weight=c, positive_weight=c)
    for x, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(x, old)
