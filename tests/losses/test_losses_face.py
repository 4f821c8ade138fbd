"""AdaFace, MagFace and CurricularFace: values against 50-digit arithmetic, gradients against central differences of
formulas written from the papers, state, and every framework."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from mpmath import mp, mpf
from numpy.typing import NDArray

import xent
from xent import losses
from xent.errors import KindError, OptionError, UndefinedPairError
from xent.functional import value_and_grad
from xent.losses.heads import with_margin

Floats = NDArray[np.float64]
K, H, N = 4, 3, 6
Y = np.array([0, 1, 2, 3, 0, 1])
MEAN, STD, T = 2.0, 1.5, 0.3
#: With bounds and lengths that the small hidden states here reach.
LOSSES: dict[str, losses.Loss] = {
    "adaface": losses.face.adaface(MEAN, STD, scale=8.0),
    "adaface clip": losses.face.adaface(MEAN, STD, scale=8.0, boundary="clip"),
    "magface easy": losses.face.magface(1.0, 4.0, 0.3, 0.9, 5.0, 8.0),
    "magface linear": losses.face.magface(1.0, 4.0, 0.3, 0.9, 5.0, 8.0, boundary="linear"),
    "magface continue": losses.face.magface(1.0, 4.0, 0.3, 0.9, 5.0, 8.0, boundary="continue"),
    "curricularface": losses.face.curricularface(T, 0.5, 8.0, normalize=True),
    "curricularface continue": losses.face.curricularface(T, 0.5, 8.0, boundary="continue", normalize=True),
}
every = pytest.mark.parametrize("name", LOSSES)


def problem(seed: int = 3) -> tuple[Floats, Floats]:
    """Hidden states of lengths on both sides of every bound, and classifiers."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(N, H))
    hidden *= (np.array([0.4, 1.5, 2.2, 3.1, 3.9, 6.0]) / np.linalg.norm(hidden, axis=1))[:, None]
    return hidden, rng.normal(size=(K, H)) * 1.7


def edges() -> tuple[Floats, Floats]:
    """Truths at angle 0, π, 1e-7 and π − 1e-7, a hidden state at a bound, one that is zero."""
    weight = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.5], [1.0, 1.0, 1.0]])
    hidden = np.array(
        [[2.0, 0, 0], [0, -2.0, 0], [3e-7, 0, 3.0], [-1.0, -1.0, -1.0 - 1e-7], [4.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    )
    return hidden, weight


def exact_margin(name: str, theta: Any, norm: Any) -> Any:
    """What takes the place of cos θ, from the papers (boundaries from the authors' code)."""
    boundary = name.partition(" ")[2]
    if name.startswith("adaface"):
        z = max(min((norm - MEAN) / (mpf(STD) + mpf(1e-3)) * mpf(0.333), mpf(1)), mpf(-1))
        angle = theta - mpf(0.4) * z
        return mp.cos(min(max(angle, 0), mp.pi) if boundary == "clip" else angle) - mpf(0.4) * (1 + z)
    if name.startswith("magface"):
        a = min(max(norm, mpf(1)), mpf(4))
        m = (mpf(0.9) - mpf(0.3)) / 3 * (a - 1) + mpf(0.3)
        if boundary == "easy" and mp.cos(theta) <= 0:
            return mp.cos(theta)
        if boundary == "linear" and theta + m > mp.pi:
            return mp.cos(theta) - m * mp.sin(m)
        return mp.cos(theta + m)
    if boundary == "continue" or mp.cos(theta) > mp.cos(mp.pi - mpf(0.5)):
        return mp.cos(theta + mpf(0.5))
    return mp.cos(theta) - mpf(0.5) * mp.sin(mpf(0.5))


def exact_losses(name: str, hidden: Floats, weight: Floats) -> list[float]:
    """The loss of each example, in 50 digits."""
    found = []
    with mp.workdps(50):
        rows = [[mpf(float(v)) for v in row] for row in weight]
        for x, y in zip(hidden, Y, strict=True):
            h = [mpf(float(v)) for v in x]
            norm = mp.sqrt(mp.fdot(h, h))
            cosines = [mp.fdot(h, w) / (norm or 1) / mp.sqrt(mp.fdot(w, w)) for w in rows]
            theta = mp.acos(cosines[y])
            scores = list(cosines)
            if name.startswith("curricular"):
                scores = [c * (mpf(T) + c) if c > mp.cos(theta + mpf(0.5)) else c for c in cosines]
            scores[y] = exact_margin(name, theta, norm)
            scores = [8 * s for s in scores]
            loss = mp.log(mp.fsum(mp.exp(s - scores[y]) for s in scores))
            if name.startswith("magface"):
                a = min(max(norm, mpf(1)), mpf(4))
                loss += 5 * (a / 16 + 1 / a)
            found.append(float(loss))
    return found


def as_kinds(hidden: Floats, weight: Floats, library: str = "numpy") -> tuple[Any, Any]:
    if library == "torch":
        return xent.Labels(torch.tensor(Y)), xent.Projection(torch.tensor(hidden), torch.tensor(weight))
    return xent.Labels(Y), xent.Projection(hidden, weight)


@pytest.mark.parametrize("where", [problem, edges])
@pytest.mark.parametrize("library", ["numpy", "torch"])
@every
def test_values_in_fifty_digits(name: str, library: str, where: Callable[[], tuple[Floats, Floats]]) -> None:
    hidden, weight = where()
    found = np.asarray(LOSSES[name](*as_kinds(hidden, weight, library), reduction="none"))
    # The scale, 8, times a few roundings of an angle.
    np.testing.assert_allclose(found, exact_losses(name, hidden, weight), rtol=1e-13, atol=3e-14)


def numpy_loss(name: str, hidden: Floats, weight: Floats, frozen: Floats) -> float:
    """The mean loss in float64, with AdaFace's ẑ from other hidden states, ``frozen``: it is a constant."""
    norm = np.linalg.norm(hidden, axis=1)
    c = hidden / norm[:, None] @ (weight / np.linalg.norm(weight, axis=1)[:, None]).T
    rows = np.arange(N)
    theta = np.arccos(c[rows, Y])
    extra = np.zeros(N)
    kind, _, boundary = name.partition(" ")
    if kind == "adaface":
        z = np.clip((np.linalg.norm(frozen, axis=1) - MEAN) / (STD + 1e-3) * 0.333, -1, 1)
        angle = theta - 0.4 * z
        truth = np.cos(np.clip(angle, 0, math.pi) if boundary == "clip" else angle) - 0.4 * (1 + z)
    elif kind == "magface":
        a = np.clip(norm, 1, 4)
        m = 0.2 * (a - 1) + 0.3
        turned = np.cos(theta + m)
        truth = {
            "easy": np.where(theta < math.pi / 2, turned, np.cos(theta)),
            "linear": np.where(theta + m > math.pi, np.cos(theta) - m * np.sin(m), turned),
            "continue": turned,
        }[boundary]
        extra = 5 * (a / 16 + 1 / a)
    else:
        turned = np.cos(theta + 0.5)
        hard = c > turned[:, None]
        truth = turned
        if boundary != "continue":
            truth = np.where(theta + 0.5 > math.pi, np.cos(theta) - 0.5 * math.sin(0.5), turned)
        c = np.where(hard, c * (T + c), c)
    c[rows, Y] = truth
    z = 8 * c
    top = z.max(axis=1)
    lse = top + np.log(np.exp(z - top[:, None]).sum(axis=1))
    return float((lse - z[rows, Y] + extra).mean())


def differences(f: Callable[[Floats], float], x: Floats, step: float = 1e-6) -> Floats:
    found = np.empty_like(x)
    for at in np.ndindex(*x.shape):
        one, two = x.copy(), x.copy()
        one[at] += step
        two[at] -= step
        found[at] = (f(one) - f(two)) / (2 * step)
    return found


@pytest.mark.parametrize("seed", [3, 4])
@every
def test_gradients_are_those_of_central_differences(name: str, seed: int) -> None:
    hidden, weight = problem(seed)
    _, (by_hidden, by_weight, _) = LOSSES[name].value_and_grad(*as_kinds(hidden, weight))
    np.testing.assert_allclose(
        by_hidden, differences(lambda h: numpy_loss(name, h, weight, hidden), hidden), rtol=2e-7, atol=2e-8
    )
    np.testing.assert_allclose(
        by_weight, differences(lambda w: numpy_loss(name, hidden, w, hidden), weight), rtol=2e-7, atol=2e-8
    )
    h, w = torch.tensor(hidden, requires_grad=True), torch.tensor(weight, requires_grad=True)
    LOSSES[name](xent.Labels(torch.tensor(Y)), xent.Projection(h, w)).backward()
    np.testing.assert_allclose(h.grad, by_hidden, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(w.grad, by_weight, rtol=1e-11, atol=1e-13)


@every
def test_gradients_at_the_edges_are_finite_and_the_same(name: str) -> None:
    hidden, weight = edges()
    _, (by_hidden, by_weight, _) = LOSSES[name].value_and_grad(*as_kinds(hidden, weight))
    h, w = torch.tensor(hidden, requires_grad=True), torch.tensor(weight, requires_grad=True)
    LOSSES[name](xent.Labels(torch.tensor(Y)), xent.Projection(h, w)).backward()
    assert np.isfinite(by_hidden).all()
    assert np.isfinite(by_weight).all()
    # At 1e-7 from 0 or π the direction in which an angle grows has nine digits.
    np.testing.assert_allclose(h.grad, by_hidden, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(w.grad, by_weight, rtol=1e-8, atol=1e-8)


def test_a_hidden_state_of_zeros_has_no_derivative_under_normalisation() -> None:
    """x/‖x‖ has none at 0; autograd and the gradient that NumPy gets say 0 alike."""
    weight = np.array([[1.0, 0.0], [1.0, 1.0]])
    loss = losses.margins.cosface(0.1, 4.0, normalize=True)
    _, (by_hidden, _, _) = loss.value_and_grad(xent.Labels(np.array([1])), xent.Projection(np.zeros((1, 2)), weight))
    h = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    loss(xent.Labels(torch.tensor([1])), xent.Projection(h, torch.tensor(weight))).backward()
    assert h.grad is not None
    assert by_hidden.tolist() == h.grad.tolist() == [[0.0, 0.0]]


def test_without_margin_they_are_the_cross_entropy_of_scaled_cosines() -> None:
    P, Q = as_kinds(*problem())
    plain = losses.Loss(scores=losses.Scores(normalize="both", scale=8.0))(P, Q)
    for loss in (losses.face.adaface(m=0.0, scale=8.0), losses.face.magface(1.0, 4.0, 0.0, 0.0, 0.0, 8.0)):
        np.testing.assert_allclose(loss(P, Q), plain, rtol=1e-14)


def test_curricularface_leaves_what_is_farther_than_the_truth_with_its_margin() -> None:
    """Truths that are nearest by more than the margin: ArcFace."""
    c = np.array([[0.99, 0.1, -0.3], [0.2, 0.95, -0.9]])
    P, Q = xent.Labels(np.array([0, 1])), xent.Logits(c)
    curricular = losses.face.curricularface(0.7, 0.5, 8.0)(P, Q, reduction="none")
    np.testing.assert_allclose(curricular, losses.margins.arcface(0.5, 8.0)(P, Q, reduction="none"), rtol=1e-14)
    hard = np.array([[0.3, 0.9, -0.3]])
    found = losses.face.curricularface(0.7, 0.5, 1.0).in_training(xent.Labels(np.array([0])), xent.Logits(hard)).scores
    np.testing.assert_allclose(found, [[math.cos(math.acos(0.3) + 0.5), 0.9 * (0.7 + 0.9), -0.3]], rtol=1e-14)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_curricularface_on_cosines_has_the_gradient_of_its_formula(library: str) -> None:
    c = np.random.default_rng(5).uniform(-0.9, 0.9, (N, K))
    loss = losses.face.curricularface(T, 0.5, 8.0)

    def formula(c: Floats) -> float:
        truth = c[np.arange(N), Y]
        turned = np.cos(np.arccos(truth) + 0.5)
        z = np.where(c > turned[:, None], c * (T + c), c)
        z[np.arange(N), Y] = np.where(np.arccos(truth) + 0.5 > math.pi, truth - 0.5 * math.sin(0.5), turned)
        z *= 8
        return float((np.log(np.exp(z).sum(axis=1)) - z[np.arange(N), Y]).mean())

    if library == "numpy":
        value, gradient = loss.value_and_grad(xent.Labels(Y), xent.Logits(c))
    else:
        z = torch.tensor(c, requires_grad=True)
        value = loss(xent.Labels(torch.tensor(Y)), xent.Logits(z))
        (gradient,) = torch.autograd.grad(value, z)
    assert value.item() == pytest.approx(formula(c), rel=1e-13)
    np.testing.assert_allclose(gradient, differences(formula, c), rtol=2e-7, atol=2e-8)


@every
def test_an_ignored_example_and_one_of_weight_zero_are_exactly_nothing(name: str) -> None:
    hidden, weight = problem()
    y = np.where(np.arange(N) == 2, -1, Y)
    spoilt = hidden.copy()
    spoilt[2], spoilt[4] = np.nan, np.inf
    w = np.where(np.arange(N) == 4, 0.0, 1.0)
    keep = [0, 1, 3, 5]
    P, Q = xent.Labels(y, ignore=-1), xent.Projection(spoilt, weight)
    value, (by_hidden, by_weight, _) = LOSSES[name].value_and_grad(P, Q, weight=w)
    fewer = LOSSES[name].value_and_grad(xent.Labels(Y[keep]), xent.Projection(hidden[keep], weight))
    np.testing.assert_allclose(value, fewer[0], rtol=1e-14)
    assert (by_hidden[[2, 4]] == 0).all()
    np.testing.assert_allclose(by_weight, fewer[1][1], rtol=1e-12, atol=1e-15)
    h, v = torch.tensor(spoilt, requires_grad=True), torch.tensor(weight, requires_grad=True)
    LOSSES[name](xent.Labels(torch.tensor(y), ignore=-1), xent.Projection(h, v), weight=torch.tensor(w)).backward()
    assert h.grad is not None
    assert (h.grad[[2, 4]] == 0).all()
    np.testing.assert_allclose(v.grad, by_weight, rtol=1e-11, atol=1e-13)


def test_an_infinite_cosine_of_an_ignored_row_goes_nowhere() -> None:
    c = np.full((2, 3), 0.1)
    c[0] = np.inf
    y = np.array([-1, 1])
    loss = losses.face.curricularface(T, 0.5, 8.0)
    _, gradient = loss.value_and_grad(xent.Labels(y, ignore=-1), xent.Logits(c))
    assert (gradient[0] == 0).all()
    z = torch.tensor(c, requires_grad=True)
    loss(xent.Labels(torch.tensor(y), ignore=-1), xent.Logits(z)).backward()
    assert z.grad is not None
    np.testing.assert_allclose(z.grad, gradient, rtol=1e-12)


def test_the_length_has_no_gradient_in_adaface_and_one_in_magface() -> None:
    hidden, weight = problem()
    for name, follows in (("adaface", False), ("magface continue", True)):
        _, (by_hidden, _, _) = LOSSES[name].value_and_grad(*as_kinds(hidden, weight), reduction="sum")
        along = (by_hidden * hidden).sum(axis=1)
        inside = (np.linalg.norm(hidden, axis=1) > 1) & (np.linalg.norm(hidden, axis=1) < 4)
        assert (np.abs(along) > 1e-3).tolist() == (inside & follows).tolist(), name


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@every
def test_half_precision_is_computed_in_float32(name: str, dtype: str) -> None:
    hidden, weight = (x.astype(dtype) for x in problem())
    exact = LOSSES[name](*as_kinds(hidden.astype(float), weight.astype(float)))
    value, (by_hidden, _, _) = LOSSES[name].value_and_grad(*as_kinds(hidden, weight))
    assert value.dtype == np.float32
    assert by_hidden.dtype == dtype
    np.testing.assert_allclose(float(value), float(exact), rtol=3e-6)
    h = torch.tensor(hidden, requires_grad=True)
    found = LOSSES[name](xent.Labels(torch.tensor(Y)), xent.Projection(h, torch.tensor(weight)))
    found.backward()
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.item(), float(exact), rtol=3e-6)
    assert h.grad is not None
    assert h.grad.isfinite().all()


def array_of(library: str, x: Any) -> Any:
    if library == "jax":
        import jax.numpy as jnp

        return jnp.asarray(np.asarray(x))
    import tensorflow as tf

    return tf.constant(np.asarray(x))


@pytest.mark.parametrize("library", ["jax", "tensorflow"])
def test_other_frameworks_agree(library: str) -> None:
    """Values, gradients and state in float32, with a state that is a scalar of the framework."""
    pytest.importorskip(library)
    hidden, weight = (x.astype("float32") for x in problem())
    y, h, w = (array_of(library, x) for x in (Y.astype("int32"), hidden, weight))
    state = {
        "adaface": {"mean": array_of(library, np.float32(MEAN)), "std": array_of(library, np.float32(STD))},
        "curricularface": {"t": array_of(library, np.float32(T))},
    }
    for name, loss in LOSSES.items():
        given = loss
        if name in state:
            given = loss.but(scores=with_margin(loss, **state[name]).scores)

        def call(h: Any, w: Any, given: Any = given) -> Any:
            return given(xent.Labels(y), xent.Projection(h, w))

        exact, (by_hidden, by_weight, _) = loss.value_and_grad(*as_kinds(hidden.astype(float), weight.astype(float)))
        if library == "jax":
            import jax

            value, slopes = jax.value_and_grad(call, argnums=(0, 1))(h, w)
            eager = call(h, w)
        else:
            import tensorflow as tf

            with tf.GradientTape() as tape:
                tape.watch((h, w))
                eager = value = call(h, w)
            slopes = tape.gradient(value, (h, w))
        np.testing.assert_allclose([float(value), float(eager)], [float(exact)] * 2, rtol=2e-6, err_msg=name)
        np.testing.assert_allclose(slopes[0], by_hidden, rtol=1e-4, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(slopes[1], by_weight, rtol=1e-4, atol=1e-5, err_msg=name)
    P, Q = xent.Labels(y), xent.Projection(h, w)
    mine, theirs = as_kinds(hidden, weight), (P, Q)
    old = state["adaface"]
    found = losses.face.adaface_state(*theirs, old["mean"], old["std"])
    np.testing.assert_allclose(found, losses.face.adaface_state(*mine, MEAN, STD), rtol=1e-6)
    t = losses.face.curricularface_state(*theirs, state["curricularface"]["t"])
    np.testing.assert_allclose(t, losses.face.curricularface_state(*mine, T), rtol=1e-5)


def test_a_margin_may_hold_an_array_of_jax() -> None:
    """Outside any transformation a call on JAX's arrays is one on views: of what a margin holds too."""
    pytest.importorskip("jax")
    import jax.numpy as jnp

    y, z, m = np.array([0, 1]), np.array([[0.5, 0.1], [0.2, 0.3]], "float32"), np.array([0.1, 0.3], "float32")
    mine, theirs = (
        losses.Loss(scores=losses.Scores(margin=losses.Shift(make(m)))) for make in (np.asarray, jnp.asarray)
    )
    found = theirs(xent.Labels(jnp.asarray(y)), xent.Logits(jnp.asarray(z)))
    np.testing.assert_allclose(found, mine(xent.Labels(y), xent.Logits(z)), rtol=1e-6)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_the_state_is_a_moving_mean_over_what_counts(library: str) -> None:
    hidden, weight = problem()
    y = np.where(np.arange(N) == 2, -1, Y)
    spoilt = hidden.copy()
    spoilt[2] = np.nan
    keep = np.array([0, 1, 3, 4, 5])
    make = (lambda x: x) if library == "numpy" else torch.tensor
    P, Q = xent.Labels(make(y), ignore=-1), xent.Projection(make(spoilt), make(weight))
    norm = np.linalg.norm(hidden[keep], axis=1)
    mean, std = losses.face.adaface_state(P, Q, 20.0, 100.0, rate=0.25)
    assert float(mean) == pytest.approx(0.75 * 20 + 0.25 * norm.mean(), rel=1e-14)
    assert float(std) == pytest.approx(0.75 * 100 + 0.25 * norm.std(ddof=1), rel=1e-14)
    unit = hidden / np.linalg.norm(hidden, axis=1)[:, None]
    cosine = (unit * (weight / np.linalg.norm(weight, axis=1)[:, None])[Y]).sum(axis=1)
    t = losses.face.curricularface_state(P, Q, make(np.array(0.5)))
    assert float(t) == pytest.approx(0.99 * 0.5 + 0.01 * cosine[keep].mean(), rel=1e-14)
    scores = (unit @ (weight / np.linalg.norm(weight, axis=1)[:, None]).T).T
    t = losses.face.curricularface_state(P, xent.Logits(make(np.ascontiguousarray(scores)), axis=0), 0.5)
    assert float(t) == pytest.approx(0.99 * 0.5 + 0.01 * cosine[keep].mean(), rel=1e-14)


def test_a_batch_that_says_nothing_leaves_the_state() -> None:
    weight = np.eye(3)
    nothing = xent.Labels(np.array([-1, -1]), ignore=-1), xent.Projection(np.ones((2, 3)), weight)
    assert [float(x) for x in losses.face.adaface_state(*nothing, 20.0, 100.0)] == [20.0, 100.0]
    assert float(losses.face.curricularface_state(*nothing, 0.25)) == 0.25
    one = xent.Labels(np.array([0])), xent.Projection(np.array([[3.0, 4.0, 0.0]]), weight)
    assert [float(x) for x in losses.face.adaface_state(*one, 20.0, 100.0, rate=0.5)] == [12.5, 100.0]
    spoilt = xent.Labels(np.array([0, 1])), xent.Projection(np.array([[np.inf, 4.0, 0.0], [1.0, 0, 0]]), weight)
    with np.errstate(invalid="ignore"):
        assert [float(x) for x in losses.face.adaface_state(*spoilt, 20.0, 100.0)] == [20.0, 100.0]


def test_a_state_has_no_gradient() -> None:
    hidden, weight = (torch.tensor(x, requires_grad=True) for x in problem())
    P, Q = xent.Labels(torch.tensor(Y)), xent.Projection(hidden, weight)
    found = (*losses.face.adaface_state(P, Q, 20.0, 100.0), losses.face.curricularface_state(P, Q, 0.0))
    assert not any(x.requires_grad for x in found)
    mean = torch.tensor(MEAN, requires_grad=True)
    losses.face.adaface(mean, STD)(P, Q).backward()
    assert mean.grad is None


def test_a_penalty_of_the_length_without_a_margin() -> None:
    hidden, weight = problem()
    P, Q = as_kinds(hidden, weight)
    penalty = losses.Magnitude(5.0, 1.0, 4.0)
    value, (by_hidden, _, _) = value_and_grad(P, Q, penalties=[penalty])
    plain, (slope, _, _) = value_and_grad(P, Q)
    norm = np.linalg.norm(hidden, axis=1)
    a = np.clip(norm, 1, 4)
    assert float(value - plain) == pytest.approx((5 * (a / 16 + 1 / a)).mean(), rel=1e-13)
    expected = np.where((norm > 1) & (norm < 4), 5 * (1 / 16 - 1 / a**2), 0)[:, None] * hidden / norm[:, None] / N
    np.testing.assert_allclose(by_hidden - slope, expected, rtol=1e-10, atol=1e-14)


def test_what_has_no_meaning_is_refused() -> None:
    P, scores = xent.Labels(np.array([0])), xent.Logits(np.array([[0.5, 0.1]]))
    Q = xent.Projection(np.ones((1, 2)), np.eye(2))
    for margin in (losses.AdaFace(), losses.MagFace()):
        with pytest.raises(UndefinedPairError, match="length of the hidden state"):
            losses.Loss(scores=losses.Scores(margin=margin))(P, scores)
    with pytest.raises(UndefinedPairError, match="lengths"):
        xent.cross_entropy(P, scores, penalties=[losses.Magnitude()])
    with pytest.raises(UndefinedPairError, match="normalize"):
        losses.face.curricularface()(P, Q)
    for make in (
        lambda: losses.face.adaface(std=-1.0),
        lambda: losses.face.adaface(h=0.0),
        lambda: losses.face.adaface(np.ones(2)),
        lambda: losses.face.adaface(boundary="easy"),  # type: ignore[arg-type]
        lambda: losses.face.magface(10.0, 10.0),
        lambda: losses.face.magface(least=-0.1),
        lambda: losses.face.magface(boundary="clip"),  # type: ignore[arg-type]
        lambda: losses.face.curricularface(m=-0.1),
        lambda: losses.face.curricularface_state(P, Q, 0.0, rate=2.0),
    ):
        with pytest.raises(OptionError):
            make()
    with pytest.raises(KindError):
        losses.face.adaface_state(P, scores, 1.0, 1.0)  # type: ignore[arg-type]
    with pytest.raises(KindError):
        losses.face.curricularface_state(xent.Indicators(np.ones((1, 2))), scores, 0.0)  # type: ignore[arg-type]


def test_the_catalogue_has_them() -> None:
    told = str(losses.describe(losses.face.magface()))
    assert "S4 penalties" in told
    assert "2103.06627" in told
    assert losses.describe(losses.face.adaface).defaults["scale"] == "64, the paper's"
    assert losses.describe(losses.face.curricularface(0.2)).parameters["t"] == 0.2


def test_at_inference_they_are_scaled_cosines() -> None:
    hidden, weight = problem()
    cosines = hidden / np.linalg.norm(hidden, axis=1)[:, None] @ (weight / np.linalg.norm(weight, axis=1)[:, None]).T
    for loss in LOSSES.values():
        np.testing.assert_allclose(loss.at_inference(xent.Projection(hidden, weight)).scores, 8 * cosines, rtol=1e-13)
