"""Writes digits.parquet: a linear model of handwritten digits, trained with cross-entropy and with squared error.

Half of scikit-learn's 1797 digits train the models, the other half is scored. Both models are a softmax over
``W x + b`` with 10 × 65 parameters, start from zero, and are brought to convergence by the same optimiser (L-BFGS, the
same tolerances and the same budget). A penalty λ/2·‖W‖² weighs differently against the two losses, so each model gets
the λ that is best for it: five-fold cross-validation in the training half, over one grid, by the model's own loss.
All that differs is the loss:

    ce_*   mean −log p(truth)
    se_*   mean Σ_k (p_k − 1[k = truth])²

The columns hold logits, so that the scorer takes its own softmax. Run: ``python examples/make_digits.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

PENALTIES = [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3]  # λ; separable data would have no minimum without one
FOLDS = 5
SEED = 0


def cross_entropy(logits: np.ndarray, onehot: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean loss, and its gradient with respect to the logits: (p − t)/n."""
    log_p = log_softmax(logits, axis=1)
    return -float((onehot * log_p).sum(axis=1).mean()), (np.exp(log_p) - onehot) / len(logits)


def squared_error(logits: np.ndarray, onehot: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean loss, and its gradient through the softmax: 2 p ∘ (d − ⟨p, d⟩)/n with d = p − t."""
    p = np.exp(log_softmax(logits, axis=1))
    d = p - onehot
    inner = (p * d).sum(axis=1, keepdims=True)
    return float((d * d).sum(axis=1).mean()), 2 * p * (d - inner) / len(logits)


Loss = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]


def fit(loss: Loss, x: np.ndarray, onehot: np.ndarray, penalty: float) -> np.ndarray:
    """Weights (features, classes) at the minimum of the penalised loss."""
    shape = (x.shape[1], onehot.shape[1])

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        value, slope = loss(x @ weights, onehot)
        penalised = weights.copy()
        penalised[-1] = 0.0  # the bias is free
        return value + penalty / 2 * float((penalised**2).sum()), (x.T @ slope + penalty * penalised).ravel()

    # matrices this small go ten times slower on several threads of BLAS
    with threadpool_limits(1):
        found = minimize(
            objective,
            np.zeros(shape).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 5000, "maxfun": 20000, "ftol": 1e-12, "gtol": 1e-7},
        )
    if not found.success:
        raise RuntimeError(f"{loss.__name__} did not converge: {found.message}")
    return np.asarray(found.x).reshape(shape)


def best_penalty(loss: Loss, x: np.ndarray, onehot: np.ndarray) -> float:
    """The λ whose models have the least loss, of the kind they were trained with, on the folds left out."""
    fold = np.arange(len(x)) % FOLDS

    def left_out(penalty: float) -> float:
        losses = []
        for k in range(FOLDS):
            weights = fit(loss, x[fold != k], onehot[fold != k], penalty)
            losses.append(loss(x[fold == k] @ weights, onehot[fold == k])[0])
        return float(np.mean(losses))

    found = {penalty: left_out(penalty) for penalty in PENALTIES}
    best = min(found, key=lambda penalty: found[penalty])
    print(f"{loss.__name__}: penalty {best:g}, loss on the folds left out {found[best]:.4f}")
    return best


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features with a column of ones, digits, and the rows of the training and of the scored half."""
    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    x = np.column_stack([digits.data / 16.0, np.ones(len(digits.target))])
    return x, digits.target, order[: len(order) // 2], np.sort(order[len(order) // 2 :])


def main() -> None:
    """Train both models and write the scored half."""
    x, digit, train, held_out = data()
    onehot = np.eye(10)[digit]
    columns: dict[str, pa.Array] = {
        "id": pa.array(held_out, pa.int32()),
        "digit": pa.array(digit[held_out], pa.int8()),
    }
    for prefix, loss in (("ce", cross_entropy), ("se", squared_error)):
        penalty = best_penalty(loss, x[train], onehot[train])
        logits = x[held_out] @ fit(loss, x[train], onehot[train], penalty)
        for k in range(10):
            columns[f"{prefix}_{k}"] = pa.array(logits[:, k].astype(np.float32))
    path = Path(__file__).with_name("digits.parquet")
    parquet.write_table(pa.table(columns), path, compression="zstd")
    print(f"{path.name}: {len(held_out)} rows, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
