"""Numbers and names as they are shown."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xent.report.format import (
    compact,
    distinct,
    fixed,
    interval,
    p_value,
    percent,
    percent_interval,
    shorten,
    significant,
    visible,
)
from xent.report.format import given as as_given
from xent.report.html import el, join, name
from xent.report.node import Interval


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (0.84123, 0.7981, 0.8849, "0.841 (0.798 to 0.885)"),
        (1234.56, 1190.0, 1270.0, "1,235 (1,190 to 1,270)"),
        (-0.04649, -0.0991, 0.0061, "−0.046 (−0.099 to 0.006)"),
        (3.2e-9, 1e-9, 5e-9, "3.20\u00a0×\u00a010⁻⁹ (1.00\u00a0×\u00a010⁻⁹ to 5.00\u00a0×\u00a010⁻⁹)"),
        (0.5, 0.5, 0.5, "0.500 (0.500 to 0.500)"),
        (0.693147, math.nan, math.nan, "0.6931"),
        (math.inf, math.nan, math.nan, "∞"),
        (math.inf, 1.0, math.inf, "∞ (1.00 to ∞)"),
    ],
)
def test_an_interval_sets_the_decimals(value: float, low: float, high: float, shown: str) -> None:
    assert interval(Interval(value, low, high)).whole == shown


def test_shares() -> None:
    assert percent_interval(Interval(0.2308, 0.2193, 0.2427)).whole == "23.1% (21.9% to 24.3%)"
    assert [percent(x) for x in (0, 0.00123, 0.0616, 0.2308, 1, -0.05)] == [
        "0%",
        "0.12%",
        "6.16%",
        "23.1%",
        "100%",
        "−5.00%",
    ]


def test_single_numbers() -> None:
    assert significant(0.0) == "0"
    assert significant(999999.0, 7) == "999,999.0"
    assert significant(1.5e6) == "1.50\u00a0×\u00a010⁶"
    assert significant(-2.5e-7, 2) == "−2.5\u00a0×\u00a010⁻⁷"
    assert significant(9.999, 3) == "10.0"
    assert fixed(-0.0004, 2) == "0.00"
    assert fixed(-math.inf, 2) == "−∞"
    assert as_given(1e-9) == "1\u00a0×\u00a010⁻⁹"
    assert as_given(0.001) == "0.001"
    assert [p_value(p) for p in (0.0, 0.00312, 1.0, math.nan)] == [
        "p < 0.0001",
        "p = 0.0031",
        "p = 1.0",
        "p not defined",
    ]


@given(st.integers(0, 999 * 10**9))
def test_a_cell_holds_four_characters(n: int) -> None:
    text = compact(n)
    assert len(text) <= 4
    number, unit = (text[:-1], text[-1]) if text[-1].isalpha() else (text, "")
    size = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[unit]
    assert abs(float(number) * size - n) <= 0.06 * n


@given(st.text(alphabet=st.characters(codec=None)))
@example("\ud800\u202e\x00\ufeff")
def test_no_hidden_character_is_left(text: str) -> None:
    shown = visible(text)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs"} or unicodedata.bidirectional(c) in _MARKS]
    assert shown.encode().decode() == shown  # no lone surrogate either


_MARKS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_joiners_of_scripts_and_emoji_stay() -> None:
    assert visible("می\u200cخواهم 👩\u200d🔬") == "می\u200cخواهم 👩\u200d🔬"


@given(st.text(), st.integers(3, 40))
def test_a_shortened_name_fits(text: str, width: int) -> None:
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shorten(text, width))
    assert columns <= width


def test_names_stay_different() -> None:
    assert distinct([f"class number {i:03d} of a long list" for i in (10, 11)], 12) == ["…010…", "…011…"]
    assert distinct(["averyveryverylongname1", "averyveryverylongname2"], 8) == ["aver…me1", "aver…me2"]
    assert distinct(["cat", "dog"], 8) == ["cat", "dog"]


def test_text_is_escaped_and_markup_is_not_escaped_twice() -> None:
    assert (
        el("p", "a < b & 'c'", title='"><img>') == '<p title="&quot;&gt;&lt;img&gt;">a &lt; b &amp; &#x27;c&#x27;</p>'
    )
    assert join(el("b", "<"), "<") == "<b>&lt;</b>&lt;"
    assert name("") == '<bdi class="name short">“”</bdi>'
    assert el("meta", charset="utf-8", hidden=None) == '<meta charset="utf-8">'
