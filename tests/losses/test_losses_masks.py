"""Classes that cannot be, ``Scores(allowed=)``."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from losses_batches import LIBRARIES, PLAIN
from losses_evaluate import evaluate, target
from losses_samples import Sample

import xent
from xent.losses import Angular, Loss, Scores, Shift, noise

every_library = pytest.mark.parametrize("library", LIBRARIES)


@every_library
@pytest.mark.parametrize("held", [0.0, 1e30, -math.inf, math.inf, math.nan])
@pytest.mark.parametrize("softcap", [None, 5.0])
def test_a_masked_class_is_absent(library: str, held: float, softcap: float | None) -> None:
    """Whatever its scores hold: the loss is that of the other classes, and it has no gradient."""
    rng = np.random.default_rng(5)
    z, y = rng.normal(size=(3, 5)), np.array([0, 1, 2])
    allowed = np.array([True, True, False, True, False])
    z[:, ~allowed] = held
    y_inside = np.array([0, 1, 2])
    labels = np.flatnonzero(allowed)[y_inside]
    for steps in ({}, {"margin": Shift(0.3), "scale": 2.0}, {"offset": np.arange(5.0)}):
        inside = dict(steps)
        if "offset" in inside:
            inside["offset"] = inside["offset"][allowed]
        for penalties in ((), (xent.ZLoss(0.1),)):
            mine = Loss(scores=Scores(softcap=softcap, allowed=allowed, **steps), penalties=penalties)
            theirs = Loss(scores=Scores(softcap=softcap, **inside), penalties=penalties)
            value, gradient = evaluate(Sample("", mine, ()), target("labels", labels, library), z, library)
            expected, slope = evaluate(
                Sample("", theirs, ()), target("labels", y_inside, library), z[:, allowed], library
            )
            np.testing.assert_allclose(value, expected, rtol=1e-13)
            np.testing.assert_allclose(gradient[:, allowed], slope, rtol=1e-12, atol=1e-14)
            assert not gradient[:, ~allowed].any()
    assert y.shape == labels.shape


@every_library
def test_a_masked_truth_has_no_gradient_of_its_own(library: str) -> None:
    """Its score is −∞ whatever it was: the loss is infinite, and the score of the truth moves nothing."""
    z, allowed = np.array([[0.5, 1.0, -1.0]]), np.array([True, False, True])
    for margin in (None, Shift(0.2), Angular(1.0, 0.3)):
        sample = Sample("", Loss(scores=Scores(margin=margin, allowed=allowed)), ())
        value, gradient = evaluate(sample, target("labels", np.array([1]), library), z, library)
        assert value == math.inf
        e = np.exp(z[0, allowed] - z[0, allowed].max())
        np.testing.assert_allclose(gradient[0], [e[0] / e.sum(), 0.0, e[1] / e.sum()], rtol=1e-13)
    P = target("indicators", np.array([[1.0, 1.0, 0.0]]), library)
    value, gradient = evaluate(Sample("", Loss(scores=Scores(allowed=allowed)), ()), P, z, library)
    assert value == math.inf
    assert gradient[0, 1] == 0.0


@every_library
def test_masks_of_each_row_and_of_elements(library: str) -> None:
    rng = np.random.default_rng(6)
    z = rng.normal(size=(3, 4))
    allowed = np.array([[1, 1, 0, 1], [1, 1, 1, 1], [0, 1, 1, 0]], bool)
    y = np.array([0, 2, 1])
    make = (lambda x: x) if library == "numpy" else torch.from_numpy
    sample = Sample("", Loss(scores=Scores(allowed=make(allowed))), ())
    value, gradient = evaluate(sample, target("labels", y, library), z, library, reduction="none")
    for i in range(3):
        inside = z[i : i + 1, allowed[i]]
        label = np.array([int(allowed[i, : y[i]].sum())])
        expected, slope = evaluate(PLAIN, target("labels", label, library), inside, library)
        np.testing.assert_allclose(value[i], expected, rtol=1e-13)
        np.testing.assert_allclose(gradient[i, allowed[i]], slope[0], atol=1e-14)
        assert not gradient[i, ~allowed[i]].any()
    # The same with the classes elsewhere.
    moved = Sample("", Loss(scores=Scores(allowed=make(np.ascontiguousarray(allowed.T)))), ())
    again = evaluate(moved, target("labels", y, library), z.T, library, axis=0, reduction="none")
    np.testing.assert_allclose(again[0], value, rtol=1e-13)
    np.testing.assert_allclose(again[1].T, gradient, atol=1e-14)


@every_library
def test_smoothing_over_what_can_be_only(library: str) -> None:
    """Zero-count classes would give log π = −∞, and with smoothing an infinite loss."""
    z = np.array([[1.0, np.nan, 0.3, 2.0]])
    allowed = [True, False, True, True]
    loss = noise.label_smoothing(0.3, allowed=allowed)
    value, gradient = evaluate(Sample("", loss, ()), target("labels", np.array([0]), library), z, library)
    few = evaluate(PLAIN, target("labels", np.array([0]), library, smoothing=0.3), z[:, allowed], library)
    np.testing.assert_allclose(value, few[0], rtol=1e-13)
    np.testing.assert_allclose(gradient[:, allowed], few[1], rtol=1e-12)
    assert gradient[0, 1] == 0.0
