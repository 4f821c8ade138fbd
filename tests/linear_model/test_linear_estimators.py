"""The estimators among scikit-learn's: its checks, kinds of input, weights, and starts."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from linear_formulas import problem
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import xent
from xent.errors import KindError, LabelError, OptionError, ProbabilityError, ShapeError, WeightError, XentError
from xent.linear_model import LogisticRegression, SoftmaxRegression
from xent.linear_model.predictor import features_of

BOTH = pytest.mark.parametrize("kind", [SoftmaxRegression, LogisticRegression])


@parametrize_with_checks([SoftmaxRegression(), LogisticRegression()])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@parametrize_with_checks([SoftmaxRegression(l1_ratio=0.5), LogisticRegression(loss="hinge", tol=1e-8)])
def test_scikit_learns_checks_with_other_penalties_and_losses(estimator: Any, check: Any) -> None:
    check(estimator)


@BOTH
def test_the_same_model_as_scikit_learns(kind: Any) -> None:
    p = problem(3, 80, 4, 2 if kind is LogisticRegression else 3)
    names = np.array(["yes", "no", "maybe"])[p.target()]
    mine, theirs = kind(tol=1e-9).fit(p.X, names, p.weight), Theirs(tol=1e-12, max_iter=10_000)
    theirs.fit(p.X, names, p.weight)
    np.testing.assert_array_equal(mine.classes_, theirs.classes_)
    np.testing.assert_array_equal(mine.predict(p.X), theirs.predict(p.X))
    for call in ("predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_allclose(getattr(mine, call)(p.X), getattr(theirs, call)(p.X), atol=1e-6)
    if kind is LogisticRegression:
        np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-6)
    assert mine.score(p.X, names) == theirs.score(p.X, names)


def test_two_classes_of_a_softmax_have_the_same_optimum_as_one_column_at_twice_the_penalty() -> None:
    p = problem(3, 80, 4, 2)
    two, one = SoftmaxRegression(C=1.0, tol=1e-9), LogisticRegression(C=2.0, tol=1e-9)
    two.fit(p.X, p.target()), one.fit(p.X, p.target())
    np.testing.assert_allclose(two.decision_function(p.X), one.decision_function(p.X), atol=1e-6)
    np.testing.assert_allclose(two.coef_.sum(axis=0), 0.0, atol=1e-12)


@BOTH
def test_float32_stays(kind: Any) -> None:
    p = problem(3, 80, 4, 2, spread=1.0)
    X = p.X.astype(np.float32)
    model, exact = kind().fit(X, p.target()), kind().fit(X.astype(np.float64), p.target())
    for found in (model.coef_, model.intercept_, model.predict_proba(X), model.decision_function(X)):
        assert found.dtype == np.float32
    np.testing.assert_allclose(model.predict_proba(X), exact.predict_proba(X), atol=2e-5)


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_are_dense_rows(kind: Any, dtype: Any) -> None:
    p = problem(3, 80, 6, 2)
    X = np.where(np.random.default_rng(0).random(p.X.shape) < 0.6, 0.0, p.X).astype(dtype)
    dense = kind(tol=1e-6 if dtype == np.float32 else 1e-9).fit(X, p.target(), p.weight)
    for form in (sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        other = clone(dense).fit(form(X), p.target(), p.weight)
        close = 1e-4 if dtype == np.float32 else 1e-8
        assert other.coef_.dtype == dtype
        np.testing.assert_allclose(other.coef_, dense.coef_, atol=close)
        np.testing.assert_allclose(other.predict_proba(form(X)), dense.predict_proba(X), atol=close)


def test_sparse_rows_whose_indices_have_64_bits() -> None:
    p = problem(3, 80, 6, 2)
    X = np.where(np.random.default_rng(0).random(p.X.shape) < 0.6, 0.0, p.X)
    rows, columns = (places.astype(np.int64) for places in np.nonzero(X))
    wide = sparse.coo_array((X[rows, columns], (rows, columns)), X.shape).tocsr()
    assert wide.indices.dtype == np.int64
    for form in (sparse.csr_array, sparse.csr_matrix):
        X = form(wide)
        X.indices, X.indptr = wide.indices, wide.indptr.astype(np.int64)
        model, narrow = SoftmaxRegression().fit(X, p.target()), form(X.toarray())
        assert narrow.indices.dtype == np.int32
        np.testing.assert_array_equal(model.coef_, SoftmaxRegression().fit(narrow, p.target()).coef_)
        np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(narrow))
        assert X.indices.dtype == X.indptr.dtype == np.int64
    # No cast where there is more than 32 bits can count: here a column beyond them.
    far = sparse.csr_array((np.ones(1), np.array([2**40]), np.array([0, 1])), (1, 2**41))
    assert features_of(SoftmaxRegression(), far, reset=True).indices.tolist() == [2**40]


@BOTH
@pytest.mark.parametrize("options", [{}, {"l1_ratio": 0.5, "C": 0.2}, {"class_weight": "balanced"}, {"loss": "hinge"}])
def test_a_weight_is_a_number_of_copies(kind: Any, options: dict[str, Any]) -> None:
    p = problem(3, 60, 3, 2)
    copies = np.random.default_rng(0).integers(0, 4, 60)
    model = kind(tol=1e-8, **options)
    weighted = clone(model).fit(p.X, p.target(), copies)
    repeated = clone(model).fit(np.repeat(p.X, copies, axis=0), np.repeat(p.target(), copies))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-6)


@pytest.mark.parametrize("weights", [{0: 1.0, 1: 5.0, 2: 0.5}, {1: 5.0}, "balanced"])
def test_class_weights(weights: Any) -> None:
    p = problem(3, 60, 3, 3)
    y = p.target()
    theirs = Theirs(class_weight=weights, tol=1e-12, max_iter=10_000).fit(p.X, y, p.weight)
    for truth in (y, xent.Labels(y), xent.Distribution(p.T)):
        mine = SoftmaxRegression(class_weight=weights, tol=1e-9).fit(p.X, truth, p.weight)
        np.testing.assert_allclose(mine.predict_proba(p.X), theirs.predict_proba(p.X), atol=1e-6)


def test_class_weights_that_are_none() -> None:
    p = problem(3, 60, 3, 3)
    for truth in (p.target(), xent.Distribution(p.T)):
        with pytest.raises(OptionError, match="class_weight="):
            SoftmaxRegression(class_weight="equal").fit(p.X, truth)
    with pytest.raises(OptionError, match="None for Indicators"):
        SoftmaxRegression(class_weight="balanced").fit(p.X, xent.Indicators(p.T))
    with pytest.raises(ValueError, match="are not in class_weight"):
        SoftmaxRegression(class_weight={"a": 1.0}).fit(p.X, p.target())


def test_labels_that_are_ignored_do_not_count() -> None:
    p = problem(3, 60, 3, 3)
    y = p.target()
    ignored = np.where(np.arange(60) % 4 == 0, -1, y)
    for weights in (None, "balanced"):
        some = SoftmaxRegression(tol=1e-9, class_weight=weights).fit(p.X, xent.Labels(ignored, ignore=-1))
        kept = ignored >= 0
        alone = SoftmaxRegression(tol=1e-9, class_weight=weights).fit(p.X[kept], y[kept])
        np.testing.assert_allclose(some.coef_, alone.coef_, atol=1e-7)


def test_score_takes_what_fit_takes() -> None:
    p = problem(3, 60, 3, 3)
    y = p.target()
    names = np.array(["a", "b", "c"])
    for fitted, plain in ((xent.Labels(y), y), (names[y], names[y])):
        model = SoftmaxRegression().fit(p.X, fitted)
        share = float((model.predict(p.X) == plain).mean())
        assert share < 1.0
        assert model.score(p.X, plain) == model.score(p.X, xent.Labels(y, smoothing=0.1)) == pytest.approx(share)
        weighted = model.score(p.X, plain, p.weight)
        assert model.score(p.X, xent.Labels(y), p.weight) == pytest.approx(weighted, rel=1e-12)
        counts = np.arange(60) % 4 > 0
        some = model.score(p.X, xent.Labels(np.where(counts, y, -1), ignore=-1), p.weight)
        assert some == pytest.approx(model.score(p.X[counts], plain[counts], p.weight[counts]), rel=1e-12)
    yes = (p.X + np.random.default_rng(0).normal(size=p.X.shape) > 0).astype(int)
    model = SoftmaxRegression().fit(p.X, xent.Indicators(yes))
    right = (model.predict(p.X) == yes).all(axis=1)
    assert 0 < right.mean() < 1
    assert model.score(p.X, xent.Indicators(yes)) == pytest.approx(right.mean())
    assert model.score(p.X, yes, p.weight) == pytest.approx(np.average(right, weights=p.weight))


def test_score_refuses_what_names_no_class() -> None:
    p = problem(3, 60, 3, 3)
    y, yes = p.target(), xent.Indicators(p.T)
    rows, columns = SoftmaxRegression().fit(p.X, xent.Distribution(p.T)), SoftmaxRegression().fit(p.X, yes)
    for model, truth, error, words in (
        (rows, xent.Distribution(p.T), KindError, r"got a Distribution.*Labels\(probs\.argmax\(axis=1\)\)"),
        (rows, yes, KindError, "one class an example, or Labels; got Indicators"),
        (columns, xent.Labels(y), KindError, "expected Indicators"),
        (rows, xent.Labels(y + 3), LabelError, r"indices 0 … 2 .*got 5"),
        (rows, xent.Labels(y[:-1]), ShapeError, r"expected shape \(60,\)"),
        (columns, xent.Indicators(p.T[:, :2]), ShapeError, "3 columns; got 2"),
        (columns, xent.Indicators(p.T / 2), ProbabilityError, "0 or 1 in every column"),
        (rows, xent.Labels(np.full(60, -1), ignore=-1), ValueError, "an example that counts"),
    ):
        with pytest.raises(error, match=words):
            model.score(p.X, truth)


def test_indicators_without_columns_are_told_what_to_write() -> None:
    p = problem(3, 60, 3, 2)
    yes = p.target() == 1
    with pytest.raises(ShapeError, match=r"\(N, K\); got \(60,\).*y\[:, None\]"):
        SoftmaxRegression().fit(p.X, xent.Indicators(yes))
    assert SoftmaxRegression().fit(p.X, xent.Indicators(yes[:, None])).coef_.shape == (1, 3)
    with pytest.raises(ValueError, match="got 1 class: 0"):
        SoftmaxRegression().fit(p.X, np.zeros(60, int))


@BOTH
def test_one_feature_and_features_that_say_nothing(kind: Any) -> None:
    p = problem(3, 60, 2, 2)
    y = p.target()
    one = kind(tol=1e-9).fit(p.X[:, :1], y)
    same = np.column_stack([p.X[:, 0], np.full(60, 7.0), np.zeros(60), np.full(60, 1e9)])
    for form in (np.asarray, sparse.csr_array):
        more = kind(tol=1e-9).fit(form(same), y)
        np.testing.assert_allclose(more.coef_[:, :1], one.coef_, atol=1e-7)
        np.testing.assert_allclose(more.coef_[:, 1:], 0.0, atol=1e-7)
        np.testing.assert_allclose(more.predict_proba(same), one.predict_proba(p.X[:, :1]), atol=1e-7)
    constant = kind().fit(same[:, 1:], y)
    np.testing.assert_allclose(constant.predict_proba(same[:1, 1:])[0], np.bincount(y) / 60, atol=1e-6)


@BOTH
def test_twice_the_same_feature(kind: Any) -> None:
    p = problem(3, 60, 2, 2)
    for C in (1.0, np.inf):
        twice = kind(C=C, tol=1e-8).fit(np.column_stack([p.X, p.X]), p.target())
        once = kind(C=2 * C, tol=1e-8).fit(p.X, p.target())
        np.testing.assert_allclose(twice.predict_proba(np.column_stack([p.X, p.X])), once.predict_proba(p.X), atol=1e-6)


@BOTH
def test_more_features_than_examples(kind: Any) -> None:
    p = problem(3, 12, 40, 2)
    mine, theirs = kind(tol=1e-9).fit(p.X, p.target()), Theirs(tol=1e-12, max_iter=10_000).fit(p.X, p.target())
    if kind is SoftmaxRegression:
        theirs = Theirs(C=2.0, tol=1e-12, max_iter=10_000).fit(p.X, p.target())
    np.testing.assert_allclose(mine.predict_proba(p.X), theirs.predict_proba(p.X), atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"solver": "gradient-descent"}, {"l1_ratio": 0.5}])
def test_a_warm_start(options: dict[str, Any]) -> None:
    p = problem(3, 80, 4, 3)
    model = SoftmaxRegression(warm_start=True, **options).fit(p.X, p.target())
    first, coefficients = model.n_iter_, model.coef_
    assert first > 3
    assert model.fit(p.X, p.target()).n_iter_ <= 1
    np.testing.assert_allclose(model.coef_, coefficients, atol=1e-6)
    # Of other classes or features it is a first fit.
    for X, y in ((p.X[:, :3], p.target()), (p.X, p.target() + 1)):
        again = model.fit(X, y)
        fresh = SoftmaxRegression(**options).fit(X, y)
        assert again.n_iter_ == fresh.n_iter_
        np.testing.assert_array_equal(again.coef_, fresh.coef_)


@pytest.mark.parametrize("loss", ["cross-entropy", xent.losses.Loss(shaping=xent.Focal(2.0))])
def test_pickles_clones_and_pipelines(loss: Any) -> None:
    p = problem(3, 80, 4, 3)
    frame = pd.DataFrame(p.X, columns=list("abcd"))
    model = SoftmaxRegression(loss=loss).fit(frame, p.target())
    assert list(model.feature_names_in_) == list("abcd")
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(other.predict_proba(frame), model.predict_proba(frame))
    assert isinstance(model.predict(frame), np.ndarray)
    assert clone(model).get_params().keys() == model.get_params().keys()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SoftmaxRegression(loss=loss)), {"softmaxregression__C": [0.1, 1.0]}, cv=3
    )
    assert search.fit(frame, p.target()).best_score_ > 0.4


def test_soft_targets_and_yes_or_no() -> None:
    p = problem(3, 80, 4, 3, kind="indicators")
    together = SoftmaxRegression(tol=1e-9).fit(p.X, xent.Indicators(p.T))
    for k in range(3):
        alone = LogisticRegression(tol=1e-9).fit(p.X, p.T[:, k].astype(int))
        np.testing.assert_allclose(together.predict_proba(p.X)[:, k], alone.predict_proba(p.X)[:, 1], atol=1e-7)
        np.testing.assert_array_equal(together.predict(p.X)[:, k], alone.predict(p.X))
    p = problem(3, 80, 4, 2, kind="distribution")
    two = LogisticRegression(tol=1e-9).fit(p.X, xent.Distribution(p.T))
    rows, weight = np.repeat(p.X, 2, axis=0), p.T.ravel()
    split = LogisticRegression(tol=1e-9).fit(rows, np.tile([0, 1], 80), weight)
    np.testing.assert_allclose(two.coef_, split.coef_, atol=1e-7)


def test_what_cannot_be_fitted() -> None:
    p = problem(3, 30, 3, 3)
    X, y = p.X, p.target()
    with pytest.raises(KindError, match="Indicators"):
        SoftmaxRegression().fit(X, p.T)
    with pytest.raises(ShapeError):
        SoftmaxRegression().fit(X, xent.Labels(y[:-1]))
    with pytest.raises(ValueError, match="1 class"):
        SoftmaxRegression().fit(X, np.zeros(30))
    with pytest.raises(ValueError, match="non-zero"):
        SoftmaxRegression().fit(X, y, np.zeros(30))
    with pytest.raises(ValueError, match="all zero"):
        SoftmaxRegression(class_weight={0: 0.0, 1: 0.0, 2: 0.0}).fit(X, y)
    with pytest.raises(ValueError, match="each of 30 examples, got 29"):
        SoftmaxRegression().fit(X, y[:-1])
    with pytest.raises(ValueError, match="Only binary"):
        LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match="Only binary"):
        LogisticRegression().fit(X, xent.Indicators(p.T))
    for options in ({"C": 0.0}, {"C": -np.inf}, {"C": "1"}, {"tol": 0.0}, {"max_iter": 0}, {"solver": "sag"}):
        with pytest.raises(XentError, match=f"{next(iter(options))}="):
            SoftmaxRegression(**options).fit(X, y)


def test_probabilities_that_are_0_and_1_in_floating_point() -> None:
    x = np.array([-1e4, -1.0, 1.0, 1e4])[:, None]
    model = LogisticRegression().fit(x[1:3], [0, 1])
    logs = model.predict_log_proba(x)
    np.testing.assert_allclose(logs[0], [0.0, model.coef_[0, 0] * -1e4], rtol=1e-12)
    assert model.predict_proba(x)[0, 1] == 0.0
    both = SoftmaxRegression().fit(x[1:3], xent.Indicators([[0.0, 1.0], [1.0, 0.0]]))
    np.testing.assert_allclose(both.predict_log_proba(x)[0], [both.coef_[0, 0] * -1e4, 0.0], rtol=1e-12)


@pytest.mark.parametrize("wrong", [-1.0, np.inf, np.nan])
def test_class_weights_that_are_none_are_refused(wrong: float) -> None:
    X, y = np.arange(6.0)[:, None], np.arange(6) % 3
    for C in (1.0, np.inf):
        with pytest.raises(WeightError, match=r"class_weight=: expected .* 0 or more; got .* for 1"):
            SoftmaxRegression(C=C, class_weight={0: 1.0, 1: wrong, 2: 1.0}).fit(X, y)


def test_weights_without_a_sum_are_refused() -> None:
    X, y = np.arange(6.0)[:, None], np.arange(6) % 2
    with pytest.raises(WeightError, match="sum"):
        SoftmaxRegression(C=np.inf).fit(X, y, np.full(6, 1e308))
    with pytest.raises(WeightError, match="sum"):
        SoftmaxRegression(C=np.inf, class_weight={0: 1e200, 1: 1.0}).fit(X, y, np.full(6, 1e200))
    with pytest.raises(OptionError, match="C="):
        SoftmaxRegression(C=1e-310).fit(X, y)
