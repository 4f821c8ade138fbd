"""What scikit-learn refuses or warns of, ours refuses and warns of: same type, same words, as often."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.utils.fixes import parse_version
from sklearn_calls import NAMES, both, data, outcome

every = pytest.mark.parametrize("name", NAMES)
Y, P = data(8, 3)
Q = P[:, 1]
B = Y % 2
NAN = np.where(np.arange(24).reshape(8, 3) == 4, np.nan, P)

#: (y_true, y_proba, options) that scikit-learn raises at, in one function at least.
REFUSED: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "a probability above 1": (Y, P + 1, {}),
    "a negative probability": (Y, P - 0.5, {}),
    "above 1 in a column": (B, Q + 1, {}),
    "negative in a column": (B, Q - 1, {}),
    "NaN": (Y, NAN, {}),
    "NaN in a column": (B, NAN[:, 1], {}),
    "infinity": (Y, np.where(np.isnan(NAN), np.inf, NAN), {}),
    "fewer rows": (Y, P[:-1], {}),
    "fewer labels": (Y[:-1], P, {}),
    "no rows": (Y[:0], P[:0], {}),
    "no columns": (Y, P[:, :0], {}),
    "one label": (np.zeros(8, int), P, {}),
    "one label, one column": (np.zeros(8, int), Q, {"labels": [0]}),
    "more columns than labels": (B, P, {}),
    "three labels, one column": (Y, Q, {}),
    "labels that are not declared": (Y, P[:, :2], {"labels": [0, 1]}),
    "declared labels of another number": (Y, P, {"labels": [0, 1, 2, 3]}),
    "a label that is declared twice": (Y, P, {"labels": [0, 1, 1, 2]}),
    "declared labels that are strings": (Y, P, {"labels": ["a", "b", "c"]}),
    "no declared labels": (Y, P, {"labels": []}),
    "declared labels that are a number": (Y, P, {"labels": 3}),
    "labels that are not whole": (Y + 0.5, P, {}),
    "labels with NaN": (np.where(Y == 1, np.nan, Y), P, {}),
    "labels of two kinds": ([0, "a", 1, 2, 0, 1, 2, 0], P, {}),
    "objects that are numbers": (Y.astype(object), P, {}),
    "labels that are bytes": (np.array([b"a", b"b", b"c"])[Y], P, {}),
    "labels in two columns of many": (np.stack([Y, Y], axis=1), P, {}),
    "labels in three dimensions": (Y.reshape(2, 2, 2), P, {}),
    "probabilities in three dimensions": (Y, P[None], {}),
    "probabilities that are strings": (Y, P.astype(str)[:, :1], {}),
    "probabilities that are words": (Y, np.full((8, 3), "a"), {}),
    "probabilities that are complex": (Y, P.astype(complex), {}),
    "ragged probabilities": (Y, [[0.5, 0.5], [1.0]], {}),
    "a number for the truth": (3, P, {}),
    "a word for the truth": ("abc", P, {}),
    "nothing for the probabilities": (Y, None, {}),
    "an object for the probabilities": (Y, object(), {}),
    "fewer weights": (Y, P, {"sample_weight": np.ones(7)}),
    "weights in a column": (Y, P, {"sample_weight": np.ones((8, 1))}),
    "weights with NaN": (Y, P, {"sample_weight": np.full(8, np.nan)}),
    "infinite weights": (Y, P, {"sample_weight": np.full(8, np.inf)}),
    "weights that are words": (Y, P, {"sample_weight": ["a"] * 8}),
    "one number for the weights": (Y, P, {"sample_weight": 2.0}),
    "weights that sum to zero": (Y, P, {"sample_weight": np.zeros(8)}),
    "weights that sum to zero, one column": (B, Q, {"sample_weight": np.zeros(8)}),
    "fewer weights, one column": (B, Q, {"sample_weight": np.ones(7)}),
}


@every
@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_theirs(name: str, case: str) -> None:
    y, p, options = REFUSED[case]
    function, reference = both(name)
    expected, warned = outcome(reference, y, p, **options)
    assert outcome(function, y, p, **options) == (pytest.approx(expected, nan_ok=True), warned)


def test_each_case_is_refused_by_one_of_theirs() -> None:
    for case, (y, p, options) in REFUSED.items():
        found = [outcome(both(name)[1], y, p, **options)[0] for name in NAMES]
        assert any(isinstance(value, tuple) for value in found), case


@pytest.mark.parametrize(
    ("y", "q", "options"),
    [
        (np.array(["a", "b"])[B], Q, {}),
        (B, Q, {"pos_label": [1]}),
        (B, Q, {"pos_label": "1"}),
        (B, Q, {"scale_by_half": "half"}),
        (B, Q, {"scale_by_half": 1}),
        (Y, P, {"pos_label": object()}),
        (B, Q, {"labels": 2}),
        (Y / 2, Q, {}),
    ],
)
def test_refusals_of_brier(y: Any, q: Any, options: dict[str, Any]) -> None:
    function, reference = both("brier_score_loss")
    expected, warned = outcome(reference, y, q, **options)
    assert outcome(function, y, q, **options) == (pytest.approx(expected, nan_ok=True), warned)


@pytest.mark.parametrize("normalize", [1, "yes", None])
def test_refusals_of_normalize(normalize: Any) -> None:
    function, reference = both("log_loss")
    expected = outcome(reference, Y, P, normalize=normalize)
    assert isinstance(expected[0], tuple)
    assert outcome(function, Y, P, normalize=normalize) == expected


WARNED: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "sums below 1": (Y, P * 0.9, {}),
    "sums above 1 in float32": (Y, (P * 0.9 + 0.05).astype(np.float32), {}),
    "one row whose sum is off": (Y, P * np.where(np.arange(8) == 5, 0.5, 1)[:, None], {}),
    "several outcomes and sums that are off": ((P > 0.3).astype(int), P * 0.5, {}),
    "labels in another order": (Y, P, {"labels": [2, 0, 1]}),
    "words in another order": (np.array(["a", "b", "c"])[Y], P, {"labels": ["c", "a", "b"]}),
    "another order and sums that are off": (Y, P * 0.5, {"labels": [2, 0, 1]}),
    "another order, one column": (B, Q, {"labels": [1, 0]}),
}


@every
@pytest.mark.parametrize("case", WARNED)
def test_warnings_are_theirs(name: str, case: str) -> None:
    y, p, options = WARNED[case]
    function, reference = both(name)
    (expected, theirs_warned), (found, warned) = outcome(reference, y, p, **options), outcome(function, y, p, **options)
    assert found == pytest.approx(expected, rel=1e-6)
    assert warned == theirs_warned


def test_each_case_is_warned_of() -> None:
    for case, (y, p, options) in WARNED.items():
        assert outcome(both("log_loss")[1], y, p, **options)[1], case


@pytest.mark.parametrize("off", [1e-9, 2e-8, 3e-8, 1e-7])
def test_the_sum_that_is_warned_of_is_theirs(off: float) -> None:
    p = np.array([[0.25, 0.75 + off], [0.5, 0.5]])
    function, reference = both("log_loss")
    assert outcome(function, [0, 1], p)[1] == outcome(reference, [0, 1], p)[1]


@pytest.mark.parametrize("name", NAMES[:2])
def test_the_old_name_of_the_probabilities(name: str) -> None:
    function, reference = both(name)
    for arguments in ({"y_pred": P}, {"y_pred": Q}, {"y_pred": object()}, {"y_proba": P, "y_pred": P}, {}):
        if "y_proba" in arguments and "y_proba" not in inspect.signature(reference).parameters:
            continue
        expected, warned = outcome(reference, Y, **arguments)
        found = outcome(function, Y, **arguments)
        if isinstance(expected, tuple) and expected[0] is TypeError:
            # Python's own words for a missing argument, in a version in which there is no default.
            assert isinstance(found[0], tuple)
            continue
        assert found == (pytest.approx(expected, nan_ok=True), warned)


def test_one_example_has_no_d2() -> None:
    function, reference = both("d2_log_loss_score")
    found, warned = outcome(function, [1], [[0.5, 0.5]], labels=[0, 1])
    assert np.isnan(found)
    assert warned == outcome(reference, [1], [[0.5, 0.5]], labels=[0, 1])[1] != []


@every
def test_nan_that_was_declared_absent(name: str) -> None:
    function, reference = both(name)
    with sklearn.config_context(assume_finite=True):
        expected, found = outcome(reference, Y, NAN), outcome(function, Y, NAN)
    assert np.isnan(expected[0]) == np.isnan(found[0])
    assert found[1] == expected[1]


@every
@pytest.mark.skipif(parse_version(sklearn.__version__) < parse_version("1.9"), reason="y_proba was y_pred before")
def test_signatures(name: str) -> None:
    function, reference = both(name)

    def plain(f: Any) -> list[tuple[str, Any, Any]]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(f).parameters.values()]

    assert plain(function) == plain(reference)
