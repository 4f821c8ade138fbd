"""How a sample is evaluated: its data, its exact result, and its value and gradient in NumPy and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import losses_exact as exact
import numpy as np
import torch
from losses_samples import K, Sample

import xent


def classes_of(sample: Sample, scores: int = K) -> int:
    """The number of classes; the sub-centre sample has two centres of each."""
    return scores // 2 if sample.entry == "margins.sub_center" else scores


def labels_of(sample: Sample, y: Any) -> Any:
    """Labels among the classes that the sample has and allows; those below 0 stay."""
    classes = classes_of(sample)
    can = np.arange(classes) if sample.allowed is None else np.flatnonzero(sample.allowed)
    return np.where((y < 0) | np.isin(y, can), y, can[y % len(can)])


def truth(sample: Sample, kind: str, n: int = 5) -> Any:
    """The numbers of a target, in NumPy; of Labels the indices. No mass is where the sample allows none."""
    rng, classes = np.random.default_rng(17), classes_of(sample)
    allowed = np.ones(classes) if sample.allowed is None else np.asarray(sample.allowed, np.float64)
    y = rng.choice(np.flatnonzero(allowed), n)
    if kind == "labels":
        return y
    if kind == "one-hot":
        return np.eye(classes)[y]
    if kind == "distribution":
        mass = rng.gamma(0.7, size=(n, classes)) * allowed
        mass[0] = np.eye(classes)[0]
        return mass / mass.sum(axis=1, keepdims=True)
    values = rng.random((n, classes))
    return values if kind == "soft indicators" else (values > 0.5).astype(np.float64)


_KINDS = {"labels": xent.Labels, "one-hot": xent.Distribution, "distribution": xent.Distribution}


def target(kind: str, values: Any, library: str, **options: Any) -> Any:
    """P of a kind in NumPy or PyTorch."""
    values = values if library == "numpy" else torch.from_numpy(np.ascontiguousarray(values))
    return _KINDS.get(kind, xent.Indicators)(values, **options)


def scores(sample: Sample, n: int = 5, seed: int = 0) -> np.ndarray:
    """Scores (n, K), or cosines."""
    z = np.random.default_rng(seed).normal(size=(n, K)) * 1.5
    return np.tanh(z / 2) if sample.cosines else z


def dense(kind: str, values: Any, classes: int = K) -> list[list[float]]:
    """t of each row."""
    return (np.eye(classes)[values] if kind == "labels" else np.asarray(values, np.float64)).tolist()


def exact_loss(sample: Sample, kind: str, values: Any, z: np.ndarray) -> Callable[[list[Any]], Any]:
    """Σ over the batch as a function of its scores in one list."""
    t = dense(kind, values, classes_of(sample, z.shape[-1]))
    n, k = z.shape
    c = [1.0] * k if sample.class_weight is None else list(sample.class_weight)

    def total(x: list[Any]) -> Any:
        rows = [x[i * k : (i + 1) * k] for i in range(n)]
        if "indicators" in kind:
            assert sample.elements is not None
            return exact.mp.fsum(
                exact.mpf(c[j]) * sample.elements(rows[i][j], exact.mpf(t[i][j]), j) for i in range(n) for j in range(k)
            )
        assert sample.rows is not None
        found = []
        for row, p in zip(rows, t, strict=True):
            mass = [exact.mpf(v) for v in p]
            weight = exact.mp.fsum(exact.mpf(a) * b for a, b in zip(c, mass, strict=False))
            found.append((weight if sample.class_weight else 1) * sample.rows(row, mass))
        return exact.mp.fsum(found)

    return total


def evaluate(
    sample: Sample, P: Any, z: np.ndarray, library: str, *, dtype: str = "float64", axis: int = -1, **options: Any
) -> tuple[Any, Any]:
    """The value and the gradient by the scores, in NumPy arrays; of NumPy's composed losses no gradient, None."""
    options.setdefault("reduction", "sum")
    if library == "torch":
        x = torch.tensor(z).to(getattr(torch, dtype)).requires_grad_()
        Q: Any = xent.Logits(x, axis=axis)
        options = {name: torch.tensor(v) if isinstance(v, np.ndarray) else v for name, v in options.items()}
        value = sample.loss(P, sample.predict(Q) if sample.predict else Q, **options)
        (found,) = torch.autograd.grad(value.sum(), x)
        return value.detach().numpy(), found.double().numpy()
    Q = xent.Logits(z.astype(dtype), axis=axis)
    if sample.predict:
        return sample.loss(P, sample.predict(Q), **options), None
    value, found = sample.loss.value_and_grad(P, Q, **options)
    rtol = 1e-13 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(value, sample.loss(P, Q, **options), rtol=rtol, atol=1e-300)
    return value, found.astype(np.float64)


def projection(n: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hidden states, classifiers and labels."""
    rng = np.random.default_rng(2)
    return rng.normal(size=(n, 3)), rng.normal(size=(K, 3)), rng.integers(0, K, n)


def evaluate_projection(
    loss: Any, h: Any, w: Any, y: Any, library: str, dtype: str = "float64", **options: Any
) -> tuple[Any, Any, Any]:
    """Value, and gradients by hidden states and classifiers."""
    options.setdefault("reduction", "sum")
    ignore = options.pop("ignore", None)
    if library == "torch":
        leaves = [torch.tensor(x).to(getattr(torch, dtype)).requires_grad_() for x in (h, w)]
        value = loss(xent.Labels(torch.tensor(y), ignore=ignore), xent.Projection(*leaves), **options)
        found = torch.autograd.grad(value.sum(), leaves)
        return value.detach().numpy(), found[0].double().numpy(), found[1].double().numpy()
    Q = xent.Projection(h.astype(dtype), w.astype(dtype))
    value, (by_hidden, by_weight, _) = loss.value_and_grad(xent.Labels(y, ignore=ignore), Q, **options)
    return value, by_hidden.astype(np.float64), by_weight.astype(np.float64)
