"""Preference losses: 50-digit arithmetic, the papers' formulas, gradients, four frameworks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import xent
from support.oracle import element, mp, mpf
from xent.losses import preference

Make = Callable[..., Any]

CHOSEN, REJECTED = [-20.0, -33.5, -7.25, -4000.0], [-30.0, -31.0, -7.25, -10.0]
OLD_CHOSEN, OLD_REJECTED = [-22.0, -34.0, -6.0, -10.0], [-29.0, -31.5, -9.5, -4000.0]
LONG, SHORT = [12, 20, 3, 400], [15, 18, 4, 6]


def numpy_array(values: Any, dtype: str = "float64") -> Any:
    return np.asarray(values, dtype=dtype)


def torch_tensor(values: Any, dtype: str = "float64") -> Any:
    return torch.tensor(np.asarray(values), dtype=getattr(torch, dtype))


@pytest.fixture(params=[numpy_array, torch_tensor], ids=["numpy", "torch"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param  # type: ignore[no-any-return]


def four(make: Make, dtype: str = "float64") -> tuple[Any, Any, Any, Any]:
    return tuple(make(x, dtype) for x in (CHOSEN, REJECTED, OLD_CHOSEN, OLD_REJECTED))  # type: ignore[return-value]


def differences(lengths: bool = False) -> list[Any]:
    """Δ in exact arithmetic."""
    n, m = (LONG, SHORT) if lengths else ([1] * 4, [1] * 4)
    rows = zip(CHOSEN, REJECTED, OLD_CHOSEN, OLD_REJECTED, n, m, strict=True)
    return [(mpf(a) - mpf(c)) / i - (mpf(b) - mpf(d)) / j for a, b, c, d, i, j in rows]


def close(got: Any, want: list[Any], eps: float) -> None:
    """To a few units of the rounding of the score, which is ℓ's where that is large, and 1 + |z| of it elsewhere."""
    for found, exact in zip(got.tolist(), want, strict=True):
        assert mp.fabs(mpf(found) - exact) <= eps * mp.fabs(exact) * (8 + 8 * mp.fabs(mp.log(mp.fabs(exact) + 1e-300)))


@pytest.mark.parametrize(("dtype", "eps"), [("float64", 2.3e-16), ("float32", 1.2e-7)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_dpo_is_the_papers_formula(make: Make, dtype: str, eps: float, smoothing: float) -> None:
    e = mpf(smoothing)
    want = []
    for delta in differences():
        found = element(mpf(0.1) * delta, "logits")
        want.append((1 - e) * found.yes + e * found.no if e else found.yes)
    got = preference.dpo(*four(make, dtype), smoothing=smoothing, reduction="none")
    assert dtype in str(got.dtype)
    close(got, want, eps)
    assert float(preference.dpo(*four(make, dtype), smoothing=smoothing)) == pytest.approx(
        float(mp.fsum(want)) / 4, rel=1e-6
    )


def test_lengths_divide_each_log_ratio(make: Make) -> None:
    got = preference.dpo(
        *four(make), beta=2.0, chosen_length=make(LONG, "int64"), rejected_length=make(SHORT), reduction="none"
    )
    close(got, [element(2 * delta, "logits").yes for delta in differences(lengths=True)], 2.3e-16)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4])
def test_robust_dpo_may_be_below_zero(make: Make, rate: float) -> None:
    e = mpf(rate)
    want = []
    for delta in differences():
        found = element(mpf(0.1) * delta, "logits")
        want.append(((1 - e) * found.yes - (e * found.no if e else 0)) / (1 - 2 * e))
    got = preference.robust_dpo(*four(make), rate=rate, reduction="none")
    for found, exact in zip(got.tolist(), want, strict=True):
        assert found == pytest.approx(float(exact), rel=1e-13, abs=1e-300)
    sure = preference.robust_dpo(make([-1.0]), make([-90.0]), make([-40.0]), make([-40.0]), rate=0.1, beta=1.0)
    assert float(sure) < 0


def test_robust_dpo_is_unbiased(make: Make) -> None:
    """With every pair the wrong way round with probability ε it is on average what DPO is on the right ones."""
    a, b, c, d = four(make)
    right = preference.robust_dpo(a, b, c, d, rate=0.2, reduction="none")
    wrong = preference.robust_dpo(b, a, d, c, rate=0.2, reduction="none")
    plain = preference.dpo(a, b, c, d, reduction="none")
    np.testing.assert_allclose(np.asarray(0.8 * right + 0.2 * wrong), np.asarray(plain), rtol=1e-12, atol=1e-12)


def test_simpo(make: Make) -> None:
    want = []
    for a, b, n, m in zip(CHOSEN, REJECTED, LONG, SHORT, strict=True):
        want.append(element(mpf(2.5) * (mpf(a) / n - mpf(b) / m) - mpf(1.2), "logits").yes)
    got = preference.simpo(
        make(CHOSEN), make(REJECTED), chosen_length=LONG, rejected_length=SHORT, beta=2.5, margin=1.2, reduction="none"
    )
    close(got, want, 2.3e-16)


def test_ipo(make: Make) -> None:
    want = [(delta - 5) ** 2 for delta in differences()]
    got = preference.ipo(*four(make), reduction="none")
    np.testing.assert_allclose(np.asarray(got), [float(x) for x in want], rtol=1e-14)
    weight = [1.0, 2.0, 0.0, 0.0]
    mean = preference.ipo(*four(make), beta=0.5, weight=make(weight))
    assert float(mean) == pytest.approx(
        float(sum(w * (x - 1) ** 2 for w, x in zip(weight, differences(), strict=True))) / 3
    )


def test_an_impossible_answer_is_no_nan(make: Make) -> None:
    never = make([-math.inf])
    some = make([-3.0])
    assert float(preference.dpo(some, never, some, some)) == 0.0
    assert float(preference.dpo(never, some, some, some)) == math.inf
    assert float(preference.dpo(some, never, some, some, smoothing=0.1)) == math.inf
    assert math.isnan(float(preference.dpo(never, some, never, some)))


def test_pairs_of_weight_zero(make: Make) -> None:
    a, b, c, d = four(make)
    a[2] = math.nan
    got = preference.dpo(a, b, c, d, weight=make([1.0, 3.0, 0.0, 0.0]))
    each = preference.dpo(a, b, c, d, reduction="none")
    assert float(got) == pytest.approx(float(each[0] + 3 * each[1]) / 4, rel=1e-14)


LOSSES: dict[str, Callable[..., Any]] = {
    "dpo": preference.dpo,
    "cdpo": lambda *x: preference.dpo(*x, smoothing=0.1, beta=0.7),
    "rdpo": lambda *x: preference.robust_dpo(*x, rate=0.2),
    "lengths": lambda *x: preference.dpo(*x, chosen_length=[3, 5, 9], rejected_length=[2, 8, 7], beta=2.0),
    "simpo": lambda a, b, *_: preference.simpo(a, b, chosen_length=[3, 5, 9], rejected_length=[2, 8, 7]),
    "ipo": preference.ipo,
}


@pytest.mark.parametrize("name", LOSSES)
def test_central_differences(name: str) -> None:
    generator = torch.Generator().manual_seed(3)
    arrays = [(-20 * torch.rand(3, generator=generator, dtype=torch.float64) - 1).requires_grad_() for _ in range(4)]
    leaves = arrays[:2] if name == "simpo" else arrays
    assert torch.autograd.gradcheck(LOSSES[name], leaves)


def test_the_gradient_of_dpo() -> None:
    a, b, c, d = four(torch_tensor)
    a.requires_grad_()
    (gradient,) = torch.autograd.grad(preference.dpo(a, b, c, d, reduction="sum"), a)
    z = [float(mpf(0.1) * delta) for delta in differences()]
    want = [-0.1 / (1 + math.exp(x)) for x in z]
    np.testing.assert_allclose(gradient.numpy(), want, rtol=1e-12)


TOKENS = np.array([[4, 0, 1, 2, 3], [4, 3, 2, -100, -100]])
SCORES = np.random.default_rng(2).normal(size=(2, 5, 5)) * 2
ANSWER = np.array([[0, 0, 1, 1, 1], [0, 1, 1, 1, 1]])


def test_log_probability_of_an_answer(make: Make) -> None:
    log_q = SCORES - np.log(np.exp(SCORES).sum(-1, keepdims=True))
    want = [log_q[0, 1, 1] + log_q[0, 2, 2] + log_q[0, 3, 3], log_q[1, 0, 3] + log_q[1, 1, 2]]
    P, Q = xent.Labels(make(TOKENS, "int64"), ignore=-100), xent.Logits(make(SCORES))
    found = preference.sequence_log_probabilities(P, Q, weight=make(ANSWER))
    np.testing.assert_allclose(np.asarray(found), want, rtol=1e-13)
    found = preference.sequence_log_probabilities(P, Q, weight=make(ANSWER, "bool"), allowed=[True] * 5)
    np.testing.assert_allclose(np.asarray(found), want, rtol=1e-13)
    assert preference.sequence_lengths(P, weight=make(ANSWER)).tolist() == [3, 2]
    assert preference.sequence_lengths(P).tolist() == [4, 2]
    nothing = preference.sequence_log_probabilities(P, Q, weight=make(0 * ANSWER))
    assert nothing.tolist() == [0.0, 0.0]


def test_from_scores_to_the_loss() -> None:
    """The gradient goes through to the scores of the answers, and nowhere else."""
    leaf = torch.tensor(SCORES, requires_grad=True)
    P, mask = xent.Labels(torch.tensor(TOKENS), ignore=-100), torch.tensor(ANSWER)
    found = preference.sequence_log_probabilities(P, xent.Logits(leaf), weight=mask)
    preference.dpo(found[:1], found[1:], found[:1].detach() - 1.0, found[1:].detach()).backward()
    slope = -0.1 / (1 + math.exp(0.1))
    q = torch.softmax(leaf.detach(), -1)
    want = torch.zeros_like(q)
    for row, sign, places in ((0, slope, (1, 2, 3)), (1, -slope, (0, 1))):
        for t in places:
            want[row, t] = sign * (torch.eye(5, dtype=torch.float64)[TOKENS[row, t + 1]] - q[row, t])
    torch.testing.assert_close(leaf.grad, want, rtol=1e-12, atol=1e-16)


def test_errors(make: Make) -> None:
    a, b, c, d = four(make)
    with pytest.raises(xent.errors.ProbabilityError, match=r"reference_chosen.*write −nll"):
        preference.dpo(a, b, -c, d)
    with pytest.raises(xent.errors.ShapeError, match="rejected"):
        preference.dpo(a, b[:2], c, d)
    with pytest.raises(xent.errors.OptionError, match="beta"):
        preference.dpo(a, b, c, d, beta=0.0)
    with pytest.raises(xent.errors.OptionError, match="smoothing"):
        preference.dpo(a, b, c, d, smoothing=0.6)
    with pytest.raises(xent.errors.OptionError, match="rate"):
        preference.robust_dpo(a, b, c, d, rate=0.5)
    with pytest.raises(xent.errors.OptionError, match="both of them"):
        preference.dpo(a, b, c, d, chosen_length=LONG)
    with pytest.raises(xent.errors.OptionError, match="positive"):
        preference.dpo(a, b, c, d, chosen_length=LONG, rejected_length=[0, 1, 1, 1])
    with pytest.raises(xent.errors.ShapeError, match="chosen_length"):
        preference.dpo(a, b, c, d, chosen_length=[1, 2], rejected_length=SHORT)
    with pytest.raises(xent.errors.DtypeError, match="chosen"):
        preference.dpo(make([-1], "int64"), make([-1.0]), make([-1.0]), make([-1.0]))


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_flip_correction_is_backward_correction_of_its_channel(make: Make, rate: float) -> None:
    K = 4
    P, Q = xent.Labels(make([0, 3, 2], "int64")), xent.Logits(make(SCORES[0, :3, :K]))
    channel = (1 - rate) * np.eye(K) + rate / (K - 1) * (1 - np.eye(K))
    got = xent.cross_entropy(P, Q, target=xent.losses.FlipCorrection(rate), reduction="none")
    want = xent.cross_entropy(P, Q, target=xent.losses.BackwardCorrection(channel), reduction="none")
    np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-12)


def test_flip_correction_of_yes_and_no() -> None:
    y, z = np.array([1.0, 0.0, 1.0]), np.array([2.0, -0.5, -30.0])
    t = (y - 0.3) / 0.4
    want = t * np.logaddexp(0, -z) + (1 - t) * np.logaddexp(0, z)
    value, gradient = xent.value_and_grad(
        xent.Indicators(y), xent.Logits(z), target=xent.losses.FlipCorrection(0.3), reduction="none"
    )
    np.testing.assert_allclose(value, want, rtol=1e-13)
    np.testing.assert_allclose(gradient, 1 / (1 + np.exp(-z)) - t, rtol=1e-13)


@pytest.mark.parametrize("framework", ["jax", "tensorflow"])
def test_in_other_frameworks(framework: str) -> None:
    def loss(a: Any, b: Any, c: Any, d: Any) -> Any:
        n, m = [3, 5, 9, 7], [2, 8, 7, 1]
        return (
            preference.dpo(a, b, c, d, smoothing=0.1)
            + preference.robust_dpo(a, b, c, d, rate=0.2)
            + preference.simpo(a, b, chosen_length=n, rejected_length=m)
            + preference.ipo(a, b, c, d, chosen_length=n, rejected_length=m)
        )

    lists = [[-20.0, -33.5, -7.25, -4.0], [-30.0, -31.0, -7.25, -9.0], OLD_CHOSEN, [-29.0, -31.5, -9.5, -4.0]]
    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in lists]
    want = loss(*leaves)
    (slope,) = torch.autograd.grad(want, leaves[0])
    if framework == "jax":
        import jax
        import jax.numpy as jnp

        arrays = [jnp.asarray(x) for x in lists]
        value, gradient = jax.jit(jax.value_and_grad(loss))(*arrays)
        # A loss where a log-probability should be: no number where it cannot be refused.
        assert math.isnan(float(jax.jit(preference.dpo)(-arrays[0], *arrays[1:])))
    else:
        import tensorflow as tf

        arrays = [tf.constant(x) for x in lists]

        @tf.function(input_signature=[tf.TensorSpec([None])] * 4)
        def step(a: Any, b: Any, c: Any, d: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(a)
                value = loss(a, b, c, d)
            return value, tape.gradient(value, a)

        value, gradient = step(*arrays)
    assert float(loss(*arrays)) == pytest.approx(want.item(), rel=1e-5)
    assert float(value) == pytest.approx(want.item(), rel=1e-5)
    np.testing.assert_allclose(np.asarray(gradient), slope.numpy(), rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_in_one_graph_of_torch_compile() -> None:
    def loss(a: Any, b: Any, c: Any, d: Any) -> Any:
        return preference.dpo(a, b, c, d, smoothing=0.1) + preference.robust_dpo(a, b, c, d, rate=0.2)

    arrays = four(torch_tensor)
    arrays[0].requires_grad_()
    found = torch.compile(loss, fullgraph=True, backend="aot_eager")(*arrays)
    assert found.item() == pytest.approx(loss(*arrays).item(), rel=1e-13)
    got, want = (torch.autograd.grad(x, arrays[0])[0] for x in (found, loss(*arrays)))
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-16)


def test_the_catalogue_says_that_ipo_is_no_cross_entropy() -> None:
    assert "not a cross-entropy" in xent.losses.describe(preference.ipo).formula
    assert ".1, the paper's" in xent.losses.describe(preference.dpo).defaults["beta"]
