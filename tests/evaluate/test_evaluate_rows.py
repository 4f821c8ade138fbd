"""Which rows count, and what stops the run."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from evaluate_files import model, wide, write
from scipy.special import log_softmax, softmax

from xent.errors import (
    ColumnError,
    DataError,
    InputError,
    LabelError,
    NormalizationError,
    OneClassError,
    OptionError,
    ProbabilityError,
)
from xent.evaluate import Options, evaluate

LOGITS, TRUTH = model(rows=50, classes=3)


def run(tmp_path, columns, holds="logits", pattern="z_*", truth="y", **options):
    return evaluate(write(tmp_path / "a.parquet", columns), Options(holds, pattern, truth=truth, **options))


def test_nan_rows_are_refused_and_the_first_is_named(tmp_path):
    z = LOGITS.copy()
    z[4, 1], z[9] = np.nan, np.nan
    for ending in ("parquet", "csv"):
        path = write(tmp_path / f"a.{ending}", {"y": TRUTH, **wide(z)})
        found = evaluate(path, Options("logits", "z_*", truth="y", batch_rows=3)).to_dict()
        assert found["rows"]["used"] == 48
        assert found["rows"]["refused"] == 2
        assert found["rows"]["first_refused"]["row"] == 5
        assert "NaN" in found["rows"]["first_refused"]["reason"]
        keep = np.setdiff1d(np.arange(50), [4, 9])
        expected = -log_softmax(LOGITS[keep], axis=1)[np.arange(48), TRUTH[keep]].mean()
        assert found["loss"]["nats"]["value"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("row", "reason"), [([np.inf, np.inf, 0], "two logits of \\+inf"), ([-np.inf] * 3, "every logit is -inf")]
)
def test_undefined_softmax_is_refused(tmp_path, row, reason):
    z = LOGITS.copy()
    z[7] = row
    found = run(tmp_path, {"y": TRUTH, **wide(z)})
    assert found.rows.refused == 1
    assert found.rows.first_refused == (8, reason.replace("\\", ""))


def test_rows_without_a_truth_are_ignored_whatever_they_hold(tmp_path):
    z = LOGITS.copy()
    z[0] = np.nan
    y = pa.array([None if i in (0, 3) else int(v) for i, v in enumerate(TRUTH)])
    found = run(tmp_path, {"y": y, **wide(z)})
    assert (found.rows.used, found.rows.ignored, found.rows.refused) == (48, 2, 0)
    listed = run(tmp_path, {"y": y, "z": z}, pattern="z")
    assert listed.summary.loss.value == pytest.approx(found.summary.loss.value, rel=1e-14)


def test_ignored_values_do_not_count_and_others_must_be_classes(tmp_path):
    y = TRUTH.copy()
    y[:5] = -100
    with pytest.raises(LabelError, match="-100 in row 1"):
        run(tmp_path, {"y": y, **wide(LOGITS)})
    found = run(tmp_path, {"y": y, **wide(LOGITS)}, ignore=("-100",))
    assert (found.rows.used, found.rows.ignored) == (45, 5)
    expected = -log_softmax(LOGITS[5:], axis=1)[np.arange(45), TRUTH[5:]].mean()
    assert found.summary.loss.value == pytest.approx(expected, rel=1e-12)


def test_label_outside_is_found_in_a_later_batch_with_its_row(tmp_path):
    y = TRUTH.copy()
    y[41] = 3
    with pytest.raises(LabelError, match="3 in row 42"):
        run(tmp_path, {"y": y, **wide(LOGITS)}, batch_rows=10)


def test_logits_declared_as_probabilities_are_refused(tmp_path):
    with pytest.raises(ProbabilityError) as caught:
        run(tmp_path, {"y": TRUTH, **wide(LOGITS)}, "probs")
    assert "--logits" in caught.value.instead
    with pytest.raises(ProbabilityError, match="at most 0"):
        run(tmp_path, {"y": TRUTH, **wide(LOGITS)}, "log_probs")
    with pytest.raises(NormalizationError, match="a sum of"):
        run(tmp_path, {"y": TRUTH, **wide(-np.abs(LOGITS))}, "log_probs")
    with pytest.raises(ProbabilityError, match="from 0 to 1"):
        run(tmp_path, {"y": TRUTH > 0, "p": LOGITS[:, 0]}, "prob", "p")


@pytest.mark.parametrize(
    ("dtype", "error", "accepted"),
    [("f8", 5e-6, True), ("f8", 2e-5, False), ("f4", 5e-5, True), ("f4", 2e-4, False), ("f2", 4e-2, False)],
)
def test_sums_may_be_off_by_the_rounding_of_their_type(tmp_path, dtype, error, accepted):
    p = softmax(LOGITS, axis=1)
    p[20] *= 1 + error
    columns = {"y": TRUTH, **wide(p.astype(dtype))}
    if accepted:
        assert run(tmp_path, columns, "probs").rows.used == 50
    else:
        with pytest.raises(NormalizationError, match="row 21"):
            run(tmp_path, columns, "probs")


def test_half_precision_softmax_is_accepted(tmp_path):
    p = softmax(LOGITS, axis=1).astype("f2")
    found = run(tmp_path, {"y": TRUTH, **wide(p)}, "probs")
    assert found.rows.used == 50


def test_refused_rows_are_not_checked_but_all_others_are(tmp_path):
    p = softmax(LOGITS, axis=1)
    p[3, 0] = np.nan
    assert run(tmp_path, {"y": TRUTH, **wide(p)}, "probs").rows.refused == 1
    p[5] = [0.5, 0.6, -0.1]
    with pytest.raises(ProbabilityError, match=r"-0\.1 in row 6"):
        run(tmp_path, {"y": TRUTH, **wide(p)}, "probs")


def test_no_rows_and_no_rows_that_count(tmp_path):
    with pytest.raises(InputError, match="rows to evaluate"):
        run(tmp_path, {"y": TRUTH[:0], **wide(LOGITS[:0])})
    with pytest.raises(InputError, match="50 refused; row 1: NaN"):
        run(tmp_path, {"y": TRUTH, **wide(LOGITS * np.nan)})


def test_columns_that_are_not_numbers(tmp_path):
    with pytest.raises(ColumnError, match="numbers in column 'z_1'"):
        run(tmp_path, {"y": [0], "z_0": [0.0], "z_1": ["one"]})
    with pytest.raises(ColumnError, match="numbers in column 'z_0'"):
        run(tmp_path, {"y": [0], "z_0": [True], "z_1": [False]})
    with pytest.raises(ColumnError, match="a list column"):
        run(tmp_path, {"y": np.zeros((1, 2)), **wide(LOGITS[:1])})
    with pytest.raises(OneClassError):
        run(tmp_path, {"y": [0], "z_0": [0.0]})
    with pytest.raises(ColumnError, match="'y'"):
        run(tmp_path, wide(LOGITS))


def test_whole_number_columns_are_numbers(tmp_path):
    found = run(tmp_path, {"y": [0, 1], "z_0": [3, 1], "z_1": [1, 2]})
    assert found.summary.loss.value == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(-1))) / 2)


def test_classes_name_columns_in_their_order(tmp_path):
    y = np.array(["b", "a"])[TRUTH % 2]
    columns = {"y": y, "z": LOGITS[:, :2]}
    found = run(tmp_path, columns, pattern="z", classes=("b", "a")).to_dict()
    assert found["input"]["classes"] == ["b", "a"]
    assert found["loss"]["nats"]["value"] == pytest.approx(
        -log_softmax(LOGITS[:, :2], axis=1)[np.arange(50), TRUTH % 2].mean()
    )
    with pytest.raises(OptionError, match="2 names"):
        run(tmp_path, columns, pattern="z", classes=("a", "b", "c"))


def test_bytes_that_are_none(tmp_path):
    for size, part in [([1, -1], "-1 in row 2"), ([0.5, 1.0], r"0\.5 in row 1"), ([0, 0], "0 in every row")]:
        with pytest.raises((DataError, InputError), match=part):
            run(tmp_path, {"lp": [-1.0, -2.0], "b": size}, "log_likelihood", "lp", truth=None, bytes="b")
    missing = pa.array([3, None])
    found = run(tmp_path, {"lp": [-1.0, -2.0], "b": missing}, "log_likelihood", "lp", truth=None, bytes="b")
    assert found.rows.first_refused == (2, "no number of bytes")


def test_positive_log_likelihoods_are_refused(tmp_path):
    with pytest.raises(ProbabilityError, match="2 in row 2"):
        run(tmp_path, {"lp": [-1.0, 2.0]}, "log_likelihood", "lp", truth=None)


@pytest.mark.parametrize(
    "options",
    [
        {"holds": "guess", "columns": "z"},
        {"holds": "logits", "columns": "z"},
        {"holds": "log_likelihood", "columns": "z", "truth": "y"},
        {"holds": "log_likelihood", "columns": "z", "classes": ("a", "b")},
        {"holds": "logits", "columns": "z", "truth": "y", "bytes": "b"},
        {"holds": "logits", "columns": "z", "truth": "y", "classes": ("a", "a")},
        {"holds": "prob", "columns": "z", "truth": "y", "classes": ("a", "b", "c")},
        {"holds": "logits", "columns": "z", "truth": "y", "floor": 0.0},
        {"holds": "logits", "columns": "z", "truth": "y", "batch_rows": 0},
    ],
)
def test_questions_that_make_no_sense(options):
    with pytest.raises(OptionError):
        Options(**options)


def test_no_files():
    with pytest.raises(OptionError, match="files"):
        evaluate([], Options("logits", "z", truth="y"))


def test_progress_counts_rows_up_to_the_total(tmp_path):
    seen = []
    path = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(LOGITS)})
    evaluate(path, Options("logits", "z_*", truth="y", batch_rows=20), progress=lambda *c: seen.append(c))
    assert seen == [(20, 50), (40, 50), (50, 50)]


@pytest.mark.parametrize("holds", ["probs", "log_probs"])
def test_rounded_probabilities_are_told_to_be_so_and_not_scores(tmp_path, holds):
    p = np.round(np.random.default_rng(0).dirichlet(np.ones(30), 50), 3) + 1e-9
    q = p if holds == "probs" else np.log(p)
    with pytest.raises(NormalizationError) as caught:
        run(tmp_path, {"y": TRUTH, **wide(q)}, holds)
    assert "export more digits" in caught.value.instead
    assert "--logits" not in caught.value.instead
    p[9] /= 2  # one row that rounding does not explain
    with pytest.raises(NormalizationError) as caught:
        run(tmp_path, {"y": TRUTH, **wide(p if holds == "probs" else np.log(p))}, holds)
    assert "--logits" in caught.value.instead


def test_one_score_a_row_is_sent_to_the_sigmoid_and_not_round_in_a_circle(tmp_path):
    columns = {"y": TRUTH > 0, "p": LOGITS[:, 0]}
    with pytest.raises(ProbabilityError) as caught:
        run(tmp_path, columns, "prob", "p")
    assert "1/(1+exp(-score))" in caught.value.instead
    assert "--logits" not in caught.value.instead
    with pytest.raises(OneClassError) as caught:
        run(tmp_path, columns, "logits", "p")
    assert "1/(1+exp(-score))" in caught.value.instead


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_value_just_outside_is_shown_with_all_its_digits(tmp_path, dtype):
    with pytest.raises(ProbabilityError, match=r"got 1\.0000001 in row 2\."):
        run(tmp_path, {"y": [1, 1], "p": np.array([1.0, 1.0000001], dtype=dtype)}, "prob", "p")
