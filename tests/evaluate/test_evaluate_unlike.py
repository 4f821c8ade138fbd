"""A and B that did not score the same rows: both are counted, and the verdict says of how many rows it speaks."""

from __future__ import annotations

import numpy as np
import pytest
from evaluate_files import model, wide, write

from xent.evaluate import Options, evaluate

LOGITS, TRUTH = model(rows=1000, classes=3, seed=4)
IDS = np.arange(1000) + 7


def holed(rows):
    """LOGITS without a number in these rows."""
    q = LOGITS.copy()
    q[rows, 1] = np.nan
    return q


def compare(tmp_path, a, b, *, apart, truth_b=TRUTH):
    """The result of a against b, in one file or joined by id from another whose rows are turned round."""
    if not apart:
        path = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(a), **wide(b, "w_")})
        return evaluate(path, Options("logits", "z_*", truth="y", against="w_*", batch_rows=300)).to_dict()
    one = write(tmp_path / "a.parquet", {"id": IDS, "y": TRUTH, **wide(a)})
    two = write(tmp_path / "b.parquet", {"id": IDS[::-1], "y": truth_b[::-1], **wide(b[::-1])})
    return evaluate(one, Options("logits", "z_*", truth="y", against=two, id="id", batch_rows=300)).to_dict()


@pytest.mark.parametrize("apart", [False, True])
def test_rows_that_b_refuses_are_counted_and_said(tmp_path, apart):
    found = compare(tmp_path, LOGITS, holed(slice(0, 507)), apart=apart)
    assert found["rows"]["used"] == 1000
    rows = found["comparison"]["summary"]["rows"]
    first = {"row": 494 if apart else 1, "reason": "NaN or a missing value in the prediction"}
    assert rows == {"read": 1000, "used": 493, "ignored": 0, "refused": 507, "first_refused": first}
    assert found["comparison"]["rows"] == 493
    assert (
        "Only the 493 rows that both scored were compared, and not 507 that only A scored."
        in (found["comparison"]["sentence"])
    )


def test_rows_that_each_refuses_are_told_apart(tmp_path):
    sentence = compare(tmp_path, holed([1, 2, 3]), holed([3, 4]), apart=False)["comparison"]["sentence"]
    assert "Only the 996 rows that both scored were compared" in sentence
    assert sentence.endswith("and not 1 that only A scored or 2 that only B scored.")


def test_as_many_rows_of_each_need_not_be_the_same(tmp_path):
    found = compare(tmp_path, holed([1]), holed([4]), apart=False)
    assert found["rows"]["used"] == found["comparison"]["summary"]["rows"]["used"] == 999
    assert found["comparison"]["sentence"].endswith("and not 1 that only A scored or 1 that only B scored.")


def test_a_truth_that_only_b_lacks_is_ignored_there(tmp_path):
    truth = TRUTH.astype(float)
    truth[5] = np.nan
    found = compare(tmp_path, LOGITS, LOGITS, apart=True, truth_b=truth)
    assert found["comparison"]["summary"]["rows"]["ignored"] == 1
    assert "not 1 that only A scored" in found["comparison"]["sentence"]


@pytest.mark.parametrize("apart", [False, True])
def test_nothing_is_said_where_both_scored_the_same_rows(tmp_path, apart):
    found = compare(tmp_path, holed([1]), holed([1]), apart=apart)
    assert "scored" not in found["comparison"]["sentence"]
