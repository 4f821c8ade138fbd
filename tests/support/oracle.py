"""The oracle: cross-entropy in 50-digit arithmetic (mpmath). It shares no code with xent.

Inputs are floats, and are taken as the exact numbers that they are: a half-precision value is converted without
rounding, so what is measured against the oracle is the error of the arithmetic alone.

A row is a list of numbers, one a class; ``link`` says what they are: "logits", "log_probs" or "probs".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mpmath

DIGITS = 50

# A context of its own: the digits of mpmath's global one are whatever the last to import it has set.
mp = mpmath.mp.clone()
mp.dps = DIGITS
mpf = mp.mpf
INF = mpf("inf")


def exact(values: Any) -> list[Any]:
    """A flat list of exact numbers from any array of floats or integers."""
    return [mpf(float(v)) for v in values]


@dataclass(frozen=True)
class Row:
    """One row of a prediction: −log q of every class, q itself and 1 − q, none of them by a cancelling subtraction."""

    surprisals: list[Any]
    q: list[Any]
    complement: list[Any]
    lse: Any = None


def softmax_row(z: Sequence[Any]) -> Row:
    """With m = z[at] the peak and r = Σ_{k≠at} exp(z_k − m): −log q_k = (m − z_k) + log(1 + r)."""
    at = max(range(len(z)), key=lambda k: z[k])
    peak = z[at]
    powers = [mpf(0) if v == -INF else mp.exp(v - peak) for v in z]
    rest = mp.fsum(p for k, p in enumerate(powers) if k != at)
    excess = mp.log1p(rest)
    s = [excess if k == at else INF if v == -INF else (peak - v) + excess for k, v in enumerate(z)]
    q = [p / (1 + rest) for p in powers]
    complement = [rest / (1 + rest) if k == at else 1 - p for k, p in enumerate(q)]
    return Row(s, q, complement, peak + excess)


def row(values: Sequence[Any], link: str) -> Row:
    """A row of scores, log-probabilities or probabilities."""
    if link == "logits":
        return softmax_row(values)
    if link == "log_probs":
        q = [mpf(0) if v == -INF else mp.exp(v) for v in values]
        return Row([-v for v in values], q, [-mp.expm1(v) for v in values])
    return Row([INF if v == 0 else -mp.log(v) for v in values], list(values), [1 - v for v in values])


def times(mass: Any, value: Any) -> Any:
    """mass·value with 0·∞ = 0."""
    return mpf(0) if mass == 0 else mass * value


def one_hot(label: int, classes: int, smoothing: float = 0.0) -> list[Any]:
    """(1 − ε)·1[k = label] + ε/K."""
    e = mpf(smoothing)
    return [(1 - e) * (k == label) + e / classes for k in range(classes)]


def smoothed(p: Sequence[Any], smoothing: float) -> list[Any]:
    e = mpf(smoothing)
    return [(1 - e) * v + e / len(p) for v in p]


def row_loss(t: Sequence[Any], found: Row) -> Any:
    """−Σ t log q."""
    return mp.fsum(times(p, s) for p, s in zip(t, found.surprisals, strict=True))


def row_gradient(t: Sequence[Any], found: Row, values: Sequence[Any], link: str) -> list[Any]:
    """Its derivative by each entry of the row."""
    if link == "log_probs":
        return [-p for p in t]
    if link == "probs":
        return [mpf(0) if p == 0 else -INF if v == 0 else -p / v for p, v in zip(t, values, strict=True)]
    mass = mp.fsum(t)
    # (Σt)·q − t as (Σt − t) − Σt·(1 − q) where q > ½: nothing cancels where q → 1.
    return [
        (mass - p) - mass * c if q > 0.5 else mass * q - p for p, q, c in zip(t, found.q, found.complement, strict=True)
    ]


def entropy(p: Sequence[Any]) -> Any:
    return -mp.fsum(times(v, mpf(0) if v == 0 else mp.log(v)) for v in p)


def row_entropy(found: Row) -> Any:
    return mp.fsum(times(q, s) for q, s in zip(found.q, found.surprisals, strict=True))


def divergence(t: Sequence[Any], found: Row) -> Any:
    """Σ t (log t − log q)."""
    return row_loss(t, found) - entropy(t)


def jensen_shannon(t: Sequence[Any], q: Sequence[Any]) -> Any:
    m = [(a + b) / 2 for a, b in zip(t, q, strict=True)]
    mine, theirs = ([times(a, mp.log(a / c) if a else 0) for a, c in zip(x, m, strict=True)] for x in (t, q))
    return (mp.fsum(mine) + mp.fsum(theirs)) / 2


@dataclass(frozen=True)
class Element:
    """One yes/no prediction: −log q, −log(1 − q), and the derivative of each by what is held."""

    yes: Any
    no: Any
    d_yes: Any
    d_no: Any


def element(x: Any, link: str) -> Element:
    """An element of scores (sigmoid), log-probabilities or probabilities."""
    if link == "logits":
        up, down = mp.exp(x), mp.exp(-x)
        return Element(mp.log1p(down), mp.log1p(up), -1 / (1 + up), 1 / (1 + down))
    if link == "log_probs":
        if x == 0:
            return Element(mpf(0), INF, mpf(-1), INF)
        # exp(x) below 10^-50 is lost beside 1, but not in log1p.
        return Element(-x, -mp.log1p(-mp.exp(x)) if x < -1 else -mp.log(-mp.expm1(x)), mpf(-1), 1 / mp.expm1(-x))
    yes = INF if x == 0 else -mp.log(x)
    no = INF if x == 1 else -mp.log1p(-x)
    return Element(yes, no, -INF if x == 0 else -1 / x, INF if x == 1 else 1 / (1 - x))


def element_loss(t: Any, found: Element) -> Any:
    return times(t, found.yes) + times(1 - t, found.no)


def element_gradient(t: Any, found: Element) -> Any:
    return times(t, found.d_yes) + times(1 - t, found.d_no)
