"""A perceptron on handwritten digits in a custom training loop of TensorFlow, with its loss and with xent's.

Run: ``python examples/tensorflow_loop.py [--steps N]``. 1,437 images train, 360 are held out; one hidden layer of 256;
Adam written out, batches of 64; the step is a ``tf.function``. Prints both curves, how far they are apart and both
times; exit status 1 where the curves are further apart than rounding explains (see ``curves.py``).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from curves import same
from sklearn.datasets import load_digits

import xent

SEED, BATCH, HIDDEN, RATE = 0, 64, 256, 1e-3
Loss = Callable[[Any, Any], Any]


def theirs(labels: Any, scores: Any) -> Any:
    """TensorFlow's loss."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores))


def ours(labels: Any, scores: Any) -> Any:
    """xent's."""
    return xent.cross_entropy(xent.Labels(labels), xent.Logits(scores))


def in_float64(labels: Any, scores: Any) -> Any:
    """TensorFlow's loss without its rounding: of the same scores, in float64, rounded to float32."""
    return tf.cast(theirs(labels, tf.cast(scores, tf.float64)), tf.float32)


LOSSES: dict[str, Loss] = {"TensorFlow": theirs, "xent": ours}


@dataclass(frozen=True)
class Run:
    """The loss of each step in nats, seconds of all steps, and the loss on what was held out."""

    curve: list[float]
    seconds: float
    held_out: float


class Perceptron(tf.Module):
    """The model and Adam's state, with the same weights at every construction."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(SEED)
        shapes = [(64, HIDDEN), (HIDDEN,), (HIDDEN, 10), (10,)]
        start = [rng.normal(size=s) * np.sqrt(2 / s[0]) if len(s) == 2 else np.zeros(s) for s in shapes]
        self.weights = [tf.Variable(x, dtype=tf.float32) for x in start]
        self.means = [tf.Variable(tf.zeros_like(w)) for w in self.weights]
        self.squares = [tf.Variable(tf.zeros_like(w)) for w in self.weights]
        self.count = tf.Variable(0.0)

    def __call__(self, images: Any) -> Any:
        """Scores (N, 10) of images (N, 64)."""
        first, shift, second, bias = self.weights
        return tf.nn.relu(images @ first + shift) @ second + bias

    def update(self, gradients: list[Any]) -> None:
        """One step of Adam."""
        self.count.assign_add(1.0)
        for w, m, v, g in zip(self.weights, self.means, self.squares, gradients, strict=True):
            m.assign(0.9 * m + 0.1 * g)
            v.assign(0.999 * v + 0.001 * g * g)
            mean, square = m / (1.0 - 0.9**self.count), v / (1.0 - 0.999**self.count)
            w.assign_sub(RATE * mean / (tf.sqrt(square) + 1e-8))


def train(loss: Loss, batches: list[Any], held_out: Any) -> Run:
    """One run. The first step, which is compiled then, is not timed."""
    model = Perceptron()

    @tf.function(autograph=False)
    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(labels, model(images))
        model.update(tape.gradient(value, model.weights))
        return value

    curve = [float(step(*batches[0]))]
    start = time.perf_counter()
    found = [step(*batch) for batch in batches[1:]]
    curve += [float(value) for value in found]
    seconds = time.perf_counter() - start
    return Run(curve, seconds, float(loss(held_out[1], model(held_out[0]))))


def main() -> None:
    """Train and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    steps = parser.parse_args().steps
    digits = load_digits()
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(digits.target))
    x, y = (digits.data[order] / 16.0).astype(np.float32), digits.target[order].astype(np.int64)
    cut = len(y) * 4 // 5
    picked = [rng.integers(0, cut, BATCH) for _ in range(steps)]
    batches = [(tf.constant(x[rows]), tf.constant(y[rows])) for rows in picked]
    held_out = (tf.constant(x[cut:]), tf.constant(y[cut:]))
    runs = {name: train(loss, batches, held_out) for name, loss in LOSSES.items()}
    exact = train(in_float64, batches, held_out)
    found = same("TensorFlow", *(run.curve for run in runs.values()), exact.curve)
    print("held out, nats: " + ", ".join(f"{name} {run.held_out:.6f}" for name, run in runs.items()))
    for name, run in runs.items():
        print(f"{name}: {run.seconds:.2f} s for {steps} steps")
    if not found:
        sys.exit(1)


if __name__ == "__main__":
    main()
