"""Value and gradient of every loss of the core: against 120 digits, against differences, and NumPy against PyTorch."""

from __future__ import annotations

from functools import cache
from typing import Any

import losses_exact as exact
import losses_samples as samples
import numpy as np
import pytest
import torch
from losses_evaluate import evaluate, evaluate_projection, exact_loss, projection, scores, target, truth
from losses_samples import PROJECTIONS, SAMPLES, Sample
from torch.autograd import gradcheck, gradgradcheck

import xent

N = 3
every = pytest.mark.parametrize(("name", "kind"), samples.EVERY)
every_library = pytest.mark.parametrize("library", ["numpy", "torch"])


@cache
def solved(name: str, kind: str) -> tuple[Any, Any, float, Any]:
    """Target, scores, and the exact value and gradient of the sum."""
    sample = SAMPLES[name]
    values, z = truth(sample, kind, N), scores(sample, N)
    total = exact_loss(sample, kind, values, z)
    flat = z.reshape(-1).tolist()
    value = float(total([exact.mpf(v) for v in flat]))
    return values, z, value, np.array(exact.gradient(total, flat)).reshape(z.shape)


@every_library
@every
def test_value_and_gradient_are_exact(name: str, kind: str, library: str) -> None:
    sample = SAMPLES[name]
    values, z, value, gradient = solved(name, kind)
    P = target(kind, values, library)
    for reduction in ("sum", "none"):
        found, slope = evaluate(sample, P, z, library, reduction=reduction)
        np.testing.assert_allclose(np.sum(found), value, rtol=1e-12, atol=1e-13)
        if slope is not None:
            np.testing.assert_allclose(slope, gradient, rtol=1e-12, atol=1e-12 * (1 + np.abs(gradient).max()))
    found, slope = evaluate(sample, P, z, library, reduction="mean", denominator=7.0)
    np.testing.assert_allclose(found, value / 7, rtol=1e-12, atol=1e-13)
    if slope is not None:
        np.testing.assert_allclose(slope, gradient / 7, rtol=1e-12, atol=1e-12 * (1 + np.abs(gradient).max()))


@every
def test_the_gradient_is_the_slope_of_the_value(name: str, kind: str) -> None:
    """Central differences in float64, with weights and class weights, of a mean."""
    sample = SAMPLES[name]
    if sample.predict is not None:
        return
    values, z, _, _ = solved(name, kind)
    rng = np.random.default_rng(1)
    w = rng.uniform(0.5, 2.0, z.shape if "indicators" in kind else z.shape[:-1])
    options: dict[str, Any] = {"weight": w, "reduction": "mean"}
    if name != "backward correction":  # whose targets below zero would have weights below zero
        options["class_weight"] = rng.uniform(0.5, 2.0, samples.K)
    P = target(kind, values, "numpy")
    _, gradient = evaluate(sample, P, z, "numpy", **options)
    direction, step = np.cos(np.arange(z.size)).reshape(z.shape), 1e-5
    up, down = (float(sample.loss(P, xent.Logits(z + s * direction), **options)) for s in (step, -step))
    slope = (up - down) / (2 * step)
    assert abs(slope - float((gradient * direction).sum())) <= 1e-7 * (1 + np.abs(gradient).sum())


@every
@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_both_derivatives_in_pytorch(name: str, kind: str, reduction: Any) -> None:
    sample = SAMPLES[name]
    values, z, _, _ = solved(name, kind)
    P = target(kind, values[:2], "torch")
    x = torch.tensor(z[:2], requires_grad=True)

    def loss(x: Any) -> Any:
        Q: Any = xent.Logits(x)
        return sample.loss(P, sample.predict(Q) if sample.predict else Q, reduction=reduction)

    assert gradcheck(loss, [x])
    assert gradgradcheck(loss, [x])


#: A class that cannot be may have no mass.
SOFT = [
    (name, kind)
    for name, kind in samples.EVERY
    if kind in ("distribution", "soft indicators") and SAMPLES[name].allowed is None
]


@pytest.mark.parametrize(("name", "kind"), SOFT)
def test_pytorch_differentiates_by_a_soft_target(name: str, kind: str) -> None:
    """As cross_entropy does, so every loss: along directions that keep a distribution one."""
    sample = SAMPLES[name]
    values, z, _, _ = solved(name, kind)
    base = torch.tensor(np.clip(values, 0.05, 0.95)[1:])
    x = torch.tensor(z[1:])

    def loss(u: Any) -> Any:
        p = torch.sigmoid(u) if kind == "soft indicators" else torch.softmax(u, -1)
        P = xent.Indicators(p) if kind == "soft indicators" else xent.Distribution(p)
        Q: Any = xent.Logits(x)
        return sample.loss(P, sample.predict(Q) if sample.predict else Q, reduction="sum")

    assert gradcheck(loss, [torch.log(base).requires_grad_()])


# Projections.


@cache
def solved_projection(name: str) -> tuple[float, Any, Any]:
    h, w, y = projection()
    formula = PROJECTIONS[name][1]

    def total(x: list[Any]) -> Any:
        rows = [x[i : i + 3] for i in range(0, len(x), 3)]
        return exact.mp.fsum(formula(rows[i], rows[N:], int(y[i])) for i in range(N))

    flat = [*h.reshape(-1).tolist(), *w.reshape(-1).tolist()]
    gradient = np.array(exact.gradient(total, flat))
    return (
        float(total([exact.mpf(v) for v in flat])),
        gradient[: h.size].reshape(h.shape),
        gradient[h.size :].reshape(w.shape),
    )


@every_library
@pytest.mark.parametrize("name", PROJECTIONS)
def test_a_margin_on_a_projection_is_exact(name: str, library: str) -> None:
    h, w, y = projection()
    loss = PROJECTIONS[name][0]
    value, by_hidden, by_weight = solved_projection(name)
    found = evaluate_projection(loss, h, w, y, library)
    np.testing.assert_allclose(found[0], value, rtol=1e-12)
    np.testing.assert_allclose(found[1], by_hidden, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(found[2], by_weight, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", PROJECTIONS)
def test_both_derivatives_of_a_projection(name: str) -> None:
    h, w, y = projection()
    leaves = [torch.tensor(x[:2] if i == 0 else x, requires_grad=True) for i, x in enumerate((h, w))]
    P = xent.Labels(torch.from_numpy(y[:2]))

    def loss(h: Any, w: Any) -> Any:
        return PROJECTIONS[name][0](P, xent.Projection(h, w))

    assert gradcheck(loss, leaves)
    assert gradgradcheck(loss, leaves)


@every_library
def test_straight_through_has_the_slope_of_no_margin(library: str) -> None:
    """insightface since December 2022: the value with the margin, the gradient s·(p̃ − y) as if z̃ = s·cos θ."""
    h, w, y = projection()
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (h, w)]
    cosines = unit[0] @ unit[1].T
    loss = xent.losses.margins.arcface(0.5, 8.0, grad="straight-through")
    z = 8.0 * cosines
    z[np.arange(N), y] = 8.0 * np.cos(np.arccos(cosines[np.arange(N), y]) + 0.5)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    slope = 8.0 * (e / e.sum(axis=1, keepdims=True) - np.eye(samples.K)[y])
    sample = Sample("", loss, ())
    value, gradient = evaluate(sample, target("labels", y, library), cosines, library)
    np.testing.assert_allclose(value, -np.log(e / e.sum(axis=1, keepdims=True))[np.arange(N), y].sum(), rtol=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-13)
    by_direction = slope @ unit[1]
    expected = (by_direction - unit[0] * (by_direction * unit[0]).sum(axis=1, keepdims=True)) / np.linalg.norm(
        h, axis=1, keepdims=True
    )
    turned = xent.losses.margins.arcface(0.5, 8.0, grad="straight-through", normalize=True)
    found = evaluate_projection(turned, h, w, y, library)
    np.testing.assert_allclose(found[0], value, rtol=1e-12)
    np.testing.assert_allclose(found[1], expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["temperature", "arcface, continue", "ldam", "logit adjustment", "softcap"])
def test_a_learned_scale_has_a_derivative(name: str) -> None:
    sample = SAMPLES[name]
    values, z, _, _ = solved(name, "labels")
    P, Q = target("labels", values, "torch"), xent.Logits(torch.tensor(z))

    def loss(scale: Any) -> Any:
        from dataclasses import replace

        return sample.loss.but(scores=replace(sample.loss.scores, scale=scale))(P, Q)

    assert gradcheck(loss, [torch.tensor(1.7, dtype=torch.float64, requires_grad=True)])
    assert gradgradcheck(loss, [torch.tensor(1.7, dtype=torch.float64, requires_grad=True)])
