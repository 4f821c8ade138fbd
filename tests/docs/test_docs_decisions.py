"""What the decision pages say of the core is what it does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from docs_paths import DOCS

import xent

DECISIONS = DOCS / "decisions"


def page(number: int) -> str:
    (found,) = DECISIONS.glob(f"{number:04d}-*.md")
    return found.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_has_its_number_and_its_cost(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert len(text.split()) < 700
    assert "**Cost.**" in text or "Cost:" in text


def test_0002_the_surprisal_does_not_cancel() -> None:
    loss = float(xent.cross_entropy(xent.Labels(0), xent.Logits([40.0, 0.0])))
    assert f"{loss:.1e}" == "4.2e-18"
    assert "4.2e−18" in page(2)
    assert np.logaddexp(40.0, 0.0) - 40.0 == 0.0


def test_0003_weight_zero_is_nothing_and_weight_two_is_twice() -> None:
    penalties = [xent.ZLoss(0.1)]
    z = np.array([[np.nan, 1.0], [0.3, 0.0]])
    P, Q = xent.Labels([0, 1]), xent.Logits(z)
    value, gradient = xent.value_and_grad(P, Q, weight=[0.0, 2.0], penalties=penalties, reduction="sum")
    one, slope = xent.value_and_grad(xent.Labels([1]), xent.Logits(z[1:]), penalties=penalties, reduction="sum")
    assert value == pytest.approx(2 * one, rel=1e-15)
    np.testing.assert_array_equal(gradient[0], [0.0, 0.0])
    np.testing.assert_allclose(gradient[1], 2 * slope[0], rtol=1e-15)


def test_0003_a_weight_of_zero_keeps_its_derivative() -> None:
    w = torch.zeros(1, requires_grad=True)
    z = torch.tensor([[1.0, 0.0]])
    xent.cross_entropy(xent.Labels(torch.tensor([0])), xent.Logits(z), weight=w, reduction="sum").backward()
    assert w.grad is not None
    assert float(w.grad[0]) == pytest.approx(np.log1p(np.exp(-1.0)), rel=1e-6)


def test_0004_only_class_weight_is_in_the_denominator() -> None:
    yes_no = xent.cross_entropy(xent.Indicators([1, 0]), xent.Logits([0.0, 0.0]), positive_weight=3.0)
    assert yes_no == pytest.approx((3 + 1) * np.log(2) / 2, rel=1e-15)
    z = [[0.0, 0.0], [0.0, 0.0]]
    classes = xent.cross_entropy(xent.Labels([1, 0]), xent.Logits(z), class_weight=[1.0, 3.0])
    assert classes == pytest.approx((3 + 1) * np.log(2) / (3 + 1), rel=1e-15)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-5), ("float32", 1e-4), ("float16", 1e-2)])
def test_0005_how_far_from_one_a_sum_may_be(dtype: str, tolerance: float) -> None:
    assert re.search(rf"{tolerance:.0e}".replace("e-0", "e-"), page(5))
    near = np.array([0.5, 0.5 - 0.8 * tolerance], dtype=dtype)
    far = np.array([0.5, 0.5 - 1.3 * tolerance], dtype=dtype)
    xent.cross_entropy(xent.Labels(0), xent.Probabilities(near))
    with pytest.raises(xent.errors.NormalizationError):
        xent.cross_entropy(xent.Labels(0), xent.Probabilities(far))
    with pytest.raises(xent.errors.NormalizationError):
        xent.cross_entropy(xent.Labels(0), xent.LogProbabilities(np.array([-1.0, -2.0], dtype=dtype)))


def test_0005_nan_in_q_and_in_p() -> None:
    assert np.isnan(xent.cross_entropy(xent.Labels(0), xent.Logits([np.nan, 1.0])))
    with pytest.raises(xent.errors.ProbabilityError):
        xent.cross_entropy(xent.Distribution([np.nan, 1.0]), xent.Logits([0.0, 0.0]))


def test_0007_small_conventions() -> None:
    p = torch.tensor([0.0, 1.0], requires_grad=True)
    xent.entropy(xent.Distribution(p)).backward()
    assert p.grad is not None
    assert p.grad.tolist() == [0.0, -1.0]
    smoothed = xent.Labels([0], smoothing=0.5)
    assert xent.classification_error(smoothed, xent.Logits([[1.0, 0.0]])) == 0.0
    with pytest.raises(xent.errors.BackendError):
        xent.cross_entropy(xent.Labels([0]), xent.Logits(torch.zeros(1, 2)))
    P, Q = xent.Labels(torch.tensor([0])), xent.Logits(torch.zeros(1, 2))
    assert isinstance(xent.cross_entropy(P, Q, weight=[2.0]), torch.Tensor)
