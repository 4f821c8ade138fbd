"""What a loss cannot be made with, or be given, and what it is told: the argument of the user's own call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from losses_batches import LIBRARIES

import xent
from xent.errors import OptionError, ShapeError, UndefinedPairError
from xent.losses import (
    AdaFace,
    Angular,
    BackwardCorrection,
    CurricularFace,
    Loss,
    MagFace,
    Scores,
    Shift,
    Smoothing,
    imbalance,
    margins,
    noise,
)

P, Q = xent.Labels([0, 2]), xent.Logits([[0.5, 0.1, -0.3], [0.2, 0.4, 0.3]])
PAIRS = {"numpy": (P, Q), "torch": (xent.Labels(torch.tensor(P.indices)), xent.Logits(torch.tensor(Q.scores)))}
every_library = pytest.mark.parametrize("library", LIBRARIES)


def refused(make: Callable[[], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


# Margins.


@pytest.mark.parametrize("make", [
    lambda: margins.arcface(28.6),
    lambda: margins.combined_margin(1.0, 28.6),
    lambda: Angular(1.0, math.pi + 1e-9),
    lambda: CurricularFace(0.0, 28.6),
    lambda: MagFace(least=25.0, most=45.0),
    lambda: AdaFace(m=28.6),
])  # fmt: skip
def test_an_angle_in_degrees(make: Callable[[], Any]) -> None:
    refused(make, OptionError, r"an angle in radians, 0 to π; got .*math\.radians\(")
    assert Angular(1.0, math.pi).m2 == math.pi


@pytest.mark.parametrize("make", [margins.sm_softmax, margins.am_softmax, margins.cosface])
@pytest.mark.parametrize("m", [-1.0, math.nan, math.inf])
def test_a_margin_by_name_is_not_negative(make: Any, m: float) -> None:
    refused(lambda: make(m), OptionError, rf"{make.__name__}\(m\).*0 or more")
    assert Shift(-0.2).margin == -0.2


def test_the_linear_boundary_is_of_one_angle() -> None:
    refused(lambda: margins.combined_margin(1.1, 0.3, boundary="linear"), OptionError, "boundary.*m1=1.1")


@every_library
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_of_each_class_are_finite(bad: float, library: str) -> None:
    """NumPy's when the record is made, a framework's when it is used."""
    vector = np.array([0.0, bad, 0.0]) if library == "numpy" else torch.tensor([0.0, bad, 0.0])
    given = PAIRS[library]
    refused(lambda: Loss(scores=Scores(margin=Shift(vector)))(*given), OptionError, r"Shift\(margin\).*position \(1,\)")
    if bad == -math.inf:  # a class that cannot be
        assert np.isfinite(float(Loss(scores=Scores(offset=vector))(*given)))
    else:
        refused(lambda: Loss(scores=Scores(offset=vector))(*given), OptionError, r"Scores\(offset=\).*position \(1,\)")


@pytest.mark.parametrize("bad", [-1.0, 0.0, math.nan, math.inf])
def test_a_scale_of_a_framework_is_positive(bad: float) -> None:
    scale = torch.tensor(bad, dtype=torch.float64, requires_grad=True)
    given = PAIRS["torch"]
    refused(lambda: Loss(scores=Scores(scale=scale))(*given), OptionError, r"Scores\(scale=\).*positive")
    jax = pytest.importorskip("jax")

    def total(s: Any) -> Any:
        return Loss(scores=Scores(scale=s))(
            xent.Labels(jax.numpy.asarray(P.indices)), xent.Logits(jax.numpy.asarray(Q.scores))
        )

    assert all(np.isnan(x) for x in jax.jit(jax.value_and_grad(total))(bad))
    assert all(np.isfinite(x) for x in jax.jit(jax.value_and_grad(total))(2.0))


# Noise corrections.

NO_TRANSITIONS = {
    "percent": [[90.0, 10.0], [20.0, 80.0]],
    "NaN": [[0.9, math.nan], [0.2, 0.8]],
    "columns": [[0.9, 0.2], [0.1, 0.8]],
    "signed": [[1.1, -0.1], [0.2, 0.8]],
    "not square": [[0.5, 0.5]],
    "a vector": [0.5, 0.5],
}


@pytest.mark.parametrize("name", NO_TRANSITIONS)
@pytest.mark.parametrize("make", [noise.backward_correction, lambda T: noise.forward_correction(Q, T)])
def test_a_matrix_that_is_no_transition(make: Any, name: str) -> None:
    refused(lambda: make(NO_TRANSITIONS[name]), OptionError, r"_?[cC]orrection\(transition\).*rows are distributions")


def test_a_transition_without_an_inverse() -> None:
    refused(lambda: BackwardCorrection([[0.5, 0.5], [0.5, 0.5]]), OptionError, "inverse; got .* of rank 1")


@every_library
def test_a_transition_of_other_classes(library: str) -> None:
    T = [[0.9, 0.1], [0.2, 0.8]]
    given = PAIRS[library]
    loss = noise.backward_correction(T if library == "numpy" else torch.tensor(T, requires_grad=True))
    refused(lambda: loss(*given), ShapeError, r"BackwardCorrection\(transition\).*3 classes of Q; got shape \(2, 2\)")


# Messages.


def test_alpha_belongs_to_indicators() -> None:
    loss = imbalance.focal(2.0, alpha=0.25)
    for call in (loss, loss.value_and_grad):
        refused(lambda call=call: call(P, Q), UndefinedPairError, r"got Labels, for imbalance\.focal\(.*alpha=0\.25\)")
    assert float(loss(xent.Indicators([1.0]), xent.Logits([0.0]))) == pytest.approx(0.25 * 0.25 * math.log(2))


def test_counts_of_other_classes() -> None:
    for loss, name in (
        (imbalance.logit_adjustment([1, 2]), r"Scores\(offset=\).*one number a class.*logit_adjustment\(counts\)"),
        (imbalance.ldam([1, 2]), r"Shift\(margin\).*one number a class.*ldam\(counts\)"),
    ):
        refused(lambda loss=loss: loss(P, Q), ShapeError, name)


def test_smoothing_over_no_class() -> None:
    refused(lambda: Smoothing(0.1, allowed=[False] * 3), OptionError, r"allowed=.*1 classes at least.*0 of 3")
    refused(lambda: Smoothing(0.1, "others", [True, False]), OptionError, r"allowed=.*2 classes at least.*1 of 2")
    refused(lambda: noise.label_smoothing(0.1, allowed=[False] * 3), OptionError, "allowed=")
    refused(lambda: Smoothing(0.1, allowed=[[True]]), ShapeError, r"allowed=.*one boolean for each class")
    refused(lambda: Smoothing(0.1, "others")(np.ones((2, 1)), lambda: np.ones((2, 1))), ShapeError, "two classes")
    smoothed = Loss(target=Smoothing(0.1, allowed=[True, True]))
    refused(lambda: smoothed(P, Q), ShapeError, r"Smoothing\(allowed=\).*shape \(3,\)")
    one = Loss(target=Smoothing(0.1, allowed=[True, False, True]))
    assert np.isfinite(float(one(P, Q)))
