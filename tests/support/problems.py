"""The inputs on which xent is measured: every pair of P and Q, in regimes that are hard in different ways.

Arrays are made in float64, rounded to the type under test, and kept as float64 again: the numbers that xent is given
are then exactly the numbers that the oracle is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import xent

Floats = NDArray[np.float64]

TRUTHS = ("labels", "smoothed labels", "distribution", "teacher scores", "teacher log-probs", "indicators")
PREDICTIONS = ("logits", "log_probs", "probs", "projection")
REGIMES = ("random", "wide", "confident", "ties", "masked", "tiny")
DTYPES = {"numpy": ("float16", "float32", "float64"), "torch": ("float16", "bfloat16", "float32", "float64")}
#: Frameworks whose compiled code is measured, that of XLA.
COMPILED = {"jax": ("float32", "float64"), "tensorflow": ("float32",)}
SMOOTHING = 0.1


def rounded(x: Any, dtype: str) -> Floats:
    """x in the nearest numbers of a type."""
    return torch.as_tensor(np.asarray(x, dtype=np.float64)).to(getattr(torch, dtype)).double().numpy()


def as_array(x: Any, dtype: str, library: str) -> Any:
    """Numbers that the type holds, as an array of a library."""
    if library == "numpy":
        return np.asarray(x, dtype=dtype)
    if library == "jax":
        import jax.numpy as jnp

        # Without jax_enable_x64 JAX has no int64.
        return jnp.asarray(np.asarray(x), dtype="int32" if dtype == "int64" else dtype)
    if library == "tensorflow":
        import tensorflow as tf

        return tf.cast(tf.constant(np.asarray(x)), dtype)
    return torch.tensor(np.asarray(x), dtype=getattr(torch, dtype))


@dataclass(frozen=True, eq=False)
class Problem:
    """One batch (N, K) of one pair; ``q`` is (hidden, weight, bias) for a projection."""

    truth: str
    prediction: str
    dtype: str
    p: Any
    q: Any

    @property
    def link(self) -> str:
        return "logits" if self.prediction == "projection" else self.prediction

    def arrays(self, library: str) -> tuple[Any, tuple[Any, ...]]:
        """What P holds, and what Q holds."""
        p = as_array(self.p, "int64" if "labels" in self.truth else self.dtype, library)
        q = self.q if self.prediction == "projection" else (self.q,)
        return p, tuple(as_array(x, self.dtype, library) for x in q)

    def P(self, library: str) -> Any:
        return truth_of(self.truth, self.arrays(library)[0])

    def Q(self, library: str) -> Any:
        return prediction_of(self.prediction, self.arrays(library)[1])


def truth_of(truth: str, p: Any) -> Any:
    """P of an array."""
    make = {
        "labels": xent.Labels,
        "smoothed labels": partial(xent.Labels, smoothing=SMOOTHING),
        "distribution": xent.Distribution,
        "teacher scores": xent.Distribution.from_logits,
        "teacher log-probs": xent.Distribution.from_log_probs,
        "indicators": xent.Indicators,
    }
    return make[truth](p)


def prediction_of(prediction: str, q: tuple[Any, ...]) -> Any:
    """Q of its arrays."""
    kinds = {
        "logits": xent.Logits,
        "log_probs": xent.LogProbabilities,
        "probs": xent.Probabilities,
        "projection": xent.Projection,
    }
    return kinds[prediction](*q)


def log_softmax(z: Floats) -> Floats:
    """Accurate enough to make inputs from; nothing is measured against it."""
    d = z - z.max(axis=-1, keepdims=True)
    return d - np.log(np.exp(d).sum(axis=-1, keepdims=True))


def problem(truth: str, prediction: str, dtype: str, regime: str, n: int, k: int, seed: int = 0) -> Problem:
    """A batch of n rows and k classes in one regime."""
    rng = np.random.default_rng([seed, n, k, REGIMES.index(regime), TRUTHS.index(truth)])
    z = rounded(_scores(rng, regime, n, k), dtype)
    y = rng.integers(0, k, n)
    if regime == "confident":
        y = np.where(np.arange(n) % 4 == 3, y, z.argmax(axis=-1))
    zero = np.zeros((n, k), dtype=bool)
    if regime == "masked" and k > 2:
        zero = rng.random((n, k)) < 0.3
        zero[np.arange(n), y] = False
        zero[np.arange(n), (y + 1) % k] = False
    p = y if "labels" in truth else _soft(rng, truth, dtype, y, zero, z)
    if prediction == "projection":
        return Problem(truth, prediction, dtype, p, _projection(rng, dtype, regime, n, k))
    # −∞ is a score for a class without mass; under smoothing every class has some, and the loss is infinite.
    z = np.where(zero, -np.inf, z)
    return Problem(truth, prediction, dtype, p, _prediction(rng, truth, prediction, dtype, regime, z))


def large(truth: str, dtype: str, classes: int = 200_000) -> Problem:
    """One row of very many classes, in numbers that every type holds: eighths, and powers of 2."""
    rng = np.random.default_rng(classes)
    z = rng.integers(-128, 128, (1, classes)) / 8
    if truth != "distribution":
        return Problem(truth, "logits", dtype, np.array([3]), z)
    p = np.zeros((1, classes))
    p[0, rng.permutation(classes)[: 2**14]] = 2.0**-14
    return Problem(truth, "logits", dtype, p, z)


def _scores(rng: np.random.Generator, regime: str, n: int, k: int) -> Floats:
    if regime == "wide":
        return rng.uniform(-1e4, 1e4, (n, k))
    if regime == "confident":
        z = rng.normal(size=(n, k))
        z[np.arange(n), rng.integers(0, k, n)] += rng.uniform(8, 37, n)
        return z
    if regime == "ties":
        z = np.repeat(rng.uniform(-5, 5, (n, 1)), k, axis=1)
        return z * (1 + rng.integers(-2, 3, (n, k)) * 1e-7)
    return rng.normal(size=(n, k)) * 3


def _soft(rng: np.random.Generator, truth: str, dtype: str, y: Any, zero: Any, z: Floats) -> Floats:
    n, k = z.shape
    if truth == "indicators":
        t = rng.random((n, k))
        return rounded(np.where(t < 0.4, 0, np.where(t < 0.8, 1, rng.random((n, k)))), dtype)
    scores = rng.normal(size=(n, k)) * 2
    # Every third row is close to what is predicted, so that the gradient is a difference of near-equals.
    near = np.arange(n) % 3 == 1
    scores[near] = (z + rng.normal(size=(n, k)) * 0.01)[near]
    scores = np.where(zero, -np.inf, scores)
    if truth == "teacher scores":
        return rounded(scores, dtype)
    log_p = log_softmax(scores)
    if truth == "teacher log-probs":
        return rounded(log_p, dtype)
    p = np.exp(log_p)
    p[np.arange(n) % 3 == 2] = 0
    p[np.arange(n) % 3 == 2, y[np.arange(n) % 3 == 2]] = 1
    return rounded(p, dtype)


def _prediction(rng: np.random.Generator, truth: str, kind: str, dtype: str, regime: str, z: Floats) -> Floats:
    if kind == "logits":
        return z
    n, k = z.shape
    if truth == "indicators":
        if kind == "probs" and regime == "tiny":
            edge = 10.0 ** -rng.uniform(0, _decades(dtype), (n, k))
            return rounded(np.where(rng.random((n, k)) < 0.5, edge, 1 - edge * 1e-3), dtype)
        log_q = np.where(z > 0, -np.log1p(np.exp(-np.abs(z))), z - np.log1p(np.exp(-np.abs(z))))
        return rounded(log_q if kind == "log_probs" else np.exp(log_q), dtype)
    if regime == "tiny":
        q = 10.0 ** -rng.uniform(np.log10(2 * k), max(_decades(dtype), np.log10(4 * k)), (n, k))
        q[np.arange(n), rng.integers(0, k, n)] = 0
        q = np.where(q == 0, 1 - q.sum(axis=-1, keepdims=True), q)
        return rounded(np.log(q) if kind == "log_probs" else q, dtype)
    log_q = log_softmax(z)
    return rounded(log_q if kind == "log_probs" else np.exp(log_q), dtype)


def _decades(dtype: str) -> float:
    return {"float64": 300.0, "float32": 37.0, "bfloat16": 37.0, "float16": 7.0}[dtype]


def _projection(rng: np.random.Generator, dtype: str, regime: str, n: int, k: int) -> tuple[Floats, Floats, Floats]:
    scale = {"wide": 30.0, "confident": 4.0, "tiny": 0.01}.get(regime, 1.0)
    hidden, weight = rng.normal(size=(n, 5)) * scale, rng.normal(size=(k, 5)) * scale
    return rounded(hidden, dtype), rounded(weight, dtype), rounded(rng.normal(size=k), dtype)
