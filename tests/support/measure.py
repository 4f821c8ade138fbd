"""How far a result is from the oracle, in units of the rounding of the arithmetic.

The unit of a loss or a gradient is eps·scale, with eps that of the type of the arithmetic (float32 for half precision)
and the scale below. For the loss, and for the gradient of a hard target, it is the exact result itself (times 1 + |log|
of it, where a difference of scores enters an exponential): the error is a relative one, also where p → 1. For a soft
target the gradient Σt·p − t is a difference, and its scale is that of the two terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch

import xent

from . import oracle
from .oracle import INF, mp, mpf
from .problems import SMOOTHING, Problem, as_array

HALF = ("float16", "bfloat16")


def eps_of(dtype: str) -> float:
    """eps of the type that the arithmetic is done in."""
    return float(np.finfo(np.float64 if dtype == "float64" else np.float32).eps)


def tiny_of(dtype: str) -> float:
    """Its smallest normal number: below, precision is gradually lost in any arithmetic."""
    return float(np.finfo(np.float64 if dtype == "float64" else np.float32).tiny)


@dataclass(frozen=True)
class Exact:
    """Exact results with their scales: a number an example, and one array for each array that Q holds."""

    loss: list[Any]
    loss_scale: list[Any]
    gradients: list[list[Any]]
    gradient_scales: list[list[Any]]


def sensitive(x: Any) -> Any:
    """|x|·(1 + |log |x||): the scale of what is computed as the exponential of a difference, or its log1p."""
    x = abs(x)
    return x if x in (0, INF) else x * (1 + abs(mp.log(x)))


def solve(problem: Problem) -> Exact:
    """The exact loss and gradient of each example of a problem."""
    scores, slack = _scores(problem)
    each = [
        (_elements if problem.truth == "indicators" else _row)(problem, i, x, slack[i]) for i, x in enumerate(scores)
    ]
    loss = [v for one in each for v in one[0]]
    loss_scale = [v for one in each for v in one[1]]
    by_score, score_scale = [one[2] for one in each], [one[3] for one in each]
    if problem.prediction != "projection":
        return Exact(loss, loss_scale, [[*chain(*by_score)]], [[*chain(*score_scale)]])
    hidden, weight, _ = problem.q
    exact, scales = _through(by_score, hidden, weight), _through(score_scale, abs(hidden), abs(weight))
    return Exact(loss, loss_scale, exact, scales)


def _scores(problem: Problem) -> tuple[list[list[Any]], list[Any]]:
    """What Q holds, row by row; for a projection its scores, and how large the terms of their sums are."""
    if problem.prediction != "projection":
        return [oracle.exact(row) for row in problem.q], [mpf(0)] * len(problem.q)
    hidden, weight, bias = ([oracle.exact(v) for v in x] for x in (problem.q[0], problem.q[1], problem.q[2][:, None]))
    scores = [[mp.fdot(h, w) + b[0] for w, b in zip(weight, bias, strict=True)] for h in hidden]
    sizes = [
        max(mp.fdot([abs(v) for v in h], [abs(v) for v in w]) + abs(b[0]) for w, b in zip(weight, bias, strict=True))
        for h in hidden
    ]
    return scores, sizes


def target(problem: Problem, i: int, classes: int) -> tuple[list[Any], list[Any]]:
    """t of row i, and how sensitive each is: 1 where it was given, 1 + |log t| where it is an exponential of scores."""
    if problem.truth == "labels":
        return oracle.one_hot(int(problem.p[i]), classes), [mpf(1)] * classes
    if problem.truth == "smoothed labels":
        return oracle.one_hot(int(problem.p[i]), classes, SMOOTHING), [mpf(1)] * classes
    values = oracle.exact(problem.p[i])
    if problem.truth == "distribution":
        return values, [mpf(1)] * classes
    link = "log_probs" if problem.truth == "teacher log-probs" else "logits"
    teacher = oracle.row(values, link)
    # Mass below the smallest number of the arithmetic is no mass: it decides between 0·∞ and ∞.
    least = mpf(tiny_of(problem.dtype)) * eps_of(problem.dtype) / 2
    t = [mpf(0) if q < least else q for q in teacher.q]
    if link == "log_probs":
        return t, [mpf(1)] * classes
    return t, [1 + (s if s != INF else 0) for s in teacher.surprisals]


def _row(problem: Problem, i: int, x: list[Any], slack: Any) -> tuple[list[Any], ...]:
    link = problem.link
    t, doubt = target(problem, i, len(x))
    found = oracle.row(x, link)
    sizes = [sensitive(s) if link == "logits" else abs(s) for s in found.surprisals]
    loss = oracle.row_loss(t, found)
    scale = mp.fsum(oracle.times(p * c, s + 2 * slack) for p, c, s in zip(t, doubt, sizes, strict=True))
    gradient = oracle.row_gradient(t, found, x, link)
    if link != "logits":
        scales = [oracle.times(c, abs(g)) for c, g in zip(doubt, gradient, strict=True)]
    elif all(p in (0, 1) for p in t):
        scales = [sensitive(g) + 2 * slack * abs(g) for g in gradient]
    else:
        mass = mp.fsum(t)
        scales = [mass * (sensitive(q) + q + 2 * slack * q) + p * c for q, p, c in zip(found.q, t, doubt, strict=True)]
    return [loss], [scale], gradient, scales


def _elements(problem: Problem, i: int, x: list[Any], slack: Any) -> tuple[list[Any], ...]:
    loss, scale, gradient, scales = [], [], [], []
    for t, v in zip(oracle.exact(problem.p[i]), x, strict=True):
        found = oracle.element(v, problem.link)
        size = oracle.times(t, abs(found.d_yes)) + oracle.times(1 - t, abs(found.d_no))
        loss.append(oracle.element_loss(t, found))
        scale.append(loss[-1] + (slack * size if slack else 0))
        gradient.append(oracle.element_gradient(t, found))
        scales.append(size * (1 + slack))
    return loss, scale, gradient, scales


def _through(rows: list[list[Any]], hidden: Any, weight: Any) -> list[list[Any]]:
    """The gradients by hidden, weight and bias that the gradients by the scores make."""
    h, w = [oracle.exact(v) for v in hidden], [oracle.exact(v) for v in weight]
    by_hidden = [mp.fdot(g, [row[j] for row in w]) for g in rows for j in range(len(w[0]))]
    columns = list(zip(*rows, strict=True))
    by_weight = [mp.fdot(g, [row[j] for row in h]) for g in columns for j in range(len(w[0]))]
    return [by_hidden, by_weight, [mp.fsum(g) for g in columns]]


def error(got: Any, exact: list[Any], scale: list[Any], dtype: str, held: str) -> float:
    """The largest |got − exact| in units of eps·scale; what rounding to ``held`` explains is taken off first."""
    flat = numbers(got).reshape(-1)
    assert len(flat) == len(exact), (len(flat), len(exact))
    eps, tiny = eps_of(dtype), tiny_of(dtype)
    worst = 0.0
    for g, e, s in zip(flat.tolist(), exact, scale, strict=True):
        if abs(e) == INF or g != g or abs(g) == float("inf"):
            e = _held(e, held)
            worst = max(worst, 0.0 if float(e) == g else float("inf"))
            continue
        off = abs(mpf(g) - e) - _half_step(e, held)
        # One number below the normal range may be off by a few steps of the subnormal ones.
        worst = max(worst, float((off - 4 * mpf(tiny) * eps) / (eps * s + tiny * mpf(eps))) if off > 0 else 0.0)
    return worst


def _held(e: Any, held: str) -> Any:
    """Infinite where the type that holds the result ends."""
    limit = float(torch.finfo(getattr(torch, held)).max)
    return e if abs(e) <= limit else INF if e > 0 else -INF


def _half_step(e: Any, held: str) -> Any:
    """Half a step of a half-precision type at e (a hair more, for the rounding that came before it)."""
    if held not in HALF:
        return mpf(0)
    info = torch.finfo(getattr(torch, held))
    return mpf(max(abs(float(e)), float(info.tiny))) * float(info.eps) / 2 * (1 + mpf(2) ** -12)


def numbers(x: Any) -> Any:
    return x.detach().double().numpy() if isinstance(x, torch.Tensor) else np.asarray(x, dtype=np.float64)


@dataclass(frozen=True)
class Errors:
    loss: float
    gradient: float


def measure(problem: Problem, library: str, exact: Exact | None = None) -> Errors:
    """Both errors of ``value_and_grad`` on a problem."""
    exact = solve(problem) if exact is None else exact
    value, gradient = xent.value_and_grad(problem.P(library), problem.Q(library), reduction="none")
    parts = gradient if isinstance(gradient, tuple) else (gradient,)
    return Errors(
        error(value, exact.loss, exact.loss_scale, problem.dtype, "float32"),
        max(
            error(part, e, s, problem.dtype, problem.dtype)
            for part, e, s in zip(parts, exact.gradients, exact.gradient_scales, strict=True)
        ),
    )


def autograd(problem: Problem) -> tuple[Any, ...]:
    """PyTorch's gradients of the sum by what Q holds."""
    arrays = problem.q if isinstance(problem.q, tuple) else (problem.q,)
    leaves = [as_array(x, problem.dtype, "torch").requires_grad_() for x in arrays]
    kind = type(problem.Q("torch"))
    return torch.autograd.grad(xent.cross_entropy(problem.P("torch"), kind(*leaves), reduction="sum"), leaves)
