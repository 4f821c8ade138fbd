"""Soft targets, steps together, and what a loss was made with."""

from __future__ import annotations

import math
from typing import Any

import losses_exact as exact
import losses_samples as samples
import numpy as np
import pytest
from losses_batches import LIBRARIES, PLAIN
from losses_evaluate import evaluate, exact_loss, target
from losses_samples import SAMPLES, Sample

import xent
from xent.losses import Angular, HardBootstrap, Loss, Scores, Shift, Smoothing, imbalance, noise

every_library = pytest.mark.parametrize("library", LIBRARIES)


@every_library
@pytest.mark.parametrize("step", [Smoothing(0.1), HardBootstrap(0.5)], ids=repr)
def test_a_target_that_a_step_made_soft_needs_a_reading(library: str, step: Any) -> None:
    z, y = np.array([[0.0, 1.0, 2.0]]), np.array([0])
    sample = Sample("", Loss(target=step, shaping=xent.Focal(2.0)), ())
    with pytest.raises(xent.errors.SoftTargetError, match="soft="):
        evaluate(sample, target("labels", y, library), z, library)
    evaluate(
        Sample("", Loss(target=step, shaping=xent.Focal(2.0, soft="per-class")), ()),
        target("labels", y, library),
        z,
        library,
    )


@every_library
def test_an_asymmetric_loss_of_hard_elements_has_one_reading(library: str) -> None:
    z, t = np.linspace(-3, 3, 8).reshape(2, 4), np.array([[1.0, 0, 0, 1], [0, 1, 1, 0]])
    found = [
        evaluate(Sample("", imbalance.asymmetric(soft=soft), ()), target("indicators", t, library), z, library)  # type: ignore[arg-type]
        for soft in (None, "surprisal", "per-class")
    ]
    for value, gradient in found[1:]:
        np.testing.assert_allclose(value, found[0][0], rtol=1e-13)
        np.testing.assert_allclose(gradient, found[0][1], rtol=1e-12, atol=1e-15)


@every_library
def test_a_class_that_nothing_is_written_down_as(library: str) -> None:
    """A column of zeros in T: that label has no probability, and nothing of it reaches the gradient of the others."""
    T = [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.5, 0.5, 0.0]]
    z, y = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, -math.inf]]), np.array([0, 1])
    sample = Sample("", Loss(), (), exact.forward_correction(T), predict=lambda Q: noise.forward_correction(Q, T))
    total = exact_loss(sample, "labels", y, z)
    value, gradient = evaluate(sample, target("labels", y, library), z, library)
    flat = z.reshape(-1).tolist()
    np.testing.assert_allclose(value, float(total(list(map(exact.mpf, flat)))), rtol=1e-12)
    if gradient is not None:
        np.testing.assert_allclose(gradient.reshape(-1), exact.gradient(total, flat), rtol=1e-11, atol=1e-14)


@every_library
def test_margin_and_log_prior_together(library: str) -> None:
    """Margin, scale and offset in this order, in the pass with the gradient too."""
    rng = np.random.default_rng(7)
    z, y, prior = rng.uniform(-1, 1, size=(4, 5)), np.array([3, 0, 4, 1]), np.log([0.5, 0.2, 0.15, 0.1, 0.05])
    for margin, change in (
        (Shift(0.3), lambda c: c - 0.3),
        (Shift([0.1, 0.2, 0.3, 0.4, 0.5]), None),
        (Angular(1.0, 0.4), lambda c: np.cos(np.arccos(c) + 0.4)),
    ):
        x = z.copy()
        at = np.arange(4), y
        x[at] = change(z[at]) if change else z[at] - np.array([0.1, 0.2, 0.3, 0.4, 0.5])[y]
        loss = Loss(scores=Scores(margin=margin, scale=6.0, offset=prior))
        expected = evaluate(PLAIN, target("labels", y, library), 6.0 * x + prior, library)
        value, gradient = evaluate(Sample("", loss, ()), target("labels", y, library), z, library)
        np.testing.assert_allclose(value, expected[0], rtol=1e-12)
        slope = expected[1] * 6.0
        if change is not None and isinstance(margin, Angular):
            slope[at] *= np.sin(np.arccos(z[at]) + 0.4) / np.sqrt(1 - z[at] ** 2)
        np.testing.assert_allclose(gradient, slope, rtol=1e-11, atol=1e-13)


def test_a_scale_that_cannot_be() -> None:
    for scale in (0.0, -1.0, math.nan, np.float64(-1.0), np.float32(0.0), np.array(math.nan)):
        with pytest.raises(xent.errors.OptionError, match="scale"):
            Scores(scale=scale)
    assert Scores(scale=np.float32(2.0)).scale == 2.0


def test_smoothing_over_classes_is_not_for_elements() -> None:
    with pytest.raises(xent.XentError):
        noise.label_smoothing(0.1, allowed=[True, False])(
            xent.Indicators(np.array([[0.0, 1.0]])), xent.Logits(np.array([[0.2, 0.3]]))
        )


@every_library
def test_class_balanced_weights_of_every_framework_and_call(library: str) -> None:
    """A loss's own class weights multiply those of the call, wherever Q lives."""
    z, y = np.linspace(-1, 1, 12).reshape(3, 4), np.array([0, 3, 2])
    c = np.array([1.0, 2.0, 0.5, 3.0])
    sample = SAMPLES["class-balanced"]
    w = c[y] * np.asarray(samples.BALANCED)[y]
    each = evaluate(PLAIN, target("labels", y, library), z, library, reduction="none")[0]
    for given in (c, c.tolist()):
        value, _ = evaluate(sample, target("labels", y, library), z, library, class_weight=given, reduction="mean")
        np.testing.assert_allclose(value, (each * w).sum() / w.sum(), rtol=1e-12)
