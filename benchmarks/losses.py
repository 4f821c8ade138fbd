"""What a loss of the family costs beside the plain cross-entropy: time, and memory of the size of the scores.

Run from the root: ``python -m benchmarks.losses [--quick] [--only TEXT] [--rounds N] [--budget S] [--threads N]
[--out FOLDER]``. Prints the page of results and writes it, and a JSON file with all samples, to benchmarks/results.

How it is measured: in one process, bound to ``--threads`` processors, every loss and the plain cross-entropy take turns
on the same float32 scores, each warm at its turn. A step is the mean loss and its gradient by the scores:
``loss(P, Q).backward()`` in PyTorch. Memory is the peak of one step in a fresh process. A target is met when the median
time is at most 1.15 times that of the plain one, and the gradient is all that is held of the size of the scores.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import xent
from benchmarks import _machine
from benchmarks._fresh import peak, start
from benchmarks._results import figure, markdown, warnings_of
from benchmarks._rounds import Peer, alternate

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
PLAIN = "cross-entropy"
SHAPES = (((2048, 32000), (64, 320)), ((100_000, 1000), (1000, 100)))
#: At most so many times the plain one's time, and so many times the scores' bytes beyond its memory.
TIME, MEMORY = 1.15, 0.05


def losses_of(classes: int) -> dict[str, Callable[[Any, Any], Any]]:
    """Every loss that is to cost nothing, and the plain one, as functions of labels and scores."""
    from xent import losses

    counts = 1 + np.arange(classes) % 100
    family = {
        PLAIN: losses.Loss(),
        "focal, γ = 2": losses.imbalance.focal(2.0),
        "Poly-1, ε = 2": losses.imbalance.poly1(2.0),
        "GCE, q = 0.7": losses.noise.generalized_cross_entropy(0.7),
        "symmetric CE": losses.noise.symmetric_cross_entropy(),
        "z-loss": losses.noise.z_loss(1e-4),
        "smoothing 0.1": losses.noise.label_smoothing(0.1),
        "class weights": losses.imbalance.class_balanced(counts, 0.99),
        "temperature 2": losses.noise.temperature(2.0),
        "logit adjustment": losses.imbalance.logit_adjustment(counts),
        "SM-Softmax, m = 0.6": losses.margins.sm_softmax(0.6),
        "AM-Softmax, m = 0.35, s = 30": losses.margins.am_softmax(),
        "ArcFace, m = 0.5, s = 64": losses.margins.arcface(),
        "LDAM": losses.imbalance.ldam(counts),
        "focal, smoothing, z-loss, logit adjustment": losses.imbalance.logit_adjustment(counts).but(
            shaping=xent.Focal(2.0, soft="surprisal"),
            target=losses.Smoothing(0.1),
            penalties=(xent.ZLoss(1e-4),),
        ),
    }
    return {name: _called(loss) for name, loss in family.items()}


def _called(loss: Any) -> Callable[[Any, Any], Any]:
    return lambda labels, scores: loss(xent.Labels(labels), xent.Logits(scores))


def step(loss: Callable[[Any, Any], Any], labels: Any, scores: Any) -> Callable[[], Any]:
    """One forward and backward."""

    def run() -> Any:
        scores.grad = None
        found = loss(labels, scores)
        found.backward()
        return found

    return run


def data(shape: tuple[int, int]) -> tuple[Any, Any]:
    """Labels, and scores between −1 and 1, so that they can be cosines."""
    import torch

    rng = np.random.default_rng(0)
    scores = torch.from_numpy(np.tanh(rng.normal(size=shape).astype(np.float32))).requires_grad_()
    return torch.from_numpy(rng.integers(0, shape[1], shape[0])), scores


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it runs, and nothing else")
    parser.add_argument("--only", default="", help="losses whose name holds this text, and the plain one")
    parser.add_argument("--rounds", type=int, default=9, help="samples of each loss, at least")
    parser.add_argument(
        "--budget", type=float, default=60.0, help="seconds of a shape; more rounds until they are over"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--memory", nargs=2, metavar=("LOSS", "SHAPE"), help="print the memory of one step, and leave")
    given = parser.parse_args()
    processors = _machine.pin(given.threads)
    if given.memory:
        name, shape = given.memory
        print(memory(name, tuple(map(int, shape.split("×"))), given.threads))
        return
    names = [name for name in losses_of(2) if name == PLAIN or given.only in name]
    if given.rounds < 1 or len(names) < 2:
        parser.error(f"--rounds: expected 1 or more; --only: expected a part of one of {', '.join(losses_of(2))}")
    results = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": f"python -m benchmarks.losses {shlex.join(_machine.shown(sys.argv[1:]))}".strip(),
        "quick": given.quick,
        "rounds": given.rounds,
        "machine": _machine.describe(),
        "environment": _machine.settings(given.threads, processors),
        "shapes": {},
    }
    for full, small in SHAPES:
        shape = small if given.quick else full
        results["shapes"]["×".join(map(str, shape))] = measure(shape, names, given)
    page = report(results)
    sys.stdout.write(page)
    given.out.mkdir(parents=True, exist_ok=True)
    name = f"losses-{_machine.slug(results['machine'])}-{results['date'][:10]}{'-quick' * given.quick}"
    (given.out / f"{name}.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (given.out / f"{name}.md").write_text(page, encoding="utf-8")


def measure(shape: tuple[int, int], names: list[str], given: argparse.Namespace) -> dict[str, Any]:
    """Samples and memory of each loss."""
    import torch

    torch.set_num_threads(given.threads)
    labels, scores = data(shape)
    family = losses_of(shape[1])

    def release() -> None:
        scores.grad = None

    peers = {name: Peer(step(family[name], labels, scores), release) for name in names}
    samples = alternate(peers, given.rounds, given.budget)
    del peers
    gc.collect()
    size = "×".join(map(str, shape))
    held = {}
    if Path("/proc/self/clear_refs").exists():
        arguments = ["--threads", str(given.threads), "--memory"]
        held = {name: start("benchmarks.losses", *arguments, name, size) for name in names}
    print(size, file=sys.stderr, flush=True)
    return {"samples": samples, "memory": held, "load": round(os.getloadavg()[0], 2)}


def memory(name: str, shape: tuple[int, ...], threads: int) -> float:
    """Peak resident memory of one step above what was resident before it, by the scores' size."""
    import torch

    torch.set_num_threads(threads)
    rows, classes = shape
    loss = losses_of(classes)[name]
    step(loss, *data((8, classes)))()
    labels, scores = data((rows, classes))
    return peak(step(loss, labels, scores)) / (scores.numel() * scores.element_size())


def report(results: dict[str, Any]) -> str:
    """The page in Markdown; every figure comes from the results alone."""
    lines = ["# The loss family beside the plain cross-entropy", "", *warnings_of(results)]
    lines += [
        f"Measured {results['date']} by `{results['command']}`. A mean loss and its gradient by float32 scores in "
        f"PyTorch: milliseconds, medians of at least {results['rounds']} rounds, in which all take turns in one "
        "process, warm; "
        f"(…×) is over the plain cross-entropy, target at most {TIME}. Memory is the peak of one step in a fresh "
        "process beyond what was resident before it, as a multiple of the scores; the gradient alone is 1.",
        "",
        *markdown(["machine", ""], [[k, v] for k, v in results["machine"].items()]),
        "",
        *markdown(["setting", ""], [[k, v] for k, v in results["environment"].items()]),
    ]
    for shape, found in results["shapes"].items():
        plain, held = median(found["samples"][PLAIN]), found["memory"]
        body = []
        for name, samples in found["samples"].items():
            ratio = median(samples) / plain
            taken = figure(held[name]) if name in held else "–"
            more = name in held and held[name] > held[PLAIN] + MEMORY
            verdict = "–" if name == PLAIN else "missed" if ratio > TIME or more else "met"
            body.append([name, f"{figure(median(samples))} ({ratio:.2f}×)", taken, verdict])
        lines += ["", f"## {shape}", "", *markdown(["", "ms", "memory", "target"], body)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
