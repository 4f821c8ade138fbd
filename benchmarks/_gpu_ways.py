"""What is done with a loss: whether it is trained with, how it is reduced, and what comes from above."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from benchmarks._gpu_make import Check, Found, compiled, copied, evaluated, read, trained
from benchmarks._gpu_turns import Device, Peer

#: From scores (N, K), the truth, and "mean" or "none" to the loss.
Loss: TypeAlias = Callable[[Any, Any, str], Any]
#: Of torch.compile.
Modes: TypeAlias = tuple[str, ...]

#: What the loss of one of four batches is multiplied by where their gradients are added up.
_QUARTER = 0.25


@dataclass(frozen=True, eq=False)
class Way:
    """``weight`` multiplies the loss, or each row's: what comes from above in the backward pass is then not 1."""

    trains: bool
    reduction: str
    weight: Any = None

    def value(self, loss: Any) -> Any:
        if self.reduction == "none" and self.trains:
            of_rows = loss if loss.ndim == 1 else loss.mean(-1)
            return (of_rows * self.weight).mean()
        return loss if self.weight is None else loss * self.weight

    def peer(self, loss: Loss, z: Any, y: Any, note: str = "", prepare: Callable[[], None] = lambda: None) -> Peer:
        """A loss that is used so."""

        def run() -> Any:
            return self.value(loss(z, y, self.reduction))

        return trained(run, z, note, prepare) if self.trains else evaluated(run, note, prepare)

    def compiled(self, function: Any, z: Any, y: Any, modes: Modes, right: Check, device: Device) -> Found:
        """A function of PyTorch's, compiled, used so."""

        def in_mode(mode: str) -> Peer:
            ready = torch.compile(function, mode=mode, dynamic=False, fullgraph=True)
            return self.peer(lambda z, y, reduction: ready(z, y, reduction=reduction), z, y)

        return compiled(modes, in_mode, right, device)

    def bound(self, z: Any, device: Device) -> Found:
        """What moves the bytes of the scores that have to be moved: ``copy`` in training, else ``read``."""
        return copied(z) if self.trains else read(z, device)


def way_of(group: str, z: Any) -> Way:
    """The way of a group of cases."""
    kind = group.rpartition(" ")[2]
    if kind in ("forward", "likelihood"):
        return Way(False, "none" if kind == "likelihood" else "mean")
    if kind == "rows":
        return Way(True, "none", torch.linspace(0.5, 1.5, len(z), device=z.device))
    return Way(True, "mean", _QUARTER if kind == "scaled" else None)
