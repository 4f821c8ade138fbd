"""The CPU kernel, called from code that JAX compiles."""

from __future__ import annotations

import math

from xent.core.arrays import FLOATING
from xent.kernels.cpu import Cpu
from xent.kernels.protocol import Task

#: Where XLA's own code takes as long as a call into Python and the kernel. On two cores of an AMD EPYC, in float32.
WORTH = 2**15


class Called(Cpu):
    """JAX, under ``jit`` on a CPU: rows of scores, enough of them that the call is worth its price."""

    name = "cpu, called by XLA"

    def refuses(self, task: Task) -> str | None:
        if task.library != "jax" or not task.traced:
            return "it is called from code that JAX compiles"
        if task.device != "cpu":
            return f"it runs on arrays in memory, not on {task.device}"
        if task.family == "rows" and task.link != "logits":
            return "of rows it takes scores (Labels or Distribution with Logits)"
        if task.family == "elements" and "loss" not in task.want:
            return "of elements it takes their losses"
        if "divergence" in task.want:
            return "it does not compute divergences"
        if task.dtype not in FLOATING:
            return f"it takes floats, not {task.dtype}"
        if not all(isinstance(length, int) for length in task.shape):
            return "a length is not known before the program runs"
        if math.prod(task.shape) < WORTH:
            return f"below {WORTH} numbers XLA's own code takes less time than the call"
        return None


called = Called()
