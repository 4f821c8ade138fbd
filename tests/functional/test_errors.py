"""Misuse is an error that says the argument, what was expected, what came, and what to write instead."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import xent
from xent import errors

L, D, B = xent.Labels, xent.Distribution, xent.Indicators
Z, LQ, PQ = xent.Logits, xent.LogProbabilities, xent.Probabilities
z23 = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]])
nan, inf = math.nan, math.inf


def ce(P: Any, Q: Any, **options: Any) -> Callable[[], Any]:
    return lambda: xent.cross_entropy(P, Q, **options)


#: name: (call, class, builtin, what the message says)
CASES: dict[str, tuple[Callable[[], Any], type[Exception], type[Exception], list[str]]] = {
    "raw target": (
        ce(np.array([0, 1]), Z(z23)),
        errors.KindError,
        TypeError,
        ["P: expected the truth", "ndarray int64 of shape (2,)", "Labels(y)"],
    ),
    "raw prediction": (
        ce(L([0, 1]), z23),
        errors.KindError,
        TypeError,
        ["Q: expected the prediction", "Logits(z)", "Probabilities(q)"],
    ),
    "swapped": (ce(Z(z23), L([0, 1])), errors.KindError, TypeError, ["Swap them"]),
    "two targets": (ce(L([0, 1]), D([0.5, 0.5])), errors.KindError, TypeError, ["Q: expected the prediction"]),
    "float labels": (
        lambda: L([0.0, 1.0]),
        errors.DtypeError,
        TypeError,
        ["integers", "float64 of shape (2,)", "Indicators"],
    ),
    "boolean labels": (lambda: L([True, False]), errors.DtypeError, TypeError, ["bool of shape (2,)", "Indicators"]),
    "integer scores": (
        lambda: Z(np.array([1, 2])),
        errors.DtypeError,
        TypeError,
        ["int64 of shape (2,)", "P and Q are swapped"],
    ),
    "complex scores": (lambda: Z(np.array([1j])), errors.DtypeError, TypeError, ["complex128"]),
    "text": (lambda: L(["cat", "dog"]), errors.DtypeError, TypeError, ["Labels(indices)"]),
    "ragged": (lambda: Z([[1.0, 2.0], [1.0]]), errors.ShapeError, ValueError, ["rows of one length"]),
    "masked array": (
        lambda: Z(np.ma.masked_array([1.0, 2.0], [0, 1])),
        errors.BackendError,
        TypeError,
        ["mask would be lost"],
    ),
    "unknown framework": (lambda: Z({"a": 1.0}), errors.BackendError, TypeError, ["builtins.dict"]),
    "two frameworks": (
        ce(L([0, 1]), Z(torch.zeros(2, 3))),
        errors.BackendError,
        TypeError,
        ["P numpy", "Q torch on cpu", "torch.as_tensor"],
    ),
    "weight of another framework": (
        ce(L([0, 1]), Z(z23), weight=torch.ones(2)),
        errors.BackendError,
        TypeError,
        ["weight="],
    ),
    "label shape": (
        ce(L([0, 1, 2]), Z(z23)),
        errors.ShapeError,
        ValueError,
        ["shape (2,)", "got shape (3,)", "axis=1"],
    ),
    "label column": (ce(L([[0], [1]]), Z(z23)), errors.ShapeError, ValueError, ["reshape((2,))"]),
    "one-hot labels": (ce(L([[1, 0, 0], [0, 0, 1]]), Z(z23)), errors.ShapeError, ValueError, ["Distribution"]),
    "labels for a distribution": (ce(D([0.0, 1.0]), Z(z23)), errors.ShapeError, ValueError, ["Labels(y)"]),
    "indicator shape": (
        ce(B([0, 1]), Z([[0.1], [0.2]])),
        errors.ShapeError,
        ValueError,
        ["Q's shape (2, 1)", "reshape((2, 1))"],
    ),
    "labels for a scalar": (ce(L(0), Z(0.3)), errors.ShapeError, ValueError, ["Indicators"]),
    "scalar distribution": (lambda: D(0.3), errors.ShapeError, ValueError, ["Indicators"]),
    "no classes": (ce(L(np.zeros(2, int)), Z(np.zeros((2, 0)))), errors.ShapeError, ValueError, ["length 0"]),
    "axis": (lambda: Z(z23, axis=2), errors.AxisError, IndexError, ["-2 to 1", "2 for shape (2, 3)"]),
    "axis kind": (lambda: Z(z23, axis="last"), errors.OptionError, ValueError, ["'last'"]),
    "axes of P and Q": (ce(D.from_logits(z23, axis=0), Z(z23)), errors.ShapeError, ValueError, ["axis 1", "axis 0"]),
    "one class": (ce(L([0, 0]), Z([[0.1], [0.2]])), errors.OneClassError, ValueError, ["Indicators(y), Logits(z)"]),
    "label from one": (
        ce(L([1, 3]), Z(z23)),
        errors.LabelError,
        IndexError,
        ["0 to 2", "3 at position (1,)", "count from 0"],
    ),
    "padding label": (
        ce(L([1, -100]), Z(z23)),
        errors.LabelError,
        ValueError,
        ["-100 at position (1,)", "ignore=-100"],
    ),
    "small label type": (ce(L(np.array([0, 255], np.uint8)), Z(z23)), errors.LabelError, IndexError, ["255"]),
    "huge label": (
        ce(L(np.array([0, 2**63], np.uint64)), Z(z23)),
        errors.LabelError,
        IndexError,
        ["9223372036854775808"],
    ),
    "probability above one": (
        ce(L([0]), PQ([[1.5, -0.5]])),
        errors.ProbabilityError,
        ValueError,
        ["1.5 at position (0, 0)", "Logits"],
    ),
    "probabilities of another axis": (
        ce(L([0, 1]), PQ([[0.9, 0.1, 0.5], [0.1, 0.9, 0.5]])),
        errors.NormalizationError,
        ValueError,
        ["a sum of 1.5 at position (0,)", "axis="],
    ),
    "scores as log-probabilities": (
        ce(L([0, 1]), LQ(z23)),
        errors.ProbabilityError,
        ValueError,
        ["1 at position (0, 0)", "log_softmax"],
    ),
    "negative scores as log-probabilities": (
        ce(L([0]), LQ([[-1.0, -2.0]])),
        errors.NormalizationError,
        ValueError,
        ["sum of 0.503215", "Logits"],
    ),
    "target above one": (
        ce(B([0.5, 1.5]), Z([0.1, 0.2])),
        errors.ProbabilityError,
        ValueError,
        ["Indicators(values)", "1.5 at position (1,)"],
    ),
    "NaN target": (ce(D([nan, 1.0]), Z([0.1, 0.2])), errors.ProbabilityError, ValueError, ["nan at position (0,)"]),
    "target sum": (
        ce(D([[0.5, 0.5], [0.5, 0.6]]), Z([[0.1, 0.2]] * 2)),
        errors.NormalizationError,
        ValueError,
        ["1.1 at position (1,)"],
    ),
    "teacher of NaN": (
        ce(D.from_logits([nan, 1.0]), Z([0.1, 0.2])),
        errors.ProbabilityError,
        ValueError,
        ["Distribution.from_logits", "NaN"],
    ),
    "teacher log-probabilities": (
        ce(D.from_log_probs([-1.0, -1.0]), Z([0.1, 0.2])),
        errors.NormalizationError,
        ValueError,
        ["Distribution.from_log_probs"],
    ),
    "temperature": (
        lambda: D.from_logits(z23, temperature=0.0),
        errors.OptionError,
        ValueError,
        ["temperature", "positive"],
    ),
    "negative weight": (
        ce(L([0, 1]), Z(z23), weight=[1.0, -1.0]),
        errors.WeightError,
        ValueError,
        ["weight=", "-1 at position (1,)"],
    ),
    "NaN class weight": (
        ce(L([0, 1]), Z(z23), class_weight=[1.0, nan, 1.0]),
        errors.WeightError,
        ValueError,
        ["class_weight=", "nan at position (1,)"],
    ),
    "infinite positive weight": (
        ce(B([0]), Z([0.1]), positive_weight=inf),
        errors.WeightError,
        ValueError,
        ["positive_weight="],
    ),
    "weight shape": (
        ce(L([0, 1]), Z(z23), weight=[1.0, 1.0, 1.0]),
        errors.ShapeError,
        ValueError,
        ["shape (2,)", "got shape (3,)"],
    ),
    "weight of a row for elements": (
        ce(B([[0, 1]] * 3), Z([[0.1, 0.2]] * 3), weight=[1.0, 1.0, 1.0]),
        errors.ShapeError,
        ValueError,
        ["one element", "(3, 2)"],
    ),
    "class weight shape": (
        ce(L([0, 1]), Z(z23), class_weight=[1.0, 2.0]),
        errors.ShapeError,
        ValueError,
        ["shape (3,)"],
    ),
    "positive weight of labels": (
        ce(L([0, 1]), Z(z23), positive_weight=2.0),
        errors.UndefinedPairError,
        TypeError,
        ["class_weight="],
    ),
    "smoothing": (lambda: L([0], smoothing=1.5), errors.OptionError, ValueError, ["smoothing", "[0, 1]", "1.5"]),
    "smoothing of text": (lambda: D([1.0], smoothing="a lot"), errors.OptionError, ValueError, ["'a lot'"]),
    "ignore as a mask": (lambda: L([0], ignore=[True]), errors.OptionError, ValueError, ["weight=mask"]),
    "reduction": (
        ce(L([0, 1]), Z(z23), reduction="average"),
        errors.OptionError,
        ValueError,
        ['"none" or "sum" or "mean"', "'average'"],
    ),
    "empty": (ce(L([0, 1]), Z(z23), empty="skip"), errors.OptionError, ValueError, ["empty="]),
    "denominator of a sum": (
        ce(L([0, 1]), Z(z23), reduction="sum", denominator=3),
        errors.OptionError,
        ValueError,
        ["Only a mean divides"],
    ),
    "negative denominator": (ce(L([0, 1]), Z(z23), denominator=-1), errors.OptionError, ValueError, ["denominator="]),
    "vector denominator": (
        ce(L([0, 1]), Z(z23), denominator=np.ones(2)),
        errors.ShapeError,
        ValueError,
        ["one number"],
    ),
    "empty mean": (ce(L([0, 0], ignore=0), Z(z23), empty="raise"), errors.EmptyError, ValueError, ['empty="zero"']),
    "empty mean by weight": (
        ce(L([0, 0]), Z(z23), weight=0.0, empty="raise"),
        errors.EmptyError,
        ValueError,
        ['empty="zero"'],
    ),
    "negative tensor denominator": (
        ce(L(torch.tensor([0])), Z(torch.zeros(1, 3)), denominator=torch.tensor(-3.0)),
        errors.OptionError,
        ValueError,
        ["denominator=", "-3.0"],
    ),
    "negative NumPy denominator": (
        ce(L([0, 1]), Z(z23), denominator=np.int64(-3)),
        errors.OptionError,
        ValueError,
        ["denominator=", "-3"],
    ),
    "denominator of zero": (
        ce(L([0, 1]), Z(z23), denominator=0, empty="zero"),
        errors.OptionError,
        ValueError,
        ["denominator=", "a positive"],
    ),
    "denominator of text": (ce(L([0, 1]), Z(z23), denominator="3"), errors.OptionError, ValueError, ["'3'"]),
    "denominator of another framework": (
        ce(L([0, 1]), Z(z23), denominator=torch.tensor(3.0)),
        errors.BackendError,
        TypeError,
        ["denominator="],
    ),
    "temperature that requires grad": (
        lambda: D.from_logits(torch.zeros(3), temperature=torch.tensor(2.0, requires_grad=True)),
        errors.OptionError,
        ValueError,
        ["temperature", "Scale the scores"],
    ),
    "weight that float32 does not hold": (
        ce(L([0, 1]), Z(z23.astype(np.float32)), weight=np.array([1e-60, 1.0])),
        errors.WeightError,
        ValueError,
        ["float32 holds", "1e-60 at position (0,)"],
    ),
    "perplexities with class weights": (
        lambda: xent.perplexity(L([0]), PQ([[0.5, 0.5]]), class_weight=[1.0, 2.0], reduction="none"),
        errors.OptionError,
        ValueError,
        ["class_weight="],
    ),
    "entropy axis of labels": (lambda: xent.entropy(L([0]), axis=5), errors.OptionError, ValueError, ["5 for Labels"]),
    "shaping by name": (ce(L([0, 1]), Z(z23), shaping="focal"), errors.KindError, TypeError, ["Focal(2.0)"]),
    "penalty alone": (ce(L([0, 1]), Z(z23), penalties=xent.ZLoss(0.1)), errors.KindError, TypeError, ["[ZLoss(1e-4)]"]),
    "penalty by name": (ce(L([0, 1]), Z(z23), penalties=["z"]), errors.KindError, TypeError, ["'z'"]),
    "z-loss of probabilities": (
        ce(L([0]), PQ([[0.5, 0.5]]), penalties=[xent.ZLoss(0.1)]),
        errors.UndefinedPairError,
        TypeError,
        ["belongs to scores"],
    ),
    "z-loss of indicators": (
        ce(B([0]), Z([0.5]), penalties=[xent.ZLoss(0.1)]),
        errors.UndefinedPairError,
        TypeError,
        ["have no rows"],
    ),
    "focal of a soft target": (
        ce(D([0.5, 0.5]), Z([0.1, 0.2]), shaping=xent.Focal(2.0)),
        errors.SoftTargetError,
        ValueError,
        ['Focal(…, soft="surprisal")'],
    ),
    "focal of a smoothed label": (
        ce(L([0], smoothing=0.1), Z([[0.1, 0.2]]), shaping=xent.Focal(2.0)),
        errors.SoftTargetError,
        ValueError,
        ["without smoothing"],
    ),
    "focal of a soft indicator": (
        ce(B([0.5]), Z([0.1]), shaping=xent.Focal(2.0)),
        errors.SoftTargetError,
        ValueError,
        ["soft ones in Indicators"],
    ),
    "focal gamma": (lambda: xent.Focal(-1.0), errors.OptionError, ValueError, ["Focal(gamma)"]),
    "focal reading": (lambda: xent.Focal(1.0, soft="mean"), errors.OptionError, ValueError, ["Focal(soft=)"]),
    "z-loss coefficient": (lambda: xent.ZLoss(nan), errors.OptionError, ValueError, ["ZLoss(coefficient)"]),
    "hinge of probabilities": (
        lambda: xent.hinge(L([0]), PQ([[0.5, 0.5]])),
        errors.UndefinedPairError,
        TypeError,
        ["margin"],
    ),
    "summed perplexity": (
        lambda: xent.perplexity(L([0]), PQ([[0.5, 0.5]]), reduction="sum"),
        errors.OptionError,
        ValueError,
        ["do not add"],
    ),
    "entropy of smoothed labels": (
        lambda: xent.entropy(L([0], smoothing=0.1)),
        errors.UndefinedPairError,
        TypeError,
        ["number of classes"],
    ),
    "entropy of a raw array": (lambda: xent.entropy(z23), errors.KindError, TypeError, ["Logits(z)"]),
    "entropy axis of a prediction": (
        lambda: xent.entropy(Z(z23), axis=0),
        errors.OptionError,
        ValueError,
        ["Logits(z, axis=…)"],
    ),
    "self-information above one": (
        lambda: xent.self_information([0.5, 1.5]),
        errors.ProbabilityError,
        ValueError,
        ["1.5 at position (1,)"],
    ),
    "joint of one axis": (lambda: xent.mutual_information([0.5, 0.5]), errors.ShapeError, ValueError, ["(…, X, Y)"]),
    "joint that sums to two": (
        lambda: xent.mutual_information([[0.5, 0.5], [0.5, 0.5]]),
        errors.NormalizationError,
        ValueError,
        ["a sum of 2"],
    ),
    "projection shapes": (
        lambda: xent.Projection(np.ones((2, 3)), np.ones((3, 4))),
        errors.ShapeError,
        ValueError,
        ["(2, 3) and (3, 4)"],
    ),
    "projection bias": (
        lambda: xent.Projection(np.ones((2, 3)), np.ones((4, 3)), np.ones(3)),
        errors.ShapeError,
        ValueError,
        ["shape (4,)"],
    ),
    "projection of two frameworks": (
        lambda: xent.Projection(np.ones((2, 3)), torch.ones(4, 3)),
        errors.BackendError,
        TypeError,
        ["weight"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_misuse_is_refused_and_told_what_to_write(name: str) -> None:
    call, kind, builtin, parts = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert isinstance(caught.value, builtin)
    message = str(caught.value)
    for part in parts:
        assert part in message
    assert caught.value.argument
    assert f"expected {caught.value.expected}; got {caught.value.got}." in message


def test_positions_are_those_of_the_users_own_array() -> None:
    q = np.full((2, 3, 4), 1 / 3)
    q[1, 2, 3], q[1, 1, 3] = 1.5, 1 / 3 - 0.5
    with pytest.raises(errors.ProbabilityError, match=r"at position \(1, [12], 3\)"):
        xent.cross_entropy(L(np.zeros((2, 4), int)), PQ(q, axis=1))


def test_values_of_ignored_examples_are_not_judged() -> None:
    q = [[0.5, 0.5], [7.0, nan]]
    assert float(xent.cross_entropy(L([0, -1], ignore=-1), PQ(q))) == pytest.approx(math.log(2))
    assert float(xent.cross_entropy(L([0, 5]), PQ(q), weight=[1.0, 0.0])) == pytest.approx(math.log(2))


def test_padding_of_masked_targets_is_not_judged() -> None:
    """−1 and NaN are the padding that people use."""
    z = np.array([[0.5, 0.5], [1.0, 2.0]])
    for padding in (-1.0, nan):
        P = D(np.array([[0.5, 0.5], [padding, padding]]))
        value, gradient = xent.value_and_grad(P, Z(z), weight=[1.0, 0.0])
        assert float(value) == pytest.approx(math.log(2))
        np.testing.assert_array_equal(gradient[1], [0.0, 0.0])
        value, gradient = xent.value_and_grad(B(np.array([1.0, padding])), Z(np.array([0.0, 3.0])), weight=[1.0, 0.0])
        assert float(value) == pytest.approx(math.log(2))
        assert gradient[1] == 0.0


def test_a_denominator_of_zero_is_that_of_a_batch_in_which_nothing_took_part() -> None:
    P = L([7, 7], ignore=7)
    assert float(xent.cross_entropy(P, Z(z23), denominator=0, empty="zero")) == 0.0
    assert math.isnan(float(xent.cross_entropy(P, Z(z23), denominator=0)))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # NumPy's, of its own matrix
def test_matrices_are_arrays() -> None:
    """numpy.matrix reads * as the product of matrices."""
    a, z = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 2.0], [3.0, -1.0]])
    plain = xent.cross_entropy(B(a), Z(z), weight=np.ones((2, 2)))
    matrix = [np.matrix(x) for x in (a, z, np.ones((2, 2)))]
    assert float(xent.cross_entropy(B(matrix[0]), Z(matrix[1]), weight=matrix[2])) == float(plain)
    assert float(xent.squared_error(B(matrix[0]), Z(matrix[1]))) == float(xent.squared_error(B(a), Z(z)))


def test_the_error_of_scores_that_define_no_probabilities_is_nan() -> None:
    for row in ([-inf, -inf], [inf, inf], [nan, 0.0]):
        assert math.isnan(float(xent.classification_error(L(0), Z(row))))
        assert math.isnan(float(xent.cross_entropy(L(0), Z(row))))


def test_errors_survive_pickling() -> None:
    with pytest.raises(errors.LabelError) as caught:
        xent.cross_entropy(L([5, 0]), Z(z23))
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is errors.LabelError
    assert str(again) == str(caught.value)


def test_every_error_is_a_builtin_too() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.XentError) and kind is not errors.XentError:
            assert issubclass(kind, (TypeError, ValueError, RuntimeError, ImportError, LookupError)), kind
            assert kind.__name__ in (errors.__doc__ or ""), f"{kind.__name__} is missing from the tree"


def test_lists_of_whole_numbers_are_scores() -> None:
    assert float(xent.cross_entropy(L(0), Z([0, 0]))) == pytest.approx(math.log(2))


def test_data_frame_columns_are_arrays() -> None:
    arrow = pytest.importorskip("pyarrow")
    labels = arrow.array([0, 1])
    assert float(xent.cross_entropy(L(labels), Z([[0.0, 0.0]] * 2))) == pytest.approx(math.log(2))
