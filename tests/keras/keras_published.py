"""Run the tests that come with Keras, with the names of ``xent.keras`` in the place of Keras's own.

A program of its own, because Keras's backend is fixed at its import: ``KERAS_BACKEND=jax python keras_published.py``
prints one JSON object, the outcome of each test and the last line of what a failure said.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

LOSSES = (
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "Hinge",
    "KLDivergence",
    "MeanSquaredError",
    "Poisson",
    "SparseCategoricalCrossentropy",
)
#: File of Keras's: the name by which its tests call what they test, and the test classes that are about ours.
FILES = {
    "losses/losses_test.py": ("losses", [f"{name}Test" for name in LOSSES]),
    "losses/loss_test.py": ("Loss", ["LossTest"]),
    "metrics/probabilistic_metrics_test.py": (
        "metrics",
        [
            "KLDivergenceTest",
            "PoissonTest",
            "BinaryCrossentropyTest",
            "CategoricalCrossentropyTest",
            "SparseCategoricalCrossentropyTest",
        ],
    ),
    "metrics/hinge_metrics_test.py": ("hinge_metrics", ["HingeTest", "CategoricalHingeTest"]),
    "metrics/regression_metrics_test.py": ("metrics", ["MeanSquaredErrorTest"]),
}


def replace_base() -> None:
    """What all of our losses share, in the place of the base class of Keras's, from which loss_test.py makes one."""
    from keras.src.losses import loss

    from xent.keras.losses import _Loss

    class Loss(_Loss, loss.Loss):
        call = loss.Loss.call

    loss.Loss = Loss


def replace_names(module: Any, name: str) -> None:
    """In a module of tests, a namespace that holds our names instead of Keras's module under ``name``."""
    import xent.keras

    theirs = getattr(module, name)
    ours: Any = xent.keras.losses if name == "losses" else xent.keras.metrics
    found = {each: getattr(ours, each) for each in ours.__all__ if hasattr(theirs, each)}
    assert found, f"{theirs} holds none of our names"
    setattr(module, name, SimpleNamespace(**{**vars(theirs), **found}))


class Recorder:
    """Outcomes by test, without the folder that Keras is installed in."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        for module in {item.module for item in items}:
            name = next(name for file, (name, _) in FILES.items() if module.__file__.endswith(file))
            if name != "Loss":
                replace_names(module, name)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or not report.passed:
            name = "/".join(report.nodeid.split("/")[-2:])
            crash = getattr(report.longrepr, "reprcrash", None)
            if report.when != "call" and report.outcome != "skipped" and name in self.outcomes:
                return
            self.outcomes[name] = [report.outcome, crash.message.splitlines()[0] if crash else ""]


def main() -> None:
    import keras

    assert keras.backend.backend() == os.environ["KERAS_BACKEND"]
    replace_base()
    root = Path(keras.__file__).parent / "src"
    wanted = [f"{root / file}::{name}" for file, (_, names) in FILES.items() for name in names]
    recorder = Recorder()
    options = ["-c", os.devnull, f"--rootdir={root}", "-p", "no:cacheprovider", "-q", "--no-header", "-W", "ignore"]
    stdout, sys.stdout = sys.stdout, sys.stderr
    with warnings.catch_warnings():
        code = pytest.main([*options, *wanted], plugins=[recorder])
    sys.stdout = stdout
    print(json.dumps({"code": int(code), "version": keras.__version__, "outcomes": recorder.outcomes}))


if __name__ == "__main__":
    main()
