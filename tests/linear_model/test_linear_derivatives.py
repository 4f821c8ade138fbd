"""Gradients and products with the second derivative, of every head, against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from linear_formulas import problem

import xent
from xent.linear_model.choice import head_for
from xent.linear_model.examples import Examples
from xent.linear_model.hinges import Hinge
from xent.linear_model.objective import Objective
from xent.linear_model.scaling import scaling_of
from xent.linear_model.truth import truth_of

LOSSES: dict[str, Any] = {
    "cross-entropy": "cross-entropy",
    "squared-error": "squared-error",
    "smooth hinge": "hinge",
    "focal": xent.losses.Loss(shaping=xent.Focal(2.0, soft="surprisal")),
}
KINDS = ("labels", "distribution", "indicators", "one column")


def objective(loss: str, kind: str, *, intercept: bool = True, full: bool = True) -> Objective:
    p = problem(7, 30, 4, 3, kind=kind, spread=1.0)
    head = head_for(LOSSES[loss], truth_of(p.target(), 30), p.weight / p.weight.sum(), single=kind == "one column")
    if isinstance(head, Hinge):
        head.temperature = 0.5
    examples = Examples(p.X)
    return Objective(
        examples, head, scaling_of(examples, head.weight, intercept, 0.03, head.stiffness, full=full), 0.03
    )


def slope(f: Any, v: np.ndarray, h: float = 1e-5) -> np.ndarray:
    return np.array([(f(v + h * e) - f(v - h * e)) / (2 * h) for e in np.eye(v.size)])


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient(loss: str, kind: str, intercept: bool, full: bool) -> None:
    F = objective(loss, kind, intercept=intercept, full=full)
    v = np.random.default_rng(0).normal(size=F.size)
    np.testing.assert_allclose(F(v)[1], slope(lambda u: F(u)[0], v), atol=2e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["cross-entropy", "smooth hinge"])
def test_product_with_the_second_derivative(loss: str, kind: str) -> None:
    F = objective(loss, kind)
    if (loss, kind) == ("smooth hinge", "distribution"):
        assert not F.head.has_curvature
        return
    v, d = np.random.default_rng(0).normal(size=(2, F.size))
    h = 1e-5
    np.testing.assert_allclose(F.curvature(v)(d), (F(v + h * d)[1] - F(v - h * d)[1]) / (2 * h), atol=2e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_hinge_itself_away_from_its_kinks(kind: str) -> None:
    F = objective("smooth hinge", kind)
    F.head.temperature = 0.0
    v = np.random.default_rng(0).normal(size=F.size)
    np.testing.assert_allclose(F(v)[1], slope(lambda u: F(u)[0], v, 1e-7), atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_the_smooth_hinge_is_above_by_at_most_its_bound(kind: str) -> None:
    F = objective("smooth hinge", kind)
    v = np.random.default_rng(1).normal(size=F.size)
    F.head.temperature = 0.0
    value = F(v)[0]
    columns = F.columns if kind == "indicators" else 1
    for T in (1.0, 0.1, 0.001):
        F.head.temperature = T
        above = F(v)[0] - value
        assert 0 <= above <= T * (np.log(2) * columns if kind in ("indicators", "one column") else np.log(3))


@pytest.mark.parametrize("loss", ["cross-entropy", "squared-error"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_by_the_formula(loss: str, kind: str) -> None:
    p = problem(7, 30, 4, 3, kind=kind, spread=1.0)
    F = objective(loss, kind)
    v = np.random.default_rng(2).normal(size=F.size)
    W, b = F.weights(v)
    z = p.X @ W.T + b
    if loss == "cross-entropy":
        each = p.loss(z)
    else:
        q = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) if p.joint else 1 / (1 + np.exp(-z))
        each = ((q - p.T) ** 2).sum(axis=1)
    expected = p.weight @ each / p.weight.sum() + 0.015 * (W**2).sum()
    assert F(v)[0] == pytest.approx(expected, rel=1e-12)
