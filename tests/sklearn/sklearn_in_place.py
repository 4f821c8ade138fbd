"""A pytest plugin: puts ours in the place of scikit-learn's functions and scorers, before its tests import them.

Writes the outcome of every test that it ran, and which of ours the test called, to the file in XENT_OUTCOMES.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sklearn.metrics
import sklearn.metrics._scorer

import xent.sklearn

FUNCTIONS = ("log_loss", "d2_log_loss_score", "brier_score_loss")
_called: set[str] = set()
_outcomes: dict[str, dict[str, Any]] = {}


def _counted(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        _called.add(function.__name__)
        return function(*args, **kwargs)

    return call


def pytest_configure(config: pytest.Config) -> None:
    del config
    ours = {}
    for name in FUNCTIONS:
        theirs = getattr(sklearn.metrics, name)
        ours[name] = _counted(getattr(xent.sklearn, name))
        # What their test of parameters reads: which values each may have.
        ours[name]._skl_parameter_constraints = theirs._skl_parameter_constraints  # type: ignore[attr-defined]
        for module in [m for n, m in sys.modules.items() if n.startswith("sklearn.")]:
            if vars(module).get(name) is theirs:
                setattr(module, name, ours[name])
    for name, scorer in xent.sklearn.scorers.SCORERS.items():
        scorer._score_func = ours[scorer._score_func.__name__]
        sklearn.metrics._scorer._SCORERS[name] = scorer


def pytest_runtest_setup(item: pytest.Item) -> None:
    del item
    _called.clear()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        name = report.nodeid.rpartition("/")[2]
        text = str(report.longrepr).strip().splitlines()[-1] if report.outcome != "passed" and report.longrepr else ""
        _outcomes[name] = {"outcome": report.outcome, "called": sorted(_called), "text": text[:300]}


def pytest_sessionfinish(session: pytest.Session) -> None:
    del session
    Path(os.environ["XENT_OUTCOMES"]).write_text(json.dumps(_outcomes), encoding="utf-8")
