"""Margins at the ends of the angle: θ → 0 and π, vectors of zeros, and half precision."""

from __future__ import annotations

import math
from typing import Any

import losses_exact as exact
import numpy as np
import pytest
import torch
from losses_evaluate import evaluate, evaluate_projection, target
from losses_samples import Sample

import xent
from xent.losses import Angular, LargeMargin, Loss, Scores, margins

LIBRARIES = ("numpy", "torch")
every_library = pytest.mark.parametrize("library", LIBRARIES)
M = 0.5

CURVES: dict[str, tuple[Any, exact.Curve]] = {
    "arcface, continue": (Angular(1.0, M), exact.angular(1.0, M, 0.0)),
    "arcface, linear": (Angular(1.0, M, 0.0, "linear"), exact.angular(1.0, M, 0.0, "linear")),
    "arcface, clip": (Angular(1.0, M, 0.0, "clip"), exact.angular(1.0, M, 0.0, "clip")),
    "arcface, easy": (Angular(1.0, M, 0.0, "easy"), exact.angular(1.0, M, 0.0, "easy")),
    "combined": (Angular(1.2, 0.3, 0.1), exact.angular(1.2, 0.3, 0.1)),
    **{f"l-softmax {m}": (LargeMargin(m, 0.5), exact.large_margin(m, 0.5)) for m in (1, 2, 3, 4)},
}


# Scores that are read as cosines.


@every_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CURVES)
def test_the_value_at_the_ends(name: str, dtype: str, library: str) -> None:
    margin, curve = CURVES[name]
    cosines = np.array([1.0, -1.0, 1 - 2.0**-20, -1 + 2.0**-20, 0.01, 0.3])
    z = np.stack([cosines, np.zeros(6)], axis=1)
    sample = Sample("", Loss(scores=Scores(margin=margin)), ())
    P = target("labels", np.zeros(6, np.int64), library)
    value, gradient = evaluate(sample, P, z, library, dtype=dtype, reduction="none")
    expected = [float(exact.surprisals([curve(exact.mp.acos(exact.mpf(c))), exact.mpf(0)])[0]) for c in cosines]
    np.testing.assert_allclose(value, expected, rtol=64 * np.finfo(dtype).eps)
    assert np.isfinite(gradient).all()


#: The slope of f by the cosine at θ = 0 and θ = π where it is finite.
SLOPES = [
    (Angular(1.0, 0.0, 0.2), 1.0, 1.0),
    (Angular(1.0, M, 0.0, "easy"), None, 1.0),
    (Angular(1.0, M, 0.0, "linear"), None, 1.0),
    (Angular(1.0, M, 0.0, "clip"), None, 0.0),
    (Angular(1.0, M, 0.0, "continue", "straight-through"), 1.0, 1.0),
    (Angular(1.0, M, 0.0, "linear", "straight-through"), 1.0, 1.0),
    # −∂ψ/∂θ/sin θ = (−1)^k·m·sin mθ/sin θ → m².
    *((LargeMargin(m), m * m, m * m) for m in (1, 2, 3, 4)),
]


@every_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("margin", "at_0", "at_pi"), SLOPES, ids=[repr(s[0]) for s in SLOPES])
def test_slopes_that_are_finite_are_right(margin: Any, at_0: float, at_pi: float, dtype: str, library: str) -> None:
    z, y = np.array([[1.0, 0.2], [-1.0, 0.2]]), np.zeros(2, np.int64)
    sample = Sample("", Loss(scores=Scores(margin=margin)), ())
    _, gradient = evaluate(sample, target("labels", y, library), z, library, dtype=dtype)
    # The other score moves by p, the truth by −p·f′.
    for row, slope in zip(gradient, (at_0, at_pi), strict=True):
        if slope is not None:
            assert row[0] == pytest.approx(-row[1] * slope, rel=3e-3 if dtype == "float32" else 1e-6)


@every_library
def test_a_cosine_that_rounding_left_outside(library: str) -> None:
    """1 + 1e-7 is taken for 1: no NaN."""
    z, y = np.array([[1.0 + 2e-7, 0.0], [-1.0 - 2e-7, 0.0]]), np.zeros(2, np.int64)
    for margin, _ in CURVES.values():
        value, gradient = evaluate(
            Sample("", Loss(scores=Scores(margin=margin)), ()), target("labels", y, library), z, library
        )
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


# Hidden states and classifiers.


def pair(theta: float, length: float, width: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """A hidden state (1, 3) at an angle to the first of two classifiers; the second stands at right angles to both."""
    w = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, width]])
    along, across = np.array([2.0, 1.0, 0.0]) / math.sqrt(5), np.array([-1.0, 2.0, 0.0]) / math.sqrt(5)
    return length * (math.cos(theta) * along + math.sin(theta) * across)[None, :], w


@every_library
@pytest.mark.parametrize("theta", [1e-3, 1e-6, 1e-9, math.pi / 3, math.pi - 1e-3, math.pi - 1e-6])
@pytest.mark.parametrize("length", [1e-3, 1.0, 50.0])
def test_the_gradient_by_a_hidden_state_is_bounded(theta: float, length: float, library: str) -> None:
    """Its norm is (1 − p)·s·sin(θ + m)/‖x‖, however large 1/sin θ is."""
    h, w = pair(theta, length)
    loss = margins.arcface(M, 4.0, normalize=True)
    value, by_hidden, by_weight = evaluate_projection(loss, h, w, np.array([0]), library)
    score = 4.0 * math.cos(theta + M)
    assert float(value) == pytest.approx(math.log1p(math.exp(-score)), rel=1e-9)
    share = 1 / (1 + math.exp(score))
    # The other classifier is at right angles: its score pulls along it.
    expected = share * 4.0 * abs(math.sin(theta + M)) / length
    other = share * 4.0 / length
    assert np.linalg.norm(by_hidden) == pytest.approx(math.hypot(expected, other), rel=1e-6)
    assert abs(float((by_hidden * h).sum())) <= 1e-6 * np.linalg.norm(by_hidden) * length
    assert np.linalg.norm(by_weight[0]) == pytest.approx(
        share * 4.0 * abs(math.sin(theta + M)) / math.sqrt(5), rel=1e-6
    )


NORMALIZE = ("both", "hidden", "weight", "neither")


@every_library
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", CURVES)
def test_exactly_parallel_and_opposite(name: str, sign: float, normalize: Any, dtype: str, library: str) -> None:
    """No NaN, the value of the formula, and a gradient within its bound."""
    margin, curve = CURVES[name]
    w = np.array([[2.0, 1.0, 0.5], [0.5, -1.0, 0.0]])
    h = sign * w[:1] * 2
    loss = Loss(scores=Scores(normalize=normalize, margin=margin))
    value, by_hidden, by_weight = evaluate_projection(loss, h, w, np.array([0]), library, dtype)
    formula = exact.of_projection(None, normalize)
    x, rows = list(map(exact.mpf, h[0])), [list(map(exact.mpf, row)) for row in w]
    kept = (1 if normalize in ("both", "hidden") else np.linalg.norm(h)) * (
        1 if normalize in ("both", "weight") else np.linalg.norm(w[0])
    )
    other = (
        (h @ w[1])[0]
        / np.linalg.norm(h)
        / np.linalg.norm(w[1])
        * (1 if normalize in ("both", "hidden") else np.linalg.norm(h))
        * (1 if normalize in ("both", "weight") else np.linalg.norm(w[1]))
    )
    truth = kept * float(curve(exact.mp.pi if sign < 0 else exact.mpf(0)))
    expected = float(exact.surprisals([exact.mpf(truth), exact.mpf(other)])[0])
    assert float(value) == pytest.approx(expected, rel=1e-5 if dtype != "float64" else 1e-7)
    assert formula(x, rows, 1) is not None
    steepest = 4.0 * (1 if normalize in ("both", "weight") else np.linalg.norm(w, axis=1).max()) + 2 * kept
    assert np.isfinite(by_hidden).all()
    assert np.isfinite(by_weight).all()
    assert np.linalg.norm(by_hidden) <= 2 * (steepest + 4.0 * kept / np.linalg.norm(h))


@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("zero", ["hidden", "truth's classifier", "another classifier"])
@pytest.mark.parametrize("margin", [None, xent.losses.Shift(0.3), Angular(1.0, M), LargeMargin(2)], ids=repr)
def test_vectors_of_zeros(normalize: Any, zero: str, margin: Any) -> None:
    """They have a cosine of 0 to everything, and no direction: what is divided by their length has no derivative."""
    rng = np.random.default_rng(4)
    h, w, y = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), np.array([1, 2])
    if zero == "hidden":
        h[0] = 0.0
    else:
        w[1 if zero == "truth's classifier" else 0] = 0.0
    loss = Loss(scores=Scores(normalize=normalize, margin=margin, scale=3.0))
    found = {library: evaluate_projection(loss, h, w, y, library) for library in LIBRARIES}
    for mine, theirs in zip(found["numpy"], found["torch"], strict=True):
        assert np.isfinite(mine).all()
        np.testing.assert_allclose(theirs, mine, rtol=1e-12, atol=1e-13)
    if normalize in ("both", "hidden") and zero == "hidden":
        assert not found["numpy"][1][0].any()
    if normalize in ("both", "weight") and zero != "hidden":
        assert not found["numpy"][2][1 if zero == "truth's classifier" else 0].any()
    # And a second derivative.
    leaves = [torch.tensor(x, requires_grad=True) for x in (h, w)]
    value = loss(xent.Labels(torch.tensor(y)), xent.Projection(*leaves))
    slopes = torch.autograd.grad(value, leaves, create_graph=True)
    second = torch.autograd.grad(sum((s * s.detach()).sum() for s in slopes), leaves)
    assert all(torch.isfinite(x).all() for x in second)


@every_library
@pytest.mark.parametrize("size", [1e-30, 1e-22, 1e22, 1e30])
def test_lengths_whose_squares_no_float32_holds(size: float, library: str) -> None:
    rng = np.random.default_rng(8)
    h, w, y = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), np.array([1, 2])
    loss = margins.arcface(M, 4.0, normalize=True)
    small = evaluate_projection(loss, h, w, y, library, "float32")
    found = evaluate_projection(loss, h * size, w / size, y, library, "float32")
    np.testing.assert_allclose(found[0], small[0], rtol=1e-5)
    np.testing.assert_allclose(found[1] * size, small[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[2] / size, small[2], rtol=1e-4, atol=1e-5)


@every_library
@pytest.mark.parametrize("how", ["ignored", "weight 0"])
@pytest.mark.parametrize("margin", [None, xent.losses.Shift(0.3), Angular(1.0, M)], ids=repr)
def test_a_hidden_state_that_does_not_count_may_hold_nan(margin: Any, how: str, library: str) -> None:
    rng = np.random.default_rng(9)
    h, w, y = rng.normal(size=(3, 4)), rng.normal(size=(5, 4)), np.array([1, 4, 2])
    loss = Loss(scores=Scores(normalize="both", margin=margin, scale=3.0))
    expected = evaluate_projection(loss, h[[0, 2]], w, y[[0, 2]], library, reduction="mean")
    h[1] = np.nan
    if how == "ignored":
        options: dict[str, Any] = {"ignore": -100}
        y = np.array([1, -100, 2])
    else:
        options = {"weight": np.array([1.0, 0.0, 1.0])}
        if library == "torch":
            options["weight"] = torch.tensor(options["weight"])
    value, by_hidden, by_weight = evaluate_projection(loss, h, w, y, library, reduction="mean", **options)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    np.testing.assert_allclose(by_hidden[[0, 2]], expected[1], rtol=1e-11, atol=1e-13)
    assert not by_hidden[1].any()
    np.testing.assert_allclose(by_weight, expected[2], rtol=1e-11, atol=1e-13)
