"""Which column is which class: a name in a column, ``--classes``, and the order of the file."""

from __future__ import annotations

import math

import numpy as np
import pytest
from evaluate_files import ENDINGS, wide, write

from xent.errors import LabelError, OptionError
from xent.evaluate import Options, evaluate

# The file has dog before cat: a glob, which sorts, turns them round.
Z = {"z_dog": [5.0, -5.0, 4.0], "z_cat": [0.0, 0.0, 0.0]}
WORDS = ["dog", "cat", "dog"]
RIGHT = np.mean([math.log1p(math.exp(-5)), math.log1p(math.exp(-5)), math.log1p(math.exp(-4))])


def ask(tmp_path, truth, ending="csv", columns=Z, pattern="z_*", **options):
    path = write(tmp_path / f"a.{ending}", {"y": truth, **columns})
    return evaluate(path, Options("logits", pattern, truth="y", **options)).to_dict()


@pytest.mark.parametrize("classes", [None, ("dog", "cat"), ("cat", "dog")])
def test_names_in_the_columns_decide_in_every_order(tmp_path, classes):
    found = ask(tmp_path, WORDS, classes=classes)
    assert found["loss"]["nats"]["value"] == pytest.approx(RIGHT, rel=1e-12)
    paired = dict(zip(found["input"]["classes"], found["input"]["columns"], strict=True))
    assert paired == {"cat": "z_cat", "dog": "z_dog"}


def test_names_of_listed_columns_are_given_in_their_order_or_are_their_own(tmp_path):
    given = ask(tmp_path, WORDS, pattern="z_dog,z_cat", classes=("dog", "cat"))
    own = ask(tmp_path, [f"z_{word}" for word in WORDS], pattern="z_dog,z_cat", classes=("z_cat", "z_dog"))
    assert given["loss"]["nats"]["value"] == pytest.approx(RIGHT, rel=1e-12)
    assert own["loss"]["nats"]["value"] == pytest.approx(RIGHT, rel=1e-12)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_classes_say_which_one_is_0(tmp_path, ending):
    found = ask(tmp_path, [0, 1, 0], ending, classes=("dog", "cat"))
    assert found["loss"]["nats"]["value"] == pytest.approx(RIGHT, rel=1e-12)
    assert found["input"]["columns"] == ["z_dog", "z_cat"]
    assert found["confusion"]["names"] == ["dog", "cat"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_number_is_refused_where_the_order_of_words_is_not_certain(tmp_path, ending):
    with pytest.raises(LabelError, match="which one is 0 is not certain"):
        ask(tmp_path, [0, 1, 0], ending)
    b_turned = {"a_cat": [0.0], "a_dog": [1.0], "z_dog": [0.0], "z_cat": [1.0]}
    with pytest.raises(LabelError, match="which one is 0 is not certain"):
        ask(tmp_path, [0], ending, columns=b_turned, pattern="a_*", against="z_*")


def test_one_file_of_many_in_another_order_makes_numbers_uncertain(tmp_path):
    one = write(tmp_path / "a.parquet", {"y": [0], "z_cat": [1.0], "z_dog": [0.0]})
    two = write(tmp_path / "b.parquet", {"y": [0], "z_dog": [0.0], "z_cat": [1.0]})
    assert evaluate(one, Options("logits", "z_*", truth="y")).rows.used == 1
    for paths in ([one, two], [two, one]):
        with pytest.raises(LabelError, match="not certain"):
            evaluate(paths, Options("logits", "z_*", truth="y"))


def test_new_names_for_a_glob_that_turns_the_columns_round_are_refused(tmp_path):
    with pytest.raises(OptionError) as caught:
        ask(tmp_path, ["a", "b", "a"], classes=("a", "b"))
    assert "in the file 2: z_dog, z_cat; sorted 2: z_cat, z_dog" in str(caught.value)
    assert "z_dog,z_cat" in caught.value.instead
    listed = ask(tmp_path, ["a", "b", "a"], pattern="z_dog,z_cat", classes=("a", "b"))
    assert listed["loss"]["nats"]["value"] == pytest.approx(RIGHT, rel=1e-12)


def test_new_names_for_columns_in_their_sorted_order_are_taken_one_by_one(tmp_path):
    columns = {f"z_{k}": [float(k)] for k in range(12)}  # z_10 stands after z_9: no two orders
    found = ask(tmp_path, ["l"], columns=columns, classes=tuple("abcdefghijkl"))
    assert dict(zip(found["input"]["columns"], found["input"]["classes"], strict=True))["z_11"] == "l"
    assert found["error"]["wrong"] == 0


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_truth_has_one_meaning_in_every_format(tmp_path, ending):
    q = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    found = ask(tmp_path, np.array([1, 2]), ending, wide(q), classes=("1", "2", "3+"))
    assert found["error"]["wrong"] == 0
