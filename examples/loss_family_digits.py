"""What each loss changes: long-tailed classes, wrong labels and margins, on scikit-learn's handwritten digits.

Run: ``python examples/loss_family_digits.py [--seeds N] [--steps N] [--only PART] [--json FILE] [--markdown FILE]``.
Three studies:

- *long tail*: of class 0 all training images, of class 9 one in fifty of that, between them a geometric series;
- *wrong labels*: two training labels in five are drawn anew among all ten;
- *margins*: 20 training images a class.

A perceptron with one hidden layer of 64, Adam on the whole training set, the same start for every loss of a seed; a
seed draws the images, the start and what is wrong. Held out are 597 images with their true labels. For each loss:
error of all classes, of each class, and in the long tail of the three rarest, in per cent; held-out cross-entropy in
nats; calibration error in per cent (the mean gap between confidence and accuracy in 15 bins), of the scores at
inference; and the paired difference of the error to that of the cross-entropy. ± is a 95 % interval over seeds
(Student's t): a difference is called one only where the interval leaves out 0.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student
from sklearn.datasets import load_digits

import xent
from xent import losses

HELD_OUT, CLASSES, WIDTH, BINS = 597, 10, 64, 15
NOISE = 0.4
RAREST = (7, 8, 9)
NOTE = "* the 95 % interval of the paired difference to the cross-entropy leaves out 0"
#: T(i, j): an image of digit i has label j.
TRANSITION = (1 - NOISE) * np.eye(CLASSES) + NOISE / CLASSES
#: A loss of labels and a Projection, and the scores that the model has when it is used.
Step = tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]


def plain(loss: losses.Loss) -> Step:
    return loss, loss.at_inference


def family(study: str, counts: np.ndarray) -> dict[str, Step]:
    """The losses of a study; the cross-entropy first."""
    if study == "long tail":
        named = {
            "focal, γ = 2": losses.imbalance.focal(2.0),
            "Poly-1, ε = 2": losses.imbalance.poly1(2.0),
            "class-balanced, β = 0.999": losses.imbalance.class_balanced(counts, 0.999),
            "logit adjustment": losses.imbalance.logit_adjustment(counts),
            "LDAM, s = 10": losses.imbalance.ldam(counts, scale=10.0, normalize=True),
        }
    elif study == "wrong labels":
        named = {
            "smoothing, ε = 0.1": losses.noise.label_smoothing(0.1),
            "GCE, q = 0.7": losses.noise.generalized_cross_entropy(0.7),
            "symmetric CE": losses.noise.symmetric_cross_entropy(0.1, 1.0),
            "hard bootstrap, β = 0.8": losses.noise.hard_bootstrap(0.8),
            "soft bootstrap, β = 0.95": losses.noise.soft_bootstrap(0.95),
            "backward correction": losses.noise.backward_correction(TRANSITION),
        }
    else:
        named = {
            "SM-Softmax, m = 0.6": losses.margins.sm_softmax(0.6),
            "cosines, s = 10": losses.Loss(scores=losses.Scores(normalize="both", scale=10.0)),
            "AM-Softmax, m = 0.35, s = 10": losses.margins.am_softmax(0.35, 10.0, normalize=True),
            "ArcFace, m = 0.5, s = 10": losses.margins.arcface(0.5, 10.0, normalize=True),
            "L-Softmax, m = 2": losses.margins.l_softmax(2),
        }
    found = {"cross-entropy": plain(losses.Loss())} | {name: plain(loss) for name, loss in named.items()}
    if study == "wrong labels":
        found["forward correction"] = (
            lambda P, Q: xent.cross_entropy(P, losses.noise.forward_correction(Q, TRANSITION)),
            losses.Loss().at_inference,
        )
    return found


def data(study: str, seed: int) -> tuple[Any, Any, Any, Any, np.ndarray]:
    """Training and held-out images and labels, and how many training images each class has."""
    digits = load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits.target))
    x, y = digits.data[order] / 16.0, digits.target[order]
    test_x, test_y, x, y = x[:HELD_OUT], y[:HELD_OUT], x[HELD_OUT:], y[HELD_OUT:]
    if study == "long tail":
        most = np.bincount(y).min()
        wanted = np.maximum(np.round(most * 50.0 ** (-np.arange(CLASSES) / (CLASSES - 1))), 1).astype(int)
    else:
        wanted = np.full(CLASSES, 20 if study == "margins" else len(y))
    kept = np.concatenate([np.flatnonzero(y == k)[: wanted[k]] for k in range(CLASSES)])
    x, y = x[kept], y[kept]
    counts = np.bincount(y, minlength=CLASSES)
    if study == "wrong labels":
        y = np.where(rng.random(len(y)) < NOISE, rng.integers(0, CLASSES, len(y)), y)
    train_x, held_out_x = (torch.tensor(part, dtype=torch.float32) for part in (x, test_x))
    return train_x, torch.tensor(y), held_out_x, test_y, counts


def train(step: Step, study: str, seed: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities of the held-out images, their labels)."""
    loss, at_inference = step
    x, y, test_x, test_y, _ = data(study, seed)
    torch.manual_seed(seed)
    hidden = torch.nn.Linear(x.shape[1], WIDTH)
    weight = torch.nn.Parameter(torch.randn(CLASSES, WIDTH) * 0.2)
    optimizer = torch.optim.Adam([*hidden.parameters(), weight], lr=1e-2)
    P = xent.Labels(y)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(P, xent.Projection(torch.relu(hidden(x)), weight)).backward()
        optimizer.step()
    with torch.no_grad():
        scores = at_inference(xent.Projection(torch.relu(hidden(test_x)), weight)).scores
        return torch.softmax(scores.double(), -1).numpy(), test_y


def measures(q: np.ndarray, y: np.ndarray, rare: tuple[int, ...] = ()) -> dict[str, float]:
    """Errors in per cent, cross-entropy in nats, calibration error in per cent."""
    wrong = q.argmax(1) != y
    confidence = q.max(1)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs((~wrong[bins == b]).mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
    rows = q / q.sum(1, keepdims=True)
    by_class = [100 * float(wrong[y == k].mean()) for k in range(CLASSES)]
    found = {"error": 100 * wrong.mean()}
    if rare:
        found["rarest"] = float(np.mean([by_class[k] for k in rare]))
    found["cross-entropy"] = float(xent.cross_entropy(xent.Labels(y), xent.Probabilities(rows)))
    found["calibration"] = 100 * float(np.sum(gaps))
    return found | {f"error of {k}": by_class[k] for k in range(CLASSES)}


def interval(values: list[float]) -> tuple[float, float]:
    """Mean, and half of its 95 % interval; there is none where a value is infinite."""
    n = len(values)
    if not np.isfinite(values).all():
        return float(np.mean(values)), float("nan")
    return float(np.mean(values)), float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))


def study(name: str, seeds: int, steps: int) -> dict[str, dict[str, list[float]]]:
    """Every measure of every loss, a number a seed."""
    found: dict[str, dict[str, list[float]]] = {}
    rare = RAREST if name == "long tail" else ()
    for seed in range(seeds):
        counts = data(name, seed)[4]
        for loss, step in family(name, counts).items():
            for measure, value in measures(*train(step, name, seed, steps), rare).items():
                found.setdefault(loss, {}).setdefault(measure, []).append(value)
    return found


def rows(found: dict[str, dict[str, list[float]]]) -> list[list[str]]:
    """A study as cells: what was measured, and the difference to the cross-entropy."""
    base = found["cross-entropy"]
    shown = {"error": "error %", "rarest": "rarest %", "cross-entropy": "nats", "calibration": "calibration %"}
    shown = {measure: title for measure, title in shown.items() if measure in base}
    lines = [["", *shown.values(), "Δ error"]]
    for loss, by in found.items():
        cells = [_cell(interval(by[m]), 2 if m == "cross-entropy" else 1) for m in shown]
        difference = interval([a - b for a, b in zip(by["error"], base["error"], strict=True)])
        clear = abs(difference[0]) > difference[1]
        verdict = "" if loss == "cross-entropy" else _cell(difference, 1) + (" *" if clear else "")
        lines.append([loss, *cells, verdict])
    return lines


def classes(found: dict[str, dict[str, list[float]]]) -> list[list[str]]:
    """The error of each class as cells, in per cent."""
    lines = [["error % of", *(str(k) for k in range(CLASSES))]]
    for loss, by in found.items():
        lines.append([loss, *(_cell(interval(by[f"error of {k}"]), 1) for k in range(CLASSES))])
    return lines


def table(lines: list[list[str]]) -> str:
    """Cells as text."""
    widths = [max(len(line[i]) for line in lines) + 2 for i in range(len(lines[0]))]
    return "\n".join(
        line[0].ljust(widths[0]) + "".join(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))
        for line in lines
    )


def page(results: dict[str, dict[str, dict[str, list[float]]]], seeds: int, steps: int) -> str:
    """The studies as a page in Markdown, with what they ran on."""
    text = [
        "# What each loss changes: digits",
        "Numbers of one run of "
        f"`python examples/loss_family_digits.py --seeds {seeds} --steps {steps} --markdown FILE`, which wrote "
        f"this page: PyTorch {torch.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}. They are of these data, this small model and these settings; see "
        "[the losses](losses.md) for what each is.",
        (__doc__ or "").partition("Three studies:\n\n")[2].strip(),
        f"\\{NOTE}.",
    ]
    for name, found in results.items():
        text += [
            f"## {name.capitalize()}",
            _markdown(rows(found)),
            "The error of each class:",
            _markdown(classes(found)),
        ]
    return "\n\n".join(text) + "\n"


def _markdown(lines: list[list[str]]) -> str:
    head, *body = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([head, "|---|" + "---:|" * (len(lines[0]) - 1), *body])


def _cell(pair: tuple[float, float], digits: int) -> str:
    # A model that gives a label no probability at all has an infinite cross-entropy.
    return "∞" if np.isinf(pair[0]) else f"{pair[0]:.{digits}f} ± {pair[1]:.{digits}f}"


def main() -> None:
    """Train, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ("long tail", "wrong labels", "margins")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--only", choices=names)
    parser.add_argument("--json", type=Path, help="write every number there")
    parser.add_argument("--markdown", type=Path, help="write the tables there, as a page")
    given = parser.parse_args()
    if given.seeds < 2 or given.steps < 1:
        parser.error("--seeds: expected 2 or more, for an interval; --steps: 1 or more")
    found = {}
    for name in names if given.only is None else (given.only,):
        found[name] = study(name, given.seeds, given.steps)
        print(name, table(rows(found[name])), table(classes(found[name])), sep="\n\n", end="\n\n", flush=True)
    print(NOTE)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if given.markdown is not None:
        given.markdown.write_text(page(found, given.seeds, given.steps), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
