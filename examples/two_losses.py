"""Trains one model twice from one seed, with PyTorch's cross-entropy and with xent's, and compares the two runs.

Used by ``digits_mlp.py`` and ``char_transformer.py``. What is compared:

- The curves, against PyTorch's own rounding (see ``curves.py``).
- The wall-clock of a whole run: nothing is timed inside it.
- The share of the loss, in runs of their own: the graph is cut at the scores (detached, and given back their
  gradient), so that the loss's forward and backward stand alone between two readings of the clock. The arithmetic is
  that of the plain run. The share is their sum over the sum of the steps.

Before anything is timed, each loss trains for a few steps: what is loaded or compiled once is not counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from curves import same

import xent.torch

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Batch = tuple[torch.Tensor, torch.Tensor]
LOSSES: dict[str, Loss] = {"PyTorch": torch.nn.functional.cross_entropy, "xent": xent.torch.cross_entropy}
_WARM = 3  # steps


@dataclass(frozen=True)
class Task:
    """``build`` makes the model, the same one at every call; it maps inputs to scores (examples, classes)."""

    build: Callable[[], torch.nn.Module]
    batches: Sequence[Batch]
    learning_rate: float
    held_out: Batch


@dataclass(frozen=True)
class Run:
    """The loss of each step in nats; seconds of all steps; and of these, of the loss where it was timed."""

    curve: torch.Tensor
    seconds: float
    loss_seconds: float
    held_out: float


def train(task: Task, loss: Loss, *, steps: int | None = None, apart: bool = False) -> Run:
    """One run; ``apart`` times the loss."""
    model = task.build()
    optimizer = torch.optim.Adam(model.parameters(), lr=task.learning_rate)
    curve, spent = [], 0.0
    start = time.perf_counter()
    for inputs, labels in task.batches[:steps]:
        optimizer.zero_grad()
        if apart:
            value, seconds = _apart(model(inputs), labels, loss)
            spent += seconds
        else:
            value = loss(model(inputs), labels)
            value.backward()
        optimizer.step()
        curve.append(value.detach())
    seconds = time.perf_counter() - start
    with torch.no_grad():
        held_out = loss(model(task.held_out[0]), task.held_out[1]).item()
    return Run(torch.stack(curve).double(), seconds, spent, held_out)


def in_float64(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """PyTorch's loss without its rounding: of the same scores, in float64, rounded to float32."""
    return torch.nn.functional.cross_entropy(scores.double(), labels).float()


def _apart(scores: torch.Tensor, labels: torch.Tensor, loss: Loss) -> tuple[torch.Tensor, float]:
    """Forward and backward of the loss alone, timed, and then the backward of the rest."""
    cut = scores.detach().requires_grad_()
    start = time.perf_counter()
    value = loss(cut, labels)
    value.backward()
    seconds = time.perf_counter() - start
    scores.backward(cut.grad)
    return value, seconds


def compare(task: Task) -> None:
    """Train, print, and exit with status 1 where the curves are further apart than rounding explains."""
    for loss in LOSSES.values():
        train(task, loss, steps=_WARM)
    runs = {name: train(task, loss) for name, loss in LOSSES.items()}
    timed = {name: train(task, loss, apart=True) for name, loss in LOSSES.items()}
    exact = train(task, in_float64).curve

    theirs, ours = (run.curve.tolist() for run in runs.values())
    found = same("PyTorch", theirs, ours, exact.tolist())
    held = ", ".join(f"{name} {run.held_out:.6f}" for name, run in runs.items())
    print(f"held out, nats: {held}")
    for name, run in runs.items():
        share = timed[name].loss_seconds / timed[name].seconds
        print(f"{name}: {run.seconds:.2f} s for {len(run.curve)} steps; the loss is {share:.1%} of a step")
    if not found:
        sys.exit(1)
