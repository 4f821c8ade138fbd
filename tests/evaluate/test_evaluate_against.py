"""A against B: the paired test, the pairing of rows, and the sentence."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate_files import ENDINGS, model, wide, write
from scipy import stats
from scipy.special import log_softmax

from xent.errors import ColumnError, DataError, InputError, OptionError
from xent.evaluate import FLOOR, Options, evaluate

LOGITS, TRUTH = model(rows=1500, classes=4, seed=2)
WORSE = LOGITS + np.random.default_rng(9).normal(0, 0.7, LOGITS.shape)
IDS = np.random.default_rng(4).permutation(100_000)[:1500]


def losses(logits, truth):
    return -log_softmax(logits, axis=1)[np.arange(len(truth)), truth]


def ask(**options):
    return Options("logits", "z_*", truth="y", batch_rows=400, **options)


def check(found):
    """The comparison of LOGITS with WORSE, against scipy."""
    d = losses(LOGITS, TRUTH) - losses(WORSE, TRUTH)
    expected = stats.ttest_rel(losses(LOGITS, TRUTH), losses(WORSE, TRUTH))
    assert found["rows"] == 1500
    assert found["difference"]["value"] == pytest.approx(d.mean(), rel=1e-9)
    assert found["difference"]["p_value"] == pytest.approx(expected.pvalue, rel=1e-6)
    interval = expected.confidence_interval()
    assert found["difference"]["low"] == pytest.approx(interval.low, rel=1e-9)
    assert found["difference"]["high"] == pytest.approx(interval.high, rel=1e-9)
    assert found["difference"]["floor"] is None
    wrong_a, wrong_b = LOGITS.argmax(1) != TRUTH, WORSE.argmax(1) != TRUTH
    only_a, only_b = int((wrong_a & ~wrong_b).sum()), int((wrong_b & ~wrong_a).sum())
    assert (found["error"]["only_a_wrong"], found["error"]["only_b_wrong"]) == (only_a, only_b)
    assert found["error"]["p_value"] == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    assert sum(found["histogram"]["counts"]) == 1500
    assert found["summary"]["loss"]["nats"]["value"] == pytest.approx(losses(WORSE, TRUTH).mean(), rel=1e-9)
    assert found["better"] == "A"
    assert found["sentence"].startswith("A (")


def test_columns_of_the_same_file(tmp_path):
    path = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(LOGITS), **wide(WORSE, "w_")})
    found = evaluate(path, ask(against="w_*")).to_dict()
    check(found["comparison"])
    alone = evaluate(path, Options("logits", "w_*", truth="y", batch_rows=400)).to_dict()
    for key in ("loss", "error", "entropy", "brier", "calibration"):
        assert found["comparison"]["summary"][key] == alone[key]
    turned = evaluate(path, Options("logits", "w_*", truth="y", against="z_*")).to_dict()["comparison"]
    assert turned["better"] == "B"
    assert turned["sentence"].startswith("B (z_*) is better")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("ids", ["integers", "text"])
def test_file_joined_by_id_in_any_order(tmp_path, ending, ids):
    names = IDS if ids == "integers" else np.array([f"row-{i}" for i in IDS])
    order = np.random.default_rng(1).permutation(1500)
    one = write(tmp_path / "a.parquet", {"name": names, "y": TRUTH, **wide(LOGITS)})
    two = write(tmp_path / f"b.{ending}", {"name": names[order], "y": TRUTH[order], **wide(WORSE[order])})
    check(evaluate(one, ask(against=two, id="name")).to_dict()["comparison"])


def test_file_by_order_of_rows(tmp_path):
    one = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(LOGITS)})
    two = write(tmp_path / "b.npz", {"y": TRUTH, **wide(WORSE)})
    check(evaluate(one, ask(against=two)).to_dict()["comparison"])


@pytest.mark.parametrize("change", [-1, 1])
def test_files_of_other_lengths_are_refused(tmp_path, change):
    rows = np.arange(1500 + change) % 1500
    one = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(LOGITS)})
    two = write(tmp_path / "b.parquet", {"y": TRUTH[rows], **wide(WORSE[rows])})
    with pytest.raises(InputError, match="as many rows"):
        evaluate(one, ask(against=two))


def test_ids_that_do_not_pair(tmp_path):
    def files(ids_a, ids_b, truth_b=(0, 1, 2)):
        a = {"id": ids_a, "y": [0, 1, 2], **wide(LOGITS[:3])}
        b = {"id": ids_b, "y": list(truth_b), **wide(WORSE[:3])}
        return write(tmp_path / "a.parquet", a), write(tmp_path / "b.parquet", b)

    for ids_a, ids_b, part in [
        ([1, 2, 3], [1, 2, 2], r"one again in row 3"),
        ([1, 2, 2], [1, 2, 3], "2 again in row 3 of A"),
        ([1, 2, 4], [1, 2, 3], "4 which is not there, in row 3 of A"),
        (["a", "b", "c"], ["a", "b", "d"], "'c' which is not there"),
        ([1, 2, None], [1, 2, 3], "none in row 3"),
    ]:
        one, two = files(ids_a, ids_b)
        with pytest.raises(DataError, match=part):
            evaluate(one, ask(against=two, id="id"))
    one, two = files([1, 2, 3], [1, 2, 3], truth_b=(0, 1, 1))
    with pytest.raises(DataError, match="the same truth in both files"):
        evaluate(one, ask(against=two, id="id"))
    one, two = files([1.5, 2.0, 3.0], [1.5, 2.0, 3.0])
    with pytest.raises(ColumnError, match="integers or text"):
        evaluate(one, ask(against=two, id="id"))


def test_rows_of_b_that_a_lacks(tmp_path):
    one = write(tmp_path / "a.parquet", {"id": [1, 2], "y": [0, 1], **wide(LOGITS[:2])})
    two = write(tmp_path / "b.parquet", {"id": [3, 1, 2], "y": [0, 0, 1], **wide(LOGITS[:3])})
    with pytest.raises(InputError, match="1 that A lacks, the first in its row 1"):
        evaluate(one, ask(against=two, id="id"))


def test_only_rows_that_count_for_both_are_pairs(tmp_path):
    worse = WORSE.copy()
    worse[:10] = np.nan
    better = LOGITS.copy()
    better[5:20] = np.nan
    path = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(better), **wide(worse, "w_")})
    found = evaluate(path, ask(against="w_*")).to_dict()
    assert found["rows"]["used"] == 1485
    assert found["comparison"]["rows"] == 1480
    expected = (losses(LOGITS, TRUTH) - losses(WORSE, TRUTH))[20:].mean()
    assert found["comparison"]["difference"]["value"] == pytest.approx(expected, rel=1e-9)
    other = write(tmp_path / "b.parquet", {"y": TRUTH, **wide(worse)})
    again = evaluate(path, ask(against=other)).to_dict()["comparison"]
    assert again["difference"] == found["comparison"]["difference"]


def test_an_infinite_loss_is_floored_on_both_sides_and_said(tmp_path):
    p = np.array([[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]])
    q = np.array([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    path = write(tmp_path / "a.parquet", {"y": [1, 0, 0], **wide(p, "p_"), **wide(q, "q_")})
    found = evaluate(path, Options("probs", "p_*", truth="y", against="q_*")).to_dict()["comparison"]
    assert found["difference"]["floor"] == FLOOR
    d = np.array([-np.log(FLOOR) + np.log(0.5), 0.0, np.log(0.5) - np.log(0.75)])
    assert found["difference"]["value"] == pytest.approx(d.mean(), rel=1e-12)
    assert found["better"] is None
    assert "cannot be told" in found["sentence"]
    assert "raised" in found["sentence"]


def test_equal_models_cannot_be_told_apart(tmp_path):
    path = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(LOGITS), **wide(LOGITS + 3, "w_")})
    found = evaluate(path, ask(against="w_*")).to_dict()["comparison"]
    assert found["better"] is None
    assert found["error"]["p_value"] == 1.0
    assert found["sentence"].startswith("It cannot be told which is better")


def test_no_difference_is_claimed_five_times_in_a_hundred():
    # two models equally far from the truth, 300 times: the paired test must call few of them different
    from xent.evaluate.comparison import Comparison

    rng = np.random.default_rng(11)
    claimed = 0
    for _ in range(400):
        logits = rng.normal(0, 2, (200, 4))
        truth = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
        a, b = (losses(logits + rng.normal(0, 0.5, logits.shape), truth) for _ in range(2))
        state = Comparison(FLOOR, has_errors=False)
        none = np.zeros(200, dtype=bool)
        state.update(a, b, none, none)
        claimed += state.to_dict("a", "b", "row")["better"] is not None
    assert claimed / 400 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


def test_classes_pair_by_name_whatever_the_order_of_the_columns(tmp_path):
    # sorted by whole names these two would differ: "c_0_of_a" comes before "c_of_a", "b_c" before "b_c_0"
    y = np.array(["c", "c_0"])[TRUTH % 2]
    a = {"c_of_a": LOGITS[:, 0], "c_0_of_a": LOGITS[:, 1]}
    b = {"b_c_0": LOGITS[:, 1], "b_c": LOGITS[:, 0]}
    path = write(tmp_path / "a.parquet", {"y": y, **a, **b})
    question = Options("logits", "*_of_a", truth="y", against="b_*")
    assert evaluate(path, question).to_dict()["comparison"]["difference"]["value"] == 0.0


def test_listed_columns_pair_by_the_names_given(tmp_path):
    y = np.array(["cat", "dog"])[TRUTH % 2]
    a = {"a_cat": LOGITS[:, 0], "a_dog": LOGITS[:, 1]}
    b = {"b_dog": LOGITS[:, 1], "b_cat": LOGITS[:, 0]}
    path = write(tmp_path / "a.parquet", {"y": y, **a, **b})
    listed = Options("logits", "a_dog,a_cat", truth="y", against="b_dog,b_cat", classes=("dog", "cat"))
    assert evaluate(path, listed).to_dict()["comparison"]["difference"]["value"] == 0.0


def test_b_of_other_classes_is_refused(tmp_path):
    path = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(LOGITS), **wide(WORSE[:, :3], "w_")})
    with pytest.raises(ColumnError, match="the classes of A"):
        evaluate(path, ask(against="w_*"))


def test_against_what_is_not_there(tmp_path, monkeypatch):
    path = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(LOGITS), "w": WORSE})
    with pytest.raises(InputError, match="no file here"):
        evaluate(path, ask(against=str(tmp_path / "b.parquet")))
    with pytest.raises(ColumnError, match="w_"):
        evaluate(path, ask(against="w_*"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w").write_text("")
    with pytest.raises(OptionError, match="both"):
        evaluate(path, ask(against="w"))


def test_list_column_against_wide_columns(tmp_path):
    path = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(LOGITS), "w": WORSE})
    check(evaluate(path, ask(against="w")).to_dict()["comparison"])


def test_tokens_compare_without_errors(tmp_path):
    rng = np.random.default_rng(0)
    a = rng.exponential(1, 800)
    path = write(tmp_path / "a.parquet", {"a": -a, "b": -(a + rng.exponential(0.1, 800))})
    found = evaluate(path, Options("log_likelihood", "a", against="b")).to_dict()["comparison"]
    assert found["better"] == "A"
    assert found["error"] is None
    assert "a token" in found["sentence"]


def test_binary_against_binary(tmp_path):
    rng = np.random.default_rng(0)
    p = rng.uniform(size=3000)
    y = rng.uniform(size=3000) < p
    path = write(tmp_path / "a.csv", {"y": y.astype(int), "p": p, "q": 0.5 + (p - 0.5) * 0.3})
    found = evaluate(path, Options("prob", "p", truth="y", against="q")).to_dict()
    assert found["comparison"]["better"] == "A"
    assert found["comparison"]["summary"]["confidence"]["verdict"] == "underconfident"
    assert found["confidence"]["verdict"] == "cannot tell"
