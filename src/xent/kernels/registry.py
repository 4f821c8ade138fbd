"""Which kernel runs. Never a silent fallback: ``explain`` tells the choice and every refusal."""

from __future__ import annotations

from dataclasses import dataclass

from xent.errors import KernelError
from xent.kernels.composed import composed
from xent.kernels.cpu import cpu
from xent.kernels.cpu.called import called
from xent.kernels.cpu.pick import picks
from xent.kernels.gpu import gpu
from xent.kernels.gpu.compiled import compiled
from xent.kernels.protocol import Kernel, Task

#: Fastest first; a kernel is added by a line here. The composed one takes what the others do not.
_KERNELS: tuple[Kernel, ...] = (cpu, *picks, called, gpu, compiled, composed)


@dataclass(frozen=True)
class Explanation:
    """Which kernel runs a call, and why the others do not."""

    task: Task
    chosen: str | None
    refusals: dict[str, str]

    def __str__(self) -> str:
        task = self.task
        lines = [
            f"{task.library} {task.dtype} of shape {task.shape} on {task.device}, Q holds {task.link}, "
            f"{task.target} target: kernel {self.chosen or 'none'}"
        ]
        lines += [f"  not {name}: {reason}" for name, reason in self.refusals.items()]
        return "\n".join(lines)


def consider(task: Task) -> tuple[Kernel | None, Explanation]:
    """Ask each kernel in turn."""
    refusals: dict[str, str] = {}
    for kernel in _KERNELS:
        reason = kernel.refuses(task)
        if reason is None:
            return kernel, Explanation(task, kernel.name, refusals)
        refusals[kernel.name] = reason
    return None, Explanation(task, None, refusals)


def choose(task: Task) -> Kernel:
    """The first kernel that does not refuse the task."""
    kernel, explanation = consider(task)
    if kernel is None:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in explanation.refusals.items())
        raise KernelError("Q", "an input that a kernel takes", reasons)
    return kernel
