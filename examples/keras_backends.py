"""A perceptron on scikit-learn's handwritten digits, trained in Keras on each of its backends with both losses.

Run: ``python examples/keras_backends.py [--steps N] [--backend torch|jax|tensorflow]``. Without ``--backend`` each
backend runs, in a process of its own, since Keras's backend is fixed at its import. 1,437 images train, 360 are held
out; two hidden layers of 256; Adam, batches of 64, ``model.compile(loss=SparseCategoricalCrossentropy(…))``. Prints the
curves and how far they are apart; exit status 1 where they are further apart than rounding explains (see
``curves.py``), on any backend.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
from curves import same

BACKENDS = ("torch", "jax", "tensorflow")
SEED, BATCH, HIDDEN, RATE = 0, 64, 256, 1e-3


def data() -> tuple[np.ndarray, np.ndarray]:
    """Pixels in [0, 1] and digits, shuffled; the last fifth is held out."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    return (digits.data / 16.0).astype("float32")[order], digits.target.astype("int64")[order]


def train(loss: Any, steps: int) -> tuple[list[float], float, float]:
    """(the loss of each step, that of the images held out, seconds), all in nats."""
    import keras

    keras.utils.set_random_seed(SEED)
    layers = [keras.layers.Dense(HIDDEN, "relu"), keras.layers.Dense(HIDDEN, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential([keras.layers.Input((64,)), *layers])
    model.compile(keras.optimizers.Adam(RATE), loss=loss)
    x, y = data()
    split, picks = len(y) * 4 // 5, np.random.default_rng(SEED)
    curve, start = [], time.perf_counter()
    for _ in range(steps):
        rows = picks.integers(0, split, BATCH)
        model.reset_metrics()  # or what comes back is the mean of all steps so far
        curve.append(float(model.train_on_batch(x[rows], y[rows])))
    seconds = time.perf_counter() - start
    return curve, float(model.evaluate(x[split:], y[split:], batch_size=BATCH, verbose=0)), seconds


def compare(steps: int) -> bool:
    """Train with both losses on the backend of this process, and with Keras's in float64; print what was found."""
    import keras

    import xent.keras

    losses = {
        "Keras": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "xent": xent.keras.SparseCategoricalCrossentropy(from_logits=True),
        "exact": keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64"),
    }
    runs = {name: train(loss, steps) for name, loss in losses.items()}
    found = same("Keras", runs["Keras"][0], runs["xent"][0], runs["exact"][0])
    print("held out, nats: " + ", ".join(f"{name} {runs[name][1]:.6f}" for name in ("Keras", "xent")))
    print(", ".join(f"{name} {runs[name][2]:.2f} s" for name in ("Keras", "xent")) + f" for {steps} steps\n")
    return found


def main() -> None:
    """Train and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--backend", choices=BACKENDS)
    options = parser.parse_args()
    if options.backend is None:
        command = [sys.executable, *sys.orig_argv[1:], "--backend"]
        codes = [subprocess.run([*command, backend], check=False).returncode for backend in BACKENDS]
        sys.exit(int(any(codes)))
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ["JAX_ENABLE_X64"] = "1"  # for the loss in float64; the model stays in float32
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    print(f"backend {options.backend}", flush=True)
    if not compare(options.steps):
        sys.exit(1)


if __name__ == "__main__":
    main()
