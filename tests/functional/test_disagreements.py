"""D1–D20: inputs on which today's frameworks disagree. Here the answer is the mathematical one, or a named error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import xent
from xent import errors

inf, nan = math.inf, math.nan
Make = Callable[..., Any]


def both(P: Any, Q: Any, **options: Any) -> tuple[Any, np.ndarray]:
    """Value and gradient; on PyTorch the gradient comes from autograd too, and must be the same."""
    value, gradient = xent.value_and_grad(P, Q, **options)
    array = getattr(
        Q, {"Logits": "scores", "Probabilities": "probs", "LogProbabilities": "log_probs"}[type(Q).__name__]
    )
    if isinstance(array, torch.Tensor):
        leaf = array.clone().requires_grad_()
        result = xent.cross_entropy(P, type(Q)(leaf, axis=Q.axis), **options)
        (found,) = torch.autograd.grad(result.sum(), leaf)
        np.testing.assert_array_equal(found.double().numpy(), gradient.double().numpy())
        return value.double().numpy(), gradient.double().numpy()
    return value, gradient


def test_d1_probability_zero_of_a_true_outcome(make: Make) -> None:
    value, gradient = both(xent.Indicators(make(1, "int64")), xent.Probabilities(make(0.0)))
    assert value == inf
    assert gradient == -inf


def test_d2_score_of_minus_fifty(make: Make) -> None:
    value, gradient = both(xent.Indicators(make(1, "int64")), xent.Logits(make(-50.0)))
    assert value == 50.0
    assert gradient == -1.0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_d3_probability_one_of_a_true_outcome_in_half_precision(make: Make, dtype: str) -> None:
    value, gradient = both(xent.Indicators(make(1, "int64")), xent.Probabilities(make(1.0, dtype)))
    assert value == 0.0
    assert gradient == -1.0


def test_d4_probabilities_that_do_not_sum_to_one(make: Make) -> None:
    with pytest.raises(errors.NormalizationError, match=r"sum to 1; got a sum of 0\.6"):
        xent.cross_entropy(xent.Labels(make([0], "int64")), xent.Probabilities(make([[0.2, 0.2, 0.2]])))


@pytest.mark.parametrize("label", [3, -1, -100])
def test_d5_label_outside_the_classes(make: Make, label: int) -> None:
    Q = xent.Logits(make([[1.0, 2.0, 3.0]]))
    with pytest.raises(IndexError, match=rf"0 to 2, for the 3 classes of Q; got {label} at position \(0,\)"):
        xent.cross_entropy(xent.Labels(make([label], "int64")), Q)
    value = xent.cross_entropy(xent.Labels(make([label], "int64"), ignore=label), Q, reduction="sum")
    assert float(value) == 0.0


def test_d6_soft_target_that_is_no_distribution(make: Make) -> None:
    P = xent.Distribution(make([1.0, 1.0, 0.0]))
    with pytest.raises(errors.NormalizationError, match="got a sum of 2"):
        xent.cross_entropy(P, xent.Logits(make([1.0, 2.0, 3.0])))


def test_d6_gradient_of_a_target_with_any_mass_is_mass_times_p_minus_t(make: Make) -> None:
    """What the drop-ins, which accept such targets, stand on: the kernel's formula."""
    from xent.kernels.coefficients import row_coefficients
    from xent.kernels.composed import composed
    from xent.kernels.protocol import SoftTarget

    z, t = make([[1.0, 2.0, 3.0]]), make([[1.0, 1.0, 0.0]])
    one = make([1.0])
    found = composed.row_gradient(z, SoftTarget(t), "logits", row_coefficients({"loss": one}, SoftTarget(t), 3))
    p = np.exp([1.0, 2.0, 3.0]) / np.exp([1.0, 2.0, 3.0]).sum()
    np.testing.assert_allclose(np.asarray(found)[0], 2 * p - [1, 1, 0], rtol=1e-14)


def test_d7_class_weights_of_labels_and_of_their_one_hot_rows(make: Make) -> None:
    z, w = make([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]), make([1.0, 2.0, 3.0])
    hard = both(xent.Labels(make([0, 2], "int64")), xent.Logits(z), class_weight=w)
    soft = both(xent.Distribution(make([[1.0, 0, 0], [0, 0, 1.0]])), xent.Logits(z), class_weight=w)
    lse = math.log(sum(map(math.exp, (1, 2, 3))))
    expected = (1 * (lse - 1) + 3 * (lse - 3)) / 4
    assert hard[0] == pytest.approx(expected, rel=1e-14)
    assert soft[0] == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(hard[1], soft[1], rtol=1e-14)


def test_d8_minus_infinity_where_the_target_has_no_mass(make: Make) -> None:
    P, Q = xent.Distribution(make([0.5, 0.0, 0.5])), xent.Logits(make([1.0, -inf, 3.0]))
    value, gradient = both(P, Q)
    assert value == pytest.approx(math.log(math.exp(1) + math.exp(3)) - 2, rel=1e-15)
    assert round(float(value), 3) == 1.127
    p = 1 / (1 + math.exp(2))
    np.testing.assert_allclose(gradient, [p - 0.5, 0.0, 0.5 - p], rtol=1e-14)
    assert gradient[1] == 0.0


def test_d9_infinite_score_of_a_true_outcome(make: Make) -> None:
    value, gradient = both(xent.Indicators(make(1, "int64")), xent.Logits(make(inf)))
    assert value == 0.0
    assert gradient == 0.0
    assert float(xent.cross_entropy(xent.Indicators(make(0, "int64")), xent.Logits(make(inf)))) == inf


def test_d10_kl_of_a_target_in_log_space_with_a_class_of_no_mass(make: Make) -> None:
    P = xent.Distribution.from_log_probs(make([math.log(0.25), -inf, math.log(0.75)]))
    Q = xent.Logits(make([0.0, 0.0, 0.0]))
    expected = 0.25 * math.log(0.75) + 0.75 * math.log(2.25)
    assert float(xent.kl_divergence(P, Q)) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("empty", "expected"), [("nan", nan), ("zero", 0.0)])
def test_d11_every_example_ignored(make: Make, empty: Any, expected: float) -> None:
    P, Q = xent.Labels(make([7, 7], "int64"), ignore=7), xent.Logits(make([[1.0, nan], [2.0, 3.0]]))
    value, gradient = both(P, Q, empty=empty)
    np.testing.assert_equal(float(value), expected)
    np.testing.assert_array_equal(gradient, np.zeros((2, 2)))
    with pytest.raises(errors.EmptyError, match='empty="zero"'):
        xent.cross_entropy(P, Q, empty="raise")


def test_d12_empty_batch(make: Make) -> None:
    P, Q = xent.Labels(make([], "int64")), xent.Logits(make(np.zeros((0, 3)).tolist()).reshape(0, 3))
    assert math.isnan(float(xent.cross_entropy(P, Q)))
    assert float(xent.cross_entropy(P, Q, empty="zero")) == 0.0
    assert float(xent.cross_entropy(P, Q, reduction="sum")) == 0.0
    assert xent.cross_entropy(P, Q, reduction="none").shape == (0,)
    with pytest.raises(errors.EmptyError):
        xent.cross_entropy(P, Q, empty="raise")
    assert both(P, Q)[1].shape == (0, 3)


def test_d13_probabilities_of_a_softmax_and_its_scores_agree(make: Make) -> None:
    z = np.array([-50.0, 0.0, 3.0])
    q = np.exp(z) / np.exp(z).sum()
    P = xent.Labels(make(0, "int64"))
    assert float(xent.cross_entropy(P, xent.Logits(make(z.tolist())))) == pytest.approx(53.0486, abs=1e-4)
    assert float(xent.cross_entropy(P, xent.Probabilities(make(q.tolist())))) == pytest.approx(53.0486, abs=1e-4)


def test_d14_an_ignored_label_is_compared_in_the_labels_own_type() -> None:
    z = torch.zeros(2, 1003, dtype=torch.bfloat16)
    P = xent.Labels(torch.tensor([1001, 1002]), ignore=1001)
    each = xent.cross_entropy(P, xent.Logits(z), reduction="none")
    assert each[0] == 0.0
    assert float(each[1]) == pytest.approx(math.log(1003), rel=1e-6)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_d14_an_ignore_that_the_labels_type_cannot_hold_marks_nothing(library: str) -> None:
    """−100 is 156 in uint8."""
    y = np.array([156, 0], dtype=np.uint8)
    z = np.zeros((2, 200))
    P = xent.Labels(torch.from_numpy(y) if library == "torch" else y, ignore=-100)
    Q = xent.Logits(torch.from_numpy(z) if library == "torch" else z)
    assert float(xent.cross_entropy(P, Q, reduction="sum")) == pytest.approx(2 * math.log(200), rel=1e-14)


def test_d15_classes_last_and_classes_in_the_middle_are_said(make: Make) -> None:
    """A square of scores fits both ways; the axis that is named is the one that is used."""
    z = np.array([[[1.0, 2, 3], [3, 1, 0], [0, 0, 1]], [[2, 2, 1], [0, 1, 5], [1, 3, 0]]])
    y = [[0, 1, 2], [2, 0, 1]]
    last = float(xent.cross_entropy(xent.Labels(make(y, "int64")), xent.Logits(make(z.tolist()), axis=-1)))
    middle = float(xent.cross_entropy(xent.Labels(make(y, "int64")), xent.Logits(make(z.tolist()), axis=1)))
    moved = np.moveaxis(z, 1, -1).tolist()
    again = float(xent.cross_entropy(xent.Labels(make(y, "int64")), xent.Logits(make(moved))))
    theirs = torch.nn.functional.cross_entropy(torch.tensor(z), torch.tensor(y)).item()
    assert middle == pytest.approx(again, rel=1e-15)
    assert middle == pytest.approx(theirs, rel=1e-14)
    assert abs(last - middle) > 0.1


def test_d16_a_column_of_scores_and_a_row_of_truths_are_not_broadcast(make: Make) -> None:
    with pytest.raises(errors.ShapeError, match=r"expected Q's shape \(4, 1\); got shape \(4,\)"):
        xent.cross_entropy(xent.Indicators(make([0, 1, 0, 1], "int64")), xent.Logits(make([[0.1]] * 4)))


def test_d17_scores_given_as_probabilities(make: Make) -> None:
    z = make([5.0, -3.0, 1.0])
    with pytest.raises(errors.ProbabilityError, match=r"values in \[0, 1\]; got 5 at position \(0,\).*Logits"):
        xent.cross_entropy(xent.Labels(make(0, "int64")), xent.Probabilities(z))
    assert round(float(xent.cross_entropy(xent.Labels(make(0, "int64")), xent.Logits(z))), 4) == 0.0185


def test_d18_one_output_unit(make: Make) -> None:
    with pytest.raises(errors.OneClassError, match=r"write cross_entropy\(Indicators\(y\), Logits\(z\)\)"):
        xent.cross_entropy(xent.Labels(make([0, 0], "int64")), xent.Logits(make([[0.3], [-2.0]])))


def test_d19_an_ignored_row_of_nan(make: Make) -> None:
    P = xent.Labels(make([-1, 1], "int64"), ignore=-1)
    value, gradient = both(P, xent.Logits(make([[nan, nan], [0.0, 0.0]])))
    assert value == pytest.approx(math.log(2), rel=1e-15)
    np.testing.assert_array_equal(gradient, [[0.0, 0.0], [0.5, -0.5]])


def test_d20_focal(make: Make) -> None:
    P, Q = xent.Indicators(make(1, "int64")), xent.Logits(make(0.0))
    value, gradient = both(P, Q, shaping=xent.Focal(2.0))
    assert value == pytest.approx(0.25 * math.log(2), rel=1e-15)
    assert round(float(value), 4) == 0.1733
    # d/dz of (1 − p)²·(−log p): 2(1 − p)·p(1 − p)·log p − (1 − p)³
    assert gradient == pytest.approx(2 * 0.5 * 0.25 * math.log(0.5) - 0.125, rel=1e-14)
