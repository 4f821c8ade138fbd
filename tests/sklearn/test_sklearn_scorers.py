"""Scorers in cross_val_score, GridSearchCV and their kin, beside scikit-learn's own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sklearn.metrics
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn_calls import outcome

import xent.sklearn as ours

SCORERS = {
    "neg_log_loss": ours.neg_log_loss,
    "d2_log_loss_score": ours.d2_log_loss,
    "neg_brier_score": ours.neg_brier_score,
}


@pytest.fixture(scope="module")
def problem() -> tuple[np.ndarray, np.ndarray]:
    x, y = make_classification(200, 6, n_informative=4, n_classes=3, random_state=0)
    return x, np.array(["ant", "bee", "cow"])[y]


@pytest.mark.parametrize("name", SCORERS)
def test_cross_val_score(name: str, problem: tuple[np.ndarray, np.ndarray]) -> None:
    expected = cross_val_score(GaussianNB(), *problem, scoring=name)
    np.testing.assert_allclose(cross_val_score(GaussianNB(), *problem, scoring=SCORERS[name]), expected, rtol=1e-12)


def test_two_processes(problem: tuple[np.ndarray, np.ndarray]) -> None:
    for scorer in SCORERS.values():
        pickled = pickle.loads(pickle.dumps(scorer))
        model = GaussianNB().fit(*problem)
        assert pickled(model, *problem) == scorer(model, *problem)


def test_grid_search_finds_the_same_model(problem: tuple[np.ndarray, np.ndarray]) -> None:
    grid = {"C": [1e-3, 1e-1, 10.0]}
    theirs = GridSearchCV(LogisticRegression(), grid, scoring="neg_log_loss").fit(*problem)
    found = GridSearchCV(LogisticRegression(), grid, scoring=ours.neg_log_loss).fit(*problem)
    assert found.best_params_ == theirs.best_params_
    np.testing.assert_allclose(found.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-12)


def test_several_scorers_at_once(problem: tuple[np.ndarray, np.ndarray]) -> None:
    expected = cross_validate(GaussianNB(), *problem, scoring=SCORERS)
    found = cross_validate(GaussianNB(), *problem, scoring={name: SCORERS[name] for name in SCORERS})
    for name in SCORERS:
        np.testing.assert_allclose(found[f"test_{name}"], expected[f"test_{name}"], rtol=1e-12)


@pytest.mark.parametrize("name", SCORERS)
def test_sample_weight_and_two_words(name: str, problem: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = problem
    x, y = x[y != "cow"], y[y != "cow"]
    model = GaussianNB().fit(x, y)
    weight = np.random.default_rng(0).random(len(y))
    # Of the Brier score both say that two words need pos_label=.
    expected = outcome(sklearn.metrics.get_scorer(name), model, x, y, sample_weight=weight)
    assert isinstance(expected[0], tuple) == (name == "neg_brier_score")
    value = expected[0] if isinstance(expected[0], tuple) else pytest.approx(expected[0], rel=1e-12)
    assert outcome(SCORERS[name], model, x, y, sample_weight=weight) == (value, [])
    numbers = GaussianNB().fit(x, y == "bee")
    found = SCORERS[name](numbers, x, y == "bee", sample_weight=weight)
    expected = sklearn.metrics.get_scorer(name)(numbers, x, y == "bee", sample_weight=weight)
    assert found == pytest.approx(expected, rel=1e-12)


def test_get_scorer() -> None:
    for name, scorer in SCORERS.items():
        found = ours.get_scorer(name)
        assert found is not scorer
        assert found._score_func is scorer._score_func
        assert found._score_func.__module__.startswith("xent.sklearn")
    for name in SCORERS:
        assert repr(ours.get_scorer(name)) == repr(sklearn.metrics.get_scorer(name))
    assert repr(ours.get_scorer("accuracy")) == repr(sklearn.metrics.get_scorer("accuracy"))
    assert ours.get_scorer(len) is len
    with pytest.raises(ValueError, match="no_such_scorer"):
        ours.get_scorer("no_such_scorer")
