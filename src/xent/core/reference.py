"""The oracle: slow, float64, one example at a time, and written to be obviously right.

It shares no arithmetic with the kernels. The tests hold it against 50-digit arithmetic, and everything else against it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xent.core.arrays import Array
from xent.core.predictions import Logits, LogProbabilities, Probabilities, Projection
from xent.core.targets import Distribution, Indicators, Labels

Floats = NDArray[np.float64]


def losses(P: Labels | Distribution | Indicators, Q: Logits | LogProbabilities | Probabilities | Projection) -> Floats:
    """−Σ P log Q of each example, float64; 0 where a label is ignored."""
    return _walk(P, Q)[0]


def gradients(
    P: Labels | Distribution | Indicators, Q: Logits | LogProbabilities | Probabilities | Projection
) -> Floats:
    """The gradient of each example's loss by what Q holds (by the scores for a Projection), of their shape."""
    return _walk(P, Q)[1]


def surprisals(row: Sequence[float], holds: str) -> list[float]:
    """−log q of each class of one row that holds "logits", "log_probs" or "probs"."""
    if holds == "log_probs":
        return [-x for x in row]
    if holds == "probs":
        return [_minus_log(x) for x in row]
    return _softmax_surprisals(row)


def _softmax_surprisals(z: Sequence[float]) -> list[float]:
    """log Σ_j exp(z_j − z_k) of each k. At the peak the term j = k, which is 1, is left to log1p."""
    peak = max(z)
    if any(math.isnan(x) for x in z) or peak == -math.inf or sum(x == math.inf for x in z) > 1:
        return [math.nan] * len(z)
    if peak == math.inf:
        return [0.0 if x == peak else math.inf for x in z]
    at = list(z).index(peak)
    others = math.fsum(math.exp(x - peak) for j, x in enumerate(z) if j != at)
    return [math.log1p(others) if x == peak else (peak - x) + math.log(1.0 + others) for x in z]


def row_loss(t: Sequence[float], row: Sequence[float], holds: str) -> float:
    """−Σ t log q of one row, with 0·∞ = 0."""
    terms = [_product(p, s) for p, s in zip(t, surprisals(row, holds), strict=True)]
    return math.inf if math.inf in terms and not any(map(math.isnan, terms)) else math.fsum(terms)


def row_gradient(t: Sequence[float], row: Sequence[float], holds: str) -> list[float]:
    """Its derivative by each entry of the row."""
    if holds == "log_probs":
        return [-p for p in t]
    if holds == "probs":
        return [0.0 if p == 0 else -p / q if q else -math.inf for p, q in zip(t, row, strict=True)]
    s = surprisals(row, "logits")
    q = [math.exp(-x) for x in s]
    mass = math.fsum(t)
    # (Σt)·q_k − t_k as Σt·(q_k − 1) + (Σt − t_k), with q_k − 1 = expm1(−s_k): exact where q_k → 1.
    return [mass * math.expm1(-x) + (mass - p) if y > 0.5 else mass * y - p for x, y, p in zip(s, q, t, strict=True)]


def binary_surprisals(x: float, holds: str) -> tuple[float, float]:
    """(−log q, −log(1 − q)) of one element."""
    if holds == "probs":
        return _minus_log(x), math.inf if x == 1 else -math.log1p(-x)
    if holds == "log_probs":
        no = math.inf if x == 0 else -math.log(-math.expm1(x)) if x > -0.7 else -math.log1p(-math.exp(x))
        return -x, no
    return _softplus(-x), _softplus(x)


def binary_loss(t: float, x: float, holds: str) -> float:
    """−t log q − (1 − t) log(1 − q)."""
    yes, no = binary_surprisals(x, holds)
    return _product(t, yes) + _product(1.0 - t, no)


def binary_gradient(t: float, x: float, holds: str) -> float:
    """Its derivative by x."""
    if holds == "logits":
        return (1.0 - t) * _sigmoid(x) - t * _sigmoid(-x)
    if holds == "log_probs":
        return (0.0 if t == 1 else (1.0 - t) * _odds(x)) - t
    up = 0.0 if t == 1 else (1.0 - t) / (1.0 - x) if x < 1 else math.inf
    down = 0.0 if t == 0 else t / x if x > 0 else math.inf
    return up - down


def _sigmoid(x: float) -> float:
    e = math.exp(-abs(x))
    return (1.0 if x >= 0 else e) / (1.0 + e)


def _odds(x: float) -> float:
    """q / (1 − q) of x = log q; either form is free of overflow on its own side."""
    if x == 0:
        return math.inf
    return 1.0 / math.expm1(-x) if x > -1.0 else -math.exp(x) / math.expm1(x)


def _softplus(x: float) -> float:
    if x == math.inf:
        return x
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _minus_log(x: float) -> float:
    return math.inf if x == 0 else -math.log(x)


def _product(p: float, s: float) -> float:
    return 0.0 if p == 0 and not math.isnan(s) else p * s


def _float64(x: Array) -> Floats:
    if hasattr(x, "detach"):
        x = x.detach().cpu().double().numpy()
    return np.asarray(x, dtype=np.float64)


def _scores(Q: Any) -> tuple[Floats, str]:
    if isinstance(Q, Projection):
        bias = 0.0 if Q.bias is None else _float64(Q.bias)
        return _float64(Q.hidden) @ _float64(Q.weight).T + bias, "logits"
    for kind, name, holds in (
        (Logits, "scores", "logits"),
        (LogProbabilities, "log_probs", "log_probs"),
        (Probabilities, "probs", "probs"),
    ):
        if isinstance(Q, kind):
            return _float64(getattr(Q, name)), holds
    raise TypeError(type(Q).__name__)


def _walk(P: Any, Q: Any) -> tuple[Floats, Floats]:
    x, holds = _scores(Q)
    if isinstance(P, Indicators):
        t = _float64(P.values) * (1.0 - P.smoothing) + P.smoothing / 2.0
        pairs = list(zip(t.reshape(-1).tolist(), x.reshape(-1).tolist(), strict=True))
        loss = np.array([binary_loss(p, v, holds) for p, v in pairs], dtype=np.float64)
        slope = np.array([binary_gradient(p, v, holds) for p, v in pairs], dtype=np.float64)
        return loss.reshape(x.shape), slope.reshape(x.shape)
    last = np.moveaxis(x, Q.axis, -1)
    classes = last.shape[-1]
    rows = last.reshape(-1, classes).tolist()
    found = [
        (0.0, [0.0] * classes) if t is None else (row_loss(t, row, holds), row_gradient(t, row, holds))
        for t, row in zip(_targets(P, Q.axis, classes), rows, strict=True)
    ]
    loss = np.array([each[0] for each in found], dtype=np.float64).reshape(last.shape[:-1])
    slope = np.array([each[1] for each in found], dtype=np.float64).reshape(last.shape)
    return loss, np.moveaxis(slope, -1, Q.axis)


def _targets(P: Any, axis: int, classes: int) -> list[list[float] | None]:
    """t of each example, None where it is ignored."""
    on, off = 1.0 - P.smoothing, P.smoothing / classes
    if isinstance(P, Labels):
        labels = _integers(P.indices)
        return [None if y == P.ignore else [on * (k == y) + off for k in range(classes)] for y in labels]
    rows = np.moveaxis(_float64(P.probs), axis, -1).reshape(-1, classes)
    if P.holds == "probs":
        return [[on * p + off for p in row] for row in rows.tolist()]
    if P.holds == "logits":
        teachers = [[math.exp(-s) for s in surprisals(row, "logits")] for row in (rows / P.temperature).tolist()]
    else:
        teachers = [[math.exp(v) for v in row] for row in rows.tolist()]
    return [[on * p + off for p in row] for row in teachers]


def _integers(x: Array) -> list[int]:
    if hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    return [int(y) for y in np.asarray(x).reshape(-1)]
