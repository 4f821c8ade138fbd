"""The losses of the core where formulas break: p → 0 and 1, infinite scores, zeros, and what a row holds that does
not count. Against 120 digits."""

from __future__ import annotations

import math
from typing import Any

import losses_exact as exact
import losses_samples as samples
import numpy as np
import pytest
import torch
from losses_batches import LIBRARIES
from losses_evaluate import evaluate, exact_loss, scores, target, truth
from losses_samples import SAMPLES, Sample

import xent
from xent.kernels.cpu.rows import slope_of as compiled_slope
from xent.kernels.extra import slope_of
from xent.losses import Scores

every_library = pytest.mark.parametrize("library", LIBRARIES)
#: Sure and right, sure and wrong, sure twice, and far out.
FAR = np.array([[40.0, -40.0, 0.0, 3.0], [-40.0, 40.0, 0.0, 3.0], [40.0, 40.0, -40.0, 0.0], [90.0, 0.0, -90.0, 1.0]])
FAR_LABELS = np.array([0, 0, 1, 0])
WIDE = {name: s for name, s in samples.ROWS.items() if not s.cosines and s.predict is None}


@every_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [n for n in WIDE if "," not in n or n == "generalized, truncated"])
def test_far_scores(name: str, dtype: str, library: str) -> None:
    """Errors are relative ones, however small the loss or its gradient is."""
    sample = SAMPLES[name]
    eps = float(np.finfo(dtype).eps)
    P = target("labels", FAR_LABELS, library)
    value, gradient = evaluate(sample, P, FAR, library, dtype=dtype, reduction="none")
    summed, again = evaluate(sample, P, FAR, library, dtype=dtype)
    assert np.isfinite(value).all()
    for i, row in enumerate(FAR.tolist()):
        one = np.array([row])
        total = exact_loss(sample, "labels", FAR_LABELS[i : i + 1], one)
        expected = float(total(list(map(exact.mpf, row))))
        assert abs(value[i] - expected) <= 64 * eps * _size(expected) + _tiny(dtype)
        slope = np.array(exact.gradient(total, row))
        room = 64 * eps * np.array([_size(v) for v in slope]) + _tiny(dtype) + _of_softcap(sample, eps)
        for found in (gradient[i], again[i]):
            assert np.all(np.abs(found - slope) <= room), (found, slope)
    np.testing.assert_allclose(summed, value.sum(), rtol=8 * eps)


def _of_softcap(sample: Sample, eps: float) -> float:
    """1 − tanh² is a difference, as frameworks have it too: its error is that of the 1."""
    return 4 * eps if sample.entry == "noise.softcap" else 0.0


def _size(x: float) -> float:
    """|x|·(1 + |log |x||): what the exponential of a difference of scores loses."""
    return abs(x) * (1 + abs(math.log(abs(x)))) if 0 < abs(x) < math.inf else abs(x)


def _tiny(dtype: str) -> float:
    return float(np.finfo(dtype).tiny)


@every_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", samples.ELEMENTS)
def test_far_elements(name: str, dtype: str, library: str) -> None:
    sample = SAMPLES[name]
    eps = float(np.finfo(dtype).eps)
    z = np.array([[40.0, -40.0, 90.0, 0.0], [40.0, -40.0, -90.0, 1e-4]])
    t = np.array([[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    value, gradient = evaluate(sample, target("indicators", t, library), z, library, dtype=dtype, reduction="none")
    c = sample.class_weight or [1.0] * samples.K
    for i in range(2):
        for k in range(samples.K):

            def total(x: list[Any], i: int = i, k: int = k) -> Any:
                assert sample.elements is not None
                return exact.mpf(c[k]) * sample.elements(x[0], exact.mpf(t[i, k]), k)

            expected = float(total([exact.mpf(z[i, k])]))
            (slope,) = exact.gradient(total, [z[i, k]])
            assert abs(value[i, k] - expected) <= 64 * eps * _size(expected) + _tiny(dtype)
            room = 64 * eps * _size(slope) + _tiny(dtype) + _of_softcap(sample, eps)
            assert abs(gradient[i, k] - slope) <= room


#: Surprisals of a truth that is nearly sure, about where a series takes over, and far out.
SURPRISALS = [1e-30, 1e-16, 1e-9, 1e-4, 0.01, 0.2, 0.4999, 0.5, 0.6, 3.0, 40.0, 700.0]


@pytest.mark.parametrize("epsilon", [-1.0, -0.999, -0.3, 0.0, 2.0, 92.1])
def test_poly_1_is_a_sum_of_terms_of_one_sign(epsilon: float) -> None:
    """Value and derivative to units in the last place at ℓ → 0 too, where for ε = −1 both vanish; the forms alike."""
    phi, loss = xent.losses.Poly1(epsilon), np.array(SURPRISALS)
    curve = exact.poly1(epsilon)
    value = [float(curve(exact.mpf(v))) for v in SURPRISALS]
    slope = [float(1 + exact.mpf(epsilon) * exact.mp.exp(-exact.mpf(v))) for v in SURPRISALS]
    form = (phi.form.factor, phi.form.epsilon, phi.form.q, phi.form.gamma, phi.form.limit, 0.0)
    np.testing.assert_allclose(phi.value(loss), value, rtol=2e-15)
    for found in (phi.derivative(loss), slope_of(phi.form, loss), [compiled_slope(form, v) for v in SURPRISALS]):
        np.testing.assert_allclose(found, slope, rtol=2e-15)
    assert np.isinf(phi.value(np.array([np.inf])))
    assert phi.derivative(np.array([np.inf])) == 1.0


# Infinite scores.

INFINITE_OUT = {"noise.label_smoothing", "noise.backward_correction"}
"""Their targets have mass in every class: a class that cannot be makes the loss infinite, or undefined."""


@every_library
@pytest.mark.parametrize("name", [n for n, s in WIDE.items() if s.entry not in INFINITE_OUT])
def test_a_class_that_cannot_be(name: str, library: str) -> None:
    """A score of −∞ off the truth is as if the class were not there."""
    sample = SAMPLES[name]
    z = np.array([[1.0, -np.inf, 0.5, -2.0], [0.3, 2.0, -np.inf, -1.0]])
    y = np.array([0, 1])
    total = exact_loss(sample, "labels", y, z)
    value, gradient = evaluate(sample, target("labels", y, library), z, library)
    if sample.entry == "noise.softcap":  # −∞ is −c there, and counts
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
        assert not gradient[np.isinf(z)].any()
        return
    flat = z.reshape(-1).tolist()
    np.testing.assert_allclose(value, float(total(list(map(exact.mpf, flat)))), rtol=1e-12)
    np.testing.assert_allclose(gradient, np.array(exact.gradient(total, flat)).reshape(z.shape), rtol=1e-11, atol=1e-13)
    assert not gradient[np.isinf(z)].any()


@every_library
@pytest.mark.parametrize("name", [n for n, s in WIDE.items() if s.entry not in {*INFINITE_OUT, "noise.softcap"}])
def test_a_truth_that_cannot_be(name: str, library: str) -> None:
    """φ(∞): infinite, or the bound of a bounded loss; its gradient by the other scores is φ′(∞)·(p − t)."""
    sample = SAMPLES[name]
    z, y = np.array([[1.0, -np.inf, 0.5, -2.0]]), np.array([1])
    value, gradient = evaluate(sample, target("labels", y, library), z, library)
    bound = float(exact_loss(sample, "labels", y, z)([exact.mpf(v) for v in z[0]]))
    assert value == pytest.approx(bound)
    assert not np.isnan(gradient).any()
    if math.isfinite(bound):
        assert not gradient.any()


@pytest.mark.parametrize("name", [n for n, s in WIDE.items() if s.places == ("S3",) and s.class_weight is None])
@pytest.mark.parametrize("z", [[800.0, 0.0, -800.0, 1.0], [0.0, 0.0, -math.inf, 1.0], [-math.inf, 0.0, 1.0, 2.0]])
def test_a_second_derivative_is_a_number(name: str, z: list[float]) -> None:
    """At p = 1 exactly φ″ may be infinite, times 0; at p = 0 it is a limit."""
    sample = SAMPLES[name]
    x = torch.tensor([z], dtype=torch.float64, requires_grad=True)
    for reduction in ("sum", "none"):
        loss = sample.loss(xent.Labels(torch.tensor([0])), xent.Logits(x), reduction=reduction).sum()
        (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
        (second,) = torch.autograd.grad((gradient * torch.arange(1.0, 5.0)).sum(), x)
        assert torch.isfinite(gradient).all()
        assert torch.isfinite(second).all(), (reduction, second)


# Learned scales and weights.


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_a_learned_scale_beside_what_does_not_count(reduction: Any) -> None:
    """−∞ in a score has no part in the derivative by the scale, nor has NaN in a row that is ignored."""
    z = torch.tensor([[1.0, -math.inf, 0.5], [math.nan, 1.0, 2.0], [0.1, 0.2, -0.3]], dtype=torch.float64)
    y = torch.tensor([0, -100, 2])
    s = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    z = z.requires_grad_()
    P = xent.Labels(y, ignore=-100)
    found = xent.cross_entropy(P, xent.Logits(z), scores=Scores(scale=s), reduction=reduction).sum()
    by_scale, by_scores = torch.autograd.grad(found, [s, z])
    t = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    first = torch.log_softmax(t * torch.tensor([1.0, 0.5], dtype=torch.float64), -1)[0]
    last = torch.log_softmax(t * torch.tensor([0.1, 0.2, -0.3], dtype=torch.float64), -1)[2]
    expected = -(first + last)
    np.testing.assert_allclose(found.item(), expected.item(), rtol=1e-13)
    np.testing.assert_allclose(by_scale.item(), torch.autograd.grad(expected, t)[0].item(), rtol=1e-12)
    assert torch.isfinite(by_scores).all()
    assert not by_scores[1].any()


@pytest.mark.parametrize("name", samples.ROWS)
def test_a_weight_of_zero_has_a_derivative(name: str) -> None:
    """∂L/∂w is the example's own loss, at w = 0 as well."""
    sample = SAMPLES[name]
    z, values = scores(sample, 3), truth(sample, "labels", 3)
    each = evaluate(sample, target("labels", values, "torch"), z, "torch", reduction="none")[0]
    w = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    Q: Any = xent.Logits(torch.tensor(z, requires_grad=True))
    loss = sample.loss(
        target("labels", values, "torch"), sample.predict(Q) if sample.predict else Q, weight=w, reduction="sum"
    )
    np.testing.assert_allclose(torch.autograd.grad(loss, w)[0], each, rtol=1e-12)
