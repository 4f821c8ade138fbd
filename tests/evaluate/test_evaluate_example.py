"""The example's file is what its script makes, and what the README says of it is so."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from scipy.optimize import check_grad
from scipy.special import log_softmax

from xent.evaluate import Options, evaluate

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_digits", EXAMPLES / "make_digits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("prefix", "name"), [("ce", "cross_entropy"), ("se", "squared_error")])
def test_file_holds_the_scores_of_a_converged_fit(script, prefix, name):
    x, digit, train, held_out = script.data()
    loss, onehot = getattr(script, name), np.eye(10)[digit]
    logits = x[held_out] @ script.fit(loss, x[train], onehot[train], 1e-4)
    table = parquet.read_table(EXAMPLES / "digits.parquet")
    assert table["id"].to_pylist() == held_out.tolist()
    assert table["digit"].to_pylist() == digit[held_out].tolist()
    stored = np.column_stack([table[f"{prefix}_{k}"].to_numpy() for k in range(10)])
    # logits have a free constant a row, and a stop at a gradient of 1e-7 leaves a few 1e-4 of play
    assert np.abs(log_softmax(stored, axis=1) - log_softmax(logits, axis=1)).max() < 0.02


@pytest.mark.parametrize("name", ["cross_entropy", "squared_error"])
def test_both_gradients_are_those_of_their_losses(script, name):
    loss, rng = getattr(script, name), np.random.default_rng(0)
    logits, onehot = rng.normal(size=(5, 10)), np.eye(10)[rng.integers(0, 10, 5)]

    def value(flat):
        return loss(flat.reshape(5, 10), onehot)[0]

    def slope(flat):
        return loss(flat.reshape(5, 10), onehot)[1].ravel()

    assert check_grad(value, slope, logits.ravel()) < 1e-6


def test_cross_entropy_wins_by_its_loss_where_the_errors_cannot_tell():
    question = Options("logits", "ce_*", truth="digit", against="se_*", id="id")
    found = evaluate(str(EXAMPLES / "digits.parquet"), question).to_dict()["comparison"]
    assert found["better"] == "A"
    assert found["difference"]["p_value"] < 0.001
    assert found["error"]["p_value"] > 0.5
