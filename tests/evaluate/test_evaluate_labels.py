"""The truth column's values to class indices."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from xent.errors import ColumnError, LabelError
from xent.evaluate.labels import MISSING, LabelCoder

WORDS = ("cat", "dog")
NUMBERS = ("1", "2", "10")


def codes(classes, values, ignore=(), type=None):
    return LabelCoder(classes, ignore, "y").encode(pa.array(values, type=type), 1).tolist()


def test_text_is_matched_with_the_names():
    assert codes(WORDS, ["dog", "cat", None]) == [1, 0, MISSING]


def test_integer_is_a_name_where_the_names_are_integers():
    assert codes(NUMBERS, [10, 1, 2]) == [2, 0, 1]
    with pytest.raises(LabelError, match="0 in row 2"):
        codes(NUMBERS, [1, 0])


def test_integer_is_an_index_where_the_names_are_words():
    assert codes(WORDS, [1, 0, None]) == [1, 0, MISSING]
    with pytest.raises(LabelError, match="2 in row 1"):
        codes(WORDS, [2])
    with pytest.raises(LabelError, match="-1 in row 1"):
        codes(WORDS, [-1])


def test_text_of_integers_reads_as_the_integer():
    assert codes(NUMBERS, ["10", "1.0", "02"]) == [2, 0, 1]


def test_float_counts_only_as_the_integer_that_it_equals():
    assert codes(WORDS, [0.0, 1.0, float("nan")]) == [0, 1, MISSING]
    with pytest.raises(LabelError, match=r"0\.5 in row 3"):
        codes(WORDS, [0.0, 1.0, 0.5])
    with pytest.raises(LabelError):
        codes(WORDS, [float("inf")])


def test_bool_is_no_and_yes():
    assert codes(("0", "1"), [True, False]) == [1, 0]
    assert codes(("no", "yes"), [True, False]) == [1, 0]


def test_ignored_values_are_missing_in_every_type():
    assert codes(WORDS, [-100, 1], ignore=("-100",)) == [MISSING, 1]
    assert codes(WORDS, ["?", "cat"], ignore=("?",)) == [MISSING, 0]
    assert codes(WORDS, ["-100", "cat"], ignore=("-100",)) == [MISSING, 0]


def test_label_outside_names_the_row_the_classes_and_the_way_out():
    coder = LabelCoder(WORDS, (), "animal")
    with pytest.raises(LabelError) as caught:
        coder.encode(pa.array(["cat", "bird"]), 101)
    assert "'animal'" in str(caught.value)
    assert "'bird' in row 102" in str(caught.value)
    assert "cat, dog" in str(caught.value)
    assert "--classes" in caught.value.instead


def test_dictionary_columns_and_narrow_integers():
    assert codes(WORDS, ["dog", "cat"], type=pa.dictionary(pa.int8(), pa.string())) == [1, 0]
    assert codes(WORDS, [1, 0], type=pa.uint8()) == [1, 0]


@pytest.mark.parametrize("values", [[b"0"], [{"a": 1}], [pa.scalar(3, pa.date32())], [pa.scalar(1, pa.timestamp("s"))]])
def test_columns_that_hold_no_labels(values):
    with pytest.raises(ColumnError, match="integers or text"):
        codes(WORDS, values)


def test_many_batches_share_one_rule():
    coder = LabelCoder(NUMBERS, (), "y")
    first = coder.encode(pa.array(np.array([1, 2])), 1)
    second = coder.encode(pa.array(np.array([2, 10])), 3)
    assert [*first, *second] == [0, 1, 1, 2]


@pytest.mark.parametrize("values", [["1", "2", "3+"], [1, 2], [1.0, 2.0]])
def test_where_some_names_are_integers_an_integer_is_a_name_in_every_type(values):
    assert codes(("1", "2", "3+"), values) == [0, 1, 2][: len(values)]


@pytest.mark.parametrize("classes", [("1", "2", "3+"), ("0.5", "1.5"), ("1", "1.0")])
def test_an_integer_that_is_no_name_is_never_a_place_beside_numbers(classes):
    with pytest.raises(LabelError, match="0 in row 1"):
        codes(classes, [0])
    with pytest.raises(LabelError, match="'0' in row 1"):
        codes(classes, ["0"])


def test_two_names_of_one_integer_are_matched_as_text_alone():
    assert codes(("01", "1", "2"), ["1", "01", "2.0"]) == [1, 0, 2]
    with pytest.raises(LabelError, match="1 in row 1"):
        codes(("01", "1", "2"), [1])


def test_words_without_a_certain_order_have_no_numbers():
    coder = LabelCoder(WORDS, (), "y", counted=False)
    assert coder.encode(pa.array(["dog", "cat"]), 1).tolist() == [1, 0]
    with pytest.raises(LabelError, match="which one is 0 is not certain"):
        coder.encode(pa.array([1]), 1)
    with pytest.raises(LabelError, match="'bird'") as caught:
        coder.encode(pa.array(["bird"]), 1)
    assert "not certain" not in caught.value.instead
