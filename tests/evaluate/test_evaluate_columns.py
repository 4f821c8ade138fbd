"""Patterns to columns, and columns to classes."""

from __future__ import annotations

import pytest

from xent.errors import ColumnError
from xent.evaluate.columns import find_columns, natural_key


def find(pattern, available, taken=()):
    return find_columns(pattern, available, taken, "logits")


def test_glob_is_in_the_order_of_numbers_not_of_letters():
    found = find("z_*", ["z_10", "y", "z_9", "z_1"])
    assert found.names == ("z_1", "z_9", "z_10")
    assert found.classes == ("1", "9", "10")


def test_glob_of_words_names_the_classes_by_what_the_star_stands_for():
    found = find("p_*_prob", ["p_dog_prob", "p_cat_prob", "p__prob"])
    assert found.classes == ("cat", "dog")


def test_truth_and_id_never_match_a_glob():
    assert find("c*", ["class", "c0", "c1"], taken=["class"]).names == ("c0", "c1")


def test_glob_that_mixes_numbers_and_words_is_refused():
    with pytest.raises(ColumnError, match="z_mean") as caught:
        find("z_*", ["z_0", "z_1", "z_mean"])
    assert "z_0..z_1" in caught.value.instead


def test_range_and_its_leading_zeros():
    assert find("p0..p2", ["p2", "p1", "p0", "p3"]).names == ("p0", "p1", "p2")
    assert find("p08..p10", ["p08", "p09", "p10"]).names == ("p08", "p09", "p10")


@pytest.mark.parametrize("pattern", ["p2..p0", "p0..q2", "p1..p1"])
def test_range_that_is_none(pattern):
    with pytest.raises(ColumnError, match="range"):
        find(pattern, ["p0", "p1", "p2", "q2"])


def test_list_keeps_its_own_order():
    found = find("b, a", ["a", "b"])
    assert found.names == ("b", "a")
    assert found.classes == ("b", "a")


def test_a_name_that_exists_is_itself():
    assert find("p*", ["p*", "p1"]).names == ("p*",)
    assert find("a,b", ["a,b", "a", "b"]).names == ("a,b",)


def test_missing_column_says_which_is_close():
    with pytest.raises(ColumnError, match="Did you mean 'digit'"):
        find("dgit", ["id", "digit"])


def test_column_there_twice_is_refused():
    with pytest.raises(ColumnError, match="2 of that name"):
        find("a", ["a", "a"])
    with pytest.raises(ColumnError, match="2 of that name"):
        find("z_*", ["z_0", "z_0", "z_1"])


@pytest.mark.parametrize(("pattern", "part"), [("q_*", "match"), ("*_*", "one \\*"), ("a,a", "twice")])
def test_patterns_that_find_nothing_usable(pattern, part):
    with pytest.raises(ColumnError, match=part):
        find(pattern, ["a", "b_c"])


def test_natural_key_orders_mixed_names():
    assert sorted(["b", "a10", "a9", "10", "9"], key=natural_key) == ["9", "10", "a9", "a10", "b"]
