"""Wald's and likelihood-ratio tests, and the summary."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np
import pytest
from linear_likelihood import mp

from xent import Indicators
from xent.errors import DataError, KindError, OptionError, ShapeError
from xent.linear_model import Inference, LogisticRegression, SoftmaxRegression

RNG = np.random.default_rng(3)
N = 90
X = RNG.normal(size=(N, 3))
Y = np.array(["ant", "bee", "cow"])[np.argmax(RNG.gumbel(size=(N, 3)) + X @ [[0.5, 0, 0], [0, 1, 0], [0, 0, 0.2]], 1)]
NAMES = ["age", "size", "weight"]


def inference(columns: Any = slice(None), y: Any = Y, **options: Any) -> Inference:
    x = X[:, columns]
    names = np.array(NAMES)[columns]
    return Inference(SoftmaxRegression(np.inf).fit(x, y), x, y, feature_names=names, **options)


FULL = inference()


def tail(statistic: float, df: int) -> float:
    """P(χ² > statistic)."""
    return float(mp.gammainc(mp.mpf(df) / 2, mp.mpf(statistic) / 2, regularized=True))


def test_one_coefficient_is_the_square_of_z() -> None:
    for i in range(8):
        found = FULL.wald(np.eye(8)[i])
        assert (found.df, found.statistic) == (1, pytest.approx(FULL.z.ravel()[i] ** 2, rel=1e-9))
        assert found.p_value == pytest.approx(FULL.p_values.ravel()[i], rel=1e-8)


def test_wald_of_rows_and_values() -> None:
    R = np.array([[0, 1, 0, 0, 0, -1, 0, 0], [0, 0, 1, 2, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 3.0]])
    r = np.array([0.1, -0.2, 1.0])
    gap = R @ FULL.coefficients.ravel() - r
    expected = gap @ np.linalg.inv(R @ FULL.covariance @ R.T) @ gap
    found = FULL.wald(R, r)
    assert (found.df, found.statistic) == (3, pytest.approx(expected, rel=1e-9))
    assert found.p_value == pytest.approx(tail(expected, 3), rel=1e-8)
    # The same hypothesis in other units and another order.
    other = FULL.wald((R * [[1e-9], [1.0], [1e9]])[::-1], (r * [1e-9, 1.0, 1e9])[::-1])
    assert other.statistic == pytest.approx(expected, rel=1e-6)


def test_wald_of_terms_does_not_depend_on_the_base() -> None:
    R = np.zeros((2, 8))
    R[0, 2] = R[1, 6] = 1.0
    assert FULL.terms == ["intercept", *NAMES]
    assert FULL.wald("size") == FULL.wald(R)
    assert FULL.wald(["size"]).statistic == pytest.approx(inference(base="cow").wald("size").statistic, rel=1e-8)
    assert str(FULL.wald("size")).startswith("χ²(2) = ")
    both = FULL.wald(["size", "age"])
    assert both.df == 4
    assert both.statistic > FULL.wald("age").statistic
    robust = inference(robust=True)
    gap = robust.coefficients[:, 2]
    V = robust.covariance[np.ix_([2, 6], [2, 6])]
    assert robust.wald("size").statistic == pytest.approx(gap @ np.linalg.solve(V, gap), rel=1e-10)


@pytest.mark.parametrize(
    ("error", "args", "words"),
    [
        (OptionError, ("length",), "wald"),
        (OptionError, (np.full((1, 8), np.nan),), r"wald\(hypothesis\): expected finite numbers"),
        (OptionError, ("size", np.inf), r"wald\(value\): expected finite numbers"),
        (ShapeError, (np.ones(4),), r"\(8,\) or \(J, 8\)"),
        (ShapeError, (np.empty((0, 8)),), r"\(0, 8\)"),
        (ShapeError, (np.eye(8)[:2], [1.0, 2.0, 3.0]), r"\(2,\)"),
        (OptionError, (np.array([np.eye(8)[1], 2 * np.eye(8)[1]]),), "depend"),
        (OptionError, (np.zeros(8),), "depend"),
    ],
)
def test_hypotheses_that_are_none(error: type[Exception], args: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        FULL.wald(*args)


def test_likelihood_ratio_of_nested_models() -> None:
    smaller = inference([0, 2])
    found = FULL.likelihood_ratio_test(smaller)
    assert found.df == 2
    assert found.statistic == pytest.approx(2 * (FULL.log_likelihood - smaller.log_likelihood), rel=1e-12)
    assert found.p_value == pytest.approx(tail(found.statistic, 2), rel=1e-10)
    # A chain of models adds up to the one against the null model.
    one = inference([0])
    steps = [FULL.likelihood_ratio_test(smaller), smaller.likelihood_ratio_test(one), one.likelihood_ratio]
    assert sum(s.statistic for s in steps) == pytest.approx(FULL.likelihood_ratio.statistic, rel=1e-9)
    assert sum(s.df for s in steps) == FULL.likelihood_ratio.df == 6
    assert FULL.likelihood_ratio_test(inference([0, 2], base="cow")).statistic == pytest.approx(found.statistic)


def test_models_that_are_not_nested() -> None:
    smaller = inference([0])
    with pytest.raises(DataError, match=r"larger\.likelihood_ratio_test\(smaller\)"):
        smaller.likelihood_ratio_test(FULL)
    with pytest.raises(DataError, match="nested"):
        FULL.likelihood_ratio_test(inference([0], np.where(Y == "cow", "doe", Y)))
    x, y = X[:80], Y[:80]
    with pytest.raises(DataError, match="80 examples"):
        FULL.likelihood_ratio_test(Inference(SoftmaxRegression(np.inf).fit(x[:, :1], y), x[:, :1], y))
    # Fewer coefficients, and more likely: of other data.
    better = (Y == "ant")[:, None] + 0.7 * RNG.normal(size=(N, 1))
    other = Inference(SoftmaxRegression(np.inf).fit(better, Y), better, Y)
    assert other.log_likelihood > inference([0, 2]).log_likelihood
    with pytest.raises(DataError, match="more likely"):
        inference([0, 2]).likelihood_ratio_test(other)
    with pytest.raises(KindError, match="SoftmaxRegression"):
        FULL.likelihood_ratio_test(SoftmaxRegression(np.inf))  # type: ignore[arg-type]


def test_the_summary_says_every_figure() -> None:
    text = FULL.summary(0.9)
    for value in (FULL.log_likelihood, FULL.null_log_likelihood, FULL.aic, FULL.bic, FULL.likelihood_ratio.statistic):
        assert f" {value:.2f}" in text
    for value in (*FULL.coefficients.ravel(), *FULL.standard_errors.ravel(), *FULL.confidence_intervals(0.9).ravel()):
        assert f" {value:.4f}" in text
    assert "90% from" in text
    assert "χ²(6)" in text
    # One column under the other: every line of the table is as wide as its head.
    lines = text.splitlines()
    head = next(line for line in lines if "std error" in line)
    rows = [line for line in lines if line.lstrip().startswith(tuple(FULL.terms)) and line.startswith("  ")]
    assert len(rows) == 8
    assert {len(line) for line in rows} == {len(head)}
    assert [line for line in lines if line.endswith("against ant")] == ["bee against ant", "cow against ant"]


def test_a_p_value_too_small_to_tell() -> None:
    x = np.linspace(-1, 1, 2000)[:, None]
    y = (x[:, 0] + np.random.default_rng(0).logistic(size=2000) / 40 > 0).astype(int)
    found = Inference(LogisticRegression(np.inf).fit(x, y), x, y)
    assert found.likelihood_ratio.p_value == 0.0
    assert "<1e-300" in found.summary()


def test_the_page_says_the_same() -> None:
    page = FULL._repr_html_()
    cells = [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", page)]
    words = [word for line in FULL.summary().splitlines() for word in re.split(r"\s{2,}", line.strip()) if word]
    assert set(words) - set(cells) <= {"Softmax regression by maximum likelihood", words[-1]}
    assert len(cells) > 50


def test_names_of_any_kind() -> None:
    names = ["a\nb", "<b>&", "x" * 40]
    model = LogisticRegression(np.inf).fit(X, Y == "ant")
    found = Inference(model, X, Y == "ant", feature_names=names, robust=True)
    text, page = found.summary(), found._repr_html_()
    assert "a\\nb" in text
    assert "<b>&" in text
    assert "True against False" in text
    assert "robust error" in text
    assert "sandwich" in text
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;" in page


def test_indicators_are_yes_against_no() -> None:
    y = Indicators(np.column_stack([Y == "ant", Y == "bee"]).astype(float))
    found = Inference(SoftmaxRegression(np.inf).fit(X, y), X, y)
    assert found.base is None
    assert found.summary().count("(yes against no)") == 2
    assert found.terms == ["intercept", "x0", "x1", "x2"]
    # Columns of their own: the information knows nothing between them, the sandwich does.
    assert not found.covariance[:4, 4:].any()
    assert Inference(SoftmaxRegression(np.inf).fit(X, y), X, y, robust=True).covariance[:4, 4:].any()
    with pytest.raises(OptionError, match="base="):
        Inference(SoftmaxRegression(np.inf).fit(X, y), X, y, base=0)


def test_names_come_from_the_data_frame() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=NAMES)
    model = SoftmaxRegression(np.inf).fit(frame, Y)
    assert Inference(model, frame, Y).terms == ["intercept", *NAMES]
    assert Inference(model, frame, Y, feature_names=["a", "b", "c"]).terms[1:] == ["a", "b", "c"]
    twice = Inference(model, frame, Y, feature_names=["a", "a", "c"])
    assert twice.wald("c").df == 2
    with pytest.raises(OptionError, match="one term"):
        twice.wald("a")
