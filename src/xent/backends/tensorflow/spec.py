"""What a row function knows besides its tensors."""

from __future__ import annotations

from dataclasses import dataclass

from xent.backends import spec
from xent.kernels.protocol import Kernel


@dataclass(frozen=True)
class Spec(spec.Spec):
    """Without a kernel it is a function of a graph."""

    kernel: Kernel | None = None
