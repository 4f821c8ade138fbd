"""Inputs for JAX, and the same losses as formulas in ``jnp`` that JAX differentiates by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import xent

N, K = 5, 7


def _soft(x: Any) -> Any:
    return jax.nn.softmax(x, axis=-1)


def _labels(z: Any, y: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=-1)[:, 0]


@dataclass(frozen=True)
class Loss:
    """A loss of (x, truth) by xent, and its formula; x is made of scores."""

    ours: Callable[[Any, Any], Any]
    formula: Callable[[Any, Any], Any]
    truth: str = "labels"
    holds: Callable[[Any], Any] = lambda z: z


def _entropy(x: Any, _: Any) -> Any:
    q = _soft(x)
    return -jnp.sum(q * jnp.log(q), axis=-1)


LOSSES = {
    "labels": Loss(lambda z, y: xent.cross_entropy(xent.Labels(y), xent.Logits(z)), lambda z, y: _labels(z, y).mean()),
    "labels, each": Loss(
        lambda z, y: xent.cross_entropy(xent.Labels(y), xent.Logits(z), reduction="none") @ jnp.arange(1.0, N + 1),
        lambda z, y: _labels(z, y) @ jnp.arange(1.0, N + 1),
    ),
    "smoothed, ignored, class weights": Loss(
        lambda z, y: xent.cross_entropy(
            xent.Labels(y, ignore=0, smoothing=0.2), xent.Logits(z), weight=jnp.arange(1.0, N + 1), reduction="sum"
        ),
        lambda z, y: jnp.sum(
            jnp.where(y == 0, 0.0, jnp.arange(1.0, N + 1))
            * (0.8 * _labels(z, y) - 0.2 * jax.nn.log_softmax(z).mean(axis=-1))
        ),
    ),
    "focal and z-loss": Loss(
        lambda z, y: xent.cross_entropy(
            xent.Labels(y), xent.Logits(z), shaping=xent.Focal(2.0), penalties=[xent.ZLoss(0.1)]
        ),
        lambda z, y: jnp.mean(
            (1 - jnp.exp(-_labels(z, y))) ** 2 * _labels(z, y) + 0.1 * jax.nn.logsumexp(z, axis=-1) ** 2
        ),
    ),
    "distribution": Loss(
        lambda z, p: xent.cross_entropy(xent.Distribution(p), xent.Logits(z)),
        lambda z, p: -jnp.sum(p * jax.nn.log_softmax(z), axis=-1).mean(),
        truth="soft",
    ),
    "teacher": Loss(
        lambda z, p: xent.kl_divergence(xent.Distribution.from_logits(jnp.log(p)), xent.Logits(z)),
        lambda z, p: jnp.sum(p * (jnp.log(p) - jax.nn.log_softmax(z)), axis=-1).mean(),
        truth="soft",
    ),
    "jensen-shannon": Loss(
        lambda z, p: xent.js_divergence(xent.Distribution(p), xent.Logits(z)),
        lambda z, p: jnp.sum(
            (p * jnp.log(2 * p / (p + _soft(z))) + _soft(z) * jnp.log(2 * _soft(z) / (p + _soft(z)))) / 2, axis=-1
        ).mean(),
        truth="soft",
    ),
    "log-probabilities": Loss(
        lambda z, y: xent.cross_entropy(xent.Labels(y), xent.LogProbabilities(jax.nn.log_softmax(z))),
        lambda z, y: _labels(z, y).mean(),
    ),
    "probabilities": Loss(
        lambda z, p: xent.cross_entropy(xent.Distribution(p), xent.Probabilities(_soft(z))),
        lambda z, p: -jnp.sum(p * jax.nn.log_softmax(z), axis=-1).mean(),
        truth="soft",
    ),
    "entropy": Loss(lambda z, y: xent.entropy(xent.Logits(z)), lambda z, y: _entropy(z, y).mean()),
    "perplexity": Loss(
        lambda z, y: xent.perplexity(xent.Labels(y), xent.Logits(z)), lambda z, y: jnp.exp(_labels(z, y).mean())
    ),
    "squared error": Loss(
        lambda z, y: xent.squared_error(xent.Labels(y), xent.Logits(z)),
        lambda z, y: jnp.sum((_soft(z) - jax.nn.one_hot(y, K)) ** 2, axis=-1).mean(),
    ),
    "indicators": Loss(
        lambda z, t: xent.cross_entropy(xent.Indicators(t), xent.Logits(z), positive_weight=2.0),
        lambda z, t: -jnp.mean(2 * t * jax.nn.log_sigmoid(z) + (1 - t) * jax.nn.log_sigmoid(-z)),
        truth="binary",
    ),
    "indicators, probabilities": Loss(
        lambda z, t: xent.cross_entropy(xent.Indicators(t), xent.Probabilities(jax.nn.sigmoid(z))),
        lambda z, t: -jnp.mean(t * jax.nn.log_sigmoid(z) + (1 - t) * jax.nn.log_sigmoid(-z)),
        truth="binary",
    ),
    "projection": Loss(
        lambda z, y: xent.cross_entropy(xent.Labels(y), xent.Projection(z, jnp.cos(jnp.arange(3.0 * K)).reshape(3, K))),
        lambda z, y: _labels(z @ jnp.cos(jnp.arange(3.0 * K)).reshape(3, K).T, y % 3).mean(),
        truth="three",
    ),
}


def data(loss: Loss, dtype: Any = jnp.float64, seed: int = 0) -> tuple[Any, Any]:
    """Scores, and a truth of the kind that the loss takes."""
    rng = np.random.default_rng(seed)
    z = jnp.asarray(2 * rng.standard_normal((N, K)), dtype)
    truths = {
        "labels": np.array([0, 3, 6, 2, 1]),
        "three": np.array([0, 1, 2, 2, 1]),
        "soft": np.exp(rng.standard_normal((N, K))),
        "binary": rng.random((N, K)),
    }
    found = truths[loss.truth]
    if loss.truth == "soft":
        found = found / found.sum(axis=-1, keepdims=True)
    return z, jnp.asarray(found, None if found.dtype.kind == "i" else dtype)
