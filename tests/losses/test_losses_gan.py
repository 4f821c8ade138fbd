"""GAN losses: TF-GAN's published values, 50-digit arithmetic at the edges, gradients, four frameworks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import xent
from support.oracle import element, mp, mpf
from xent.losses import gan

REAL, FAKE = [-5.0, 1.4, 12.5, 2.7], [10.0, 4.4, -5.5, 3.6]
#: The real scores of TF-GAN's test of the relativistic losses.
REAL_RELATIVE = [-2.0, 0.4, 12.5, 2.7]

Make = Callable[..., Any]


def numpy_array(values: Any, dtype: str = "float64") -> Any:
    return np.asarray(values, dtype=dtype)


def torch_tensor(values: Any, dtype: str = "float64") -> Any:
    return torch.tensor(values, dtype=getattr(torch, dtype))


@pytest.fixture(params=[numpy_array, torch_tensor], ids=["numpy", "torch"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param  # type: ignore[no-any-return]


#: tensorflow_gan/python/losses/losses_impl_test.py: the expected values, and the call of ours that gives each.
PUBLISHED = {
    "modified generator": (lambda m: gan.non_saturating_generator(m(FAKE)), 1.38582),
    "modified discriminator": (lambda m: gan.discriminator(m(REAL), m(FAKE), smoothing=0.25), 6.19637),
    "minimax generator": (lambda m: gan.minimax_generator(m(FAKE), real=m([1.0] * 4)), -4.82408),
    "hinge discriminator": (lambda m: gan.hinge_discriminator(m(REAL), m(FAKE)), 6.75),
    "hinge generator": (lambda m: gan.hinge_generator(m(FAKE)), -3.125),
    "least-squares discriminator": (lambda m: gan.least_squares_discriminator(m(REAL), m(FAKE)), 41.73375),
    "least-squares generator": (lambda m: gan.least_squares_generator(m(FAKE)), 17.69625),
    "relativistic discriminator": (lambda m: gan.relativistic_discriminator(m(REAL_RELATIVE), m(FAKE)), 4.390114),
    "relativistic generator": (lambda m: gan.relativistic_generator(m(REAL_RELATIVE), m(FAKE)), 4.9401135),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(name: str, make: Make) -> None:
    call, expected = PUBLISHED[name]
    # "almost equal to 5 places" in that test
    assert float(call(make)) == pytest.approx(expected, abs=5e-6)


def test_the_authors_of_the_relativistic_loss_take_half(make: Make) -> None:
    real, fake = make(REAL_RELATIVE), make(FAKE)
    for loss in (gan.relativistic_discriminator, gan.relativistic_generator):
        assert float(loss(real, fake, terms="mean")) == pytest.approx(float(loss(real, fake)) / 2, rel=1e-15)
    with pytest.raises(xent.errors.OptionError, match="terms="):
        gan.relativistic_discriminator(real, fake, terms="half")  # type: ignore[arg-type]


EDGES = [-1000.0, -745.0, -40.0, -1e-3, 0.0, 1e-3, 17.0, 40.0, 1000.0]


def exact_mean(scores: list[float], t: Any) -> Any:
    each = [element(mpf(x), "logits") for x in scores]
    return mp.fsum(t * e.yes + (1 - t) * e.no for e in each) / len(scores)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_exact_at_the_edges(make: Make, dtype: str) -> None:
    x = make(EDGES, dtype)
    near = 4e-16 if dtype == "float64" else 3e-7
    kept = [float(v) for v in x]
    t = 1 - mpf(0.25) / 2
    for got, want in [
        (gan.non_saturating_generator(x), exact_mean(kept, mpf(1))),
        (gan.minimax_generator(x), -exact_mean(kept, mpf(0))),
        (gan.discriminator(x[:5], x, smoothing=0.25), exact_mean(kept[:5], t) + exact_mean(kept, mpf(0))),
    ]:
        assert abs(mpf(float(got)) - want) <= 4 * near * abs(want)
    of_real, of_fake = gan.discriminator(x[:4], x, reduction="none")
    assert tuple(of_real.shape) == (4,)
    for got, score in zip(of_fake.tolist(), kept, strict=True):
        want = element(mpf(score), "logits").no
        # 1e-307 is where float64 loses digits
        assert abs(mpf(got) - want) <= 4 * near * want + (1e-40 if dtype == "float32" else 1e-307)


def test_infinite_scores_have_the_value_that_mathematics_gives(make: Make) -> None:
    sure = make([math.inf, 1.0])
    assert float(gan.non_saturating_generator(sure)) == pytest.approx(math.log1p(math.exp(-1)) / 2)
    assert float(gan.non_saturating_generator(make([-math.inf, 1.0]))) == math.inf
    assert float(gan.minimax_generator(make([-math.inf, 0.0]))) == pytest.approx(-math.log(2) / 2)


def relativistic(real: np.ndarray, fake: np.ndarray) -> float:
    """The paper's formula, with its expectations as means."""
    a, b = real - fake.mean(), fake - real.mean()
    return float(np.logaddexp(0, -a).mean() + np.logaddexp(0, b).mean())


def test_relativistic_loss_of_samples_that_are_not_as_many(make: Make) -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 3)), rng.normal(size=5)
    got = gan.relativistic_discriminator(make(real), make(fake))
    assert float(got) == pytest.approx(relativistic(real, fake), rel=1e-14)
    got = gan.relativistic_generator(make(real), make(fake))
    assert float(got) == pytest.approx(relativistic(fake, real), rel=1e-14)


TWO = [
    gan.discriminator,
    gan.relativistic_discriminator,
    gan.relativistic_generator,
    gan.hinge_discriminator,
    gan.least_squares_discriminator,
]
ONE = [gan.minimax_generator, gan.non_saturating_generator, gan.hinge_generator, gan.least_squares_generator]


@pytest.mark.parametrize("loss", TWO)
def test_a_sample_of_weight_zero_does_not_exist(loss: Any, make: Make) -> None:
    real, fake = make([0.3, math.nan, -1.2]), make([0.5, 2.0, math.inf, 0.1])
    kept = loss(make([0.3, -1.2]), make([0.5, 2.0, 0.1]), real_weight=make([2.0, 0.5]))
    got = loss(real, fake, real_weight=make([2.0, 0.0, 0.5]), fake_weight=make([1.0, 1.0, 0.0, 1.0]))
    assert float(got) == pytest.approx(float(kept), rel=1e-14)


@pytest.mark.parametrize("loss", ONE)
def test_a_weighted_mean(loss: Any, make: Make) -> None:
    fake, w = make([0.5, -2.0, 3.0]), [2.0, 1.0, 0.25]
    each = loss(fake, reduction="none")
    assert float(loss(fake, weight=make(w))) == pytest.approx(float((each * make(w)).sum()) / 3.25, rel=1e-14)
    assert float(loss(fake, reduction="sum")) == pytest.approx(float(each.sum()), rel=1e-14)
    assert float(loss(fake, denominator=6.0)) == pytest.approx(float(each.sum()) / 6, rel=1e-14)


@pytest.mark.parametrize("loss", TWO)
def test_gradients_of_two_samples(loss: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    real = (torch.randn(4, generator=generator, dtype=torch.float64) * 2).requires_grad_()
    fake = (torch.randn(2, 3, generator=generator, dtype=torch.float64) * 2).requires_grad_()
    weight = torch.tensor([1.0, 2.0, 0.5, 0.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda r, f: loss(r, f, real_weight=weight), (real, fake))


@pytest.mark.parametrize("loss", ONE)
def test_gradients_of_one_sample(loss: Any) -> None:
    fake = torch.tensor([-3.0, 0.4, 2.5, 30.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (fake,))


def test_the_real_part_of_the_game_does_not_reach_the_generator() -> None:
    fake = torch.tensor(FAKE, dtype=torch.float64, requires_grad=True)
    (alone,) = torch.autograd.grad(gan.minimax_generator(fake), fake)
    (game,) = torch.autograd.grad(gan.minimax_generator(fake, real=torch.tensor(REAL, dtype=torch.float64)), fake)
    torch.testing.assert_close(alone, game, rtol=0, atol=0)
    torch.testing.assert_close(alone, -torch.sigmoid(fake.detach()) / 4)


@pytest.mark.parametrize("loss", [*ONE, *TWO])
def test_half_precision_is_computed_in_float32(loss: Any, make: Make) -> None:
    x = make([0.5, -2.0, 60.0], "float16")
    found = loss(x) if loss in ONE else loss(x, x)
    assert "float32" in str(found.dtype)
    wide = loss(make([0.5, -2.0, 60.0])) if loss in ONE else loss(make([0.5, -2.0, 60.0]), make([0.5, -2.0, 60.0]))
    assert float(found) == pytest.approx(float(wide), rel=1e-6)


def test_parts_of_a_batch_add_up(make: Make) -> None:
    real, fake = make(REAL), make(FAKE)
    parts = [gan.discriminator(real[i : i + 2], fake[i : i + 2], denominator=4.0) for i in (0, 2)]
    assert float(parts[0] + parts[1]) == pytest.approx(float(gan.discriminator(real, fake)), rel=1e-14)


def test_samples_of_two_frameworks_are_refused() -> None:
    for loss in TWO:
        with pytest.raises(xent.errors.BackendError, match="real and fake"):
            loss(numpy_array(REAL), torch_tensor(FAKE))


@pytest.mark.parametrize("framework", ["jax", "tensorflow"])
def test_in_other_frameworks(framework: str) -> None:
    def both(real: Any, fake: Any) -> Any:
        return gan.discriminator(real, fake, smoothing=0.25) + gan.relativistic_generator(real, fake)

    want = 6.19637 + relativistic(np.array(FAKE), np.array(REAL))
    leaf = torch.tensor(FAKE, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(both(torch.tensor(REAL, dtype=torch.float64), leaf), leaf)
    if framework == "jax":
        import jax
        import jax.numpy as jnp

        real, fake = jnp.asarray(REAL), jnp.asarray(FAKE)
        value, gradient = jax.jit(jax.value_and_grad(both, argnums=1))(real, fake)
        assert float(both(real, fake)) == pytest.approx(want, abs=2e-5)
    else:
        import tensorflow as tf

        real, fake = tf.constant(REAL), tf.constant(FAKE)

        @tf.function(input_signature=[tf.TensorSpec([None]), tf.TensorSpec([None])])
        def step(real: Any, fake: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(fake)
                value = both(real, fake)
            return value, tape.gradient(value, fake)

        value, gradient = step(real, fake)
        assert float(both(real, fake)) == pytest.approx(want, abs=2e-5)
    assert float(value) == pytest.approx(want, abs=2e-5)
    np.testing.assert_allclose(np.asarray(gradient), slope.numpy(), atol=1e-6)


def test_the_catalogue_has_them() -> None:
    for loss in [*ONE, *TWO]:
        found = xent.losses.describe(loss)
        assert found.source
        assert found.name.startswith(("gan.", "gan_compared."))
