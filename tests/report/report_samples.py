"""Results of schema xent.evaluation/1, computed from simulated predictions, for the tests of the page.

They are written apart from ``xent.evaluate`` so that the page is held to the schema and not to one producer of it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
_LN2 = math.log(2)


def mean_interval(x: Floats, scale: float = 1.0) -> dict[str, float]:
    mean = float(np.mean(x)) * scale
    if x.size < 2 or not np.isfinite(x).all():
        return {"value": mean, "low": math.nan, "high": math.nan}
    half = 1.959964 * float(np.std(x, ddof=1)) / math.sqrt(x.size) * scale
    return {"value": mean, "low": mean - half, "high": mean + half}


def exp_interval(x: dict[str, float]) -> dict[str, float]:
    return {key: math.exp(value) for key, value in x.items()}


def wilson(wrong: int, n: int) -> dict[str, float]:
    ends = stats.binomtest(wrong, n).proportion_ci(method="wilson")
    return {"value": wrong / n, "low": float(ends.low), "high": float(ends.high), "wrong": wrong}


def bins_of(confidence: Floats, right: NDArray[np.bool_], k: int = 15) -> list[dict[str, float]]:
    which = np.clip((confidence * k).astype(int), 0, k - 1)
    out = []
    for b in range(k):
        inside = which == b
        n, hits = int(inside.sum()), int(right[inside].sum())
        low, high, mean, frequency = math.nan, math.nan, math.nan, math.nan
        if n:
            ends = stats.binomtest(hits, n).proportion_ci(method="exact")
            low, high, mean, frequency = float(ends.low), float(ends.high), float(confidence[inside].mean()), hits / n
        out.append(
            {"low": b / k, "high": (b + 1) / k, "n": n, "confidence": mean, "frequency": frequency,
             "frequency_low": low, "frequency_high": high}
        )  # fmt: skip
    return out


def _errors(bins: list[dict[str, float]], n: int) -> tuple[float, float]:
    full = [b for b in bins if b["n"] > 1]
    gaps = np.array([b["confidence"] - b["frequency"] for b in full])
    size = np.array([b["n"] for b in full])
    noise = np.array([b["frequency"] * (1 - b["frequency"]) for b in full]) / np.maximum(size - 1, 1)
    return float((size / n * (gaps**2 - noise)).sum()), float((size / n * abs(gaps)).sum())


def calibration_of(confidence: Floats, right: NDArray[np.bool_], rng: np.random.Generator) -> dict[str, Any]:
    bins = bins_of(confidence, right)
    squared, ece = _errors(bins, confidence.size)
    null = np.array(
        [_errors(bins_of(confidence, rng.random(confidence.size) < confidence), confidence.size) for _ in range(20)]
    )
    high = np.quantile(null, 0.95, axis=0)
    p = (1 + int((null[:, 0] >= squared).sum())) / (1 + len(null))
    return {
        "squared": {"value": squared, "null_mean": float(null[:, 0].mean()), "null_high": float(high[0]), "p_value": p},
        "ece": {"value": ece, "null_mean": float(null[:, 1].mean()), "null_high": float(high[1])},
        "bins": bins,
    }


def summary_of(probs: Floats, y: NDArray[np.int64], rng: np.random.Generator, floor: float = 1e-9) -> dict[str, Any]:
    n = y.size
    q = probs[np.arange(n), y]
    with np.errstate(divide="ignore"):
        loss = -np.log(q)
        entropy = -np.where(probs > 0, probs * np.log(np.where(probs > 0, probs, 1)), 0).sum(1)
    predicted = probs.argmax(1)
    infinite = np.flatnonzero(np.isinf(loss))
    floored = -np.log(np.maximum(q, floor))
    nats, gap = mean_interval(loss), mean_interval(loss - entropy)
    verdict = "overconfident" if gap["low"] > 0 else "underconfident" if gap["high"] < 0 else "cannot tell"
    onehot = np.eye(probs.shape[1])[y]
    return {
        "loss": {
            "nats": nats,
            "bits": mean_interval(loss, 1 / _LN2),
            "infinite_rows": int(infinite.size),
            "first_infinite": int(infinite[0]) + 1 if infinite.size else None,
            "floor": {"probability": floor, "nats": mean_interval(floored), "bits": mean_interval(floored, 1 / _LN2)}
            if infinite.size
            else None,
        },
        "perplexity": exp_interval(nats),
        "bits_per_byte": None,
        "error": wilson(int((predicted != y).sum()), n),
        "entropy": mean_interval(entropy),
        "confidence": {**gap, "verdict": verdict},
        "brier": mean_interval(((probs - onehot) ** 2).sum(1)),
        "calibration": calibration_of(probs.max(1), predicted == y, rng),
    }


def histogram_of(x: Floats, bins: int = 60) -> dict[str, Any]:
    finite = x[np.isfinite(x)]
    if not finite.size:
        return {"edges": [], "counts": []}
    counts, edges = np.histogram(finite, bins=1 if finite.size == 1 else bins)
    return {"edges": [float(e) for e in edges], "counts": [int(c) for c in counts]}


def quantiles_of(x: Floats) -> dict[str, float]:
    return {q: float(np.quantile(x, float(q), method="lower")) for q in ("0.5", "0.9", "0.99")}


def result_of(
    probs: Floats,
    y: NDArray[np.int64],
    names: list[str],
    *,
    against: Floats | None = None,
    seed: int = 0,
    file: str = "test.parquet",
    truth: str = "label",
    id_column: str | None = "id",
    ids: list[str] | None = None,
    columns: list[str] | None = None,
    kind: str = "classes",
) -> dict[str, Any]:
    """The whole result of K-class predictions."""
    rng = np.random.default_rng(seed)
    n, k = probs.shape
    with np.errstate(divide="ignore"):
        loss = -np.log(probs[np.arange(n), y])
    predicted = probs.argmax(1)
    frequency = np.bincount(y, minlength=k) / n
    base = float(-np.log(frequency[y]).mean())
    counts = np.zeros((k, k), int)
    np.add.at(counts, (y, predicted), 1)
    classes = [
        {"name": names[c], "n": int((y == c).sum()), "nats": mean_interval(loss[y == c]),
         "error": float((predicted[y == c] != c).mean())}
        for c in range(k)
        if (y == c).any()
    ]  # fmt: skip
    off = sorted(
        ((int(counts[i, j]), i, j) for i in range(k) for j in range(k) if i != j and counts[i, j]), reverse=True
    )
    order = np.argsort(-loss, kind="stable")[:20]
    summary = summary_of(probs, y, rng)
    mean = summary["loss"]["nats"]["value"]
    return {
        "schema": "xent.evaluation/1",
        "version": "0.1.0",
        "kind": kind,
        "input": {"files": [file], "truth": truth, "id": id_column, "bytes": None, "holds": "probs",
                  "columns": columns or [f"p_{name}" for name in names], "classes": names},
        "rows": rows_of(n),
        **summary,
        "baseline": {"nats": base, "bits": base / _LN2, "error": 1 - float(frequency.max()),
                     "skill": 1 - mean / base if base else math.nan},
        "classes": sorted(classes, key=lambda c: -c["nats"]["value"])[:1000],
        "confusion": {"names": names, "counts": counts.tolist()} if k <= 50 else None,
        "confusions": [{"truth": names[i], "predicted": names[j], "n": c} for c, i, j in off[:20]],
        "losses": {**histogram_of(loss), "quantiles": quantiles_of(loss)},
        "hardest": [
            {"row": int(r) + 1, "id": ids[r] if ids else f"img-{r:05d}" if id_column else None, "truth": names[y[r]],
             "predicted": names[predicted[r]], "nats": float(loss[r]), "probability": float(probs[r, y[r]])}
            for r in order
        ],
        "comparison": None if against is None else comparison_of(probs, against, y, rng),
    }  # fmt: skip


def rows_of(n: int) -> dict[str, Any]:
    return {"read": n + 2, "used": n, "ignored": 2, "refused": 0, "first_refused": None}


def comparison_of(a: Floats, b: Floats, y: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Any]:
    n = y.size
    rows = np.arange(n)
    with np.errstate(divide="ignore"):
        la, lb = -np.log(a[rows, y]), -np.log(b[rows, y])
    floor = None
    if np.isinf(la).any() or np.isinf(lb).any():
        floor = 1e-9
        la, lb = -np.log(np.maximum(a[rows, y], floor)), -np.log(np.maximum(b[rows, y], floor))
    d = la - lb
    interval = mean_interval(d)
    z = d.mean() / (d.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    p = float(2 * stats.norm.sf(abs(z)))
    wrong_a, wrong_b = a.argmax(1) != y, b.argmax(1) != y
    only_a, only_b = int((wrong_a & ~wrong_b).sum()), int((wrong_b & ~wrong_a).sum())
    better = None if math.isnan(p) or p >= 0.05 else "A" if interval["value"] < 0 else "B"
    other = "B" if better == "A" else "A"
    sentence = (
        f"{better} is better than {other} by {abs(interval['value']):.4f} nats a row (p = {p:.2g})."
        if better
        else f"Which is better cannot be told: the difference is {interval['value']:.4f} nats a row (p = {p:.2g})."
    )
    return {
        "holds": "logits",
        "columns": [f"z_{i}" for i in range(a.shape[1])],
        "files": ["other.parquet"],
        "summary": {"rows": rows_of(n), **summary_of(b, y, rng)},
        "rows": n,
        "difference": {**interval, "p_value": p, "floor": floor},
        "error": {"only_a_wrong": only_a, "only_b_wrong": only_b,
                  "p_value": float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0},
        "histogram": histogram_of(d),
        "better": better,
        "sentence": sentence,
    }  # fmt: skip


def softmax(z: Floats) -> Floats:
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def simulated(n: int, k: int, seed: int, *, temperature: float = 1.0) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Probabilities A and B, and labels: B is noisier than the law of the labels, A has that law at a temperature."""
    rng = np.random.default_rng(seed)
    centre = rng.integers(0, k, n)
    z = rng.normal(0, 1.2, (n, k))
    # Neighbouring classes are confused with one another, and class 0 is hard.
    z[np.arange(n), centre] += np.where(centre == 0, 2.5, 5.0)
    z[np.arange(n), (centre + 1) % k] += 2.0
    law = softmax(z)
    y = (law.cumsum(1) > rng.random((n, 1)) * law.sum(1, keepdims=True)).argmax(1)
    return softmax(z / temperature), softmax(z + rng.normal(0, 0.8, (n, k))), y


ANIMALS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def ten_classes(names: list[str] | None = None, **options: Any) -> dict[str, Any]:
    a, b, y = simulated(5000, 10, 1, temperature=0.75)
    return result_of(a, y, names or ANIMALS, against=b, **options)


def alone() -> dict[str, Any]:
    a, _, y = simulated(2000, 10, 2)
    return result_of(a, y, ANIMALS)


def binary() -> dict[str, Any]:
    a, b, y = simulated(1500, 2, 3)
    return result_of(a, y, ["no", "yes"], against=b, kind="binary", columns=["prob"])


def many_classes(k: int = 200) -> dict[str, Any]:
    a, _, y = simulated(8000, k, 4)
    return result_of(a, y, [f"class number {i:03d} of a long list" for i in range(k)])


def thirty_classes() -> dict[str, Any]:
    return many_classes(30)


def twenty_classes() -> dict[str, Any]:
    return many_classes(20)


def infinite() -> dict[str, Any]:
    """Two truths of probability zero, one of them in a class of few rows."""
    a, b, y = simulated(1200, 4, 5)
    for row in (17, 400):
        a[row, y[row]] = 0.0
        a[row] /= a[row].sum()
    result = result_of(a, y, ["north", "east", "south", "west"], against=b)
    result["rows"] |= {
        "read": 1205,
        "refused": 3,
        "first_refused": {"row": 41, "reason": "probabilities sum to 0.8, not 1"},
    }
    return result


def single() -> dict[str, Any]:
    return result_of(np.array([[0.2, 0.5, 0.3]]), np.array([1]), ["a", "b", "c"])


def tokens() -> dict[str, Any]:
    """Log-likelihoods of documents with their bytes, against a second model."""
    rng = np.random.default_rng(6)
    n = 3000
    loss = rng.gamma(1.3, 2.1, n)
    other = np.abs(loss + rng.normal(0.05, 0.5, n))
    size = rng.integers(2, 9, n)
    interval = mean_interval(loss)
    order = np.argsort(-loss)[:20]

    def summary(x: Floats) -> dict[str, Any]:
        nats = mean_interval(x)
        ratio = x.sum() / (_LN2 * size.sum())
        return {
            "loss": {"nats": nats, "bits": mean_interval(x, 1 / _LN2), "infinite_rows": 0,
                     "first_infinite": None, "floor": None},
            "perplexity": exp_interval(nats),
            "bits_per_byte": {"value": ratio, "low": ratio * 0.97, "high": ratio * 1.03},
            "error": None, "entropy": None, "confidence": None, "brier": None, "calibration": None,
        }  # fmt: skip

    d = loss - other
    return {
        "schema": "xent.evaluation/1",
        "version": "0.1.0",
        "kind": "tokens",
        "input": {"files": ["shard-0.csv", "shard-1.csv"], "truth": None, "id": None, "bytes": "bytes",
                  "holds": "log_likelihood", "columns": ["ll"], "classes": None},
        "rows": {"read": n, "used": n, "ignored": 0, "refused": 0, "first_refused": None},
        **summary(loss),
        "baseline": None, "classes": None, "confusion": None, "confusions": None,
        "losses": {**histogram_of(loss), "quantiles": quantiles_of(loss)},
        "hardest": [{"row": int(r) + 1, "id": None, "truth": None, "predicted": None, "nats": float(loss[r]),
                     "probability": math.exp(-loss[r])} for r in order],
        "comparison": {
            "holds": "log_likelihood", "columns": ["ll"], "files": ["b-0.csv", "b-1.csv"],
            "summary": {"rows": {**rows_of(n), "read": n, "ignored": 0}, **summary(other)},
            "rows": n, "difference": {**mean_interval(d), "p_value": 0.31, "floor": None}, "error": None,
            "histogram": histogram_of(d), "better": None,
            "sentence": f"Which is better cannot be told (A loses {interval['value']:.3f} nats).",
        },
    }  # fmt: skip


SAMPLES = {
    "ten classes": ten_classes,
    "one model": alone,
    "binary": binary,
    "twenty classes": twenty_classes,
    "thirty classes": thirty_classes,
    "two hundred classes": many_classes,
    "infinite": infinite,
    "single": single,
    "tokens": tokens,
}
