"""Numbers of the schema as cells of the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xent.report.format import interval, percent, percent_interval, significant
from xent.report.node import Interval


def _interval(fields: Mapping[str, Any]) -> Interval:
    # float() reads the schema's "inf" and "nan" too
    return Interval(float(fields["value"]), float(fields["low"]), float(fields["high"]))


def interval_cell(fields: Mapping[str, Any] | None) -> str | None:
    """“0.106 [0.080, 0.132]”; one ∞ where all three are."""
    if fields is None:
        return None
    found = _interval(fields)
    shown = interval(found)
    if not shown.low or found.value == found.low == found.high:
        return shown.value
    return f"{shown.value} [{shown.low}, {shown.high}]"


def percent_cell(fields: Mapping[str, Any] | None) -> str | None:
    """The same of a share, in percent."""
    if fields is None:
        return None
    shown = percent_interval(_interval(fields))
    return f"{shown.value} [{shown.low}, {shown.high}]" if shown.low else shown.value


def number(value: Any) -> str:
    """Four significant digits; ∞ and – for infinite and undefined."""
    return significant(float(value), 4)


def share(value: Any) -> str:
    """A share in percent."""
    return percent(float(value))
