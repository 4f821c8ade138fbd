"""A perceptron on scikit-learn's handwritten digits, in JAX with optax: its softmax cross-entropy and xent's.

Run: ``python examples/optax_digits.py [--steps N]``. 1,437 images train, 360 are held out; two hidden layers of 256;
``optax.adam``, batches of 64, one jitted step. Prints both curves, how far they are apart and the time of both runs;
exit status 1 where the curves are further apart than rounding explains (see ``curves.py``).
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from curves import same
from scipy.special import log_softmax
from sklearn.datasets import load_digits

import xent.optax

SEED, BATCH, HIDDEN, RATE = 0, 64, 256, 1e-3

Loss = Callable[[jax.Array, jax.Array], jax.Array]


def data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(training, held out): pixels in [0, 1] and digits."""
    digits = load_digits()
    x, y = (digits.data / 16.0).astype(np.float32), digits.target.astype(np.int32)
    order = np.random.default_rng(SEED).permutation(len(y))
    train, held_out = order[: len(y) * 4 // 5], order[len(y) * 4 // 5 :]
    return (x[train], y[train]), (x[held_out], y[held_out])


def start() -> list[tuple[jax.Array, jax.Array]]:
    """The weights and biases of the model, the same at every call."""
    rng = np.random.default_rng(SEED)
    sizes = (64, HIDDEN, HIDDEN, 10)
    return [
        (jnp.asarray(rng.normal(size=(m, n)) * np.sqrt(2 / m), jnp.float32), jnp.zeros(n, jnp.float32))
        for m, n in itertools.pairwise(sizes)
    ]


def model(parameters: Any, x: jax.Array) -> jax.Array:
    """Scores (examples, 10)."""
    for weight, bias in parameters[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = parameters[-1]
    return x @ weight + bias


def train(loss: Loss, batches: list[tuple[Any, Any]], held_out: tuple[Any, Any]) -> tuple[list[float], float, float]:
    """The loss of each step in nats, seconds of all steps after the first, and the loss of what was held out."""
    optimizer = optax.adam(RATE)
    parameters = start()
    state = optimizer.init(parameters)

    @jax.jit
    def step(parameters: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any, jax.Array]:
        value, gradient = jax.value_and_grad(lambda p: loss(model(p, x), y).mean())(parameters)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(parameters, updates), state, value

    curve = []
    begun = 0.0
    for i, (x, y) in enumerate(batches):
        parameters, state, value = step(parameters, state, x, y)
        curve.append(value)
        if i == 0:
            jax.block_until_ready(value)  # compiled
            begun = time.perf_counter()
    jax.block_until_ready(curve)
    seconds = time.perf_counter() - begun
    return [float(value) for value in curve], seconds, float(loss(model(parameters, held_out[0]), held_out[1]).mean())


theirs: Loss = optax.losses.softmax_cross_entropy_with_integer_labels
ours: Loss = xent.optax.softmax_cross_entropy_with_integer_labels


def in_numpy(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each loss and its gradient, computed in float64 and rounded to float32."""
    log_q = log_softmax(scores.astype(np.float64), axis=-1)
    hot = np.eye(scores.shape[-1])[labels]
    return -(hot * log_q).sum(-1).astype(np.float32), (np.exp(log_q) - hot).astype(np.float32)


def both(scores: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    shapes = jax.ShapeDtypeStruct(labels.shape, jnp.float32), jax.ShapeDtypeStruct(scores.shape, jnp.float32)
    loss, gradient = jax.pure_callback(lambda z, y: in_numpy(np.asarray(z), np.asarray(y)), shapes, scores, labels)
    return loss, gradient


@jax.custom_vjp
def exact(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """optax's loss without its rounding: of the same scores, in float64, rounded to float32."""
    return both(scores, labels)[0]


exact.defvjp(both, lambda gradient, upstream: (upstream[:, None] * gradient, None))


def main() -> None:
    """Train and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    steps = parser.parse_args().steps
    (x, y), held_out = data()
    rng = np.random.default_rng(SEED)
    batches = [(x[rows], y[rows]) for rows in rng.integers(0, len(y), (steps, BATCH))]
    runs = {"optax": train(theirs, batches, held_out), "xent": train(ours, batches, held_out)}
    found = same("optax", runs["optax"][0], runs["xent"][0], train(exact, batches, held_out)[0])
    print("held out, nats: " + ", ".join(f"{name} {held:.6f}" for name, (_, _, held) in runs.items()))
    for name, (_, seconds, _) in runs.items():
        print(f"{name}: {seconds:.2f} s for the {steps - 1} steps after the first")
    if not found:
        sys.exit(1)


if __name__ == "__main__":
    main()
