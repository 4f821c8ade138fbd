"""How far a result is from the oracle, in units of the rounding of the arithmetic.

The unit of a loss or a gradient is eps·scale, with eps that of the type of the arithmetic (float32 for half precision)
and the scale below. For the loss, and for the gradient of a hard target, it is the exact result itself (times 1 + |log|
of it, where a difference of scores enters an exponential): the error is a relative one, also where p → 1. For a soft
target the gradient Σt·p − t is a difference, and its scale is that of the two terms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

import xent
from xent.core import reference

from . import oracle
from .oracle import INF, mp, mpf
from .problems import COMPILED, SMOOTHING, Problem, as_array, prediction_of, truth_of

HALF = ("float16", "bfloat16")


def eps_of(dtype: str) -> float:
    """eps of the type that the arithmetic is done in."""
    return float(np.finfo(np.float64 if dtype == "float64" else np.float32).eps)


def tiny_of(dtype: str) -> float:
    """Its smallest normal number: below, precision is gradually lost in any arithmetic."""
    return float(np.finfo(np.float64 if dtype == "float64" else np.float32).tiny)


Numbers: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]


def split(values: list[Any]) -> Numbers:
    """The nearest floats of exact numbers, and what they leave."""
    high = np.array([float(v) for v in values], dtype=np.float64)
    low = [float(v - mpf(h)) if math.isfinite(h) else 0.0 for v, h in zip(values, high.tolist(), strict=True)]
    return high, np.array(low, dtype=np.float64)


@dataclass(frozen=True)
class Exact:
    """Exact results with their scales: a number an example, and one array for each array that Q holds.

    Numbers are pairs of floats, the nearest and the rest (32 digits of the 50). Scales are floats: they only say how
    large an error may be.
    """

    loss: Numbers
    loss_scale: list[float]
    by_score: Numbers
    by_score_scale: list[float]
    gradients: list[Numbers]
    gradient_scales: list[list[float]]


def sensitive(x: Any) -> float:
    """|x|·(1 + |log |x||): the scale of what is computed as the exponential of a difference, or its log1p."""
    size = abs(float(x))
    return size * (1 + abs(math.log(size))) if 0 < size < math.inf else size


def product(mass: float, size: float) -> float:
    """0·∞ = 0."""
    return 0.0 if mass == 0 else mass * size


def solve(problem: Problem) -> Exact:
    """The exact loss and gradient of each example of a problem."""
    scores, slack = _scores(problem)
    each = [
        (_elements if problem.truth == "indicators" else _row)(problem, i, x, slack[i]) for i, x in enumerate(scores)
    ]
    loss = [v for one in each for v in one[0]]
    loss_scale = [v for one in each for v in one[1]]
    by_row, scale_by_row = [one[2] for one in each], [one[3] for one in each]
    by_score, score_scale = [*chain(*by_row)], [*chain(*scale_by_row)]
    if problem.prediction != "projection":
        numbers = split(by_score)
        return Exact(split(loss), loss_scale, numbers, score_scale, [numbers], [score_scale])
    hidden, weight, _ = problem.q
    exact, g = _through(by_row, hidden, weight), np.asarray(scale_by_row)
    sums = (g @ abs(weight), g.T @ abs(hidden), g.sum(axis=0))
    scales = [x.reshape(-1).tolist() for x in sums]
    return Exact(split(loss), loss_scale, split(by_score), score_scale, [split(x) for x in exact], scales)


def _scores(problem: Problem) -> tuple[list[list[Any]], list[float]]:
    """What Q holds, row by row; for a projection its scores, and how large the terms of their sums are."""
    if problem.prediction != "projection":
        return [oracle.exact(row) for row in problem.q], [0.0] * len(problem.q)
    hidden, weight, bias = ([oracle.exact(v) for v in x] for x in (problem.q[0], problem.q[1], problem.q[2][:, None]))
    scores = [[mp.fdot(h, w) + b[0] for w, b in zip(weight, bias, strict=True)] for h in hidden]
    h, w, b = (np.abs(x) for x in problem.q)
    return scores, (h @ w.T + b).max(axis=1).tolist()


def target(problem: Problem, i: int, classes: int) -> tuple[list[Any], list[float]]:
    """t of row i, and how sensitive each is: 1 where it was given, 1 + |log t| where scores were."""
    if problem.truth == "labels":
        return oracle.one_hot(int(problem.p[i]), classes), [1.0] * classes
    if problem.truth == "smoothed labels":
        return oracle.one_hot(int(problem.p[i]), classes, SMOOTHING), [1.0] * classes
    values = oracle.exact(problem.p[i])
    if problem.truth == "distribution":
        return values, [1.0] * classes
    link = "log_probs" if problem.truth == "teacher log-probs" else "logits"
    teacher = oracle.row(values, link)
    # Mass below the smallest number of the arithmetic is no mass: it decides between 0·∞ and ∞.
    tiny = tiny_of(problem.dtype)
    least = mpf(tiny) * eps_of(problem.dtype) / 2
    t = [mpf(0) if q < least else q for q in teacher.q]
    # A subnormal mass has fewer digits.
    few = [1.0 + (tiny / float(p) if p else 0.0) for p in t]
    if link == "log_probs":
        return t, few
    return t, [c + (float(s) if s != INF else 0.0) for c, s in zip(few, teacher.surprisals, strict=True)]


def _row(problem: Problem, i: int, x: list[Any], slack: float) -> tuple[list[Any], ...]:
    link = problem.link
    t, doubt = target(problem, i, len(x))
    found = oracle.row(x, link)
    masses = [float(p) for p in t]
    sizes = [sensitive(s) if link == "logits" else abs(float(s)) for s in found.surprisals]
    loss = oracle.row_loss(t, found)
    scale = math.fsum(product(p * c, s + 2 * slack) for p, c, s in zip(masses, doubt, sizes, strict=True))
    gradient = oracle.row_gradient(t, found, x, link)
    if link != "logits":
        scales = [product(abs(float(g)), c) for c, g in zip(doubt, gradient, strict=True)]
    elif all(p in (0, 1) for p in masses):
        scales = [sensitive(g) + 2 * slack * abs(float(g)) for g in gradient]
    else:
        mass, q = math.fsum(masses), [float(v) for v in found.q]
        scales = [mass * (sensitive(v) + v + 2 * slack * v) + p * c for v, p, c in zip(q, masses, doubt, strict=True)]
    return [loss], [scale], gradient, scales


def _elements(problem: Problem, i: int, x: list[Any], slack: float) -> tuple[list[Any], ...]:
    loss, scale, gradient, scales = [], [], [], []
    for t, v in zip(oracle.exact(problem.p[i]), x, strict=True):
        found = oracle.element(v, problem.link)
        size = float(oracle.times(t, abs(found.d_yes)) + oracle.times(1 - t, abs(found.d_no)))
        loss.append(oracle.element_loss(t, found))
        scale.append(float(loss[-1]) + product(slack, size))
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


def error(got: Any, exact: Numbers, scale: list[float], dtype: str, held: str) -> float:
    """The largest |got − exact| in units of eps·scale; what rounding to ``held`` explains is taken off first."""
    g, eps = numbers(got).reshape(-1), eps_of(dtype)
    high, low = exact
    assert g.shape == high.shape, (g.shape, high.shape)
    info = torch.finfo(getattr(torch, held))
    # Infinite where the type that holds the result ends.
    limited = np.where(np.abs(high) > float(info.max), np.copysign(np.inf, high), high)
    finite = np.isfinite(limited) & np.isfinite(g)
    if not np.array_equal(g[~finite], limited[~finite]):
        return math.inf
    g, high, low, size = g[finite], high[finite], low[finite], np.asarray(scale)[finite]
    # g − high is exact where they are close: the difference is known to some 30 digits.
    off = np.abs((g - high) - low)
    if held in HALF:
        # Half a step of the half type; a hair more, for the rounding that came before it.
        off -= np.maximum(np.abs(high), float(info.tiny)) * float(info.eps) / 2 * (1 + 2.0**-12)
    # Below the normal range four steps of the subnormal numbers count as one unit.
    return max(0.0, float(np.max(off / (eps * size + 4 * eps * tiny_of(dtype)), initial=0.0)))


def numbers(x: Any) -> Any:
    return x.detach().double().numpy() if isinstance(x, torch.Tensor) else np.asarray(x, dtype=np.float64)


@dataclass(frozen=True)
class Errors:
    """The largest errors of a path, in units of eps·scale."""

    loss: float
    gradient: float

    def worst(self, other: Errors) -> Errors:
        return Errors(max(self.loss, other.loss), max(self.gradient, other.gradient))


def measure(problem: Problem, library: str, exact: Exact | None = None) -> Errors:
    """Both errors of ``value_and_grad`` on a problem."""
    exact = solve(problem) if exact is None else exact
    if library in COMPILED:
        value, gradient = compiled_value_and_grad(problem, library)
    else:
        value, gradient = xent.value_and_grad(problem.P(library), problem.Q(library), reduction="none")
    parts = gradient if isinstance(gradient, tuple) else (gradient,)
    return Errors(
        error(value, exact.loss, exact.loss_scale, problem.dtype, "float32"),
        max(
            error(part, e, s, problem.dtype, problem.dtype)
            for part, e, s in zip(parts, exact.gradients, exact.gradient_scales, strict=True)
        ),
    )


def compiled_value_and_grad(problem: Problem, library: str) -> tuple[Any, Any]:
    """``value_and_grad`` in code that XLA compiled, in NumPy arrays."""
    if library == "jax":
        import jax

        with jax.enable_x64(problem.dtype == "float64"):
            p, q = problem.arrays(library)
            return jax.tree.map(numbers, _program(problem.truth, problem.prediction, library)(p, q))
    p, q = problem.arrays(library)
    value, gradient = _program(problem.truth, problem.prediction, library)(p, q)
    return numbers(value), tuple(map(numbers, gradient)) if isinstance(gradient, tuple) else numbers(gradient)


@cache
def _program(truth: str, prediction: str, library: str) -> Any:
    def run(p: Any, q: tuple[Any, ...]) -> tuple[Any, Any]:
        return xent.value_and_grad(truth_of(truth, p), prediction_of(prediction, q), reduction="none")

    if library == "jax":
        import jax

        return jax.jit(run)
    import tensorflow as tf

    return tf.function(run, jit_compile=True)


def measure_reference(problem: Problem, exact: Exact | None = None) -> Errors:
    """Both errors of ``xent.core.reference``, whose gradient of a projection is that by the scores."""
    exact = solve(problem) if exact is None else exact
    P, Q = problem.P("numpy"), problem.Q("numpy")
    loss = error(reference.losses(P, Q), exact.loss, exact.loss_scale, problem.dtype, "float64")
    slope = error(reference.gradients(P, Q), exact.by_score, exact.by_score_scale, problem.dtype, "float64")
    return Errors(loss, slope)


def autograd(problem: Problem) -> tuple[Any, ...]:
    """PyTorch's gradients of the sum by what Q holds."""
    arrays = problem.q if isinstance(problem.q, tuple) else (problem.q,)
    leaves = [as_array(x, problem.dtype, "torch").requires_grad_() for x in arrays]
    kind = type(problem.Q("torch"))
    return torch.autograd.grad(xent.cross_entropy(problem.P("torch"), kind(*leaves), reduction="sum"), leaves)


@dataclass(frozen=True)
class Weighted:
    """The exact losses of rows, and the gradient of Σ c·ℓ, with their scales; rows of c = 0 are zero in both."""

    loss: Numbers
    loss_scale: list[float]
    gradient: Numbers
    gradient_scale: list[float]


def solve_weighted(problem: Problem, c: NDArray[np.float64]) -> Weighted:
    """For a truth that rows have (not indicators) and scores; c is one number a row, of any sign."""
    losses, scales, slopes, sizes = [], [], [], []
    for i, (x, weight) in enumerate(zip(problem.q, c.tolist(), strict=True)):
        (loss,), (scale,), gradient, each = _row(problem, i, oracle.exact(x), 0.0)
        if not weight:
            loss, scale, gradient, each = mpf(0), 0.0, [mpf(0)] * len(gradient), [0.0] * len(gradient)
        losses.append(loss)
        scales.append(scale)
        slopes += [g * mpf(weight) for g in gradient]
        sizes += [size * abs(weight) for size in each]
    return Weighted(split(losses), scales, split(slopes), sizes)
