"""Numbers and names as a reader sees them.

An interval sets the precision: two significant digits of its half-width, and the same decimals for the estimate.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from .node import Interval

_MAX_DECIMALS = 6  # beyond it a number is written in powers of ten
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# Marks that reorder or hide the text around them, so that a name could pass for another one.
_DECEIVING = frozenset("\u061c\u200b\u200e\u200f\u2028\u2029\u2060\ufeff") | frozenset(
    chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFFF9, 0xFFFC))
)


def visible(text: str) -> str:
    r"""Text with each control, direction, surrogate or non-character written out, as \x01 or \u202e.

    >>> visible("a\u202eb")
    'a\\u202eb'
    """
    return "".join(_escape(c) if _hidden(c) else c for c in text)


def _hidden(c: str) -> bool:
    return c in _DECEIVING or unicodedata.category(c) in {"Cc", "Cs"} or ord(c) & 0xFFFE == 0xFFFE


def _escape(c: str) -> str:
    code = ord(c)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shorten(text: str, width: int) -> str:
    """The text in at most ``width`` columns (an East Asian letter takes two), its middle replaced by …."""
    text = visible(text)
    if _columns(text) <= width:
        return text
    head, tail = "", ""
    letters = list(text)
    while True:
        grown_head = head + letters[len(head)]
        if _columns(grown_head) + _columns(tail) + 1 > width:
            break
        head = grown_head
        grown_tail = letters[-1 - len(tail)] + tail
        if _columns(head) + _columns(grown_tail) + 1 > width:
            break
        tail = grown_tail
    return f"{head}…{tail}"


def distinct(texts: Sequence[str], width: int) -> list[str]:
    """Each text in at most ``width`` columns; where two would look alike, what all of them share is left out.

    >>> distinct(["a long class 10 of mine", "a long class 11 of mine"], 9)
    ['…10…', '…11…']
    """
    short = [shorten(text, width) for text in texts]
    different = len(set(texts))
    if len(set(short)) == different:
        return short
    clean = [visible(text) for text in texts]
    whole_words = _cut(clean, width, words=True)
    return whole_words if len(set(whole_words)) == different else _cut(clean, width, words=False)


def _cut(texts: Sequence[str], width: int, words: bool) -> list[str]:
    """The texts without their shared beginning and end; ``words`` keeps a word that is only partly shared."""
    start = _shared(texts)
    while words and start and texts[0][start - 1].isalnum():
        start -= 1
    rest = [text[start:] for text in texts]
    end = _shared([text[::-1] for text in rest])
    while words and end and rest[0][-end].isalnum():
        end -= 1
    head, tail = ("…" if start else ""), ("…" if end else "")
    inner = width - len(head) - len(tail)
    return [f"{head}{shorten(text[: len(text) - end], inner)}{tail}" for text in rest]


def _shared(texts: Sequence[str]) -> int:
    """How many letters all texts begin with alike."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False)))


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def fixed(x: float, decimals: int) -> str:
    """So many decimals, thousands apart, a true minus sign; ∞ where infinite and – where undefined."""
    if math.isnan(x):
        return "–"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    text = f"{x:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def significant(x: float, digits: int = 3) -> str:
    """A number with so many significant digits; in powers of ten below 0.0001 and from a million on.

    >>> significant(0.012345), significant(1.2e-7, 2)
    ('0.0123', '1.2\xa0×\xa010⁻⁷')
    """
    if not math.isfinite(x) or x == 0:
        return fixed(x, 0)
    mantissa, exponent_text = f"{x:.{digits - 1}e}".split("e")
    exponent = int(exponent_text)
    if -4 <= exponent < 6:
        return fixed(x, max(0, digits - 1 - exponent))
    return f"{mantissa}\u00a0×\u00a010{str(exponent).translate(_SUPERSCRIPT)}".replace("-", "−")


def beside(x: float, reference: float) -> str:
    """A number with the decimals that two significant digits of the reference have, to be read beside it.

    >>> beside(-7.7e-7, 0.00027), beside(0.00864, 0.00027)
    ('0.00000', '0.00864')
    """
    if not math.isfinite(reference) or reference == 0 or abs(reference) < 10**-_MAX_DECIMALS:
        return significant(x, 2)
    return fixed(x, max(0, 1 - math.floor(math.log10(abs(reference)))))


def percent(x: float) -> str:
    """A share with three significant digits of a hundred, at most two decimals."""
    if not math.isfinite(x):
        return fixed(x, 0)
    size = abs(x) * 100
    return fixed(x * 100, 0 if size >= 99.95 or size == 0 else 1 if size >= 9.995 else 2) + "%"


def given(x: float) -> str:
    """A number that somebody chose, such as a floor of 1e-9: at most three digits, and no zeros at its end."""
    mantissa, _, exponent = f"{x:.3g}".partition("e")
    return f"{mantissa}\u00a0×\u00a010{str(int(exponent)).translate(_SUPERSCRIPT)}" if exponent else mantissa


def count(n: int) -> str:
    return f"{n:,}"


def compact(n: int) -> str:
    """A count in at most four characters, for a cell of the confusion matrix."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        # 999,500 is 1.0M, not 1000k.
        if n >= size * 0.9995 and n >= 1000:
            scaled = n / size
            return f"{scaled:.1f}".removesuffix(".0") + unit if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return str(n)


def rows(n: int) -> str:
    return f"{count(n)} row" if n == 1 else f"{count(n)} rows"


def p_value(p: float) -> str:
    if math.isnan(p):
        return "p not defined"
    return "p < 0.0001" if p < 1e-4 else f"p = {significant(p, 2)}"


@dataclass(frozen=True)
class Shown:
    """An interval in words; ``low`` and ``high`` are empty where they are not known."""

    value: str
    low: str
    high: str

    @property
    def span(self) -> str:
        """“0.176 to 0.190”, or nothing."""
        return f"{self.low} to {self.high}" if self.low else ""

    @property
    def whole(self) -> str:
        return f"{self.value} ({self.span})" if self.low else self.value


def interval(x: Interval) -> Shown:
    """An interval with the decimals that its width supports."""
    if math.isnan(x.low) or math.isnan(x.high):
        return Shown(significant(x.value, 4), "", "")
    decimals = _decimals(x)
    if decimals is None:
        return Shown(significant(x.value), significant(x.low), significant(x.high))
    return Shown(fixed(x.value, decimals), fixed(x.low, decimals), fixed(x.high, decimals))


def percent_interval(x: Interval) -> Shown:
    """The interval of a share, in percent."""
    if math.isnan(x.low) or math.isnan(x.high):
        return Shown(percent(x.value), "", "")
    scaled = Interval(x.value * 100, x.low * 100, x.high * 100)
    decimals = min(_decimals(scaled) or 0, 4)
    value, low, high = (fixed(v, decimals) + "%" for v in (scaled.value, scaled.low, scaled.high))
    return Shown(value, low, high)


def _decimals(x: Interval) -> int | None:
    half = (x.high - x.low) / 2
    if not math.isfinite(half) or half <= 0:
        return None
    decimals = 1 - math.floor(math.log10(half))
    return None if decimals > _MAX_DECIMALS else max(0, decimals)
